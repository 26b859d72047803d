"""Writing to the ledger's file: under a lock, on disk when it returns, and after any crash as before or as a whole.

One line is appended in place; several go, with all that was there, into a new file that is renamed over the old one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable
from cloudxai_analysis.ledger.chain import Chain


def torn_file(path: Path) -> Path:
    """Where pieces of lines are kept that a crash left behind."""
    return path.with_name(f"{path.name}.torn")


@contextmanager
def writing(path: Path, seconds: float) -> Iterator[None]:
    """Hold the ledger's lock; a lock whose owner has died is free at once.

    Raises
    ------
    LakeLocked
        Another run holds it longer than `seconds`.
    LakeUnwritable
        The lock, or what its holder wanted to write, met a disk that is full, read-only or failing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=seconds, mode=0o600):
            yield
    except Timeout:
        raise LakeLocked(
            f"Ledger {path}: another run has been writing to it for over {seconds:g} s. Try again."
        ) from None
    except OSError as error:
        raise LakeUnwritable(
            f"Ledger {path} cannot be written: {error.strerror or error}. It is as it was; mend that and add the entry "
            "again."
        ) from error


def append_line(path: Path, chain: Chain, line: bytes) -> None:
    """Write one line after those of `chain`, which was just read from the file; the lock is held."""
    with _opened(path) as descriptor:
        if chain.torn:
            _set_aside(path, chain.torn)
            os.ftruncate(descriptor, chain.size)
        _write(descriptor, (b"" if chain.ended else b"\n") + line, back_to=chain.size)
    _sync_folder(path.parent)


def replace_lines(path: Path, chain: Chain, lines: bytes) -> None:
    """Make the file hold those of `chain` and after them `lines`, all or none of these; the lock is held."""
    if chain.torn:
        _set_aside(path, chain.torn)
    # Whoever keeps the ledger elsewhere and a link to it here goes on doing so.
    real = path.resolve()
    new = real.with_name(f".{real.name}.new")
    try:
        new.unlink(missing_ok=True)
        with _opened(new) as descriptor:
            _write(descriptor, chain.content + (b"" if chain.ended else b"\n") + lines, back_to=0)
        new.replace(real)
    finally:
        # What a crash leaves here is overwritten by the next writer.
        with suppress(OSError):
            new.unlink(missing_ok=True)
    _sync_folder(real.parent)


def _set_aside(path: Path, torn: bytes) -> None:
    side = torn_file(path)
    with _opened(side) as descriptor:
        kept = os.fstat(descriptor).st_size
        # A crash between this and the ledger's own mending must not keep the piece twice.
        if not side.read_bytes().endswith(torn + b"\n"):
            _write(descriptor, torn + b"\n", back_to=kept)
    _sync_folder(path.parent)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, text: bytes, *, back_to: int) -> None:
    left = memoryview(text)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.ftruncate(descriptor, back_to)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
