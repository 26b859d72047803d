"""The commands that look after a lake: `cloudxai lake status`, `verify`, `repair` and `vacuum`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.options import of_environment, settled_environment
from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.words.phrases import count, plain

if TYPE_CHECKING:
    from cloudxai_analysis.lake.repair import Repaired
    from cloudxai_analysis.lake.tables import Lake
    from cloudxai_analysis.lake.upkeep import Damage, HeldFile
    from cloudxai_analysis.platform.settings import Environment

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}


@click.group()
def lake() -> None:
    """Look after an environment's lake: what it holds, whether it is whole, and how to make it so."""


@lake.command()
@of_environment
def status(source: str, environment: str) -> int:
    """Say which versions the lake has, what the newest holds, and what lies there besides."""
    for line in _status_lines(settled_environment(source, environment)):
        click.echo(plain(line))
    return 0


@lake.command()
@of_environment
@click.option("--version", type=click.IntRange(1), help="This version; default: the newest.")
@click.option("--all-kept", is_flag=True, help="Every version that a vacuum would keep.")
def verify(source: str, environment: str, version: int | None, all_kept: bool) -> int:
    """Hold every file of the lake against its checksum; exits with 5 if one is damaged or missing."""
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.upkeep import found_files, held_files
    from cloudxai_analysis.lake.vacuum import OLD_ENOUGH, kept_versions, published_versions, said_versions

    settled = settled_environment(source, environment)
    opened = open_lake(settled.lake)
    if all_kept:
        if version is not None:
            raise UsageError("Give --version or --all-kept, not both.")
        published = published_versions(settled.reports)
        versions = kept_versions(opened, published, older_than=OLD_ENOUGH, now=datetime.now(UTC))
    else:
        versions = [opened.snapshot(version).version]
    files = held_files(map(opened.snapshot, versions))
    damaged = list(_told(files))
    for path in found_files(opened).foreign:
        click.echo(plain(f"foreign file, left alone: {path}"))
    shown = said_versions(versions)
    if damaged:
        older = "" if versions == [opened.snapshot().version] else "; an older one's may have been vacuumed"
        raise LakeDamaged(
            f"Lake {opened.path}: {len(damaged):,} of {count(len(files), 'file')} of {shown} are damaged or missing. "
            f"`{settled.command('lake', 'repair')}` brings the newest version's back{older}."
        )
    click.echo(f"{settled.name}: {count(len(files), 'file')} of {shown} are what was written.")
    return 0


@lake.command()
@of_environment
@click.option("--accept-loss", is_flag=True, help="Take what the source still has of a tile, even if it is less.")
def repair(source: str, environment: str, accept_loss: bool) -> int:
    """Bring the newest version's damaged and lost tiles back, from their own samples or from the source.

    Damaged newest logs are set aside first. What the source no longer has is named, left as it is, and exits with 5.
    """
    from cloudxai_analysis.lake.repair import repair as run_repair
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.torn import set_aside_torn
    from cloudxai_analysis.lake.upkeep import damages, held_files
    from cloudxai_analysis.lake.vacuum import published_versions
    from cloudxai_analysis.sources.open import open_source

    settled = settled_environment(source, environment)
    opened = open_lake(settled.lake)
    limits = settled.limits
    if not opened.path.is_dir():
        opened.snapshot()
    aside = set_aside_torn(opened, published_versions(settled.reports), lock_seconds=limits.lock_seconds)
    for path in aside:
        click.echo(plain(f"damaged log, set aside: {path}"))
    if aside:
        click.echo(
            f"Run `{settled.command('pull')}`: it takes up the tiles of what was set aside, and asks for the rest."
        )
    found = list(_told(held_files([opened.snapshot()]))) if opened.exists else []
    if not found:
        click.echo(f"{settled.name}: {'no other file is damaged' if aside else 'nothing to repair'}.")
        return 0
    done = run_repair(
        found,
        opened,
        settled.contract,
        lambda: open_source(settled.source, limits=limits, settings=settled.settings),
        accept_loss=accept_loss,
        rewind=timedelta(minutes=settled.settings.rewind_minutes),
        matchers=settled.settings.matchers,
        rule_matchers=settled.settings.rule_matchers,
        replica_labels=settled.settings.replica_labels,
        concurrency=limits.concurrency,
        lock_seconds=limits.lock_seconds,
    )
    for line in _repair_lines(done):
        click.echo(plain(line))
    left = set(done.left) | {damage.file.tile for damage in damages(held_files([opened.snapshot()]))}
    if left:
        raise LakeDamaged(
            f"Lake {opened.path}: {count(len(left), 'tile')} could not be brought back; the others were. Restore their "
            "files from a copy, or take what the source still has with --accept-loss."
        )
    click.echo(f"{settled.name}: repaired; the lake is at version {done.version}.")
    return 0


@lake.command()
@of_environment
@click.option(
    "--older-than", default="30d", show_default=True, metavar="AGE", help="Age of files and versions, like 30d or 36h."
)
@click.option("--dry-run", is_flag=True, help="Name the files that would be removed, and remove none.")
def vacuum(source: str, environment: str, older_than: str, dry_run: bool) -> int:
    """Remove files that no kept version holds.

    Kept are the newest version, every one that was the newest within the age given, and every one that a published
    report names.
    """
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.vacuum import said_versions
    from cloudxai_analysis.lake.vacuum import vacuum as run_vacuum

    settled = settled_environment(source, environment)
    opened = open_lake(settled.lake)
    removed = run_vacuum(
        opened,
        settled.reports,
        older_than=_age(older_than),
        dry_run=dry_run,
        lock_seconds=settled.limits.lock_seconds,
    )
    for path in removed.files if dry_run else ():
        click.echo(plain(f"would be removed: {path}"))
    said = "would be removed" if dry_run else "removed"
    click.echo(
        f"{settled.name}: {count(len(removed.files), 'file')}, {_megabytes(removed.size)}, {said}; kept: "
        f"{said_versions(removed.kept)}."
    )
    return 0


def _status_lines(settled: Environment) -> Iterator[str]:
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.lake.upkeep import bytes_of, ever_named, found_files, held_files
    from cloudxai_analysis.lake.vacuum import published_versions

    opened = open_lake(settled.lake)
    if not opened.exists:
        yield f"Lake {opened.path}: empty; `{settled.command('pull')}` fills it"
        return
    yield from _holding_lines(opened, settled)
    tree, named = found_files(opened), ever_named(opened)
    newest = {file.path for file in held_files([opened.snapshot()])}
    older = [path for path in tree.tiles if path in named and path not in newest]
    unnamed = [path for path in tree.tiles if path not in named]
    yield f"Files of the newest version: {_files(newest, bytes_of(newest))}"
    yield f"Files of older versions alone: {_files(older, bytes_of(older))}"
    yield f"Files that no version names: {_files(unnamed, bytes_of(unnamed))}"
    if tree.making:
        yield f"Files in the making: {_files(tree.making, bytes_of(tree.making))}"
    if tree.foreign:
        yield f"Foreign files: {_files(tree.foreign, bytes_of(tree.foreign))}"
    try:
        for version, reports in sorted(published_versions(settled.reports).items()):
            yield f"Version {version} is named by {count(len(reports), 'report')}: {', '.join(sorted(reports))}"
    except LakeDamaged as error:
        yield str(error)


def _holding_lines(opened: Lake, settled: Environment) -> Iterator[str]:
    from cloudxai_analysis.lake.vacuum import committed_at, said_versions

    snapshot = opened.snapshot()
    tiles, stated = snapshot.tiles(), snapshot.provenance
    written, as_of = committed_at(opened, snapshot.version), datetime.fromisoformat(stated["now"])
    yield f"Lake {opened.path}: {said_versions(range(1, snapshot.version + 1))}"
    yield (
        f"Newest: written {written:%Y-%m-%d %H:%M} UTC, as of {as_of:%Y-%m-%d %H:%M} UTC, "
        f"from {stated['source']['source']}"
    )
    yield (
        f"Holds: {count(tiles['date'].nunique(), 'day')} ({tiles['date'].min()} to {tiles['date'].max()}), "
        f"{count(tiles['metric'].nunique(), 'metric')}, {count(tiles['samples'].sum(), 'sample')} in "
        f"{count(len(tiles), 'tile')}"
    )
    if lost := snapshot.lost():
        yield f"Lost: files of {count(len(lost), 'tile')}; `{settled.command('lake', 'repair')}` brings them back"


def _told(files: Sequence[HeldFile]) -> Iterator[Damage]:
    """The damages of these files, each said in a line as it is found; a bar shows how far the look has come."""
    from rich.console import Console
    from rich.progress import track

    from cloudxai_analysis.lake.upkeep import damages

    console = Console(stderr=True)
    watched: Iterable[HeldFile] = track(
        files, "verify", console=console, transient=True, disable=not console.is_terminal
    )
    for damage in damages(watched):
        file = damage.file
        click.echo(plain(f"{file.metric} {file.date} {file.kind}: {damage.cause}: {file.path}"))
        yield damage


def _repair_lines(done: Repaired) -> Iterator[str]:
    for metric, day in done.rolled_up:
        yield f"{metric} {day}: rolled up again from its samples"
    for metric, day in done.pulled:
        yield f"{metric} {day}: pulled again"
    for (metric, day), (seen, held) in sorted(done.accepted.items()):
        yield f"{metric} {day}: pulled again with {seen:,} of {held:,} samples; the loss was accepted"
    for (metric, day), (seen, held) in sorted(done.left.items()):
        yield f"{metric} {day}: left as it is, since the source has {seen:,} of the {held:,} samples that the lake held"


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,5})([dh])", text)
    if not match:
        raise UsageError(f"Invalid age '{text}'. Give days or hours, like 30d or 36h.")
    return int(match[1]) * _UNITS[match[2]]


def _files(paths: Collection[object], size: int) -> str:
    return f"{count(len(paths), 'file')}, {_megabytes(size)}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
