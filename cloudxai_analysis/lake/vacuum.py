"""Making room: files that no kept version holds are removed once they are old enough."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.lake.lock import locked_lake
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.upkeep import bytes_of, found_files, held_files

OLD_ENOUGH = timedelta(days=30)
# Whoever reads a version now, a notebook under way say, must be able to end.
LEAST = timedelta(hours=1)


@dataclass(frozen=True)
class Removed:
    """What a vacuum removed, or would: files, their bytes, and the versions kept."""

    files: tuple[Path, ...]
    size: int
    kept: tuple[int, ...]


def published_versions(reports: Path) -> dict[int, set[str]]:
    """The lake versions that reports were made from, each with its reports' names; earlier editions count, too.

    Raises
    ------
    LakeDamaged
        A report's summary cannot be read or names no version.
    """
    named: dict[int, set[str]] = {}
    for folder, name in _report_folders(reports):
        file = folder / "summary.json"
        try:
            version = json.loads(file.read_text(encoding="utf-8"))["provenance"]["lake"]["rollups"]
            if not isinstance(version, int):
                raise TypeError(version)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeDamaged(
                f"Report {file} cannot be read ({type(error).__name__}), and may name a version of the lake. Nothing "
                "was removed; make the report again, or move its folder away."
            ) from None
        named.setdefault(version, set()).add(name)
    return named


def kept_versions(lake: Lake, published: Mapping[int, object], *, older_than: timedelta, now: datetime) -> list[int]:
    """The versions that stay as they are: the newest, those that reports name, and those that were the newest of late.

    A version is as old as the one that followed it: until then it was what readers opened. Of the latter only those
    that are whole: a vacuum before may have been given a lower age.

    Raises
    ------
    UsageError
        The lake is empty.
    """
    newest = lake.snapshot().version
    kept = []
    for version in range(1, newest + 1):
        follower = _log(lake, version + 1)
        # A log that is gone is damage, which opening that version will name.
        recent = not follower.exists() or _age(follower, now) < older_than
        if version in (newest, *published) or (recent and not lake.snapshot(version).lost()):
            kept.append(version)
    return kept


def committed_at(lake: Lake, version: int) -> datetime:
    """When a version was published, by the time of its log."""
    return _modified(_log(lake, version))


def vacuum(
    lake: Lake,
    reports: Path,
    *,
    older_than: timedelta = OLD_ENOUGH,
    dry_run: bool = False,
    lock_seconds: float = 10.0,
) -> Removed:
    """Remove the files of tiles that no kept version holds and that are older than the age given.

    Foreign files and files in the making are never touched, and neither are the logs.

    Raises
    ------
    UsageError
        The lake is empty, or the age is less than an hour.
    LakeDamaged
        A kept version or a report's summary cannot be read; nothing is removed.
    LakeLocked, LakeUnwritable
        Another run is writing; the disk is read-only or failing.
    """
    if older_than < LEAST:
        raise UsageError(
            "An age under 1h is too young for a vacuum: a report under way may read those files. Give more."
        )
    now = datetime.now(UTC)
    # Many versions take their time; nobody has to wait for it who only wants to pull.
    removed = _removable(lake, reports, older_than, now)
    if dry_run or not removed.files:
        return removed
    with locked_lake(lake, lock_seconds):
        if lake.snapshot().version != max(removed.kept):
            removed = _removable(lake, reports, older_than, now)
        for file in removed.files:
            file.unlink()
    return removed


def _removable(lake: Lake, reports: Path, older_than: timedelta, now: datetime) -> Removed:
    kept = kept_versions(lake, published_versions(reports), older_than=older_than, now=now)
    needed = {file.path for file in held_files(map(lake.snapshot, kept))}
    files = tuple(path for path in found_files(lake).tiles if path not in needed and _age(path, now) > older_than)
    return Removed(files, bytes_of(files), tuple(kept))


def said_versions(versions: Sequence[int]) -> str:
    """'version 3', or 'versions 1, 4 to 6' of 1, 4, 5, 6."""
    runs: list[list[int]] = []
    for version in sorted(versions):
        if runs and version == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], version]
        else:
            runs.append([version])
    shown = ", ".join(" to ".join(map(str, run)) for run in runs)
    return f"version {shown}" if len(versions) == 1 else f"versions {shown}"


def _report_folders(reports: Path) -> Iterator[tuple[Path, str]]:
    """Folders of reports as they are published, as they were before, and as they are being made; their names."""
    for folder in sorted(reports.glob(".published/*")):
        yield folder, folder.name.rsplit("-", maxsplit=2)[0]
    for folder in sorted(reports.glob("*")):
        # What is published is a link: one that leads nowhere has lost its summary.
        if folder.is_symlink() or (folder / "summary.json").exists():
            yield folder, "one under way" if folder.name.startswith(".") else folder.name


def _log(lake: Lake, version: int) -> Path:
    return lake.path / "rollups" / "_delta_log" / f"{version:020d}.json"


def _modified(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _age(file: Path, now: datetime) -> timedelta:
    return now - _modified(file)
