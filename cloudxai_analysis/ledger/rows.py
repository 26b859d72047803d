"""A file that is to be imported as rows, each with its place: JSON, JSON Lines, CSV, or the values of a YAML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.cells import without_apostrophe

LARGEST_BYTES = 64 << 20


@dataclass(frozen=True)
class Row:
    """One record of a file, and where it stands: 'line 3', 'item 2'."""

    place: str
    data: dict[str, Any]


def text_of(content: bytes, file: str) -> str:
    """The text of a file, without a byte-order mark.

    Raises
    ------
    UsageError
        It is no UTF-8, or larger than 64 MiB.
    """
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"File {file} is larger than {LARGEST_BYTES:,} bytes. Import it in parts.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"File {file} is no UTF-8 (byte {error.start}). Save it as UTF-8.") from None


def json_values(text: str, file: str) -> Iterator[tuple[str, Any]]:
    """The value of a JSON file, or of each line of a JSON Lines file, with its place.

    Raises
    ------
    UsageError
        The file is neither, or has a key twice in one object.
    """
    try:
        yield "", _json(text)
        return
    except json.JSONDecodeError as error:
        # Of a file with several values, the first one is whole.
        if error.msg != "Extra data":
            raise UsageError(f"File {file}, line {error.lineno}: no JSON ({error.msg}).") from None
    except ValueError as error:
        raise UsageError(f"File {file} is no JSON: {error}.") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", _json(line)
            except ValueError as error:
                raise UsageError(f"File {file}, line {number}: no JSON ({error}).") from None


def csv_rows(text: str, file: str) -> Iterator[Row]:
    """The records of a CSV file with a header, without their empty cells; commas, semicolons or tabs part them.

    An apostrophe that keeps a spreadsheet from running a cell is taken off.

    Raises
    ------
    UsageError
        The header is empty or has a name twice; quotes are not closed.
    """
    first = text.split("\n", 1)[0]
    parted = max(",;\t", key=first.count)
    before = csv.field_size_limit(LARGEST_BYTES)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted, strict=True)
        header = [name.strip() for name in next(reader, [])]
        if not any(header) or len(set(header)) < len(header):
            raise UsageError(f"File {file}: its first line must name each column once.")
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield Row(f"line {line}", _record(header, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"File {file}, line {reader.line_num}: no CSV ({error}).") from None
    finally:
        csv.field_size_limit(before)


def value_rows(value: Any, place: str = "") -> Iterator[Row]:
    """The records of a JSON or YAML value: an object, or a list of them.

    Raises
    ------
    ValueError
        It is neither.
    """
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        here = f"item {number}" if isinstance(value, list) else ""
        if not isinstance(item, dict):
            raise ValueError(f"{' '.join(filter(None, (place, here)))}: no object".lstrip(": "))
        yield Row(", ".join(filter(None, (place, here))) or "item 1", item)


class _Broken(ValueError):
    """What a decoder takes, and we do not."""


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise _Broken("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Broken(f"the key {twice[:100]!r} is there twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise _Broken(f"{name} is no JSON value")


def _record(header: list[str], cells: list[str]) -> dict[str, Any]:
    found = {name: without_apostrophe(cell) for name, cell in zip(header, cells, strict=False) if cell}
    if len(cells) > len(header):
        found[f"column {len(header) + 1}"] = cells[len(header)]
    return found
