"""Publishing a report at once: whoever opens it sees the old one or the new one, whole."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from cloudxai_analysis.ground.files import make_folder, replace_whole, shared, sync

_BUILDING = ".building-"
_PUBLISHED = ".published"
KEPT = 3


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A folder beside `target` to build a report in; it is gone afterwards unless it was published.

    What builds that crashed have left there is cleared away first.
    """
    make_folder(target.parent)
    for left in target.parent.glob(f"{_BUILDING}*"):
        # The lock tells the living from the crashed; a process id would not, over reboots and containers.
        # A link in its place is refused by the lock, and left.
        with suppress(OSError), FileLock(left.with_suffix(".lock"), timeout=0):
            _remove(left.with_suffix(""))
    folder = target.parent / f"{_BUILDING}{uuid.uuid4().hex[:12]}"
    with FileLock(folder.with_suffix(".lock")):
        folder.mkdir()
        try:
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for beside in (".link", ".lock"):
        folder.with_suffix(beside).unlink(missing_ok=True)


def write_folder(files: Mapping[str, bytes], folder: Path, *, for_others: bool = False) -> None:
    """Write these files, by their names in it, to a new folder, which appears whole and on disk, or not at all."""
    with building(folder) as unfinished:
        for name, content in files.items():
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_bytes(content)
        for path in (*unfinished.rglob("*"), unfinished):
            if for_others:
                path.chmod(shared(0o777 if path.is_dir() else 0o666))
            sync(path)
        os.rename(unfinished, folder)
        sync(folder.parent)


def publish(folder: Path, target: Path) -> None:
    """Make `target` the report built in `folder`, in one step; the newest three that it was before stay on disk.

    Everything is on disk before the step: files, their folders, then the link that is put in place
    of the old one. It is as open to others as the caller's umask says.
    """
    for path in (*folder.rglob("*"), folder):
        path.chmod(shared(0o777 if path.is_dir() else 0o666))
        sync(path)
    final = target.parent / _PUBLISHED / f"{target.name}-{uuid.uuid4().hex[:12]}"
    make_folder(final.parent)
    os.rename(folder, final)
    sync(final.parent)
    if target.is_dir() and not target.is_symlink():
        # A folder of the same name that somebody made by hand is kept, under another name.
        os.rename(target, target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.old"))
    link = folder.with_suffix(".link")
    link.symlink_to(Path(_PUBLISHED) / final.name)
    os.replace(link, target)
    sync(target.parent)
    # Only now: an old report that came back without its mark would pass for a fresh one.
    stale_file(target).unlink(missing_ok=True)
    sync(target.parent)
    before = [old for old in final.parent.glob(f"{target.name}-*") if old != final]
    for old in sorted(before, key=lambda old: old.stat().st_ctime_ns, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def stale_file(target: Path) -> Path:
    """Where it stands that a published report could not be renewed, and why."""
    return target.with_name(f"{target.name}.stale")


def mark_stale(target: Path, reason: str) -> None:
    """Note beside a published report that it could not be renewed; nothing happens where none is published."""
    if target.exists():
        if stale_file(target).is_symlink():  # which leads elsewhere
            stale_file(target).unlink()
        replace_whole(stale_file(target), f"{' '.join(reason.split())}\n", mode=0o666)
