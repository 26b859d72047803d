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

    `series` has one row per series: metric, labels (canonical JSON), first_seen, last_seen (UTC), samples. It should
    begin before the window, else every series is new. A series has left if its last sample is over an hour older than
    the newest of all.

    Columns: metric, series (seen in the window), share (of all of those), tenants (distinct values of the tenant
    label), samples, newcomers (first seen in the window), leavers (last seen in it), churn ((newcomers + leavers) /
    series), first_seen, last_seen.
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


def series_by_value(series: pd.DataFrame, *, top: int = 20) -> pd.DataFrame:
    """Which values of which labels stand on most series, over all metrics; for each label the `top` and the rest.

    `series` as for `series_by_metric`.

    Columns: label, value ('… N more' for the rest, whose series are added up), series, share (of all series), metrics
    (that carry it), first_seen, last_seen; by label, the most first, the rest last.
    """
    seen = series.reset_index(drop=True)
    pairs = label_pairs(seen["labels"]).join(seen[["metric", "first_seen", "last_seen"]], on="row")
    times = {"first_seen": ("first_seen", "min"), "last_seen": ("last_seen", "max")}
    found = pairs.groupby(["label", "value"]).agg(series=("row", "size"), metrics=("metric", "nunique"), **times)
    ordered = found.reset_index().sort_values(["label", "series", "value"], ascending=[True, False, True])
    more = ordered.groupby("label").cumcount() >= top
    rest = (
        ordered[more]
        .groupby("label")
        .agg(
            value=("value", lambda values: f"… {len(values)} more"),
            series=("series", "sum"),
            metrics=("metrics", "max"),
            **times,
        )
    )
    both = pd.concat([ordered[~more], rest.reset_index()]).sort_values("label", kind="stable", ignore_index=True)
    return typed(both.assign(share=both["series"] / len(series)), series_by_value)


def label_savings(series: pd.DataFrame, *, needed: Collection[str] = ()) -> pd.DataFrame:
    """How many series each label of each metric makes, and how many would be left without it; the largest saving first.

    `series` as for `series_by_metric`. Dropping a label merges the series that differ in it alone, which is what an
    aggregation or a relabelling without it would leave. `needed` are labels that the platform is about, as the tenant.

    Columns: metric, label, values (distinct), series (of the metric), without (distinct label sets left), saving
    (series), saving_share (of the metric's series), needed.
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


def label_pairs(labels: pd.Series) -> pd.DataFrame:
    """Labels given as canonical JSON, one row per series and label.

    Columns: row (place of the series), label, value.
    """
    sets = (json.loads(text) for text in labels)
    return typed([(row, *pair) for row, one in enumerate(sets) for pair in one.items()], label_pairs)
