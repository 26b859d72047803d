"""Entries to and from files: what importing one would do to the ledger, row by row, and exports that come back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.entries import COLUMNS, Entry, parsed
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.words.csv_cells import neutral, restored

LARGEST_BYTES = 64 << 20
_TIMES = ("start", "end", "acknowledged_at", "mitigated_at", "fired_at", "at", "written_at")
_LISTS = ("alerts", "attests", "proposals", "tenants", "follow_ups", "not_known", "ci_artifacts", "notes")
_NESTED = ("answers", "alerts_fired", "costs", "metrics", "findings", "checks", "signals")
Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Imported:
    """What becomes of one row: where it stands, 'add', 'correct', 'skip' or 'refuse', its entry (None if refused)."""

    place: str
    action: str
    entry: Entry | None
    why: str = ""


def rows_of(content: bytes, file: str) -> list[Row]:
    """The records of a JSON, JSON Lines or CSV file, each with its place ('line 3', 'item 2').

    Raises UsageError (the file cannot be read as such; the message names the line).
    """
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"File {file} is larger than {LARGEST_BYTES:,} bytes. Import it in parts.")
    try:
        text = content.decode("utf-8-sig")
        return list(_json_rows(text) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text))
    except UnicodeDecodeError as error:
        raise UsageError(f"File {file} is no UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except (ValueError, csv.Error) as error:
        raise UsageError(f"File {file}, {error}.") from None


def planned(rows: Iterable[Row], standing: Standing, *, by: str = "", zone: ZoneInfo | None = None) -> list[Imported]:
    """What becomes of each row, in turn, on a ledger that stands as `standing`, which takes up what would be written.

    A row that says what an entry under its `id` said before is skipped, whoever imports it, and
    even if that entry was corrected or withdrawn since. `by` is written where a row names nobody;
    `zone` is that of times without one.
    """
    return [_imported(place, data, standing, by, zone) for place, data in rows]


def exported(entries: Iterable[Entry], form: str) -> str:
    """The entries, superseded ones included, as 'jsonl' or 'csv'; `rows_of` takes them back as they were."""
    listed = [entry.model_dump(mode="json") for entry in entries]
    if form != "csv":
        return "".join(json.dumps(said, ensure_ascii=False) + "\n" for said in listed)
    for said in listed:
        said |= {name: json.dumps(said[name]) for name in _NESTED if said.get(name) is not None}
    text = io.StringIO()
    # All in quotes: the writer would leave a lone carriage return without, and break the row.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([COLUMNS, *([_cell(said.get(name)) for name in COLUMNS] for said in listed)])
    return text.getvalue()


def _imported(place: str, data: dict[str, Any], standing: Standing, by: str, zone: ZoneInfo | None) -> Imported:
    try:
        given = {"kind": "incident", "written_at": datetime.now(UTC), **data}
        given |= {name: in_zone(given[name], zone) for name in _TIMES if name in given}
        given |= {name: _listed(given[name]) for name in _LISTS if name in given}
        given |= {name: _nested(given[name]) for name in _NESTED if name in given}
        given["by"] = given.get("by") or by
        if not given["by"]:
            raise ValueError("by: nobody is named; give --by NAME")
        entry = parsed(given)
        before, now = standing.version_like(entry), standing.current(str(entry.id))
        if before is not None:
            return Imported(place, "skip", entry, f"as in line {before + 1}")
        standing.admit(entry)
    except (ValueError, OverflowError, UsageError) as error:
        refusal = str(error).removeprefix("Ledger entry refused: ").removesuffix(". Nothing was written.")
        return Imported(place, "refuse", None, refusal)
    return Imported(place, "correct", entry, _changes(now, entry)) if now else Imported(place, "add", entry)


def _json_rows(text: str) -> Iterator[Row]:
    """The object or list of a JSON file, or of each line of a JSON Lines file."""
    try:
        values = [("", json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant))]
    except json.JSONDecodeError as error:
        # Of a file with several values, the first one is whole.
        if error.msg != "Extra data":
            raise ValueError(f"line {error.lineno}: no JSON ({error.msg})") from None
        values = list(_json_lines(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    for place, value in values:
        for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
            here = f"item {number}" if isinstance(value, list) or not place else ""
            where = ", ".join(filter(None, (place, here)))
            if not isinstance(item, dict):
                raise ValueError(f"{where}: no object")
            yield where, item


def _json_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip():
                yield f"line {number}", json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: no JSON ({error})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the key {twice[0][:100]!r} is there twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _csv_rows(text: str) -> Iterator[Row]:
    """The records of a file with a header, without their empty cells; commas, semicolons or tabs part them."""
    parted = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if not any(header) or len(set(header)) < len(header):
        raise ValueError("line 1: it must name each column once")
    line = reader.line_num + 1
    try:
        for cells in reader:
            names = [*header, *(f"column {number + 1}" for number in range(len(header), len(cells)))]
            if any(cells):
                yield f"line {line}", {name: restored(cell) for name, cell in zip(names, cells, strict=False) if cell}
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: no CSV ({error})") from None


def _cell(value: Any) -> str:
    if isinstance(value, list):
        plain = all(name == name.strip() and ";" not in name and not name.startswith("[") for name in value)
        value = "; ".join(value) if plain else json.dumps(value)
    return "" if value is None else str(neutral(str(value)))


def _listed(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    if cell.startswith("["):
        try:
            return list(json.loads(cell))
        except (ValueError, TypeError, RecursionError):
            raise ValueError("a list is no JSON; part names by semicolons") from None
    return [name.strip() for name in cell.split(";") if name.strip()]


def _nested(cell: Any) -> Any:
    try:
        return json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        raise ValueError("what is made of several parts is JSON in its cell") from None


def in_zone(value: Any, zone: tzinfo | None) -> Any:
    """The moment that a text names, in `zone` where it names none; what is no such text stays as it is.

    Raises ValueError (neither it nor `zone` says the zone, or the clocks change then).
    """
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.removesuffix(" UTC") + "Z" if value.endswith(" UTC") else value)
    except ValueError:
        return value
    if moment.tzinfo is not None:
        return moment
    if zone is None:
        raise ValueError(f"{value} is in no time zone; give --zone, such as Europe/Berlin or UTC")
    first, second = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        raise ValueError(f"{value} is no one moment in {zone}, whose clocks change then; give its offset")
    return first


def _changes(before: Entry, after: Entry) -> str:
    old, new = before.said(), after.said()
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}" for name in changed)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
