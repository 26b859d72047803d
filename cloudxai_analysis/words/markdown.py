"""Markdown as code hosts show it: foreign text that stays text, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from cloudxai_analysis.words.phrases import plain

_MARKS = re.compile(r"([\\`*_\[\]!~$^])")
# What a code host would make a link, a mention, a symbol or an issue of.
_LINKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;", "|": "&#124;"}
# What begins a list, a rule or an underlined heading where it begins a line.
_BEGINS = re.compile(r"^(\d{0,9})([-+=]|(?<=\d)[.)])(?=[\s=-]|$)")
_COLON = re.compile(r":(?!\s|$)")
_WWW = re.compile(r"(?i)www\.")


def markdown_text(text: object, *, most: int = 200) -> str:
    """Foreign text as Markdown that shows it: on one line, no markup, no link, no mention; a long one is cut."""
    line = plain(" ".join(str(text).split()))
    line = line if len(line) <= most else f"{line[:most]}…"
    escaped = "".join(_LINKS.get(sign) or _MARKS.sub(r"\\\1", sign) for sign in line)
    escaped = _BEGINS.sub(r"\1\\\2", escaped)
    return _WWW.sub(lambda match: f"{match[0][:3]}&#46;", _COLON.sub("&#58;", escaped))


def markdown_table(columns: Mapping[str, bool], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table's lines; `columns` says of each whether it holds numbers; cells are Markdown already."""
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---:' if numbers else '---' for numbers in columns.values())} |"
    for row in rows:
        yield "".join(f"| {cell} " if str(cell) else "| " for cell in row) + "|"


def markdown_code(text: str, language: str) -> Iterator[str]:
    """A block of code whose fence nothing inside of it can close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    yield f"{fence}{language}"
    yield from (plain(line) for line in text.splitlines())
    yield fence
