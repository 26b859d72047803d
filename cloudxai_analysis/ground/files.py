"""Files that appear whole or not at all, and stay through a power cut; folders of our own; one writer at a time."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable, RefusedForSecurity

_umasks: list[int] = []  # of who called the command

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_DESCRIPTORS = 12  # a runtime of Rust's, and a file or two beside it


def replace_whole(file: Path, content: str | bytes | memoryview, *, mode: int = 0o600, own: str = "") -> None:
    """Put a file on disk in the place of the one that was there: a reader finds the old or the new one, whole.

    A file that was there keeps its permissions, and a link its place; a new file has `mode`, as far
    as it may be `shared`. Writers who may write the same file at once each have a word of their `own`.

    Raises OSError (it cannot be written; the old one is as it was).
    """
    real = file.resolve()
    # A crash leaves it behind, and the next writer of the same file overwrites it.
    unfinished = real.with_name(unfinished_name(f"{real.name}{own}"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(unfinished, flags, mode), "wb") as stream:
            os.fchmod(stream.fileno(), real.stat().st_mode & 0o775 if real.exists() else shared(mode))
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, real)
        sync(real.parent)
    except OSError as error:
        error.filename = error.filename or str(file)
        raise
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def no_descriptors(of: str) -> LakeUnwritable:
    """What is said where no more files may be open: nothing is wrong with what they hold."""
    return LakeUnwritable(
        f"{of} cannot be opened: too many open files. Nothing is damaged; raise `ulimit -n`, and run again."
    )


def enough_descriptors(of: str) -> None:
    """Raise LakeUnwritable where so few files may be open that the libraries which read `of` would panic."""
    held: list[int] = []
    try:
        for _ in range(_DESCRIPTORS):
            held.append(os.dup(0 if not held else held[0]))
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise no_descriptors(of) from None
    finally:
        for descriptor in held:
            os.close(descriptor)


def unfinished_name(name: str) -> str:
    """What a file is called while it is being written."""
    return f".{name}.unfinished"


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def private() -> Iterator[None]:
    """Whatever the block makes is its owner's alone, under any umask, until it is `shared`."""
    _umasks.append(os.umask(0o077))
    try:
        yield
    finally:
        os.umask(_umasks.pop())


def shared(mode: int) -> int:
    """What is left of a mode by the umask of who called the command; nobody else can ever write."""
    os.umask(now := os.umask(0o077))
    return mode & ~(_umasks or [now])[0] & ~0o022


def no_link(folder: Path) -> Path:
    """The folder; raises RefusedForSecurity where a link stands in its place."""
    if folder.is_symlink():
        raise RefusedForSecurity(
            f"Folder {folder} is a link, which is not followed: what is written there would lie elsewhere. Move the "
            "link away, or set `outputs` to the place that is meant."
        )
    return folder


def make_folder(folder: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it, on disk, which nobody else can write to under any umask.

    Raises RefusedForSecurity (a link stands in its place).
    """
    if not no_link(folder).parent.exists():
        make_folder(folder.parent)
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(shared(mode))
        sync(folder.parent)


@contextmanager
def written(of: str) -> Iterator[None]:
    """What the block writes of `of`; raises LakeUnwritable where the disk is full, read-only or failing."""
    try:
        yield
    except Timeout:  # an OSError, too
        raise
    except OSError as error:
        raise LakeUnwritable(
            f"{of} cannot be written: {_cause(error)}. What was there before stays; make room or mend the disk, and "
            "run again."
        ) from error


@contextmanager
def one_writer(lock: Path, seconds: float, *, of: str) -> Iterator[None]:
    """Hold the lock of what `of` names; a lock whose owner has died is free at once.

    Raises LakeLocked (another run holds it longer than `seconds`); RefusedForSecurity (the lock or
    its folder is a link); and, of the lock and what its holder writes, as `written`.
    """
    try:
        with written(of):
            make_folder(lock.parent, mode=0o700)
            if lock.is_symlink():
                raise RefusedForSecurity(f"Lock {lock} is a link, which is not followed. Remove it, and run again.")
            with FileLock(lock, timeout=seconds, mode=0o600):
                yield
    except Timeout:
        raise LakeLocked(
            f"{of} is being written by another run; waited {seconds:g} s. Wait for it, or raise `limits.lock_seconds`."
        ) from None


def _cause(error: OSError) -> str:
    if error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    # deltalake gives the system's error as coloured lines, with its number in the last.
    number = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(number[1])) if number else " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split())
