"""HA pairs: several Prometheus that watch the same targets, read as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.window import Window

LEAD_IN = timedelta(minutes=10)
GAP_STEPS = 2.5  # a replica that is silent for longer than so many of its steps has a gap

_Samples = tuple[NDArray[np.int64], NDArray[np.float64]]


def merge_replicas(batch: SeriesBatch, replica_labels: Sequence[str], window: Window, *, counter: bool) -> SeriesBatch:
    """The batch without its replica labels: of series that then are the same, one, cut to the window.

    The replica that comes first by its labels is followed; the others only fill its gaps, more than 2.5 of its steps
    long. So every moment counts once. Where a counter's filling begins below the value before it, though the filling
    replica itself saw no reset since, its clock is off, not the counter: those samples are left out. (Prometheus'
    own deduplication in Thanos, 'Query', also stays with one replica until it has a gap.)
    """
    groups: dict[str, list[tuple[str, int]]] = {}
    kept_labels: dict[str, Labels] = {}
    for index, labels in enumerate(batch.labels):
        kept = {name: value for name, value in labels.items() if name not in replica_labels}
        key = canonical_labels(kept)
        kept_labels[key] = kept
        groups.setdefault(key, []).append((canonical_labels(labels), index))
    series = []
    for key, members in groups.items():
        pieces = [_of(batch, index) for _, index in sorted(members)]
        times, values = pieces[0]
        for other in pieces[1:]:
            times, values = _filled((times, values), other, counter=counter)
        inside = (times >= window.start_ms) & (times < window.end_ms)
        series.append((kept_labels[key], times[inside], values[inside]))
    return SeriesBatch.of(batch.metric, series)


def _of(batch: SeriesBatch, index: int) -> _Samples:
    stretch = slice(*batch.offsets[index : index + 2])
    return batch.times[stretch], batch.values[stretch]


def _filled(followed: _Samples, other: _Samples, *, counter: bool) -> _Samples:
    """The followed replica's samples with the other's in its gaps, before its first and after its last sample."""
    (times, values), (other_times, other_values) = followed, other
    if not len(times) or not len(other_times):
        return followed if len(times) else other
    limit = GAP_STEPS * _step(times if len(times) > 1 else other_times)
    # A gap of the followed replica that the other shares is the target's own; its marker says so.
    edges = np.concatenate([[np.iinfo(np.int64).min // 2], times, [np.iinfo(np.int64).max // 2]])
    place = np.searchsorted(times, other_times, side="left")
    before, after = edges[place], edges[place + 1]
    within = (after - before > limit) & (other_times - before > limit / 2) & (after - other_times > limit / 2)
    if counter:
        within &= ~_behind(times, values, other_times, other_values, place)
    order = np.argsort(np.concatenate([times, other_times[within]]), kind="stable")
    return np.concatenate([times, other_times[within]])[order], np.concatenate([values, other_values[within]])[order]


def _behind(
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    other_times: NDArray[np.int64],
    other_values: NDArray[np.float64],
    place: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which of the other's samples lie below the last followed value, though the other saw no reset since then."""
    last = np.where(place > 0, _held(values)[np.maximum(place - 1, 0)], np.nan)
    since = np.where(place > 0, times[np.maximum(place - 1, 0)], np.iinfo(np.int64).min)
    falls = np.flatnonzero(np.diff(_held(other_values)) < 0) + 1
    fallen = np.concatenate([[np.iinfo(np.int64).min], other_times[falls]])
    latest_fall = fallen[np.searchsorted(falls, np.arange(len(other_times)), side="right")]
    return (other_values < last) & (latest_fall <= since)


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value, or where it is a marker or another NaN the one before it."""
    return values[np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))]


def _step(times: NDArray[np.int64]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 60_000.0
