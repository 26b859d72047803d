"""Unbroken stretches of one alert's state in ALERTS, by whole columns: a busy platform's year is a million samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import as_text, combinations, mapped, typed

LABELS = ["alertname", "severity", "tenant", "job", "instance"]


def alert_stretches(alerts: pd.DataFrame, state: str, *, interval_seconds: float | Mapping[str, float]) -> pd.DataFrame:
    """Unbroken stretches of one state of one alert, by begin and labels.

    `alerts` are samples of ALERTS, NaN a staleness marker, with alertname, alertstate and any of severity, tenant,
    job, instance. `alert`, where the frame has it, says which series are one alert: those of an HA pair's replicas are
    put together where they overlap. Without it each label set is one. Samples at most twice `interval_seconds` apart
    (a number, or one for each rule and for '' all others) are one stretch, unless a marker lies between.

    Columns: alertname, severity, tenant, job, instance, alert, first, last, interval, ended.
    """
    kept = alerts[(alerts["alertstate"] == state).to_numpy()]
    frame = kept.iloc[np.lexsort((kept["time"].to_numpy(), kept["series_id"].to_numpy()))].reset_index(drop=True)
    marker = frame["value"].isna().to_numpy()
    near = pd.to_timedelta(2 * _seconds_of(frame["alertname"], interval_seconds), unit="s")
    goes_on = (frame["series_id"] == frame["series_id"].shift()) & (frame["time"].diff() <= near)
    stretch = np.cumsum(~(goes_on.to_numpy() & ~np.append(True, marker[:-1])))
    # A marker ends its stretch, since nothing goes on after it; alone, it is none.
    ended = pd.Series(marker).groupby(stretch).last()
    sample = frame[~marker]
    begin = ~pd.Series(stretch[~marker]).duplicated().to_numpy()
    first, number = sample.index[begin], stretch[~marker][begin]
    rows = pd.DataFrame({name: _column(frame, name).take(first) for name in LABELS})
    rows["first"] = frame["time"].take(first).array
    rows["last"] = sample["time"].groupby(stretch[~marker]).last().array
    rows["ended"] = ended.reindex(number).to_numpy(dtype=bool)
    rows["interval"] = near[first].total_seconds() / 2
    rows["alert"] = frame["alert"].to_numpy()[first] if "alert" in frame else label_sets(rows)
    if "alert" in frame:
        rows = _replicas_as_one(rows)
    place, _ = combinations(rows, LABELS)
    return typed(rows.iloc[np.lexsort((place, rows["first"].to_numpy()))].reset_index(drop=True), alert_stretches)


def label_sets(frame: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each row's label set: the same for pending and firing series, since it is made of the text."""
    own = pd.DataFrame({name: _column(frame, name) for name in LABELS})
    return pd.util.hash_pandas_object(own, index=False).to_numpy().astype(np.int64)


def micros(times: pd.Series) -> NDArray[np.int64]:
    """Times in microseconds since the epoch."""
    return times.to_numpy("datetime64[us]").astype(np.int64)


def _seconds_of(names: pd.Series, interval_seconds: float | Mapping[str, float]) -> NDArray[np.float64]:
    known = interval_seconds if isinstance(interval_seconds, Mapping) else {"": interval_seconds}
    return mapped(names, known, known[""]).to_numpy(dtype="float64")


def _replicas_as_one(rows: pd.DataFrame) -> pd.DataFrame:
    """Stretches of one alert that overlap, which those of several replicas do, as one."""
    rows = rows.sort_values(["alert", "first"], kind="stable", ignore_index=True)
    until = rows["last"] + pd.to_timedelta(rows["interval"], unit="s")
    reached = until.groupby(rows["alert"]).cummax().groupby(rows["alert"]).shift()
    group = (~(rows["first"] < reached)).cumsum()
    last = rows["last"].groupby(group).transform("max")
    # It goes on where one of those that last longest was not ended.
    on = (~rows["ended"] & (rows["last"] == last)).groupby(group).transform("any")
    return rows.assign(last=last, ended=~on)[~group.duplicated()].reset_index(drop=True)


def _column(frame: pd.DataFrame, name: str) -> pd.Categorical:
    """A label as categories of text, '' where the alert does not carry it."""
    if name not in frame:
        return pd.Categorical.from_codes(np.zeros(len(frame), dtype=np.int8), [""])
    own = frame[name]
    if not isinstance(own.dtype, pd.CategoricalDtype) or own.isna().any():
        return pd.Categorical(own.astype("str").fillna(""))
    return pd.Categorical.from_codes(own.cat.codes, as_text(pd.Series(own.cat.categories)))
