"""What importing a file would do to the ledger: add, correct, skip or refuse each of its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import alertmanager
from cloudxai_analysis.ledger.entries import ABOUT_WRITING, Entry, parsed
from cloudxai_analysis.ledger.rows import Row, csv_rows, json_values, text_of, value_rows
from cloudxai_analysis.ledger.standing import Standing

Words = Literal["own", "alertmanager"]
_TIMES = ("start", "end", "acknowledged_at", "fired_at", "at", "written_at")
_LISTS = ("alerts", "proposals")


@dataclass(frozen=True)
class Planned:
    """What becomes of one row: where it stands, the entry it makes (None if refused), and why."""

    place: str
    action: Literal["add", "correct", "skip", "refuse"]
    entry: Entry | None
    why: str = ""


def rows_of(content: bytes, file: str, *, form: str) -> tuple[list[Row], Words]:
    """The rows of a JSON, JSON Lines or CSV file, and in whose words they are.

    `form` is 'json', 'csv', 'alertmanager', or 'auto': what the content looks like.

    Raises
    ------
    UsageError
        The file cannot be read as such; the message names the line.
    """
    text = text_of(content, file)
    if form == "json" or (form != "csv" and text.lstrip()[:1] in ("{", "[")):
        values = list(json_values(text, file))
        return rows_of_values(values, file, form=form)
    if form == "alertmanager":
        raise UsageError(f"File {file}: Alertmanager's alerts are JSON, and this is none.")
    return list(csv_rows(text, file)), "own"


def rows_of_values(values: Iterable[tuple[str, Any]], file: str, *, form: str) -> tuple[list[Row], Words]:
    """The rows of the values of a JSON or YAML file, each with its place, and in whose words they are.

    Raises
    ------
    UsageError
        A value is no object and no list of objects.
    """
    values = list(values)
    words = _words(form, values[0][1] if values else None)
    unfold = alertmanager.alerts_of if words == "alertmanager" else _own_items
    try:
        found = [
            row
            for place, value in values
            for here, item in unfold(value)
            for row in value_rows(item, ", ".join(filter(None, (place, here))))
        ]
    except ValueError as error:
        raise UsageError(f"File {file}: {error}.") from None
    return found, words


def planned(
    rows: Iterable[Row],
    words: Words,
    standing: Standing,
    *,
    by: str = "",
    zone: ZoneInfo | None = None,
    proposed: bool = False,
    tenant_label: str = "tenant",
) -> list[Planned]:
    """What becomes of each row, in turn, on a ledger that stands as `standing`, which takes up what would be written.

    A row that says what an entry under its `id` said before is skipped, whoever imports it, and even if that entry was
    corrected or withdrawn since. `by` is written where a row names nobody; `zone` is that of times without one; with
    `proposed`, incidents become proposals; `tenant_label` is what Alertmanager's alerts call their tenant.
    """
    fields = partial(_fields, words=words, proposed=proposed, tenant_label=tenant_label)
    return [_planned(row, fields, words, standing, by=by, zone=zone, proposed=proposed) for row in rows]


def _planned(
    row: Row,
    fields: Callable[[Mapping[str, Any]], dict[str, Any]],
    words: Words,
    standing: Standing,
    *,
    by: str,
    zone: ZoneInfo | None,
    proposed: bool,
) -> Planned:
    try:
        given = fields(row.data)
        given = {name: _in_zone(value, zone) if name in _TIMES else value for name, value in given.items()}
        given.setdefault("written_at", datetime.now(UTC))
        given["by"] = _author(given, by, proposed=proposed)
        now = standing.current(str(given.get("id"))) if words != "own" else None
        entry = parsed({**(_said(now) if now and now.kind == given["kind"] else {}), **given})
        before = standing.version_like(entry)
        if before is not None:
            return Planned(row.place, "skip", entry, _since(standing, entry, before))
        now = standing.current(str(entry.id))
        standing.admit(entry)
    except (ValueError, OverflowError) as error:
        return Planned(row.place, "refuse", None, str(error))
    except UsageError as error:
        refusal = str(error).removeprefix("Ledger entry refused: ").removesuffix(". Nothing was written.")
        return Planned(row.place, "refuse", None, refusal)
    return Planned(row.place, "correct" if now else "add", entry, _changes(now, entry) if now else "")


def _fields(data: Mapping[str, Any], *, words: Words, proposed: bool, tenant_label: str) -> dict[str, Any]:
    if words == "alertmanager":
        found = {"kind": "incident", **alertmanager.incident_fields(data, tenant_label=tenant_label)}
    else:
        found = {"kind": "incident", **data}
        for name in _LISTS:
            if isinstance(found.get(name), str):
                found[name] = _listed(found[name])
    if proposed and found["kind"] == "incident":
        unasked = ("acknowledged_at", "scope")
        found = {**{name: value for name, value in found.items() if name not in unasked}, "kind": "proposal"}
    return found


def _author(given: Mapping[str, Any], by: str, *, proposed: bool) -> Any:
    author = given.get("by") or by
    if not author:
        raise ValueError("by: nobody is named; give --by NAME")
    # Who imports alerts made none of them, and may well be the one to confirm them.
    return f"import by {author}" if proposed and given["kind"] == "proposal" else author


def _words(form: str, first: Any) -> Words:
    if form == "alertmanager" or (form == "auto" and alertmanager.looks_like(first)):
        return "alertmanager"
    return "own"


def _own_items(value: Any) -> Iterator[tuple[str, Any]]:
    yield "", value


def _listed(cell: str) -> list[Any]:
    if cell.startswith("["):
        try:
            return list(json.loads(cell))
        except (ValueError, TypeError, RecursionError):
            raise ValueError("a list is no JSON; part names by semicolons") from None
    return [name.strip() for name in cell.split(";") if name.strip()]


def _in_zone(value: Any, zone: ZoneInfo | None) -> Any:
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
        raise ValueError(f"{value} is no one moment in {zone.key}, whose clocks change then; give its offset")
    return first


def _said(entry: Entry) -> dict[str, Any]:
    return entry.model_dump(exclude=set(ABOUT_WRITING))


def _since(standing: Standing, entry: Entry, before: int) -> str:
    name = str(entry.id)
    if name in standing.withdrawn:
        return f"withdrawn since, in line {standing.withdrawn[name] + 1}"
    last = standing.versions[name][-1]
    return f"as in line {before + 1}" + (f", corrected since in line {last + 1}" if last != before else "")


def _changes(before: Entry, after: Entry) -> str:
    old, new = (entry.model_dump(mode="json", exclude=set(ABOUT_WRITING)) for entry in (before, after))
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}" for name in changed)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
