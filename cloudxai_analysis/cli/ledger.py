"""The commands of the ledger: `cloudxai ledger add`, `list`, `verify`, `export` and `import`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import in_environment, write_export
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import count, short

if TYPE_CHECKING:
    from cloudxai_analysis.ledger import Ledger
    from cloudxai_analysis.ledger.entries import Entry
    from cloudxai_analysis.ledger.standing import Standing
    from cloudxai_analysis.platform.settings import Environment

_IN_COLUMNS = {"kind", "id", "tenant", "by", "written_at", "start", "at", "fired_at", "date", "checks"}
_DONE = {"add": "added", "correct": "corrected", "skip": "skipped", "refuse": "refused"}
_WOULD = {**_DONE, "add": "would be added", "correct": "would be corrected"}


@click.group()
def ledger() -> None:
    """Read and extend the append-only ledger of incidents, labels and decisions."""


@ledger.command()
@click.argument("entry", metavar="JSON")
@in_environment
def add(settled: Environment, entry: str) -> int:
    """Append one entry, or all or none of a list, given as JSON, such as
    '{"kind": "complete", "start": "2026-11-09T00:00Z", "end": "2026-11-16T00:00Z", "by":
    "on-call"}'.
    """
    try:
        given = json.loads(entry)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"Entry is no JSON: {error}. Give one object, as in docs/howto.") from None
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise UsageError("Entry is neither a JSON object nor a list of them. Give one, as in docs/howto.")
    opened = _opened(settled)
    kept = opened.append_all([{"written_at": datetime.now(UTC), **one} for one in listed])
    say([*(f"{one.kind} {one.id}" for one in kept), f"Appended to {opened.path}"])
    return 0


@ledger.command(name="list")
@in_environment
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only entries of this kind; may be repeated.")
@click.option(
    "--since", default="", metavar="TIME", help="Only what began then or later: 2026-11-12, 2026-11-12T14:03Z."
)
@click.option("--tenant", metavar="NAME", help="Only entries of this tenant; '' for those of all tenants.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with its `line` and `superseded_by`.")
def list_entries(settled: Environment, kinds: tuple[str, ...], since: str, tenant: str | None, as_json: bool) -> int:
    """List the entries, oldest first; what a later entry superseded or withdrew is marked."""
    from cloudxai_analysis.ledger.entries import KINDS

    if unknown := set(kinds) - set(KINDS):
        raise UsageError(f"Unknown kind '{min(unknown)}'. Kinds are {', '.join(KINDS)}.")
    begun = _moment(since or "1970-01-01")
    standing = _opened(settled).standing()
    chosen = [
        (number, entry)
        for number, entry in enumerate(standing.entries, start=1)
        if (not kinds or entry.kind in kinds)
        and (not since or entry.time >= begun)
        and (tenant is None or getattr(entry, "tenant", None) == tenant)
    ]
    later = {place + 1: last + 1 for place, last in standing.replaced().items()}
    if not as_json:
        say(_table(chosen, standing, later))
    for number, entry in chosen if as_json else ():
        said = {**entry.model_dump(mode="json"), "line": number, "superseded_by": later.get(number)}
        hand_over(f"{json.dumps(said)}\n")
    return 0


@ledger.command()
@in_environment
def verify(settled: Environment) -> int:
    """Check every line, and hold the ledger against what each published report knows of it; exits with 5 if damaged."""
    from cloudxai_analysis.ledger.ledger import published_heads

    known, unreadable = published_heads(settled.reports)
    found = _opened(settled).verify(known)
    ends = f"; the last line's SHA-256 is {found.head}" if found.entries else ""
    say([f"{settled.name}: {count(found.entries, 'entry', 'entries')}, each as it was written{ends}."])
    say([f"Held against what {count(len(known), 'published report')} knew of it."])
    say((f"warning: {file} cannot be read; what it knew of the ledger is not known." for file in unreadable), err=True)
    return 0


@ledger.command()
@in_environment
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--output", default="", metavar="FILE", help="Where it is written; default: standard output.")
def export(settled: Environment, form: str, output: str) -> int:
    """Export every entry, superseded ones included, as JSON Lines or CSV."""
    from cloudxai_analysis.ledger.exchange import exported

    entries = _opened(settled).entries()
    text = exported(entries, form)
    if output:
        write_export(Path(output), text)
        say([f"Export: {output}, {count(len(entries), 'entry', 'entries')}"], err=True)
    else:
        hand_over(text)
    return 0


@ledger.command(name="import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@in_environment
@click.option("--by", default="", metavar="NAME", help="Who stands for the entries that name nobody.")
@click.option("--zone", default="", metavar="ZONE", help="Zone of times that have none, such as Europe/Berlin.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and write nothing.")
def import_file(settled: Environment, file: Path, by: str, zone: str, dry_run: bool) -> int:
    """Import incidents and other entries from JSON, JSON Lines or CSV, or incidents from a log in Markdown (.md).

    What is there already is skipped, what has changed becomes a correction. Nothing is written
    unless every row is good. Of a log in Markdown, each line that belongs to no incident's field is
    named, and nothing of it is taken.
    """
    from cloudxai_analysis.ledger.exchange import LARGEST_BYTES, planned, rows_of
    from cloudxai_analysis.ledger.markdown_log import read_log

    opened = _opened(settled)
    try:
        in_zone = ZoneInfo(zone) if zone else None
        with file.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"'{zone}' is no time zone. Give a name like Europe/Berlin.") from None
    except OSError as error:
        raise UsageError(f"File {file} cannot be read: {error.strerror}.") from None
    if file.suffix.lower() in (".md", ".markdown"):
        log = read_log(content, str(file), zone=in_zone)
        plan = [*log.refused, *planned(log.rows, opened.standing(), by=by)]
        say(f"{file}, line {line}: not read: {short(text)}" for line, text in log.unread)
    else:
        plan = planned(rows_of(content, str(file)), opened.standing(), by=by, zone=in_zone)
    refused = sum(one.entry is None for one in plan)
    words = _WOULD if dry_run or refused else _DONE
    for one in plan:
        named = f"{one.entry.kind} {one.entry.id}: {words[one.action]}" if one.entry else "refused"
        why = f" ({one.why})" if one.why and one.entry else f": {one.why}" if one.why else ""
        say([f"{file}, {one.place}: {named}{why}"])
    if refused:
        rows = count(len(plan), "row")
        raise UsageError(f"{file}: {refused:,} of {rows} refused; nothing was written. Mend them, or leave them out.")
    if not dry_run:
        new = [one.entry for one in plan if one.entry and one.action != "skip"]
        opened.append_all(new, unless_known=True)
    tally = ", ".join(f"{sum(one.action == action for one in plan):,} {said}" for action, said in words.items())
    say([f"{file}: {tally}{'; nothing was written' if dry_run else f', in {opened.path}'}."])
    return 0


def _table(chosen: Sequence[tuple[int, Entry]], standing: Standing, later: dict[int, int]) -> Iterator[str]:
    """A line an entry under a heading, in aligned columns; the last one is as long as it is."""
    states = {str(one.proposal.id): f"proposed, {one.state}" for one in standing.proposed()}
    rows = [("line", "time (UTC)", "kind", "id", "tenant", "by", "mark", "what")]
    for number, entry in chosen:
        mark = states.get(str(entry.id), "-") if entry.kind == "proposal" else "-"
        if number in later:
            withdrawn = standing.entries[later[number] - 1].kind == "withdrawal"
            mark = f"{'withdrawn' if withdrawn else 'superseded'} by line {later[number]}"
        told = entry.model_dump(mode="json", exclude=_IN_COLUMNS)
        said = {name: _in_a_cell(value) for name, value in told.items()}
        what = "; ".join(f"{name}: {value}" for name, value in said.items() if value) or "-"
        tenant, time = getattr(entry, "tenant", "") or "-", f"{entry.time:%Y-%m-%d %H:%M}"
        rows.append((str(number), time, entry.kind, str(entry.id), tenant, entry.by, mark, what))
    widths = [min(max(map(len, column)), 48) for column in zip(*rows, strict=True)]
    for row in rows if chosen else ():
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _in_a_cell(value: object) -> object:
    """A list as its words, and one of things with several fields as their number."""
    if not isinstance(value, list):
        return value
    return str(len(value)) if any(isinstance(one, dict) for one in value) else ", ".join(value)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"Invalid time '{text}'. Give it like 2026-11-12 or 2026-11-12T14:03Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _opened(settled: Environment) -> Ledger:
    from cloudxai_analysis.ledger import Ledger

    return Ledger.of(settled)
