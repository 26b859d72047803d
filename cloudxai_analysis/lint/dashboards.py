"""A dashboard of Grafana as it stands in a file, and what is wrong with its queries."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from cloudxai_analysis.lint import Finding, found
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.expressions import STAND_IN, Term, readable
from cloudxai_analysis.lint.metrics import NAMES
from cloudxai_analysis.lint.rules import language_of
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_STAND_INS = re.compile(rf"{STAND_IN}(\w+)")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+?)(?:\.[^:^\]]+)?(?::([^\]]+))?\]\]")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?""", re.DOTALL)
_OTHER_SOURCES, _BUILT_IN = NAMES["grafana"]["other_sources"], NAMES["grafana"]["built_in"]
_MOST_TRIALS = 81
_COPIED = ("repeatPanelId", "repeatRowId")  # of a repeat that was saved, and that Grafana makes anew


class Query(NamedTuple):
    """One query of a Prometheus in a panel, with Grafana's variables replaced.

    It is `certain` unless a variable stood for a name, a number or a function; `repeat` are the
    variables of which every repeat of the panel has one value; `target` is where it is written.
    """

    panel: str
    line: int
    repeat: frozenset[str]
    text: str
    certain: bool
    target: Node


class Dashboard(NamedTuple):
    """One dashboard; `several` are those of its variables that may have several values."""

    file: str
    title: str
    queries: list[Query]
    several: frozenset[str]


def load_dashboard(tree: Node, file: str) -> Dashboard | None:
    """The dashboard that a document is, or wraps as Grafana's API and Kubernetes' resources do."""
    body = next(filter(_is_body, (tree, tree.get("dashboard"), tree.get("spec"))), None)
    if body is None:
        return None
    variables = {node.get("name").text(): node for node in body.get("templating", "list").items()}
    sources = {node.get("name").text(): node.get("pluginId").text() for node in body.get("__inputs").items()}
    for name, node in variables.items():
        if node.get("type").text() == "datasource":
            sources[name] = node.get("query").text()
    return Dashboard(
        file,
        body.get("title").text(),
        [query for panel, repeat in _panels(body, frozenset()) for query in _queries(panel, sources, repeat)],
        frozenset(name for name, node in variables.items() if node.get("multi").value or node.get("includeAll").value),
    )


def _is_body(node: Node) -> bool:
    panels = isinstance(node.get("panels").value, list) or isinstance(node.get("rows").value, list)
    return panels and any(node.has(key) for key in ("title", "templating", "schemaVersion", "uid", "time", "refresh"))


def _panels(node: Node, repeat: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """Panels in the order in which they are seen, each with the variables of which every repeat has one value.

    Those of old rows, and those inside of collapsed rows, too; what follows an open row that is
    repeated is as well.
    """
    of_row: frozenset[str] = frozenset()
    for inside in (*node.get("rows").items(), *node.get("panels").items()):
        if any(inside.get(key).value is not None for key in _COPIED):
            continue
        own = frozenset({inside.get("repeat").text(), inside.get("repeatByRow").text()}) - {""}
        if inside.get("type").text() == "row":
            of_row = own
        yield inside, repeat | own | of_row
        yield from _panels(inside, repeat | own)


def _queries(panel: Node, sources: dict[str, str], repeat: frozenset[str]) -> Iterator[Query]:
    name = panel.get("title").text() or panel.get("id").text()
    for target in panel.get("targets").items():
        expr = target.get("expr")
        other = any(_is_other(place.get("datasource"), sources) for place in (panel, target))
        if expr.text().strip() and not other and language_of(expr.text()) != "LogQL":
            yield Query(name, expr.line, repeat, *without_variables(expr.text()), target)


def _is_other(node: Node, sources: dict[str, str]) -> bool:
    """Whether a data source is surely none that speaks PromQL."""
    name = node.text() or node.get("uid").text()
    chosen = next((sources[used] for used in variables_in(name) if used in sources), name)
    kind = (node.get("type").text() or chosen).lower()
    return any(other in kind for other in _OTHER_SOURCES) or ("-datasource" in kind and "prometheus" not in kind)


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables in any text of a dashboard; not the groups of a pattern, such as $1."""
    return tuple(name for one in _VARIABLE.finditer(text) if not (name := _name(one)).isdigit())


def _name(one: re.Match[str]) -> str:
    return one[1] or one[2] or one[4]


def without_variables(text: str) -> tuple[str, bool]:
    """The PromQL text with plain PromQL in place of Grafana's variables, and whether that is certain.

    A duration stands in inside of brackets, a text inside of quotes, and everywhere else what can
    be parsed there: a number, a name, or a function.
    """
    quoted = [one.span() for one in _QUOTED.finditer(text)]
    parts: list[list[str]] = []
    certain, end = True, 0
    for one in _VARIABLE.finditer(text):
        name, (start, stop) = _name(one), one.span()
        in_quotes = any(first < start < last for first, last in quoted)
        if name.isdigit() or (in_quotes and text[start - 1] == "\\"):
            continue
        instead = STAND_IN + name if in_quotes else _number_or_duration(name, text[:start], text[stop:])
        certain = certain and bool(instead)
        parts += [[text[end:start]], [instead] if instead else _names_or_numbers(name, text[:start], text[stop:])]
        end = stop
    trials = list(islice(map("".join, product(*parts, [text[end:]])), _MOST_TRIALS))
    return next(filter(readable, trials), trials[0]), certain


def _number_or_duration(name: str, before: str, after: str) -> str:
    """What any value of a variable is like where it stands: a range, an offset, one of Grafana's own; else ''."""
    if before.rfind("[") > before.rfind("]") or re.search(r"\boffset\s+-?\Z", before):
        return "5" if re.match(r"(?:ms|[smhdwy])\b", after) else _BUILT_IN.get(name, "5m")
    return str(_BUILT_IN.get(name, ""))


def _names_or_numbers(name: str, before: str, after: str) -> list[str]:
    if re.search(r"[\w:]\Z", before) or re.match(r"[\w$]", after):
        # Without underscores, so that its end can be seen in the name around it.
        return [f"{STAND_IN}{name.replace('_', '')}"]
    return ["1", STAND_IN + name, "sum"]


def dashboard_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' dashboards, of their queries included."""
    findings: list[Finding] = []
    for one in corpus.dashboards:
        as_text: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
        for query in one.queries:
            place = (one.file, query.line, f"panel '{query.panel}'")
            root, faults = auditor.findings(query.text, *place, "panel")
            findings += [
                replace(fault, message=_STAND_INS.sub(r"$\1", fault.message))
                for fault in faults
                if _is_meant(fault, query)
            ]
            for said in _compared_as_text(root, one.several - query.repeat) if root is not None else ():
                as_text[said].append(place)
        for said, places in as_text.items():
            more = f" So do {count(len(places) - 1, 'other query', 'other queries')}." if len(places) > 1 else ""
            findings.append(found("dashboards/several-values", f"{said}{more}", *places[0]))
    return findings


def _is_meant(fault: Finding, query: Query) -> bool:
    """Whether a fault is the query's own, not that of what stands in for a variable, which nobody has chosen yet."""
    if fault.code == "promql/unread":
        return query.certain and STAND_IN not in fault.message
    return STAND_IN not in fault.message or (query.certain and fault.code != "promql/selects-nothing")


def _compared_as_text(root: Term, several: frozenset[str]) -> Iterator[str]:
    for matcher in [matcher for term in root.selectors for matcher in term.matchers]:
        name = matcher.value.removeprefix(STAND_IN)
        if name != matcher.value and matcher.operator in ("=", "!=") and name in several:
            yield f'{matcher.name}{matcher.operator}"${name}", of which several can be chosen.'
