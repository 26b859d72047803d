"""When a rule group was evaluated, and when the server was down: the moments at which replay asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.sources.promql import Asked, Steps, promql_range
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

Times = NDArray[np.int64]
_DOWN = {"start": TIME, "end": TIME}
_LONGEST_MISS = 10  # evaluations without a sample that are missed ones; more are a stretch in which the server was down
# Stretches in which to count scrapes until there are enough of them to tell their interval, and how many of each.
_SPANS, _LOOKS, _ENOUGH = (5_000, 30_000, 120_000, 600_000, 3_600_000), 500, 4
_STEPS_WITHOUT = 2.5  # scrape intervals without a sample that are a gap


@dataclass(frozen=True)
class Evaluations:
    """A group's evaluation times over a window and before it.

    `steps` are all that were due; `times` those that took place, in milliseconds; `down` the stretches in which the
    server was not there: start, end; `how` says where the times come from.
    """

    steps: Steps
    times: Times
    down: pd.DataFrame
    how: str

    @property
    def interval(self) -> int:
        """Milliseconds from one evaluation to the next."""
        return self.steps.step


def unsettled(times: Times, scrapes: SeriesBatch, *, slack_ms: int = 100) -> Times:
    """Those of the evaluation times at which a scrape had begun and its samples could not yet be seen.

    `scrapes` are samples of `scrape_duration_seconds`: each says when a scrape began and how long it took. Its samples
    bear the time of its begin, and a later query finds them there, which the rule's own evaluation did not; `slack_ms`
    is left for what the server does between the end of a scrape and its commit.
    """
    begun = scrapes.times
    took = np.where(np.isfinite(scrapes.values), scrapes.values, 0.0)
    until = begun + np.rint(took * 1000).astype(np.int64) + slack_ms
    after = np.searchsorted(times, begun, side="right")
    beyond = np.searchsorted(times, until, side="left")
    found = [times[first:last] for first, last in zip(after, beyond, strict=True) if last > first]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def evaluations(
    steps: Steps, *, down: pd.DataFrame, alerts: SeriesBatch | None = None, rules: Collection[str] = (), how: str = ""
) -> Evaluations:
    """The evaluations that took place: all that were due, without those while the server was down and those missed.

    `alerts` are the raw samples of ALERTS, with staleness markers; an evaluation was missed where an alert of one of
    the group's `rules` went on over it and none of them has a sample of its time. Without markers nobody can tell a
    missed evaluation from an alert that was gone for one: leave `alerts` out then.
    """
    times = steps.times
    kept = np.ones(len(times), dtype=bool)
    for start, end in zip(_milliseconds(down["start"]), _milliseconds(down["end"]), strict=True):
        kept &= (times <= start) | (times >= end)
    if alerts is not None and len(rules):
        kept &= ~np.isin(times, _missed(alerts, steps, frozenset(rules)))
    return Evaluations(steps, times[kept], down, how)


def phase(alerts: SeriesBatch, rules: Collection[str], step: int) -> int | None:
    """Milliseconds by which the group's evaluations follow whole multiples of its interval; None without an alert.

    Source: Prometheus, `rules/group.go`, `EvalTimestamp`: a group's offset is a hash of its file and name, and its
    alerts' samples carry the evaluation's time.
    """
    wanted = frozenset(rules)
    pieces = [
        alerts.times[alerts.offsets[number] : alerts.offsets[number + 1]]
        for number, labels in enumerate(alerts.labels)
        if labels.get("alertname") in wanted
    ]
    if not pieces:
        return None
    offsets, many = np.unique(np.concatenate(pieces) % step, return_counts=True)
    return int(offsets[int(many.argmax())])


def down_stretches(source: Asked, steps: Steps) -> pd.DataFrame:
    """Stretches without a single scrape, in which the server itself was down: start, end (last scrape and first one).

    Both are told to within two scrapes, on the outer side: what lies at an edge is taken for down.

    Asked of the server by `absent_over_time(up[…])`, so that neither a target that is down nor one that has gone
    counts.
    A server that scrapes nothing at all, in any of the steps, tells nothing and has no such stretch.

    Raises
    ------
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly or in part.
    """
    scrape = _scrape_interval(source, steps)
    if scrape is None or steps.count < 2:
        return typed([], _DOWN)
    without = round(_STEPS_WITHOUT * scrape)
    coarse = Steps(steps.first, max(steps.step, without // 2), 1)
    coarse = Steps(steps.first, coarse.step, (steps.last - steps.first) // coarse.step + 1)
    absent = promql_range(source, f"absent_over_time(up[{without}ms])", coarse).times
    if not len(absent):
        return typed([], _DOWN)
    first = np.append(True, np.diff(absent) > coarse.step)
    opens = np.flatnonzero(first)
    closes = np.append(opens[1:], len(absent)) - 1
    rows = [
        {"start": _moment(absent[begin] - without - coarse.step), "end": _moment(absent[end] + coarse.step)}
        for begin, end in zip(opens, closes, strict=True)
    ]
    return typed(rows, _DOWN)


def _scrape_interval(source: Asked, steps: Steps) -> int | None:
    """The shortest of the targets' scrape intervals in milliseconds, by the samples of `up` towards the end."""
    for span in _SPANS:
        many = max(1, min(_LOOKS, (steps.last - steps.first) // span))
        at = Steps(steps.last - (many - 1) * span, span, many)
        counted = promql_range(source, f"max(count_over_time(up[{span}ms]))", at)
        most = float(counted.values.max(initial=0.0))
        if most >= _ENOUGH:
            return round(span / (most - 1))
    return None


def _missed(alerts: SeriesBatch, steps: Steps, rules: frozenset[str]) -> Times:
    """Due times over which an alert of the group went on, and of which none of its alerts has a sample."""
    own = [number for number, labels in enumerate(alerts.labels) if labels.get("alertname") in rules]
    pieces = [slice(alerts.offsets[number], alerts.offsets[number + 1]) for number in own]
    if not pieces:
        return np.empty(0, dtype=np.int64)
    seen = np.unique(np.concatenate([_place(alerts.times[piece], steps) for piece in pieces]))
    bridged = np.zeros(steps.count + 1, dtype=np.int64)
    for piece in pieces:
        places = _place(alerts.times[piece], steps)
        live = alerts.values[piece].view(np.int64) != STALENESS_MARKER_BITS
        apart = np.diff(places)
        over = live[:-1] & live[1:] & (apart > 1) & (apart <= _LONGEST_MISS)
        begin, end = places[:-1][over] + 1, places[1:][over]
        inside = (begin >= 0) & (end <= steps.count)
        np.add.at(bridged, begin[inside], 1)
        np.add.at(bridged, end[inside], -1)
    over_them = np.cumsum(bridged)[:-1] > 0
    over_them[seen[(seen >= 0) & (seen < steps.count)]] = False
    return steps.times[over_them]


def _place(times: Times, steps: Steps) -> Times:
    """The number of the step nearest to each time."""
    return np.rint((times - steps.first) / steps.step).astype(np.int64)


def _milliseconds(moments: pd.Series) -> list[int]:
    return (moments.dt.as_unit("us").astype("int64") // 1000).tolist()


def _moment(milliseconds: np.int64) -> pd.Timestamp:
    return pd.Timestamp(int(milliseconds), unit="ms", tz="UTC")
