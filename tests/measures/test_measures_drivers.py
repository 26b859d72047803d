"""Who drives the cardinality: small sets counted by hand, and a count by brute force."""

from __future__ import annotations

import json

import pandas as pd

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.labels import label_savings, series_by_metric

WEEK = parse_window("2026-W46")
END = pd.Timestamp("2026-11-15 23:59", tz="UTC")


def series(*rows):
    """Rows of (metric, labels, first day of October seen, last seen, samples)."""
    frame = pd.DataFrame(rows, columns=["metric", "labels", "first_seen", "last_seen", "samples"])
    for column in ("first_seen", "last_seen"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(labels=[json.dumps(labels, sort_keys=True) for labels in frame["labels"]])


OLD, NEW = "2026-10-05", "2026-11-10"
SERIES = series(
    ("cost", {"tenant": "a", "pod": "1"}, OLD, END, 100),
    ("cost", {"tenant": "a", "pod": "2"}, NEW, END, 50),
    ("cost", {"tenant": "b", "pod": "1"}, NEW, "2026-11-12", 20),
    ("cost", {"tenant": "gone", "pod": "1"}, OLD, "2026-11-01", 20),
    ("ready", {"tenant": "a"}, OLD, END, 70),
)


def test_series_are_counted_with_who_came_and_who_left():
    found = series_by_metric(SERIES, WEEK).set_index("metric")
    assert list(found.index) == ["cost", "ready"]
    cost = found.loc["cost"]
    assert (cost["series"], cost["tenants"], cost["samples"]) == (3, 2, 170)
    assert (cost["newcomers"], cost["leavers"]) == (2, 1)
    assert cost["churn"] == 1.0
    assert cost["share"] == 0.75
    assert cost["first_seen"] == pd.Timestamp(OLD, tz="UTC")


def test_a_label_saves_the_series_that_differ_in_it_alone():
    found = label_savings(SERIES, needed=("tenant",)).set_index(["metric", "label"])
    # Without pod: a, b, gone. Without tenant: pods 1 and 2.
    assert found.loc[("cost", "pod"), ["values", "series", "without", "saving"]].tolist() == [2, 4, 3, 1]
    assert found.loc[("cost", "tenant"), ["values", "series", "without", "saving"]].tolist() == [3, 4, 2, 2]
    assert found.loc[("ready", "tenant"), "saving"] == 0
    assert found["needed"].tolist() == [True, False, True]


def test_a_label_that_some_series_lack_is_a_value_of_its_own():
    found = label_savings(series(("m", {"a": "1"}, OLD, END, 1), ("m", {"a": "1", "b": ""}, OLD, END, 1)))
    assert found.set_index("label")["without"].to_dict() == {"a": 2, "b": 1}


def test_nothing_is_nothing():
    empty = SERIES[:0]
    for found in (series_by_metric(empty, WEEK), label_savings(empty)):
        assert found.empty
