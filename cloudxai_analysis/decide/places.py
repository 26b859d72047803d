"""Where PromQL stands in people's files, character by character, so that a file is changed there and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.corpus import SUFFIXES as AUDITED
from cloudxai_analysis.lint.corpus import is_others, not_audited
from cloudxai_analysis.lint.dashboards import Dashboard, load_dashboard
from cloudxai_analysis.lint.documents import Node, carried, read_text
from cloudxai_analysis.lint.routing import load_routing
from cloudxai_analysis.lint.rules import load_rules

SUFFIXES = AUDITED | {".ipynb"}
Kind = Literal["promql", "code", "series", "route", "template", "legend"]
_ROUTE_KEYS = {
    "group_by",
    "equal",
    *(f"{side}{key}" for side in ("", "source_", "target_") for key in ("match", "match_re", "matchers")),
}
_SURROGATES = re.compile(r"(?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+")
_BREAKS = str.maketrans(dict.fromkeys("\x85\u2028\u2029", " "))
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|\r\n|[\s\S])")
_BLANK = re.compile(r"(?:\\(?:[ntr \n]|\r\n)|\s)*")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # an anchor, a type
_STRING = re.compile(r"""\#[^\n]*|([rRbBuU]?)("{3}|'{3}|"|')((?:\\.|(?!\2)[^\\])*?)\2""", re.DOTALL)


_OF_TESTS: tuple[tuple[str, Kind], ...] = (("series", "series"), ("expr", "promql"))


class Place(NamedTuple):
    """A text in a file, and where each of its characters stands there.

    'code' is a string of a program, which need be no PromQL, 'series' one that a test makes up, 'route'
    a text of a routing tree that names labels; `templates` are texts about the series
    that an expression gives, `records` the name that it is recorded under.
    """

    kind: Kind
    subject: str
    text: str
    at: Sequence[int]
    templates: tuple[Place, ...] = ()
    records: str = ""


class Unplaced(NamedTuple):
    """What of a file is not looked into, and where it begins."""

    at: int
    said: str


class _Source(NamedTuple):
    """A text that a document is in, and where its characters stand in the file."""

    text: str
    at: Sequence[int]

    def place(self, node: Node, kind: Kind, subject: str) -> Place:
        text = node.text()
        inside = aligned(self.text[node.start : node.end], text)
        return Place(kind, subject, text, [self.at[node.start + number] for number in inside])


def places(text: str, file: str) -> tuple[list[Place], list[Unplaced], list[Finding]]:
    """The places in a file's text, what of it is not looked into, and why it cannot be read."""
    found: list[Place] = []
    left: list[Unplaced] = []
    faults = _read(_Source(text, range(len(text) + 1)), file, found, left, as_json=file.endswith((".json", ".ipynb")))
    return found, left, faults


def _read(source: _Source, file: str, found: list[Place], left: list[Unplaced], *, as_json: bool) -> list[Finding]:
    text = source.text
    if as_json:  # where characters that YAML takes otherwise stand in for as many of another
        text = _SURROGATES.sub(lambda one: r"\u0041" * (len(one[0]) // 6), text.translate(_BREAKS))
    trees, faults = read_text(text, file, as_json=as_json)
    source = _Source(text, source.at)
    for tree in trees:
        for one in (tree, *tree.get("items").items()) if tree.get("kind").text().endswith("List") else (tree,):
            if said := not_audited(one):
                left.append(Unplaced(source.at[min((node.start for node in one.walk() if node.end), default=0)], said))
            else:
                found += _in_document(one, source, file)
            for inner, node, inner_json in carried(one):
                if inner != node.text():
                    left.append(Unplaced(source.at[node.start], "It is encoded"))
                    continue
                at = [source.at[node.start + number] for number in aligned(text[node.start : node.end], inner)]
                faults += _read(_Source(inner, at), file, found, left, as_json=inner_json)
    return faults


def _in_document(tree: Node, source: _Source, file: str) -> Iterator[Place]:
    if is_others(tree):
        nodes = [(node.get(key), kind) for node in tree.get("tests").walk() for key, kind in _OF_TESTS]
        yield from (source.place(node, kind, "test") for node, kind in nodes if node.text())
        return
    for rule in load_rules(tree, file):
        of_rule = [*rule.node.get("annotations").pairs(), *rule.node.get("labels").pairs()]
        templates = tuple(source.place(node, "template", rule.name) for _, node in of_rule if "$labels" in node.text())
        record = rule.name if rule.kind == "record" else ""
        yield source.place(rule.node.get("expr"), "promql", rule.name)._replace(templates=templates, records=record)
    if routing := load_routing(tree, file):
        yield from _in_routing(routing.tree, source)
    if dashboard := load_dashboard(tree, file):
        yield from _in_dashboard(tree, dashboard, source)
    for number, cell in enumerate(tree.get("cells").items(), start=1):
        if cell.get("cell_type").text() == "code":
            yield from _strings(cell.get("source"), source, f"cell {number}")


def _in_routing(tree: Node, source: _Source) -> Iterator[Place]:
    for node in tree.walk():
        for key in _ROUTE_KEYS.intersection(node.key_lines):
            yield from (source.place(entry, "route", key) for entry in node.get(key).items())
            for name, value in node.get(key).pairs():  # whose names have no place of their own
                yield source.place(value, "route", key)._replace(text=name)


def _in_dashboard(tree: Node, dashboard: Dashboard, source: _Source) -> Iterator[Place]:
    for query in dashboard.queries:
        legend = query.target.get("legendFormat")
        told = (source.place(legend, "legend", query.panel),) if legend.text() else ()
        yield source.place(query.target.get("expr"), "promql", query.panel)._replace(templates=told)
    for body in (tree, tree.get("dashboard"), tree.get("spec")):
        for node in (*body.get("templating", "list").items(), *body.get("annotations", "list").items()):
            asked = (node.get("query"), node.get("query", "query"), node.get("definition"), node.get("expr"))
            yield from (source.place(one, "promql", node.get("name").text()) for one in asked if one.text())


def _strings(code: Node, source: _Source, subject: str) -> Iterator[Place]:
    """The strings of a cell's program, of which each line is a text of the notebook's own."""
    parts = [source.place(line, "promql", subject) for line in code.items() or [code] if line.text()]
    text, at = "".join(part.text for part in parts), [place for part in parts for place in part.at]
    for one in _STRING.finditer(text):
        if one[3]:
            start = one.start(3)
            value = one[3] if one[1] in ("r", "R") else _ESCAPE.sub(_unescaped, one[3])
            inside = range(len(value)) if value == one[3] else aligned(f'"{one[3]}"', value, less=1)
            yield Place("code", subject, value, [at[start + number] for number in inside])


def _unescaped(one: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "\n": ""}.get(one[0][1], one[0][1]) if len(one[0]) == 2 else "?"


def aligned(raw: str, text: str, *, less: int = 0) -> list[int]:
    """Where each character of a scalar's text stands in what was written, however that is quoted, folded or escaped.

    White space may be anywhere between where the characters around it are. Raises ValueError where
    the two are not the same text.
    """
    at = _PROPERTIES.match(raw).end()  # type: ignore[union-attr]
    style = raw[at : at + 1] if raw[at : at + 1] in ("'", '"', "|", ">") else ""
    at = raw.index("\n", at) + 1 if style in ("|", ">") and "\n" in raw else at + len(style)
    found = []
    for character in text:
        if character.isspace():
            found.append(at - less)
            continue
        blank = _BLANK if style == '"' else re.compile(r"\s*")
        at = blank.match(raw, at).end()  # type: ignore[union-attr]
        found.append(at - less)
        escape = _ESCAPE.match(raw, at) if style == '"' else None
        if escape:
            at = escape.end()
        elif raw[at : at + 1] != character:
            raise ValueError(f"{text!r} is not what stands there")
        else:
            at += 2 if style == "'" and character == "'" else 1
    return found
