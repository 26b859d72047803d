"""When a rule group was evaluated, and when the server was down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.sources.promql import Asked, Steps, promql_range
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

Times = NDArray[np.int64]
_DOWN = {"start": TIME, "end": TIME}
_LONGEST_MISS = 10  # evaluations without a sample that are missed ones; in more the server was down
# Stretches in which to count scrapes until these tell their interval, and how many of each.
_SPANS, _LOOKS, _ENOUGH = (5_000, 30_000, 120_000, 600_000, 3_600_000), 500, 4
_STEPS_WITHOUT = 2.5  # scrape intervals without a sample that are a gap
_COMMIT_MS = 100  # what the server does between the end of a scrape and its commit


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


def unsettled(times: Times, scrapes: SeriesBatch) -> Times:
    """Those of the evaluation times at which a scrape had begun and its samples could not yet be seen.

    `scrapes` are samples of `scrape_duration_seconds`: each says when a scrape began and how long it took. Its samples
    bear the time of its begin, and a later query finds them there, which the rule's own evaluation did not.
    """
    took = np.where(np.isfinite(scrapes.values), scrapes.values, 0.0)
    until = scrapes.times + np.rint(took * 1000).astype(np.int64) + _COMMIT_MS
    after = np.searchsorted(times, scrapes.times, side="right")
    beyond = np.searchsorted(times, until, side="left")
    return times[_covered(after, beyond, len(times))]


def evaluations(steps: Steps, *, down: pd.DataFrame, alerts: SeriesBatch | None = None, how: str = "") -> Evaluations:
    """The evaluations that took place: all that were due, without those while the server was down and those missed.

    `alerts` are the raw samples of the group's ALERTS, with staleness markers; an evaluation was missed where one of
    them went on over it and none has a sample of its time. Without markers nobody can tell a missed evaluation from an
    alert that was gone for one: leave `alerts` out then.
    """
    times = steps.times
    moments = pd.to_datetime(times, unit="ms", utc=True)
    kept = np.ones(len(times), dtype=bool)
    for start, end in zip(down["start"], down["end"], strict=True):
        kept &= (moments <= start) | (moments >= end)
    if alerts is not None:
        kept &= ~_missed(alerts, steps)
    return Evaluations(steps, times[kept], down, how)


def phase(alerts: SeriesBatch, step: int) -> int | None:
    """Milliseconds by which a group's evaluations follow whole multiples of its interval; None without an alert.

    Source: Prometheus, `rules/group.go`, `EvalTimestamp`: a group's offset is a hash of its file and name, and its
    alerts' samples carry the evaluation's time.
    """
    offsets, many = np.unique(alerts.times % step, return_counts=True)
    return int(offsets[many.argmax()]) if len(offsets) else None


def down_stretches(source: Asked, steps: Steps) -> pd.DataFrame:
    """Stretches without a single scrape, in which the server itself was down: start, end (last scrape and first one).

    Both are told to within two scrapes, on the outer side: what lies at an edge is taken for down. Asked of the server
    by `absent_over_time(up[…])`, so that neither a target that is down nor one that has gone counts. A server that
    scrapes nothing at all, in any of the steps, tells nothing and has no such stretch.

    Raises
    ------
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly or in part.
    """
    scrape = _scrape_interval(source, steps)
    if scrape is None or steps.count < 2:
        return typed([], _DOWN)
    without = round(_STEPS_WITHOUT * scrape)
    width = max(steps.step, without // 2)
    coarse = Steps(steps.first, width, (steps.last - steps.first) // width + 1)
    absent = promql_range(source, f"absent_over_time(up[{without}ms])", coarse).times
    opens = np.flatnonzero(np.diff(absent, prepend=-width - 1) > width)
    closes = np.append(opens[1:], len(absent))[: len(opens)] - 1
    edges = (absent[opens] - without - width, absent[closes] + width)
    start, end = (pd.to_datetime(edge, unit="ms", utc=True) for edge in edges)
    return typed({"start": start, "end": end}, _DOWN)


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


def _missed(alerts: SeriesBatch, steps: Steps) -> NDArray[np.bool_]:
    """Which due times an alert of the group went on over without any of its alerts having a sample of it."""
    place = np.rint((alerts.times - steps.first) / steps.step).astype(np.int64)
    series = np.repeat(np.arange(len(alerts)), np.diff(alerts.offsets))
    live = alerts.values.view(np.int64) != STALENESS_MARKER_BITS
    apart = np.diff(place)
    over = live[:-1] & live[1:] & (np.diff(series) == 0) & (apart > 1) & (apart <= _LONGEST_MISS)
    begin, end = place[:-1][over] + 1, place[1:][over]
    inside = (begin >= 0) & (end <= steps.count)
    bridged = _covered(begin[inside], end[inside], steps.count)
    bridged[place[(place >= 0) & (place < steps.count)]] = False
    return bridged


def _covered(begin: Times, end: Times, count: int) -> NDArray[np.bool_]:
    """Which of `count` places lie in one of the stretches from `begin` up to and without `end`."""
    change = np.zeros(count + 1, dtype=np.int64)
    np.add.at(change, begin, 1)
    np.add.at(change, end, -1)
    return np.cumsum(change)[:-1] > 0
