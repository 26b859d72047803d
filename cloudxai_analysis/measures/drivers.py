"""Who drives the cardinality: series by metric, label and value, and what dropping a label would save."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import columns_of, typed


def series_by_metric(series: pd.DataFrame, window: Window, *, tenant: str = "tenant") -> pd.DataFrame:
    """Series of each metric, with those that came and those that left in a window; the most first.

    `series` has one row per series: metric, labels (canonical JSON), first_seen, last_seen (UTC), samples. It should
    begin before the window, else every series is new. A series has left if its last sample is over an hour older than
    the newest of all.

    Columns: metric, series (seen in the window), share (of all of those), tenants (distinct values of the tenant
    label), samples, newcomers (first seen in the window), leavers (last seen in it), churn ((newcomers + leavers) /
    series), first_seen, last_seen.
    """
    if series.empty:
        return typed([], series_by_metric)
    start, newest = pd.Timestamp(window.start), series["last_seen"].max()
    own = series[series["last_seen"] >= start]
    frame = own.assign(
        newcomers=own["first_seen"] >= start,
        leavers=own["last_seen"] < newest - pd.Timedelta(hours=1),
        tenant=_values_of(own["labels"], tenant),
    )
    found = frame.groupby("metric").agg(
        series=("labels", "size"),
        tenants=("tenant", "nunique"),
        samples=("samples", "sum"),
        newcomers=("newcomers", "sum"),
        leavers=("leavers", "sum"),
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
    if series.empty:
        return typed([], series_by_value)
    seen = series.reset_index(drop=True)
    joined = label_pairs(seen["labels"]).join(seen[["metric", "first_seen", "last_seen"]], on="row")
    found = joined.groupby(["label", "value"], sort=False).agg(
        series=("row", "size"),
        metrics=("metric", "nunique"),
        first_seen=("first_seen", "min"),
        last_seen=("last_seen", "max"),
    )
    ordered = found.reset_index().sort_values(["label", "series", "value"], ascending=[True, False, True])
    rank = ordered.groupby("label").cumcount()
    rest = (
        ordered[rank >= top]
        .groupby("label")
        .agg(
            number=("value", "size"),
            series=("series", "sum"),
            metrics=("metrics", "max"),
            first_seen=("first_seen", "min"),
            last_seen=("last_seen", "max"),
        )
    )
    rest = rest.assign(value=[f"… {number} more" for number in rest["number"]]).reset_index()
    both = pd.concat([ordered[rank < top], rest]).sort_values("label", kind="stable", ignore_index=True)
    return typed(both.assign(share=both["series"] / len(series)), series_by_value)


def label_savings(series: pd.DataFrame, *, needed: Collection[str] = ()) -> pd.DataFrame:
    """How many series each label of each metric makes, and how many would be left without it; the largest saving first.

    `series` as for `series_by_metric`. Dropping a label merges the series that differ in it alone, which is what an
    aggregation or a relabelling without it would leave. `needed` are labels that the platform is about, as the tenant.

    Columns: metric, label, values (distinct), series (of the metric), without (distinct label sets left), saving
    (series), saving_share (of the metric's series), needed.
    """
    rows: list[dict[str, Any]] = []
    for metric, own in series.groupby("metric", sort=True):
        pairs = label_pairs(own["labels"])
        names = sorted(pairs["label"].unique())
        # One number a label and value, so that a set of labels is a row of numbers; 0: the series lacks the label.
        table = np.zeros((len(own), len(names)), dtype=np.int64)
        column = pairs["label"].map({name: place for place, name in enumerate(names)}).to_numpy(dtype="int64")
        table[pairs["row"].to_numpy(), column] = pd.factorize(pairs["value"])[0] + 1
        values = pairs.groupby("label")["value"].nunique()
        rows += [
            {"metric": metric, "label": name, "values": int(values[name]), "series": len(own), "needed": name in needed}
            | {"without": _distinct_rows(np.delete(table, place, axis=1))}
            for place, name in enumerate(names)
        ]
    found = pd.DataFrame(rows, columns=[name for name in columns_of(label_savings) if not name.startswith("saving")])
    found["saving"] = found["series"] - found["without"]
    found["saving_share"] = found["saving"] / found["series"]
    order = ["saving", "metric", "label"]
    return typed(found.sort_values(order, ascending=[False, True, True], ignore_index=True), label_savings)


def label_pairs(labels: pd.Series) -> pd.DataFrame:
    """Labels given as canonical JSON, one row per series and label.

    Columns: row (place of the series), label, value.
    """
    sets = [json.loads(text) for text in labels]
    many = [len(one) for one in sets]
    pairs = {
        "row": np.repeat(np.arange(len(sets)), many),
        "label": [name for one in sets for name in one],
        "value": [value for one in sets for value in one.values()],
    }
    return typed(pairs, label_pairs)


def _values_of(labels: pd.Series, name: str) -> list[str | None]:
    return [json.loads(text).get(name) for text in labels]


def _distinct_rows(table: np.ndarray) -> int:
    """How many rows differ; each is numbered column by column, which sorts whole numbers and no tuples."""
    number = np.zeros(len(table), dtype=np.int64)
    for column in table.T:
        number, known = pd.factorize(number * (int(column.max(initial=0)) + 1) + column)
        del known
    return int(number.max(initial=-1)) + 1
