"""Unbroken stretches of one alert's state in ALERTS, by whole columns: a busy platform's year is a million samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.evaluations import seconds_of
from cloudxai_analysis.measures.frames import combinations, typed

LABELS = ["alertname", "severity", "tenant", "job", "instance"]
Integers = NDArray[np.int64]


def alert_stretches(alerts: pd.DataFrame, state: str, *, interval_seconds: float | Mapping[str, float]) -> pd.DataFrame:
    """Unbroken stretches of one state of one alert, by begin and labels.

    `alerts` are samples of ALERTS, NaN a staleness marker, with alertname, alertstate and any of severity, tenant,
    job, instance. `alert`, where the frame has it, says which series are one alert: those of an HA pair's replicas are
    put together where they overlap. Without it each label set is one. Samples at most twice `interval_seconds` apart
    (a number, or one for each rule and for '' all others) are one stretch, unless a marker lies between.

    Columns: alertname, severity, tenant, job, instance (as categories), alert (number), first, last (sample), interval
    (seconds), ended (bool: by a staleness marker).
    """
    frame = _of_state(alerts, state)
    series, time = frame["series_id"].to_numpy(), _micros(frame["time"])
    marker = np.isnan(frame["value"].to_numpy(dtype="float64"))
    near = 2 * seconds_of(frame["alertname"], interval_seconds) * 1e6
    breaks = np.ones(len(frame), dtype=bool)
    breaks[1:] = (series[1:] != series[:-1]) | (np.diff(time) > near[1:]) | marker[:-1]
    first, last, ended = _edges(breaks, marker)
    rows = pd.DataFrame({name: _column(frame, name, first) for name in LABELS})
    rows = rows.assign(first=time[first], last=time[last], ended=ended, interval=near[first] / 2e6)
    rows["alert"] = frame["alert"].to_numpy()[first] if "alert" in frame else label_sets(rows)
    if "alert" in frame:
        rows = _replicas_as_one(rows)
    order = _order(rows)
    rows = rows.iloc[order].reset_index(drop=True)
    for name in ("first", "last"):
        rows[name] = pd.Series(rows[name].to_numpy().astype("datetime64[us]")).dt.tz_localize("UTC")
    return typed(rows, alert_stretches)


def label_sets(frame: pd.DataFrame) -> Integers:
    """A number for each row's label set: the same for pending and firing series, since it is made of the text."""
    own = pd.DataFrame({name: _column(frame, name, np.arange(len(frame))) for name in LABELS})
    return pd.util.hash_pandas_object(own, index=False).to_numpy().astype(np.int64)


def _of_state(alerts: pd.DataFrame, state: str) -> pd.DataFrame:
    """The samples of one state by series and time; as they are where they stand so already."""
    kept = (alerts["alertstate"] == state).to_numpy()
    frame = alerts if kept.all() else alerts[kept]
    series, time = frame["series_id"].to_numpy(), _micros(frame["time"])
    in_order = (series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (time[1:] >= time[:-1]))
    return frame if in_order.all() else frame.iloc[np.lexsort((time, series))]


def _edges(breaks: NDArray[np.bool_], marker: NDArray[np.bool_]) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """First and last row of each stretch that holds a sample, and whether a marker ends it."""
    start = np.flatnonzero(breaks)
    end = np.append(start[1:], len(breaks)) - 1 if len(start) else start
    ended = marker[end] if len(end) else np.zeros(0, dtype=bool)
    # A marker is the last row of its stretch, since a break follows it; alone, it is no stretch.
    some = end - start + 1 > ended
    return start[some], (end - ended)[some], ended[some]


def _replicas_as_one(rows: pd.DataFrame) -> pd.DataFrame:
    """Stretches of one alert that overlap, which those of several replicas do, as one."""
    order = np.lexsort((rows["first"].to_numpy(), rows["alert"].to_numpy()))
    rows = rows.iloc[order].reset_index(drop=True)
    alert, first = rows["alert"].to_numpy(), rows["first"].to_numpy()
    until = rows["last"].to_numpy() + (rows["interval"].to_numpy() * 1e6).astype(np.int64)
    other = np.ones(len(rows), dtype=bool)
    other[1:] = alert[1:] != alert[:-1]
    reached = pd.Series(until).groupby(alert).cummax().to_numpy()
    opens = other.copy()
    opens[1:] |= first[1:] >= reached[:-1]
    if opens.all():
        return rows
    start = np.flatnonzero(opens)
    last = np.maximum.reduceat(rows["last"].to_numpy(), start)
    group = np.cumsum(opens) - 1
    at_end = rows["last"].to_numpy() == last[group]
    still = np.bincount(group[at_end & ~rows["ended"].to_numpy()], minlength=len(start)) > 0
    return rows.iloc[start].assign(last=last, ended=~still).reset_index(drop=True)


def _order(rows: pd.DataFrame) -> Integers:
    """By begin, then by the labels' text."""
    number, _ = combinations(rows, LABELS) if len(rows) else (np.zeros(0, dtype=np.int64), rows)
    return np.lexsort((number, rows["first"].to_numpy()))


def _column(frame: pd.DataFrame, name: str, rows: Integers) -> pd.Categorical:
    """A label at some rows, '' where the alert does not carry it."""
    if name not in frame:
        return pd.Categorical.from_codes(np.zeros(len(rows), dtype=np.int8), [""])
    own = frame[name].iloc[rows]
    if not isinstance(own.dtype, pd.CategoricalDtype) or own.isna().any():
        return pd.Categorical(own.astype("str").fillna(""))
    return pd.Categorical.from_codes(own.cat.codes, own.cat.categories.astype("str"))


def _micros(times: pd.Series) -> Integers:
    return times.to_numpy("datetime64[us]").astype(np.int64)
