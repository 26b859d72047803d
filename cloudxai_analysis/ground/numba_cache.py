"""numba, with a folder for its compiled code that can be written; every module that compiles takes it from here."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def choose_folder() -> None:
    """Point numba at a folder that can be written, where neither the package's nor the home can: it would raise."""
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parents[1], os.W_OK):
        return
    folder = Path(tempfile.gettempdir()) / f"cloudxai-numba-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    os.environ["NUMBA_CACHE_DIR"] = str(folder) if _is_ours_alone(folder) else tempfile.mkdtemp(prefix="cloudxai-")


def _is_ours_alone(folder: Path) -> bool:
    # numba runs what it finds in its cache: nobody else may have put it there.
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


choose_folder()

import numba  # noqa: E402, F401  it reads the folder once, when it is imported; those who compile take it from here
