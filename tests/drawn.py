"""What the docs say twice is drawn from where it stands: rooms, checks, bounds, risks and settings.

python tests/drawn.py        # draws all of it anew in the pages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import annotated_types
import grimp
from pydantic.fields import FieldInfo

from cloudxai_analysis.checks.finding import REASONS, ROWS
from cloudxai_analysis.decide.signoff import RISKS
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT
from cloudxai_analysis.platform.settings import Bounds, EnvironmentSettings, Limits, Settings

DOCS = Path(__file__).parents[1] / "docs"
ROOT = "cloudxai_analysis"
_KINDS = {
    **{float: "number", int: "whole number", str: "text", Literal: "text"},
    **{Path: "path", dict: "table", tuple: "list"},
}
_SIGNS = {annotated_types.Gt: ">", annotated_types.Ge: "≥", annotated_types.Lt: "<", annotated_types.Le: "≤"}
_EDGES = ("gt", "ge", "lt", "le")
_SETTINGS = ((Settings, ""), (EnvironmentSettings, "environments.NAME."), (Bounds, "bounds."), (Limits, "limits."))
_OVER = "The next report finds it no more, or what would disprove it is found."
_WORD = re.compile(r"\{\{\s*(\w+).*?\}\}")


def room_imports() -> dict[str, set[str]]:
    """Which rooms each room imports."""
    graph = grimp.build_graph(ROOT, cache_dir=None)
    rooms = {module.split(".")[1] for module in graph.modules if module.count(".") >= 1}
    found: dict[str, set[str]] = {room: set() for room in sorted(rooms)}
    for module in graph.modules - {ROOT}:
        room = module.split(".")[1]
        named = {other.split(".")[1] for other in graph.find_modules_directly_imported_by(module) if other != ROOT}
        found[room] |= named - {room}
    return found


def nearest(imports: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way says already."""

    def reached(room: str) -> set[str]:
        return imports[room].union(*(reached(other) for other in imports[room]))

    return [
        (room, other)
        for room, others in sorted(imports.items())
        for other in sorted(others)
        if not any(other in reached(between) for between in others - {other})
    ]


def rooms() -> Iterator[str]:
    """The rooms as a Mermaid graph: an arrow leads from a room to one that is made from it."""
    yield from ("```mermaid", "flowchart LR")
    yield from (f"    {made_from} --> {room}" for room, made_from in nearest(room_imports()))
    yield "```"


def checks() -> Iterator[str]:
    """What each check holds against what."""
    yield from ("| check | section | what it holds | against |", "| --- | --- | --- | --- |")
    yield from (f"| `{key}` | {row.section} | {row.holds} | {row.held_against} |" for key, row in ROWS.items())


def actions() -> Iterator[str]:
    """For each check what to look at and what to do where it warns or fails."""
    for key, row in ROWS.items():
        decides = f"{str(row.decides)[:1].upper()}{str(row.decides)[1:]}"
        yield from ("", f"### {key}", "", f"**Means.** {row.holds[:1].upper()}{row.holds[1:]}.", "")
        yield from (
            f"**First look.** {_plain(row.samples)}.",
            "",
            f"**Would disprove it.** {_plain(row.disproof)}.",
            "",
        )
        yield from (f"**Do.** {_plain(row.action)}", "", f"**Stop.** {_OVER}", "", f"**Decides.** {decides}.")


def exits() -> Iterator[str]:
    """For each exit code what the table of faults says of it."""
    text = (DOCS / "faults.md").read_text(encoding="utf-8")
    for code, *said in re.findall(r"^\| (\d+) \|" + r" ([^|]+) \|" * 4 + "$", text, re.MULTILINE):
        yield from ("", f"### {code}")
        for name, words in zip(("Means", "First look", "Do", "Stop"), said, strict=True):
            yield from ("", f"**{name}.** {words[:1].upper()}{words[1:]}.")


def _plain(sentence: str | None) -> str:
    """A sentence of `checks.toml` with the names of its words in their place."""
    said = _WORD.sub(lambda word: f"({word[1].replace('_', ' ')})", sentence or "see the finding").strip()
    return said[:1].upper() + said[1:]


def reasons() -> Iterator[str]:
    """Why each bound stands where it does."""
    yield from ("| bound | why it stands where it does |", "| --- | --- |")
    yield from (f"| {name} | {REASONS[name]} |" for name in Bounds.model_fields)


def risks() -> Iterator[str]:
    """The risk matrix, with the number by which each risk is watched."""
    yield from (
        "| risk | likelihood | impact | owner | watched by | what to do |",
        "| --- | --- | --- | --- | --- | --- |",
    )
    for row in RISKS:
        yield f"| {row.risk} | {row.likelihood} | {row.impact} | {row.owner} | `{row.figure}` | {row.action} |"


def settings() -> Iterator[str]:
    """Every setting, with its kind, default and what is allowed."""
    yield from ("| key | kind | default | allowed | meaning |", "| --- | --- | --- | --- | --- |")
    for model, prefix in _SETTINGS:
        for name, field in model.model_fields.items():
            if name not in ("environments", "bounds", "limits"):
                cells = (f"`{prefix}{name}`", _kind(field), _default(field), _allowed(field), field.description or "")
                yield f"| {' | '.join(cells)} |"


def _kind(field: FieldInfo) -> str:
    optional = isinstance(field.annotation, UnionType)
    kind: Any = get_args(field.annotation)[0] if optional else get_origin(field.annotation) or field.annotation
    return _KINDS.get(kind, "table")


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default == DEFAULT_CONTRACT:
        return "the package's `platform/contract.toml`"
    return "" if default in (None, {}, ()) else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _allowed(field: FieldInfo) -> str:
    limits = [
        f"{_SIGNS[type(item)]} {next(float(getattr(item, edge)) for edge in _EDGES if hasattr(item, edge)):g}"
        for item in field.metadata
        if type(item) in _SIGNS
    ]
    patterns = [f"`{item.pattern}`" for item in field.metadata if getattr(item, "pattern", None)]
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return ", ".join([*limits, *patterns, *(f"`{choice}`" for choice in choices)])


# What stands between '<!-- drawn from WHAT -->' and the next heading, comment or end, by page.
DRAWN = {
    DOCS / "architecture.md": {"the imports": rooms},
    DOCS / "definitions.md": {"checks.toml": checks},
    DOCS / "runbook.md": {"checks.toml": actions, "faults.md": exits},
    DOCS / "risk-register.md": {"signoff.toml": risks},
    DOCS / "howto" / "configure-an-environment.md": {"the settings": settings, "checks.toml": reasons},
}


def drawn(page: Path) -> str:
    """The page with all that is drawn in it as it is now; ValueError where it has no place for it."""
    text = page.read_text(encoding="utf-8")
    for what, lines in DRAWN[page].items():
        begin, end = f"<!-- drawn from {what} -->\n", "<!-- drawn -->\n"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{page.name} has no place for what is drawn from {what}")
        text = before + begin + "\n".join(["", *lines(), "", ""]) + end + after
    return text


if __name__ == "__main__":
    for page in DRAWN:
        page.write_text(drawn(page), encoding="utf-8")
