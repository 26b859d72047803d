"""The shared parts of measures: what groupby says, and labels that stay what they are."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures.frames import as_text, combinations, mapped, summed

LABELS = st.sampled_from(["", "7", "007", "a", "A", "é", "\u202e", "x" * 50])
ROWS = st.lists(st.tuples(LABELS, LABELS, st.integers(0, 2**40), st.integers(-50, 50)), max_size=60)


def frame_of(rows: list[tuple[str, str, int, int]], *, categorical: bool) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["tenant", "currency", "hour", "cost"])
    frame = frame.astype({"tenant": "str", "currency": "str", "cost": "float64"})
    frame["hour"] = pd.to_datetime(frame["hour"], unit="us", utc=True).astype("datetime64[us, UTC]")
    return frame.astype({"tenant": "category", "currency": "category"}) if categorical else frame


@given(ROWS, st.booleans())
def test_sums_are_those_of_groupby_in_its_order(rows: list[tuple[str, str, int, int]], categorical: bool) -> None:
    found = summed(frame_of(rows, categorical=categorical), ["tenant", "currency", "hour"], "cost")
    expected = frame_of(rows, categorical=False).groupby(["tenant", "currency", "hour"])["cost"].sum().reset_index()
    assert found["cost"].tolist() == expected["cost"].tolist()
    for key in ("tenant", "currency", "hour"):
        assert found[key].tolist() == expected[key].tolist()


@given(ROWS, st.booleans())
def test_each_row_knows_its_combination(rows: list[tuple[str, str, int, int]], categorical: bool) -> None:
    frame = frame_of(rows, categorical=categorical)
    place, known = combinations(frame, ["tenant", "currency"])
    pairs = list(known.itertuples(index=False, name=None))
    assert pairs == sorted(set(pairs))
    assert [pairs[number] for number in place] == [(tenant, currency) for tenant, currency, *_ in rows]


def test_many_combinations_of_few_rows_take_no_table_of_all() -> None:
    """A million hours times a million tenants would be a table of a terabyte."""
    hours = pd.date_range("2026-01-01", periods=20_000, freq="min", tz="UTC", unit="us")
    frame = pd.DataFrame({"hour": hours, "tenant": [f"t{number}" for number in range(20_000)], "cost": 1.0})
    assert len(summed(frame, ["tenant", "hour"], "cost")) == 20_000


@pytest.mark.parametrize("categorical", [False, True])
def test_text_and_what_is_looked_up_by_it(categorical: bool) -> None:
    column = pd.Series(["b", "a", "b"], index=[5, 6, 7], dtype="category" if categorical else "str")
    assert as_text(column).to_dict() == {5: "b", 6: "a", 7: "b"}
    assert str(as_text(column).dtype) == "str"
    assert mapped(column, {"a": 1.5}, 0.0).to_dict() == {5: 0.0, 6: 1.5, 7: 0.0}
