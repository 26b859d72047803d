"""Keeping a lake: damage is set aside, never deleted; what nobody needs any more makes room."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from pathlib import Path

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, is_table, log_file, open_table
from cloudxai_analysis.lake.tiles import KINDS
from cloudxai_analysis.platform.published import published_summaries


def published_versions(reports: Path) -> dict[int, list[str]]:
    """The lake versions that reports and their earlier editions name; LakeDamaged where one does not."""
    named: dict[int, list[str]] = {}
    for one in published_summaries(reports):
        try:
            named.setdefault(operator.index((one.said or {})["provenance"]["lake"]["rollups"]), []).append(one.report)
        except (KeyError, TypeError):
            raise LakeDamaged(
                f"Report {one.file} cannot be read, and may name a version of the lake. Nothing was changed; make the "
                "report again, or move its folder away."
            ) from None
    return named


def needed_snapshots(lake: Lake, published: Iterable[int]) -> list[Snapshot]:
    """The versions that must stay whole, the newest last; raises as `Lake.snapshot`."""
    newest = lake.snapshot()
    return [*(lake.snapshot(version) for version in sorted(published) if 0 < version < newest.version), newest]


def set_aside(path: Path) -> Path:
    """Give a damaged file another name beside its own, under which nothing reads it; the new path."""
    names = (path.with_name(f"{path.name}.set-aside-{number}") for number in count(1))
    return path.rename(next(name for name in names if not name.exists()))


def set_aside_torn(lake: Lake, published: Iterable[int], *, lock_seconds: float = 10.0) -> list[Path]:
    """Make a lake readable whose newest logs are damaged; where those lie now, [] if none was.

    Checkpoints go first, since the logs hold all that is in them; then the newest log of `samples`,
    which no publication may need; then the newest publication, if no report was made from it
    (`published`): its tiles stay, and the next pull takes them up. Raises LakeDamaged, and changes
    nothing, where that does not mend it.
    """
    reason = _unreadable(lake)
    if reason is None:
        return []
    with lake.locked(lock_seconds):
        logs = [lake.path / kind / "_delta_log" for kind in KINDS]
        kinds = ("_last_checkpoint", "*.checkpoint*.parquet")
        checkpoints = [path for folder in logs for kind in kinds for path in folder.glob(kind)]
        samples, rollups = (sorted(folder.glob("[0-9]*.json"))[-1:] for folder in logs)
        if any(log_file(lake.path / "rollups", version) in rollups for version in published):
            rollups = []
        moved: list[tuple[Path, Path]] = []
        for step in (checkpoints, samples, rollups):
            moved += [(path, set_aside(path)) for path in step]
            if _unreadable(lake) is None:
                return [aside for _, aside in moved]
        for path, aside in moved:
            aside.rename(path)
    raise reason


def _unreadable(lake: Lake) -> LakeDamaged | None:
    """Why the lake cannot be read or written to, or None."""
    try:
        for kind in KINDS:
            if is_table(lake.path / kind):
                open_table(lake.path / kind)
        if lake.exists:
            lake.snapshot()
    except LakeDamaged as error:
        return error
    except BaseException as error:
        # deltalake panics over some damaged checkpoints, and a panic is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        return LakeDamaged(f"Lake {lake.path} has a damaged checkpoint, and its logs do not mend it: {error}.")
    return None


def vacuum(
    lake: Lake, published: Iterable[int], *, older_than: timedelta, dry_run: bool = False, lock_seconds: float = 10.0
) -> list[tuple[Path, int]]:
    """Remove the files that versions gave up longer ago than `older_than`, and return them with their bytes.

    The files of the newest version and of the `published` ones stay, and so does all that no log of
    the lake names. deltalake says which files go; it would commit that if it removed them itself.
    Raises UsageError (the lake is empty, or the age is less than an hour); LakeDamaged (a version
    that stays cannot be read); LakeLocked, LakeUnwritable.
    """
    hours = int(older_than / timedelta(hours=1))
    if hours < 1:
        raise UsageError(
            "An age under 1h is too young for a vacuum: a report under way may read those files. Give more."
        )
    kept = needed_snapshots(lake, published)
    versions = ([one.samples_version for one in kept], [one.version for one in kept])
    with lake.locked(lock_seconds):
        tables = [(lake.path / kind, keep) for kind, keep in zip(KINDS, versions, strict=True)]
        found = [
            folder / name
            for folder, keep in tables
            for name in open_table(folder).vacuum(hours, enforce_retention_duration=False, keep_versions=keep)
        ]
        removed = [(path, path.stat().st_size) for path in found if path.is_file()]
        for path, _ in removed if not dry_run else ():
            path.unlink()
    return removed
