"""Who drives the cardinality: small sets counted by hand, and a count by brute force."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.drivers import label_pairs, label_savings, series_by_metric, series_by_value

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


def test_values_are_counted_over_metrics_with_the_rest_as_one():
    found = series_by_value(SERIES, top=1)
    rows = found[["label", "value", "series", "metrics"]].to_numpy().tolist()
    assert rows == [["pod", "1", 3, 1], ["pod", "… 1 more", 1, 1], ["tenant", "a", 3, 2], ["tenant", "… 2 more", 2, 1]]
    assert found["share"].tolist() == [0.6, 0.2, 0.6, 0.4]


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
    for found in (series_by_metric(empty, WEEK), series_by_value(empty), label_savings(empty)):
        assert found.empty
    assert label_pairs(empty["labels"]).dtypes["row"] == "int64"


def test_one_series_without_a_label():
    found = series_by_metric(series(("up", {}, OLD, END, 5)), WEEK)
    assert found[["series", "tenants"]].to_numpy().tolist() == [[1, 0]]
    assert label_savings(series(("up", {}, OLD, END, 5))).empty


def test_hostile_names_stay_what_they_are():
    name = '"},\n\\ <b>漢字'
    found = series_by_value(series(("m", {"tenant": name}, OLD, END, 1)))
    assert found["value"].tolist() == [name]


label_sets = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])), min_size=1, max_size=30, unique_by=repr
)


@given(label_sets)
def test_what_is_left_is_what_a_set_of_label_sets_says(sets):
    found = label_savings(series(*(("m", labels, OLD, END, 1) for labels in sets)))
    for row in found.itertuples():
        left = {tuple(sorted((key, value) for key, value in one.items() if key != row.label)) for one in sets}
        assert row.without == len(left)
    assert set(found["label"]) == {key for one in sets for key in one}


@pytest.mark.parametrize("top", [1, 2, 20])
def test_of_each_label_all_series_are_counted(top):
    found = series_by_value(SERIES, top=top).groupby("label")["series"].sum().to_dict()
    assert found == {"pod": 4, "tenant": 5}
