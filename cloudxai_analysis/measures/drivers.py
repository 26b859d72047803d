"""Who drives the cardinality: series by metric, label and value, and what dropping a label would save."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import typed


def series_by_metric(series: pd.DataFrame, window: Window, *, tenant: str = "tenant") -> pd.DataFrame:
    """Series of each metric, with those that came and those that left in a window; the most first.

    `series` has one row per series: metric, labels (JSON), first_seen, last_seen, samples, from before the window on. A
    series has left if its last sample is over an hour older than the newest of all.

    Columns: metric, series, share, tenants, samples, newcomers, leavers, churn, first_seen, last_seen.
    """
    start, newest = pd.Timestamp(window.start), series["last_seen"].max()
    own = series[series["last_seen"] >= start]
    frame = own.assign(
        newcomers=own["first_seen"] >= start,
        leavers=own["last_seen"] < newest - pd.Timedelta(hours=1),
        tenant=[json.loads(text).get(tenant) for text in own["labels"]],
    )
    found = frame.groupby("metric").agg(
        series=("labels", "size"),
        tenants=("tenant", "nunique"),
        **{name: (name, "sum") for name in ("samples", "newcomers", "leavers")},
        first_seen=("first_seen", "min"),
        last_seen=("last_seen", "max"),
    )
    found["share"] = found["series"] / found["series"].sum()
    found["churn"] = (found["newcomers"] + found["leavers"]) / found["series"]
    found = found.reset_index().sort_values(["series", "metric"], ascending=[False, True], ignore_index=True)
    return typed(found, series_by_metric)


def label_savings(series: pd.DataFrame, *, needed: Collection[str] = ()) -> pd.DataFrame:
    """How many series each label of each metric makes, and how many would be left without it; the largest saving first.

    Dropping a label merges the series that differ in it alone. `needed` are labels that the platform is about.

    Columns: metric, label, values, series, without, saving, saving_share, needed.
    """
    rows: list[dict[str, Any]] = []
    for metric, own in series.groupby("metric"):
        sets = pd.DataFrame([json.loads(text) for text in own["labels"]])
        for label in sets:
            left = len(sets.drop(columns=label).drop_duplicates()) if sets.shape[1] > 1 else 1
            row = {"metric": metric, "label": label, "values": sets[label].nunique(), "series": len(sets)}
            row |= {"without": left, "saving": len(sets) - left, "saving_share": (len(sets) - left) / len(sets)}
            rows.append(row | {"needed": label in needed})
    found = typed(rows, label_savings)
    return found.sort_values(["saving", "metric", "label"], ascending=[False, True, True], ignore_index=True)
