"""The hot loops of the lake, which roll up the points of hours. Importing it imports numba."""

from __future__ import annotations

import numpy as np

from cloudxai_analysis.ground.numba_cache import numba
from cloudxai_analysis.lake.rollups import HOLD_MS


@numba.njit("int64(int64[::1], int64[::1], int64, int64[::1], int64[::1])", cache=True, nogil=True)
def mark_groups(offsets: np.ndarray, times: np.ndarray, bucket: int, edges: np.ndarray, series: np.ndarray) -> int:
    """Write where each group of one series and bucket begins, and its series; how many there are."""
    groups = 0
    for index in range(len(offsets) - 1):
        ends_before = np.int64(0)
        for point in range(offsets[index], offsets[index + 1]):
            if point == offsets[index] or times[point] >= ends_before:
                ends_before = (times[point] // bucket + 1) * bucket
                edges[groups] = point
                series[groups] = index
                groups += 1
    return groups


@numba.njit(
    "void(int64[::1], int64[::1], float64[::1], int64[::1], int64[:, ::1], float64[:, ::1])", cache=True, nogil=True
)
def roll_up_groups(
    edges: np.ndarray, times: np.ndarray, values: np.ndarray, bits: np.ndarray, whole: np.ndarray, real: np.ndarray
) -> None:
    """Roll up the points `edges[g]` to `edges[g + 1]` into column `g` of `whole` (INTEGERS, EDGES), `real` (FLOATS).

    A group is one series and hour. The last value's hold is left open: `join_hours` closes it.
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
            held = not np.isnan(value)
            if not held:
                if bits[point] == marker:
                    markers += 1
                else:
                    nans += 1
                continue
            if samples == 0:
                first = least = most = value
                first_ts = time
            # Equal values are no step: of two infinite ones the difference would be NaN.
            elif value < last:
                resets += 1
                changes += 1
                increase += value
            elif value > last:
                changes += 1
                increase += value - last
            least = min(least, value)
            most = max(most, value)
            samples += 1
            total += value
            last = value
            last_ts = time
        ends = times[edges[group]], times[edges[group + 1] - 1], 1 if held else 0
        for row, count in enumerate((samples, first_ts, last_ts, resets, changes, nans, markers, *ends)):
            whole[row, group] = count
        for row, figure in enumerate((first, last, least, most, total, integral, increase)):
            real[row, group] = figure
