"""Publishing a report at once: whoever opens it sees the old one or the new one, whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BUILDING = ".building-"
_PUBLISHED = ".published"


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A folder beside `target` to build a report in; it is gone afterwards unless it was published."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{_BUILDING}*"):
        if not _alive(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = target.parent / f"{_BUILDING}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Make `target` the report built in `folder`, in one step; the one before it is removed after that.

    Everything is on disk before the step: files, their folder, then the link that is put in place of the old one.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            _sync(file)
    digest = hashlib.sha256((folder / "summary.json").read_bytes()).hexdigest()[:12]
    final = target.parent / _PUBLISHED / f"{target.name}-{digest}-{uuid.uuid4().hex[:8]}"
    final.parent.mkdir(exist_ok=True)
    os.rename(folder, final)
    _sync(final)
    _sync(final.parent)
    if target.is_dir() and not target.is_symlink():
        # A folder of the same name that somebody made by hand is kept, under another name.
        os.rename(target, target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.old"))
    link = target.parent / f"{_BUILDING}{os.getpid()}-link-{uuid.uuid4().hex[:8]}"
    link.symlink_to(Path(_PUBLISHED) / final.name)
    os.replace(link, target)
    _sync(target.parent)
    stale_file(target).unlink(missing_ok=True)
    for old in final.parent.glob(f"{target.name}-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)


def stale_file(target: Path) -> Path:
    """Where it stands that a published report could not be renewed, and why."""
    return target.with_name(f"{target.name}.stale")


def mark_stale(target: Path, reason: str) -> None:
    """Note beside a published report that it could not be renewed; nothing happens where none is published."""
    if target.exists():
        stale_file(target).write_text(f"{' '.join(reason.split())}\n", encoding="utf-8")


def _alive(folder: Path) -> bool:
    pid = folder.name.removeprefix(_BUILDING).split("-")[0]
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
