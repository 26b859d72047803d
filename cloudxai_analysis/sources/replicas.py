"""HA pairs: several Prometheus that watch the same targets, read as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels

LEAD_IN = timedelta(minutes=10)
GAP_STEPS = 2.5  # a replica that is silent for longer than so many of its steps has a gap
_EVER_BEFORE, _EVER_AFTER = np.iinfo(np.int64).min // 2, np.iinfo(np.int64).max // 2

_Samples = tuple[NDArray[np.int64], NDArray[np.float64]]


def merge_replicas(batch: SeriesBatch, replica_labels: Sequence[str], window: Window, *, counter: bool) -> SeriesBatch:
    """The batch without its replica labels: of series that are then the same, one, in the window.

    The replica that comes first by its labels is followed; the others only fill its gaps, more than
    2.5 of its steps long, so that every moment counts once. Where a counter's filling lies below
    the value before it or above the one after, though the filling replica itself saw no reset
    between, a clock is off, not the counter: those samples are left out. (Thanos' querier, too,
    stays with one replica until it has a gap.)
    """
    groups: dict[str, tuple[Labels, dict[str, _Samples]]] = {}
    for labels, all_times, all_values in batch:
        kept: Labels = {name: value for name, value in labels.items() if name not in replica_labels}
        groups.setdefault(canonical_labels(kept), (kept, {}))[1][canonical_labels(labels)] = (all_times, all_values)
    series = []
    for own, members in groups.values():
        times, values = reduce(partial(_filled, counter=counter), (members[name] for name in sorted(members)))
        inside = (times >= window.start_ms) & (times < window.end_ms)
        series.append((own, times[inside], values[inside]))
    return SeriesBatch.of(batch.metric, series, batch.left_out)


def _filled(followed: _Samples, other: _Samples, *, counter: bool) -> _Samples:
    """The followed replica's samples with the other's in its gaps, before its first and after its last."""
    (times, values), (other_times, other_values) = followed, other
    steps = np.diff(times if len(times) > 1 else other_times)
    limit = GAP_STEPS * (float(np.median(steps)) if len(steps) else 60_000)
    edges = np.concatenate([[_EVER_BEFORE], times, [_EVER_AFTER]])
    place = np.searchsorted(times, other_times, side="left")
    before, after = edges[place], edges[place + 1]
    within = (after - before > limit) & (other_times - before > limit / 2) & (after - other_times > limit / 2)
    if counter:
        within &= ~_out_of_line(followed, other, limit)
    order = np.argsort(np.concatenate([times, other_times[within]]), kind="stable")
    return np.concatenate([times, other_times[within]])[order], np.concatenate([values, other_values[within]])[order]


def _out_of_line(followed: _Samples, other: _Samples, limit: float) -> NDArray[np.bool_]:
    """Which of the other's samples lie below the value before, or above the next, with no reset between."""
    (times, values), (other_times, other_values) = followed, other
    place = np.searchsorted(times, other_times, side="left")
    before, after = np.maximum(place - 1, 0), np.minimum(place, len(times) - 1)
    falls = np.flatnonzero(np.diff(_held(other_values)) < 0) + 1
    fallen = np.concatenate([[_EVER_BEFORE], other_times[falls], [_EVER_AFTER]])
    number = np.searchsorted(falls, np.arange(len(other_times)), side="right")
    low = (place > 0) & (other_values < _held(values)[before]) & (fallen[number] <= times[before])
    # The other sees a reset at its own next scrape, which may be later than the followed one's.
    seen_until = times[after] + limit
    high = (place < len(times)) & (other_values > values[after]) & (fallen[number + 1] > seen_until)
    return low | (high & (other_times[-1] > times[after]))


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value, or where it is a marker or another NaN the one before it."""
    return values[np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))]
