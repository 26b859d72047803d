"""Columns are said once, in a measure's docstring: each is in the dictionary, with what it means."""

import importlib
import inspect
import pkgutil

import pandas as pd
import pytest

from cloudxai_analysis import measures
from cloudxai_analysis.measures.frames import TIME, columns_of, described, typed

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
