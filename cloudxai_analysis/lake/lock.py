"""The one lock of a lake: who holds it may write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable
from cloudxai_analysis.lake.tables import Lake


@contextmanager
def locked_lake(lake: Lake, seconds: float) -> Iterator[None]:
    """Hold the lake's lock; a lock whose owner has died is free at once.

    Raises
    ------
    LakeLocked
        Another run holds it longer than `seconds`.
    LakeUnwritable
        The lock, or what its holder wanted to write, met a disk that is full, read-only or failing.
    """
    try:
        lake.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(lake.path / ".lock", timeout=seconds):
            yield
    except Timeout:
        raise LakeLocked(
            f"Lake {lake.path} is being written by another run; waited {seconds:g} s. Wait for it, or raise "
            "`limits.lock_seconds`."
        ) from None
    except OSError as error:
        raise LakeUnwritable(
            f"Lake {lake.path} cannot be written: {_cause(error)}. What was published before stays; make room or mend "
            "the disk, and run again."
        ) from error


def _cause(error: OSError) -> str:
    """Why a file could not be written, in a few words."""
    if error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    # deltalake gives the system's error as coloured lines, with its number in the last.
    number = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(number[1])) if number else " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split())
