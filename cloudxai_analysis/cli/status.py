"""What an environment holds: its lake, its ledger and its published reports, in a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Environment, load_settings, resolve_environment
from cloudxai_analysis.report.publish import stale_file
from cloudxai_analysis.words.phrases import count


def status_lines(*, source: str = "", environment: str = "") -> Iterator[str]:
    """Lines on the lake, the ledger and each published report of an environment; asks no source.

    Raises
    ------
    UsageError, LakeDamaged
        The environment is unknown; the lake cannot be read.
    """
    settled = resolve_environment(load_settings(), source=source or None, name=environment or None)
    yield f"Environment {settled.name}, in {settled.folder}"
    yield _lake_line(settled)
    found = Ledger(settled.ledger).verify()
    yield f"Ledger: {count(found.entries, 'entry', 'entries')}"
    yield from _report_lines(settled)


def _lake_line(settled: Environment) -> str:
    lake = open_lake(settled.lake)
    if not lake.exists:
        return f"Lake: empty; `{settled.command('pull')}` fills it"
    snapshot = lake.snapshot()
    tiles = snapshot.tiles()
    source = snapshot.provenance["source"]["source"]
    return (
        f"Lake: version {snapshot.version}, {tiles['samples'].sum():,} samples of {tiles['metric'].nunique()} metrics, "
        f"{tiles['date'].min()} to {tiles['date'].max()}, from {source}"
    )


def _headline(file: Path, settled: Environment) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["headline"])
    except (OSError, ValueError, KeyError, TypeError):
        week = file.parent.name
        return f"{week}: its summary.json cannot be read; `{settled.command('report', '--week', week)}` makes it anew"


def _report_lines(settled: Environment) -> Iterator[str]:
    found = sorted(settled.reports.glob("[!.]*/summary.json"))
    if not found:
        yield f"Reports: none; `{settled.command('report')}` makes one"
    for file in found:
        yield f"Report {_headline(file, settled)}"
        stale = stale_file(file.parent)
        if stale.is_file():
            yield f"  stale: {stale.read_text(encoding='utf-8').splitlines()[0]}"
