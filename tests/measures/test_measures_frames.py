"""Columns are said once, in a measure's docstring; what groupby says; labels that stay what they are."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis import measures
from cloudxai_analysis.measures.frames import TIME, columns_of, combinations, described, summed, typed

# What these give is told of other frames', or by a name that is given.
OPEN = {
    *("agreement_counts", "alert_groups", "counter_steps", "crowded", "holds", "identified"),
    *("joined", "judged", "not_known", "sweep", "window_costs", "focus_rows"),
}


def test_every_column_of_every_measure_has_its_type_and_its_meaning():
    told = 0
    for found in pkgutil.iter_modules(measures.__path__):
        module = importlib.import_module(f"{measures.__name__}.{found.name}")
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and "Columns: " in (function.__doc__ or "") and name not in OPEN:
                columns = described(function)
                assert columns["column"].is_unique, name
                assert columns.loc[columns["meaning"] == "", "column"].tolist() == [], name
                assert list(typed([], function)) == columns["column"].tolist(), name
                told += 1
    assert told > 40


def days():
    """Some days.

    Columns: day (UTC, its start), minutes (seen; NaN, where nobody saw), tenant and hours (1, 2); by day.
    """


def of_nobody():
    """Nothing.

    Columns: as given.
    """


def test_columns_are_read_off_a_sentence():
    assert columns_of(days) == {"day": TIME, "minutes": "float64", "tenant": "str", "hours": "int64"}
    assert described(days).to_numpy().tolist() == [
        ["day", "time", "", "UTC, its start"],
        ["minutes", "number", "min", "seen; NaN, where nobody saw"],
        ["tenant", "text", "", "whose it is"],
        ["hours", "count", "h", "1, 2"],
    ]
    assert typed({"day": [pd.Timestamp(0, tz="UTC")], "hours": [2]}, days)["hours"].tolist() == [2]
    with pytest.raises(ValueError, match=r"columns of of_nobody are not told as 'name .what it is.': 'as given'"):
        columns_of(of_nobody)


LABELS = st.sampled_from(["", "7", "007", "a", "A", "é", "\u202e", "x" * 50])
ROWS = st.lists(st.tuples(LABELS, LABELS, st.integers(0, 2**40), st.integers(-50, 50)), max_size=60)


@settings(max_examples=25)
@given(ROWS, st.booleans())
def test_sums_and_combinations_are_those_of_groupby_in_its_order(rows, categorical):
    plain = pd.DataFrame(rows, columns=["tenant", "currency", "hour", "cost"])
    plain = plain.astype({"tenant": "str", "currency": "str", "cost": "float64"})
    plain["hour"] = pd.to_datetime(plain["hour"], unit="us", utc=True).astype(TIME)
    frame = plain.astype({"tenant": "category", "currency": "category"}) if categorical else plain
    keys = ["tenant", "currency", "hour"]
    expected = plain.groupby(keys)["cost"].sum().reset_index()
    assert summed(frame, keys, "cost").to_numpy().tolist() == expected.to_numpy().tolist()
    place, known = combinations(frame, ["tenant", "currency"])
    pairs = list(known.itertuples(index=False, name=None))
    assert pairs == sorted(set(pairs))
    assert [pairs[number] for number in place] == [row[:2] for row in rows]


def test_many_combinations_of_few_rows_take_no_table_of_all():
    """A million hours times a million tenants would be a table of a terabyte."""
    hours = pd.date_range("2026-01-01", periods=20_000, freq="min", tz="UTC", unit="us")
    frame = pd.DataFrame({"hour": hours, "tenant": [f"t{number}" for number in range(20_000)], "cost": 1.0})
    assert len(summed(frame, ["tenant", "hour"], "cost")) == 20_000
