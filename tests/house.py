"""The picture of the rooms in docs/architecture.md, drawn from the imports.

python tests/house.py        # draws it anew in the page
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import grimp

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "architecture.md"
ROOT = "cloudxai_analysis"
_BLOCK = re.compile(r"(?<=<!-- drawn from the imports -->\n)```mermaid\n.*?```\n", re.DOTALL)


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


def picture() -> str:
    """The rooms as a Mermaid graph: an arrow leads from a room to one that is made from it."""
    arrows = "\n".join(f"    {made_from} --> {room}" for room, made_from in nearest(room_imports()))
    return f"```mermaid\nflowchart LR\n{arrows}\n```\n"


def drawn(page: str) -> str:
    """The page with the picture as the imports are now."""
    if not _BLOCK.search(page):
        raise ValueError(f"{PAGE.name} has no place for the picture.")
    return _BLOCK.sub(lambda _: picture(), page)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
