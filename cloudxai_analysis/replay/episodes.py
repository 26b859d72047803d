"""What Prometheus makes of a rule's expression over time: pending, firing, kept firing, resolved.

The states are those of `rules/alerting.go` in Prometheus 2.42: an alert is pending from its first evaluation, fires
from the first one at least `for` later, goes on firing until the expression has been without it for `keep_firing_for`,
and begins anew after that. What a restarted server restores from ALERTS_FOR_STATE is not replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.alerts import EPISODES
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.sources.series import SeriesBatch

Times = NDArray[np.int64]  # milliseconds since the epoch, ascending
Places = NDArray[np.int64]
_LABELS = ("alertname", "severity", "tenant", "instance")


@dataclass(frozen=True)
class Runs:
    """Stretches in which the expression gave a series at every evaluation, by series and time.

    `series` numbers the series; `begin` and `end` are places in the evaluation times, the last one included.
    """

    series: Places
    begin: Places
    end: Places


@dataclass(frozen=True)
class States:
    """The firings that became of the runs; `pending` is -1 where it fired at once."""

    series: Places
    pending: Places
    fired: Places
    last: Places

    def none(self) -> States:
        """No firing at all."""
        return States(self.series[:0], self.pending[:0], self.fired[:0], self.last[:0])


def runs(batch: SeriesBatch, evaluations: Times, *, kept: NDArray[np.bool_] | None = None) -> Runs:
    """The unbroken runs of each series at the evaluation times (milliseconds, ascending).

    `kept` says which of the points count, as where a threshold is held against them; points at other times than an
    evaluation do not.
    """
    place = np.searchsorted(evaluations, batch.times)
    there = evaluations[np.minimum(place, len(evaluations) - 1)] == batch.times if len(evaluations) else place < 0
    there &= place < len(evaluations)
    if kept is not None:
        there &= kept
    series = np.repeat(np.arange(len(batch), dtype=np.int64), np.diff(batch.offsets))[there]
    place = place[there].astype(np.int64)
    opens = np.ones(len(place), dtype=bool)
    opens[1:] = (np.diff(place) != 1) | (np.diff(series) != 0)
    begins = np.flatnonzero(opens)
    ends = np.append(begins[1:], len(place)) - 1 if len(begins) else begins
    return Runs(series[begins], place[begins], place[ends])


def states(found: Runs, evaluations: Times, *, for_ms: int, keep_ms: int = 0) -> States:
    """The firings that a rule's `for` and `keep_firing_for` make of the runs, by series and time."""
    if not len(found.begin):
        none = np.empty(0, dtype=np.int64)
        return States(none, none, none, none)
    ripe = np.searchsorted(evaluations, evaluations[found.begin] + for_ms)
    fires = ripe <= found.end
    held = _held(found.end, evaluations, keep_ms)
    linked = np.zeros(len(held), dtype=bool)
    linked[1:] = (found.series[1:] == found.series[:-1]) & (found.begin[1:] <= held[:-1] + 1)
    opens = np.flatnonzero(~linked)
    closes = np.append(opens[1:], len(held)) - 1
    # Once a run of a chain fires, each later one of it goes on firing, however short it is.
    number = np.arange(len(held), dtype=np.int64)
    first = np.minimum.reduceat(np.where(fires, number, len(held)), opens)
    fired = first < len(held)
    own = first[fired]
    pending = np.where(ripe[own] > found.begin[own], found.begin[own], -1)
    return States(found.series[own], pending, ripe[own], held[closes[fired]])


def _held(end: Places, evaluations: Times, keep_ms: int) -> Places:
    """The last evaluation at which an alert fires whose expression gave it last at `end`."""
    gone = np.minimum(end + 1, len(evaluations) - 1)
    last = np.searchsorted(evaluations, evaluations[gone] + keep_ms, side="left") - 1
    return np.where(end + 1 < len(evaluations), np.maximum(last, end), end).astype(np.int64)


def episodes(
    found: States,
    labels: Sequence[Mapping[str, str]],
    evaluations: Times,
    *,
    interval_ms: int,
    window: Window,
    markers: bool = True,
) -> pd.DataFrame:
    """The episodes of a window, as `measures.alerts.episodes` makes them of the ALERTS that the rule would have left.

    `labels` are the alerts' label sets by series, with `alertname`. Evaluations more than two intervals apart, as where
    the server was down, part an episode. `markers` False joins firings at most two intervals apart, as where a source
    hides staleness markers.

    Columns: episode (from 1), alertname, severity, tenant, instance, pending_at (NaT where it fired at once), fired_at,
    resolved_at (last firing evaluation plus one interval), seconds, cut_start, cut_end, unseen_seconds (0); by
    `fired_at`.
    """
    frame = variant_episodes([found], labels, evaluations, interval_ms=interval_ms, window=window, markers=markers)
    return frame.drop(columns="variant")


def variant_episodes(
    found: Sequence[States],
    labels: Sequence[Mapping[str, str]],
    evaluations: Times,
    *,
    interval_ms: int,
    window: Window,
    markers: bool = True,
) -> pd.DataFrame:
    """The episodes of many variants of a rule as one frame, by variant and `fired_at`.

    Columns: variant (place in `found`), and those of `episodes`.
    """
    many = len(labels)
    stacked = States(
        np.concatenate([one.series + number * many for number, one in enumerate(found)]),
        np.concatenate([one.pending for one in found]),
        np.concatenate([one.fired for one in found]),
        np.concatenate([one.last for one in found]),
    )
    every = list(labels) * len(found)
    frame = _rows(stacked, every, evaluations, interval_ms=interval_ms, window=window, markers=markers)
    variant = frame["series"].to_numpy() // max(many, 1)
    frame = frame.assign(variant=variant).sort_values(
        ["variant", "fired_at", *_LABELS], kind="stable", ignore_index=True
    )
    frame["episode"] = frame.groupby("variant").cumcount() + 1
    return typed(frame, {"variant": "int64", **EPISODES})


def _rows(
    found: States,
    labels: Sequence[Mapping[str, str]],
    evaluations: Times,
    *,
    interval_ms: int,
    window: Window,
    markers: bool,
) -> pd.DataFrame:
    parts = _parted(found, evaluations, interval_ms)
    if not markers:
        parts = _joined(parts, evaluations, interval_ms)
    low, high = (int(place) for place in np.searchsorted(evaluations, (window.start_ms, window.end_ms)))
    inside = (parts.last >= low) & (parts.fired < high)
    series, pending, fired, last = (column[inside] for column in (parts.series, parts.pending, parts.fired, parts.last))
    before = fired < low
    at = np.append(evaluations, 0)
    fired_at = at[np.maximum(fired, low)]
    pending_at = np.where((pending >= 0) & ~before, at[pending], np.iinfo(np.int64).min)
    resolved_at = at[np.minimum(last, high - 1)] + interval_ms
    return pd.DataFrame(
        {
            "series": series,
            **_named(labels, series, _LABELS),
            "pending_at": _moments(pending_at),
            "fired_at": _moments(fired_at),
            "resolved_at": _moments(resolved_at),
            "seconds": (resolved_at - fired_at) / 1000,
            # Without an evaluation before the window nobody knows whether it had fired before.
            "cut_start": before | ((fired == low) & (pending < 0) & (low == 0)),
            "cut_end": last >= high - 1,
            "unseen_seconds": 0.0,
        }
    )


def _parted(found: States, evaluations: Times, interval_ms: int) -> States:
    """The firings, parted wherever evaluations lie more than two intervals apart."""
    gaps = np.flatnonzero(np.diff(evaluations) > 2 * interval_ms)
    if not len(gaps) or not len(found.fired):
        return found
    low, high = np.searchsorted(gaps, found.fired), np.searchsorted(gaps, found.last)
    many = high - low + 1
    row = np.repeat(np.arange(len(many)), many)
    part = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    gap = np.append(gaps, 0)
    fired = np.where(part == 0, found.fired[row], gap[low[row] + part - 1] + 1)
    last = np.where(part == many[row] - 1, found.last[row], gap[np.minimum(low[row] + part, len(gaps))])
    pending = np.where(part == 0, found.pending[row], -1)
    return States(found.series[row], pending, fired, last)


def _joined(found: States, evaluations: Times, interval_ms: int) -> States:
    if not len(found.fired):
        return found
    near = evaluations[found.fired[1:]] - evaluations[found.last[:-1]] <= 2 * interval_ms
    opens = np.append(True, ~(near & (found.series[1:] == found.series[:-1])))
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(opens)) - 1
    return States(found.series[first], found.pending[first], found.fired[first], found.last[last])


def _named(labels: Sequence[Mapping[str, str]], series: Places, names: Sequence[str]) -> dict[str, list[str]]:
    return {name: [labels[number].get(name, "") for number in series.tolist()] for name in names}


def _moments(milliseconds: Places) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(milliseconds.astype("datetime64[ms]"), tz="UTC").as_unit("us")
