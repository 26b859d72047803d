"""Logs that a power cut or a failing disk has spoilt: set aside, so that the version before is the newest again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count
from pathlib import Path

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.lake.lock import locked_lake
from cloudxai_analysis.lake.tables import Lake, is_table, open_table
from cloudxai_analysis.lake.upkeep import KINDS


def set_aside_torn(lake: Lake, published: Collection[int], *, lock_seconds: float = 10.0) -> list[Path]:
    """Make a lake readable whose newest logs are damaged, and return where those lie now; [] where nothing was wrong.

    Checkpoints go first, since the logs hold all that is in them; then the newest log of `samples`, if nothing that is
    published needs it; then the newest publication, if no report was made from it (`published`); then both. The tiles
    of a publication that is set aside stay on disk, and the next pull takes them up. Every older version is as it was.

    Raises
    ------
    LakeDamaged
        That does not mend it: an older log is damaged, or a report names the newest version. Nothing was changed.
    """
    with locked_lake(lake, lock_seconds):
        reason = _damage(lake)
        if reason is None:
            return []
        samples, rollups = (_newest_log(lake, kind) for kind in KINDS)
        checkpoints = [path for kind in KINDS for path in _checkpoints(lake, kind)]
        choices = [[], samples]
        if not any(int(log.stem) in published for log in rollups):
            choices += [rollups, [*rollups, *samples]]
        for logs in choices:
            moved = [(path, _set_aside(path)) for path in [*checkpoints, *logs]]
            if _damage(lake) is None:
                return [aside for _, aside in moved]
            for path, aside in moved:
                aside.rename(path)
    raise reason


def _damage(lake: Lake) -> LakeDamaged | None:
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


def _newest_log(lake: Lake, kind: str) -> list[Path]:
    logs: Iterable[Path] = (lake.path / kind / "_delta_log").glob("[0-9]*.json")
    return sorted(logs)[-1:]


def _checkpoints(lake: Lake, kind: str) -> list[Path]:
    folder = lake.path / kind / "_delta_log"
    return [*folder.glob("_last_checkpoint"), *folder.glob("*.checkpoint*.parquet")]


def _set_aside(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.set-aside-{number}") for number in count(1))
    aside = next(name for name in names if not name.exists())
    return path.rename(aside)
