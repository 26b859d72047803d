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
from cloudxai_analysis.measures.alerts import episodes as alert_episodes
from cloudxai_analysis.measures.frames import columns_of, typed
from cloudxai_analysis.sources.series import SeriesBatch

Times = NDArray[np.int64]  # milliseconds since the epoch, ascending
Places = NDArray[np.int64]
_LABELS = ("alertname", "severity", "tenant", "instance")
_NEVER = np.iinfo(np.int64).min  # becomes NaT


@dataclass(frozen=True)
class Runs:
    """Stretches in which the expression gave a series at every evaluation, by series and time.

    `series` numbers the series; `begin` and `end` are places in the evaluation times, the last one included; `point` is
    the place in the batch of a run's first point.
    """

    series: Places
    begin: Places
    end: Places
    point: Places


@dataclass(frozen=True)
class States:
    """The firings that became of the runs, as places in the evaluation times; `pending` is -1 where one fired at once.

    `last` is the last evaluation at which the alert fired.
    """

    series: Places
    pending: Places
    fired: Places
    last: Places

    def __getitem__(self, chosen: NDArray[np.bool_] | slice) -> States:
        return States(self.series[chosen], self.pending[chosen], self.fired[chosen], self.last[chosen])


def runs(batch: SeriesBatch, evaluations: Times, *, kept: NDArray[np.bool_] | None = None) -> Runs:
    """The unbroken runs of each series at the evaluation times (milliseconds, ascending).

    `kept` says which of the points count, as where a threshold is held against them; points at other times than an
    evaluation do not.
    """
    place = np.searchsorted(evaluations, batch.times)
    there = np.append(evaluations, -1)[place] == batch.times
    if kept is not None:
        there &= kept
    point = np.flatnonzero(there)
    series = np.repeat(np.arange(len(batch), dtype=np.int64), np.diff(batch.offsets))[point]
    place = place[point].astype(np.int64)
    opens = np.flatnonzero((np.diff(place, prepend=-2) != 1) | (np.diff(series, prepend=-1) != 0))
    return Runs(series[opens], place[opens], place[_closes(opens, len(place))], point[opens])


def states(found: Runs, evaluations: Times, *, for_seconds: float, keep_seconds: float = 0) -> States:
    """The firings that a rule's `for` and `keep_firing_for` make of the runs, by series and time."""
    if not len(found.begin):
        return States(found.series, found.begin, found.begin, found.begin)
    ripe = np.searchsorted(evaluations, evaluations[found.begin] + round(for_seconds * 1000))
    fires = ripe <= found.end
    held = _held(found.end, evaluations, round(keep_seconds * 1000))
    linked = np.append(False, (found.series[1:] == found.series[:-1]) & (found.begin[1:] <= held[:-1] + 1))
    opens = np.flatnonzero(~linked)
    # Once a run of a chain fires, each later one of it goes on firing, however short it is.
    number = np.arange(len(held), dtype=np.int64)
    first = np.minimum.reduceat(np.where(fires, number, len(held)), opens)
    fired = first < len(held)
    own = first[fired]
    pending = np.where(ripe[own] > found.begin[own], found.begin[own], -1)
    return States(found.series[own], pending, ripe[own], held[_closes(opens, len(held))[fired]])


def episodes(
    variants: Sequence[States],
    labels: Sequence[Mapping[str, str]],
    evaluations: Times,
    *,
    interval_ms: int,
    window: Window,
    markers: bool = True,
) -> pd.DataFrame:
    """The episodes of a window, as `measures.alerts.episodes` makes them of the ALERTS that the rule would have left.

    `variants` are the firings of a rule under several settings, `labels` the alerts' label sets by series, with
    `alertname`. Evaluations more than two intervals apart, as where the server was down, part an episode. `markers`
    False joins firings at most two intervals apart, as where a source hides staleness markers.

    Columns: variant (place in `variants`), episode (from 1 in each), alertname, severity, tenant, instance, pending_at
    (NaT where it fired at once), fired_at, resolved_at (last firing evaluation plus one interval), seconds, cut_start,
    cut_end, unseen_seconds (0); by variant and `fired_at`.
    """
    parts = [_parted(one, evaluations, interval_ms, markers=markers) for one in variants]
    variant = np.repeat(np.arange(len(parts)), [len(one.fired) for one in parts])
    found = States(*(np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)))
    low, high = (int(place) for place in np.searchsorted(evaluations, (window.start_ms, window.end_ms)))
    inside = (found.last >= low) & (found.fired < high)
    variant, found = variant[inside], found[inside]
    before = found.fired < low
    at = np.append(evaluations, 0)
    fired_at = at[np.maximum(found.fired, low)]
    resolved_at = at[np.minimum(found.last, high - 1)] + interval_ms
    frame = pd.DataFrame(
        {
            "variant": variant,
            **{name: [labels[number].get(name, "") for number in found.series.tolist()] for name in _LABELS},
            "pending_at": _moments(np.where((found.pending >= 0) & ~before, at[found.pending], _NEVER)),
            "fired_at": _moments(fired_at),
            "resolved_at": _moments(resolved_at),
            "seconds": (resolved_at - fired_at) / 1000,
            # Without an evaluation before the window nobody knows whether it had fired before.
            "cut_start": before | ((found.fired == low) & (found.pending < 0) & (low == 0)),
            "cut_end": found.last >= high - 1,
            "unseen_seconds": 0.0,
        }
    ).sort_values(["variant", "fired_at", *_LABELS], kind="stable", ignore_index=True)
    frame["episode"] = frame.groupby("variant").cumcount() + 1
    return typed(frame, {"variant": "int64", **columns_of(alert_episodes)})


def _held(end: Places, evaluations: Times, keep_ms: int) -> Places:
    """The last evaluation at which an alert fires whose expression gave it last at `end`."""
    gone = np.minimum(end + 1, len(evaluations) - 1)
    last = np.searchsorted(evaluations, evaluations[gone] + keep_ms, side="left") - 1
    return np.where(end + 1 < len(evaluations), np.maximum(last, end), end).astype(np.int64)


def _parted(found: States, evaluations: Times, interval_ms: int, *, markers: bool) -> States:
    """The firings parted where evaluations lie more than two intervals apart, and without markers joined elsewhere."""
    if not len(found.fired):
        return found
    opens = np.flatnonzero(np.append(True, np.diff(evaluations) > 2 * interval_ms))
    closes = _closes(opens, len(evaluations))
    first, last = (np.searchsorted(opens, places, side="right") - 1 for places in (found.fired, found.last))
    many = last - first + 1
    row = np.repeat(np.arange(len(many)), many)
    later = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    stretch = first[row] + later
    parts = States(
        found.series[row],
        np.where(later == 0, found.pending[row], -1),
        np.maximum(found.fired[row], opens[stretch]),
        np.minimum(found.last[row], closes[stretch]),
    )
    return parts if markers else _joined(parts, evaluations, interval_ms)


def _joined(found: States, evaluations: Times, interval_ms: int) -> States:
    near = evaluations[found.fired[1:]] - evaluations[found.last[:-1]] <= 2 * interval_ms
    opens = np.flatnonzero(np.append(True, ~(near & (found.series[1:] == found.series[:-1]))))
    last = found.last[_closes(opens, len(found.last))]
    return States(found.series[opens], found.pending[opens], found.fired[opens], last)


def _closes(opens: Places, length: int) -> Places:
    """Where the stretches end that begin at `opens` and fill `length` places."""
    return np.append(opens[1:], length)[: len(opens)] - 1


def _columns(found: States) -> tuple[Places, Places, Places, Places]:
    return found.series, found.pending, found.fired, found.last


def _moments(milliseconds: Places) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(milliseconds.astype("datetime64[ms]"), tz="UTC").as_unit("us")
