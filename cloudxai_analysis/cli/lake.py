"""The commands that look after a lake: `cloudxai lake status`, `verify` and `vacuum`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import in_environment
from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment


@click.group()
def lake() -> None:
    """Look after an environment's lake: what it holds, whether it is whole, and how to make room."""


@lake.command()
@in_environment
def status(settled: Environment) -> int:
    """Say which versions the lake has, what the newest holds, and which versions reports name."""
    say(_status_lines(settled))
    return 0


@lake.command()
@in_environment
@click.option("--version", type=click.IntRange(1), help="This version; default: the newest and those of reports.")
def verify(settled: Environment, version: int | None) -> int:
    """Hold every file of the lake against its checksum; exits with 5 if one is damaged or missing.

    What is damaged is set aside, never deleted, and the next pull asks for it again.
    """
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.tiles import checked
    from cloudxai_analysis.lake.upkeep import needed_snapshots, published_versions, set_aside, set_aside_torn

    opened, seconds = open_lake(settled.lake), settled.limits.lock_seconds
    published = published_versions(settled.reports)
    torn = set_aside_torn(opened, published, lock_seconds=seconds)
    say(f"damaged log, set aside: {path}" for path in torn)
    snapshots = needed_snapshots(opened, published) if version is None else [opened.snapshot(version)]
    files, spoilt = {file.path(opened.path): file for snapshot in snapshots for file in snapshot.files}, 0
    for path, file in files.items():
        fault, lies = checked(path)[1], path
        if fault and fault != "missing":
            with opened.locked(seconds):
                lies = set_aside(path)
        if fault:
            spoilt += 1
            say([f"{file.metric} {file.date} {file.kind}: {fault}: {lies}"])
    said = f"{count(len(files), 'file')} of version {', '.join(str(snapshot.version) for snapshot in snapshots)}"
    if spoilt or torn:
        raise LakeDamaged(
            f"Lake {opened.path}: {spoilt:,} of {said} are damaged or missing. `{settled.command('pull')}` brings back "
            "what the source still has, for the newest version; what it no longer has is named, and stays aside."
        )
    say([f"{settled.name}: {said} are what was written."])
    return 0


@lake.command()
@in_environment
@click.option(
    "--older-than", default="30d", show_default=True, metavar="AGE", help="How long ago it was given up: 30d or 36h."
)
@click.option("--dry-run", is_flag=True, help="Name the files that would be removed, and remove none.")
def vacuum(settled: Environment, older_than: str, dry_run: bool) -> int:
    """Remove files that no version holds since then, but those of which a report was made."""
    from cloudxai_analysis.lake import upkeep
    from cloudxai_analysis.lake.tables import open_lake

    age = re.fullmatch(r"([0-9]{1,5})([dh])", older_than)
    if not age:
        raise UsageError(f"Invalid age '{older_than}'. Give days or hours, like 30d or 36h.")
    removed = upkeep.vacuum(
        open_lake(settled.lake),
        upkeep.published_versions(settled.reports),
        older_than=int(age[1]) * timedelta(hours={"d": 24, "h": 1}[age[2]]),
        dry_run=dry_run,
        lock_seconds=settled.limits.lock_seconds,
    )
    say(f"would be removed: {path}" for path, _ in removed if dry_run)
    done = "would be removed" if dry_run else "removed"
    say([f"{settled.name}: {_files(len(removed), sum(size for _, size in removed))}, {done}."])
    return 0


def _status_lines(settled: Environment) -> Iterator[str]:
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.tiles import KINDS
    from cloudxai_analysis.lake.upkeep import published_versions

    opened = open_lake(settled.lake)
    if not opened.exists:
        yield f"Lake {opened.path}: empty; `{settled.command('pull')}` fills it"
        return
    snapshot = opened.snapshot()
    tiles, stated = snapshot.tiles(), snapshot.provenance
    yield f"Lake {opened.path}: version {snapshot.version}"
    yield f"As of {datetime.fromisoformat(stated['now']):%Y-%m-%d %H:%M} UTC, from {stated['source']['source']}"
    yield (
        f"Holds: {count(tiles['date'].nunique(), 'day')} ({tiles['date'].min()} to {tiles['date'].max()}), "
        f"{count(tiles['metric'].nunique(), 'metric')}, {count(tiles['samples'].sum(), 'sample')} in "
        f"{count(len(tiles), 'tile')}"
    )
    if lost := snapshot.lost():
        yield f"Lost: files of {count(len(lost), 'tile')}; the next `{settled.command('pull')}` asks for them again"
    for (metric, date), (now, before) in sorted(snapshot.shrunk.items()):
        yield f"Lost: samples of {metric} on {date}; {now:,} of {before:,} are left"
    held = {file.path(opened.path) for file in snapshot.files}
    found = {path for kind in KINDS for path in (opened.path / kind).glob("[0-9]*/*") if path.is_file()}
    for words, paths in (("newest version", held & found), ("others", found - held)):
        yield f"Files of the {words}: {_files(len(paths), sum(path.stat().st_size for path in paths))}"
    for path in sorted(opened.path.rglob("*.set-aside-*")):
        yield f"Set aside: {path}"
    try:
        for version, reports in sorted(published_versions(settled.reports).items()):
            yield f"Version {version} is named by {', '.join(reports)}"
    except LakeDamaged as error:
        yield str(error)


def _files(number: int, size: int) -> str:
    return f"{count(number, 'file')}, {size / 1e6:,.1f} MB"
