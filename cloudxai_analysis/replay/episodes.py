"""What Prometheus makes of a rule's expression over time, and how far that is what the server fired.

The states are those of `rules/alerting.go` in Prometheus 2.42: an alert is pending from its first
evaluation, fires from the first one at least `for` later, goes on firing until the expression has
been without it for `keep_firing_for`, and begins anew after that. Evaluations are counted on the
group's grid of due times; where the server was down the expression gives nothing, and what a
restarted server restores from ALERTS_FOR_STATE is not replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.alerts import episodes as alert_episodes
from cloudxai_analysis.measures.frames import columns_of, micros, typed
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.series import SeriesBatch

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]
_LABELS = ["alertname", "severity", "tenant", "instance"]
_NEVER = np.iinfo(np.int64).min  # becomes NaT
_EDGES = ["fired_at", "resolved_at"]
_KEY = [*_LABELS, "first", "last", "again"]
_COMMIT_MS = 100  # what the server does between the end of a scrape and its commit
_STATUS = {"both": "same", "left_only": "other", "right_only": "extra"}
_COUNTS = {"alertname": "str", **dict.fromkeys(["fired", "same", "other", "extra", "apart"], "int64")}


class Runs(NamedTuple):
    """Unbroken stretches of evaluations that gave a series."""

    series: Places
    begin: Places
    end: Places


class Firings(NamedTuple):
    """The firings that became of the runs, as evaluations; `pending` is -1 where one fired at once."""

    series: Places
    pending: Places
    fired: Places
    last: Places


def runs(batch: SeriesBatch, steps: Steps, evaluated: Mask, *, kept: Mask | None = None) -> Runs:
    """The unbroken runs of each series; `evaluated` says which of the steps took place, `kept` which points count."""
    place = (batch.times - steps.first) // steps.step
    there = evaluated[place] if kept is None else evaluated[place] & kept
    series, place = batch.owners[there], place[there]
    opens = np.flatnonzero((np.diff(place, prepend=-2) != 1) | (np.diff(series, prepend=-1) != 0))
    return Runs(series[opens], place[opens], place[_closes(opens, len(place))])


def firings(found: Runs, steps: Steps, *, for_seconds: float, keep_seconds: float = 0) -> Firings:
    """The firings that a rule's `for` and `keep_firing_for` make of the runs, by series and time."""
    if not len(found.begin):
        return Firings(found.series, found.begin, found.begin, found.begin)
    waits, holds = (ceil(seconds * 1000 / steps.step) for seconds in (for_seconds, keep_seconds))
    ripe = found.begin + waits
    held = np.minimum(found.end + holds, steps.count - 1)
    opens = _opens(found.series, found.begin, held, most=1)
    # Once a run of a chain fires, each later one of it goes on firing, however short it is.
    number = np.arange(len(held), dtype=np.int64)
    first = np.minimum.reduceat(np.where(ripe <= found.end, number, len(held)), opens)
    fired = first < len(held)
    own = first[fired]
    pending = np.where(waits > 0, found.begin[own], -1)
    return Firings(found.series[own], pending, ripe[own], held[_closes(opens, len(held))[fired]])


def episodes(
    variants: Sequence[Firings],
    labels: Sequence[Mapping[str, str]],
    steps: Steps,
    *,
    window: Window,
    markers: bool = True,
) -> pd.DataFrame:
    """The episodes of a window, as `measures.alerts.episodes` makes them of the ALERTS that the rule would have left.

    `variants` are the firings of a rule under several settings, `labels` the alerts' label sets by
    series. `markers` False joins firings at most two intervals apart, as where a source hides
    staleness markers.

    Columns: variant (place in `variants`), and those of the measure, by variant and `fired_at`.
    """
    parts = list(variants) if markers else [_joined(one) for one in variants]
    variant = np.repeat(np.arange(len(parts)), [len(one.fired) for one in parts])
    found = Firings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    edges = (-((steps.first - edge) // steps.step) for edge in (window.start_ms, window.end_ms))
    low, high = (min(max(edge, 0), steps.count) for edge in edges)
    inside = (found.last >= low) & (found.fired < high)
    variant, found = variant[inside], Firings(*(column[inside] for column in found))
    before = found.fired < low
    fired_at = steps.first + steps.step * np.maximum(found.fired, low)
    resolved_at = steps.first + steps.step * (np.minimum(found.last, high - 1) + 1)
    pending_at = steps.first + steps.step * found.pending
    frame = pd.DataFrame(
        {
            "variant": variant,
            **{name: [labels[number].get(name, "") for number in found.series.tolist()] for name in _LABELS},
            "pending_at": moments(np.where((found.pending >= 0) & ~before, pending_at, _NEVER)),
            "fired_at": moments(fired_at),
            "resolved_at": moments(resolved_at),
            "seconds": (resolved_at - fired_at) / 1000,
            "cut_start": before,
            "cut_end": found.last >= high - 1,
            "unseen_seconds": 0.0,
        }
    ).sort_values(["variant", "fired_at", *_LABELS], kind="stable", ignore_index=True)
    frame["episode"] = frame.groupby("variant").cumcount() + 1
    return typed(frame, {"variant": "int64", **columns_of(alert_episodes)})


def moments(milliseconds: Places) -> pd.DatetimeIndex:
    """Times in milliseconds as a frame has them."""
    return pd.DatetimeIndex(milliseconds.astype("datetime64[ms]"), tz="UTC").as_unit("us")


def agreement(
    fired: pd.DataFrame,
    replayed: pd.DataFrame,
    down: pd.DataFrame,
    *,
    interval_seconds: float,
    settle_seconds: float,
    unsettled: Places,
) -> pd.DataFrame:
    """Each episode that the server fired, or that only replay has.

    Two are the same where label set, first and last firing evaluation are. Set apart are those that
    the window cuts or that touch a stretch of `down` or the `settle_seconds` after it, in which a
    server restores its alerts; and those that differ with an `unsettled` evaluation within
    `settle_seconds` of an edge.

    Columns: status ('same', 'other' (only the server fired at these evaluations), 'extra' (only
    replay), 'apart'), alertname, severity, tenant, instance, fired_at, resolved_at.
    """
    # Counted from the server's own evaluations, rounding moves nothing into a neighbouring one.
    zero = (fired if len(fired) else replayed)["fired_at"].min()
    sides = [_numbered(one, zero, interval_seconds) for one in (fired, replayed)]
    frame = pd.merge(*sides, how="outer", on=_KEY, suffixes=("", "_ours"), indicator="status")
    frame["status"] = frame["status"].astype("str").map(_STATUS)
    for told in ("begun", *_EDGES):
        frame[told] = frame[told].fillna(frame[f"{told}_ours"])
    away = np.hstack([np.abs(micros(frame[edge])[:, np.newaxis] - 1000 * unsettled) for edge in _EDGES])
    apart = (away <= 1e6 * settle_seconds).any(axis=1) & frame["status"].ne("same")
    apart |= frame[["cut", "cut_ours"]].eq(True).any(axis=1)
    for row in down.itertuples():
        settled = row.end + pd.Timedelta(seconds=settle_seconds)
        apart |= (frame["begun"] <= settled) & (frame["resolved_at"] >= row.start)
    frame["status"] = frame["status"].mask(apart, "apart")
    return typed(frame, agreement, by=f"fired_at {' '.join(_LABELS)}")


def agreement_counts(agreed: pd.DataFrame) -> pd.DataFrame:
    """How many episodes of each rule have each status, and how many of them the server fired.

    Columns: alertname, fired (those set apart left out), same, other, extra, apart.
    """
    kinds = pd.crosstab(agreed["alertname"], agreed["status"]).reindex(columns=list(_COUNTS), fill_value=0)
    return typed(kinds.assign(alertname=kinds.index, fired=kinds["same"] + kinds["other"]), _COUNTS)


def unsettled(times: Places, scrapes: SeriesBatch) -> Places:
    """The evaluations during a scrape, whose samples bear the time of its begin and were not there yet.

    `scrapes` are samples of `scrape_duration_seconds`: each says when a scrape began and how long
    it took.
    """
    took = np.where(np.isfinite(scrapes.values), scrapes.values, 0.0)
    next_one = np.searchsorted(times, scrapes.times, side="right")
    evaluated = np.append(times, np.iinfo(np.int64).max)[next_one]
    return np.unique(evaluated[evaluated < scrapes.times + np.rint(took * 1000).astype(np.int64) + _COMMIT_MS])


def _numbered(found: pd.DataFrame, zero: pd.Timestamp, interval_seconds: float) -> pd.DataFrame:
    """Episodes with the numbers of the evaluations at which they began and ended, and how often there is such a one."""
    frame = found[[*_LABELS, *_EDGES]].astype(dict.fromkeys(_LABELS, "str"))
    for number, edge in (("first", "fired_at"), ("last", "resolved_at")):
        frame[number] = np.rint((frame[edge] - zero).dt.total_seconds() / interval_seconds)
    frame["again"] = frame.groupby([*_LABELS, "first", "last"]).cumcount()
    begun = found["pending_at"].fillna(found["fired_at"])
    return frame.assign(begun=begun, cut=found["cut_start"].astype(bool) | found["cut_end"].astype(bool))


def _joined(found: Firings) -> Firings:
    if not len(found.fired):
        return found
    opens = _opens(found.series, found.fired, found.last, most=2)
    last = found.last[_closes(opens, len(found.last))]
    return Firings(found.series[opens], found.pending[opens], found.fired[opens], last)


def _opens(series: Places, begin: Places, end: Places, *, most: int) -> Places:
    """The stretches that begin more than `most` evaluations after the one before them, or are of another series."""
    follows = (series[1:] == series[:-1]) & (begin[1:] <= end[:-1] + most)
    return np.flatnonzero(np.append(True, ~follows))


def _closes(opens: Places, length: int) -> Places:
    """Where the stretches end that begin at `opens` and fill `length` places."""
    return np.append(opens[1:], length)[: len(opens)] - 1
