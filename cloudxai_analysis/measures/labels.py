"""Labels: who drives the cardinality by metric and label, and labels that nobody declared."""

from __future__ import annotations

import json
from collections.abc import Collection

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import ordered, typed, types

_CROWDED = types("series_id labels group hour")
_REPLICA_WORDS = ("replica", "prometheus", "monitor")
_LEAST = pd.Timedelta(minutes=5)  # two processes that hand over to each other are both there for less
_MOST_TURNS = 3  # one series, then another, and back, is no more than so many; two at once take turns at each scrape


def names_replica(label: str) -> bool:
    """Whether a label is called as people call what tells the Prometheus of an HA pair apart."""
    return any(word in label for word in _REPLICA_WORDS)


def alike(series: pd.DataFrame, *, known: Collection[str]) -> pd.DataFrame:
    """Series (series_id, labels) of one metric that agree in all `known` labels with another one.

    Columns: series_id, labels, group.
    """
    kept = [str(sorted(pair for pair in json.loads(text).items() if pair[0] in known)) for text in series["labels"]]
    frame = series.assign(group=pd.factorize(pd.Series(kept, dtype="str"))[0])
    return typed(frame[frame.duplicated("group", keep=False)].reset_index(drop=True), alike)


def crowded(alike: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """Of `alike` the groups of which two series were there together for five minutes of an hour.

    `hours` are the rollups of the metric.

    Columns: those of `alike`, and hour (in which two of the group were longest there together).
    """
    there = hours.loc[hours["samples"] > 0, ["series_id", "hour", "first_ts", "last_ts"]].merge(alike, on="series_id")
    there = there.sort_values(["group", "hour", "first_ts"], ignore_index=True)
    ended = there.groupby(["group", "hour"])["last_ts"].shift()
    there["together"] = there["last_ts"].where(there["last_ts"] < ended, ended) - there["first_ts"]
    most = there[there["together"] >= _LEAST].sort_values("together", kind="stable")
    return typed(alike.merge(most.drop_duplicates("group", keep="last")[["group", "hour"]], on="group"), _CROWDED)


def unexpected_labels(
    found: pd.DataFrame, samples: pd.DataFrame, *, metric: str, known: Collection[str]
) -> pd.DataFrame:
    """The labels outside of `known` that tell series apart at the same time, one row each.

    `found` as `crowded` gives it; `samples` of the metric in its hours, with series_id and time.

    Columns: metric, label, values, series, start.
    """
    frame = samples.merge(found[["series_id", "group", "hour"]], on="series_id")
    frame = frame[frame["time"].dt.floor("h") == frame["hour"]].sort_values(["group", "time", "series_id"])
    turns = (frame["series_id"] != frame["series_id"].shift()).groupby(frame["group"]).sum() - 1
    at_once = frame.duplicated(["group", "time"]).groupby(frame["group"]).any()
    rows = []
    for _, crowd in found[found["group"].isin(turns.index[(turns > _MOST_TURNS) | at_once])].groupby("group"):
        sets = pd.DataFrame([json.loads(text) for text in crowd["labels"]]).fillna("")
        for label in sorted(name for name in set(sets).difference(known) if sets[name].nunique() > 1):
            own = zip(sets[label], crowd["series_id"], crowd["hour"], strict=True)
            rows += [(label, str(value), series, hour) for value, series, hour in own]
    by_label = pd.DataFrame(rows, columns=["label", "value", "series_id", "start"]).groupby("label", as_index=False)
    by_label = by_label.agg(
        values=("value", lambda values: tuple(sorted(set(values)))),
        series=("series_id", "nunique"),
        start=("start", "min"),
    )
    return typed(by_label.assign(metric=metric), unexpected_labels)


def series_by_metric(series: pd.DataFrame, window: Window, *, tenant: str = "tenant") -> pd.DataFrame:
    """Series of each metric, with those that came and those that left in a window; the most first.

    `series` has one row per series: metric, labels (JSON), first_seen, last_seen, samples, from
    before the window on.

    Columns: metric, series, share, tenants, samples, newcomers, leavers, churn, first_seen,
    last_seen.
    """
    own = series[series["last_seen"] >= window.start]
    frame = own.assign(
        newcomers=own["first_seen"] >= window.start,
        leavers=own["last_seen"] < series["last_seen"].max() - pd.Timedelta(hours=1),
        tenants=[json.loads(text).get(tenant) for text in own["labels"]],
    )
    how = {"labels": "size", "tenants": "nunique", **dict.fromkeys(("samples", "newcomers", "leavers"), "sum")}
    found = frame.groupby("metric", as_index=False).agg({**how, "first_seen": "min", "last_seen": "max"})
    found = ordered(found.rename(columns={"labels": "series"}), "-series metric")
    share, churn = found["series"] / found["series"].sum(), (found["newcomers"] + found["leavers"]) / found["series"]
    return typed(found.assign(share=share, churn=churn), series_by_metric)


def label_savings(series: pd.DataFrame, *, needed: Collection[str] = ()) -> pd.DataFrame:
    """How many series each label of each metric makes; the largest saving first.

    Columns: metric, label, values, series, without, saving, saving_share, needed.
    """
    rows = []
    for metric, own in series.groupby("metric"):
        sets = pd.DataFrame([json.loads(text) for text in own["labels"]])
        for label in sets:
            left = len(sets.drop(columns=label).drop_duplicates()) if sets.shape[1] > 1 else 1
            saving = len(sets) - left
            counts = (sets[label].nunique(), len(sets), left, saving, saving / len(sets))
            rows.append((metric, label, *counts, label in needed))
    return typed(rows, label_savings, by="-saving metric label")
