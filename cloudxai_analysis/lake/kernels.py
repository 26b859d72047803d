"""The hot loop of the lake: the points of one series and hour, rolled up. Importing it imports numba."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def _choose_cache_folder() -> None:
    # numba raises at import time where neither the package's folder nor the home can be written.
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parent, os.W_OK):
        return
    folder = Path(tempfile.gettempdir()) / f"cloudxai-numba-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    os.environ["NUMBA_CACHE_DIR"] = str(folder) if _is_ours_alone(folder) else tempfile.mkdtemp(prefix="cloudxai-")


def _is_ours_alone(folder: Path) -> bool:
    # numba runs what it finds in its cache: nobody else may have put it there.
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


_choose_cache_folder()

import numba  # noqa: E402  the cache folder is settled first
import numpy as np  # noqa: E402

from cloudxai_analysis.lake.fields import HOLD_MS  # noqa: E402


@numba.njit(
    "void(int64[::1], int64[::1], float64[::1], int64[::1], int64[:, ::1], float64[:, ::1])",
    cache=True,
    nogil=True,
)
def roll_up_groups(
    edges: np.ndarray, times: np.ndarray, values: np.ndarray, bits: np.ndarray, whole: np.ndarray, real: np.ndarray
) -> None:
    """Roll up the points `edges[g]` to `edges[g + 1]` into row `g` of `whole` (INTEGERS, EDGES) and `real` (FLOATS).

    A group is one series and hour. The last value's hold is left open: *merge* closes it, or the frame's end does.
    """
    marker = 0x7FF0000000000002
    for group in range(len(edges) - 1):
        samples = resets = changes = nans = markers = 0
        first_ts = last_ts = 0
        first = last = least = most = np.nan
        total = integral = increase = 0.0
        held = False
        for point in range(edges[group], edges[group + 1]):
            time = times[point]
            value = values[point]
            if held:
                integral += last * min(time - last_ts, HOLD_MS) / 1000.0
            if bits[point] == marker:
                markers += 1
                held = False
                continue
            if np.isnan(value):
                nans += 1
                held = False
                continue
            if samples == 0:
                first = least = most = value
                first_ts = time
            else:
                # Equal values are no step: of two infinite ones the difference would be NaN.
                if value < last:
                    resets += 1
                    increase += value
                elif value > last:
                    increase += value - last
                if value != last:
                    changes += 1
                least = min(least, value)
                most = max(most, value)
            samples += 1
            total += value
            last = value
            last_ts = time
            held = True
        row = whole[group]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6] = (
            samples, first_ts, last_ts, resets, changes, nans, markers,
        )  # fmt: skip
        row[7], row[8], row[9] = times[edges[group]], times[edges[group + 1] - 1], 1 if held else 0
        figures = real[group]
        figures[0], figures[1], figures[2], figures[3], figures[4], figures[5], figures[6] = (
            first, last, least, most, total, integral, increase,
        )  # fmt: skip
