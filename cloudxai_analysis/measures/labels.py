"""Labels that nobody declared: series that agree in all known labels, at the same time, told apart by another one."""

from __future__ import annotations

import json
from collections.abc import Collection

import pandas as pd

from cloudxai_analysis.measures.frames import typed, types

_CROWDED = types("series_id labels group hour")
_REPLICA_WORDS = ("replica", "prometheus", "monitor")
_LEAST = pd.Timedelta(minutes=5)  # two processes that hand over to each other are both there for less
_MOST_TURNS = 3  # one series, then another, and back, is no more than so many; two at once take turns at each scrape


def names_replica(label: str) -> bool:
    """Whether a label is called as people call what tells the Prometheus of an HA pair apart."""
    return any(word in label for word in _REPLICA_WORDS)


def alike(series: pd.DataFrame, *, known: Collection[str]) -> pd.DataFrame:
    """Series of one metric that agree in all `known` labels with another one; `series` have series_id and labels.

    Columns: series_id, labels, group.
    """
    kept = [str(sorted(pair for pair in json.loads(text).items() if pair[0] in known)) for text in series["labels"]]
    frame = series.assign(group=pd.factorize(pd.Series(kept, dtype="str"))[0])
    return typed(frame[frame.duplicated("group", keep=False)].reset_index(drop=True), alike)


def crowded(alike: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """Of `alike` the groups of which two series or more were there in one hour, for five minutes or longer.

    `hours` are the rollups of the metric; being there counts from an hour's first sample to its last.

    Columns: those of `alike`, and hour (in which two of the group were longest there together).
    """
    there = hours.loc[hours["samples"] > 0, ["series_id", "hour", "first_ts", "last_ts"]].merge(alike, on="series_id")
    there = there.sort_values(["group", "hour", "first_ts"], ignore_index=True)
    same = (there[["group", "hour"]] == there[["group", "hour"]].shift()).all(axis=1)
    before = there["last_ts"].shift()
    there["together"] = (there["last_ts"].where(there["last_ts"] < before, before) - there["first_ts"]).where(same)
    most = there[there["together"] >= _LEAST].sort_values("together", kind="stable")
    return typed(alike.merge(most.drop_duplicates("group", keep="last")[["group", "hour"]], on="group"), _CROWDED)


def unexpected_labels(
    found: pd.DataFrame, samples: pd.DataFrame, *, metric: str, known: Collection[str]
) -> pd.DataFrame:
    """The labels outside of `known` that tell series apart at the same time, one row each.

    `found` as `crowded` gives it; `samples` of the metric in its hours, with series_id and time. A series that only
    follows another, as at a rollout that changes a label, is the same one going on.

    Columns: metric, label, values, series, start.
    """
    frame = samples.merge(found[["series_id", "group", "hour"]], on="series_id")
    frame = frame[frame["time"].dt.floor("h") == frame["hour"]].sort_values(["group", "time", "series_id"])
    turns = (frame["series_id"] != frame["series_id"].shift()).groupby(frame["group"]).sum() - 1
    at_once = frame.duplicated(["group", "time"]).groupby(frame["group"]).any()
    rows = []
    for _, crowd in found[found["group"].isin(turns.index[(turns > _MOST_TURNS) | at_once])].groupby("group"):
        sets = pd.DataFrame([json.loads(text) for text in crowd["labels"]]).fillna("")
        for label in sorted(set(sets).difference(known)):
            if sets[label].nunique() > 1:
                own = zip(sets[label], crowd["series_id"], crowd["hour"], strict=True)
                rows += [(label, str(value), series, hour) for value, series, hour in own]
    by_label = pd.DataFrame(rows, columns=["label", "value", "series_id", "start"]).groupby("label")
    by_label = by_label.agg(
        values=("value", lambda values: tuple(sorted(set(values)))),
        series=("series_id", "nunique"),
        start=("start", "min"),
    )
    return typed(by_label.reset_index().assign(metric=metric), unexpected_labels)
