"""A frame's cells as text, the same in a notebook and on the page."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.cells import table_cells, text_table


def texts(*values: object) -> list[str]:
    return [row[0] for row in table_cells(pd.DataFrame({"x": pd.Series(values)}))[1]]


def test_columns_have_labels_units_of_time_and_their_side() -> None:
    frame = pd.DataFrame(
        {
            "fired_at": pd.to_datetime(["2026-11-10T09:48:00Z"]),
            "held_tenants": [3],
            "alertname": ["TenantFlapping"],
            "within_cap": [True],
        }
    )
    columns, rows = table_cells(frame)
    assert columns == [
        {"name": "fired_at", "label": "fired (UTC)", "numeric": False},
        {"name": "held_tenants", "label": "held tenants", "numeric": True},
        {"name": "alertname", "label": "rule", "numeric": False},
        {"name": "within_cap", "label": "within cap", "numeric": False},
    ]
    assert rows == [["2026-11-10 09:48", "3", "TenantFlapping", "yes"]]


def test_numbers_are_read_at_a_glance() -> None:
    assert texts(1234567.0, 0.000123456, -2.5, 0.0) == ["1,234,567", "0.0001235", "-2.5", "0"]
    assert texts(1234567, -1) == ["1,234,567", "-1"]


def test_unknown_is_a_dash_and_never_zero() -> None:
    assert texts(float("nan"), 1.0) == ["–", "1"]
    assert texts(None, "acme") == ["–", "acme"]
    assert texts(pd.NaT, pd.Timestamp("2026-11-10", tz="UTC")) == ["–", "2026-11-10"]


def test_several_values_stand_side_by_side() -> None:
    assert texts(("req-1", "req-2"), ()) == ["req-1, req-2", ""]


def test_an_empty_frame_keeps_its_columns() -> None:
    columns, rows = table_cells(pd.DataFrame({"tenant": pd.Series(dtype="str")}))
    assert [column["name"] for column in columns] == ["tenant"]
    assert rows == []


def test_a_long_table_says_how_much_is_left_out() -> None:
    text = text_table(pd.DataFrame({"n": range(13)}), rows=10)
    assert text.endswith("\n… 3 more rows")
    assert len(text.splitlines()) == 12
