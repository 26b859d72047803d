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


def told():
    for found in pkgutil.iter_modules(measures.__path__):
        module = importlib.import_module(f"{measures.__name__}.{found.name}")
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and "Columns: " in (function.__doc__ or "") and name not in OPEN:
                yield pytest.param(function, id=f"{found.name}.{name}")


@pytest.mark.parametrize("measure", list(told()))
def test_every_column_has_its_type_and_its_meaning(measure):
    found = described(measure)
    assert len(found)
    assert found["column"].is_unique
    assert found.loc[found["meaning"] == "", "column"].tolist() == []
    empty = typed([], measure)
    assert list(empty) == found["column"].tolist()


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
    assert described(days).to_dict("records") == [
        {"column": "day", "type": "time", "unit": "", "meaning": "UTC, its start"},
        {"column": "minutes", "type": "number", "unit": "min", "meaning": "seen; NaN, where nobody saw"},
        {"column": "tenant", "type": "text", "unit": "", "meaning": "whose it is"},
        {"column": "hours", "type": "count", "unit": "h", "meaning": "1, 2"},
    ]
    assert typed([], days).dtypes.astype(str).to_dict() == columns_of(days)
    assert typed({"day": [pd.Timestamp(0, tz="UTC")], "hours": [2]}, days)["hours"].tolist() == [2]


def test_a_sentence_that_tells_no_columns_is_refused():
    with pytest.raises(ValueError, match=r"columns of of_nobody are not told as 'name .what it is.': 'as given'"):
        columns_of(of_nobody)
