"""The one lock of a lake: who holds it may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from cloudxai_analysis.errors import LakeLocked
from cloudxai_analysis.lake.tables import Lake


@contextmanager
def locked_lake(lake: Lake, seconds: float) -> Iterator[None]:
    """Hold the lake's lock; a lock whose owner has died is free at once.

    Raises
    ------
    LakeLocked
        Another run holds it longer than `seconds`.
    """
    lake.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(lake.path / ".lock", timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise LakeLocked(
            f"Lake {lake.path} is being written by another run; waited {seconds:g} s. Wait for it, or raise "
            "`limits.lock_seconds`."
        ) from None
    try:
        yield
    finally:
        lock.release()
