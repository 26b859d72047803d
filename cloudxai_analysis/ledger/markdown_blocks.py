"""A Markdown file as the blocks that people write: headings, bullets, paragraphs and rows of tables, without markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode


@dataclass
class Block:
    """A 'heading' of a level, an 'item' of a depth, a 'text' (level 0), or a 'header' or 'row' of a table, by line.

    `lines` are its lines, or a row's cells; `more` is whether a row has cells beyond its header's.
    """

    kind: str
    level: int
    line: int
    lines: list[str]
    header: list[str] = field(default_factory=list)
    more: bool = False


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks in their order; comments are none."""
    # What stands before the first heading between two lines of dashes would be a heading itself.
    text = re.sub(r"\A---\n(.*?\n)---\n", r"\n\1\n", text.replace("\r\n", "\n").replace("\r", "\n"), flags=re.DOTALL)
    root = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
    yield from _blocks(root, 0, text.split("\n"))


def _blocks(node: SyntaxTreeNode, depth: int, source: list[str]) -> Iterator[Block]:
    for child in node.children:
        kind, line = ("item" if depth else "text"), child.map[0] + 1 if child.map else 0
        if child.type == "heading":
            yield Block("heading", int(child.tag[1]), line, [" ".join(_plain(child.children[0]).split())])
        elif child.type == "paragraph":
            yield Block(kind, depth, line, _plain(child.children[0]).split("\n"))
        elif child.type in ("fence", "code_block", "html_block"):
            comment = child.type == "html_block" and child.content.lstrip().startswith("<!--")
            yield Block(kind, depth, line, [] if comment else child.content.split("\n")[:-1])
        elif child.type == "table":
            yield from _rows(child, source)
        else:
            yield from _blocks(child, depth + (child.type == "list_item"), source)


def _rows(table: SyntaxTreeNode, source: list[str]) -> Iterator[Block]:
    header: list[str] = []
    for row in [row for part in table.children for row in part.children]:
        cells = [_plain(cell.children[0]).strip() for cell in row.children]
        line = row.map[0] + 1 if row.map else 0
        if not header:
            header = cells
            yield Block("header", 0, line, cells, header)
        else:
            bars = re.findall(r"(?<!\\)\|", source[line - 1].strip().removeprefix("|").removesuffix("|"))
            yield Block("row", 0, line, cells, header, more=len(bars) >= len(header))


def _plain(inline: SyntaxTreeNode) -> str:
    """The words of a line or several: no markup; a link's address stands behind its words, once."""
    said = ""
    for child in inline.children:
        if child.type in ("softbreak", "hardbreak") or re.fullmatch(r"(?i)<br\s*/?>", _content(child)):
            said += "\n"
        elif child.type == "link":
            words, address = _plain(child), str(child.attrs["href"])
            said += words if words == address else f"{words} ({address})"
        else:
            said += _plain(child) if child.children and child.type != "image" else _content(child)
    return said


def _content(node: SyntaxTreeNode) -> str:
    token: Any = node.token
    return str(token.content) if token else ""
