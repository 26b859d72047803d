"""CSV beside the report: a spreadsheet reads data, never formulas."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.words.csv_cells import neutral, write_csv

FORMULA = "cmd|' /C calc'!A0"
MIXED = pd.Series([-2, "-2"], dtype=object)
TIMES = pd.to_datetime(["2026-11-10T09:48:00Z", None]).as_unit("us")
NOTHING = pd.DataFrame({"tenant": pd.Series(dtype="str"), "n": pd.Series(dtype="int64")})


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        *(
            ({"tenant": [f"{start}{FORMULA}", "acme"]}, [["tenant"], [f"'{start}{FORMULA}"], ["acme"]])
            for start in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
        ),
        # Numbers stay numbers, unknown stays empty, times are ISO 8601 in UTC.
        (
            {"change": [-1.5, float("nan")], "count": [-3, 4], "mixed": MIXED},
            [["change", "count", "mixed"], ["-1.5", "-3", "-2"], ["", "4", "'-2"]],
        ),
        ({"start": TIMES, "end": [None, "x"]}, [["start", "end"], ["2026-11-10T09:48:00+00:00", ""], ["", "x"]]),
        (
            {"=x": [("a", "b"), ("=c",)], "set": pd.Categorical(["+new", "lost"])},
            [["'=x", "set"], ["a, b", "'+new"], ["'=c", "lost"]],
        ),
        (NOTHING, [["tenant", "n"]]),
        # Half a surrogate pair does not lose the table.
        ({"tenant": pd.Series(["a\ud800b", "acme"], dtype=object)}, [["tenant"], ["a?b"], ["acme"]]),
    ],
)
def test_a_table_is_read_as_data(columns: object, rows: list[list[str]], tmp_path: Path) -> None:
    write_csv(pd.DataFrame(columns), tmp_path / "table.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == rows


@given(st.text())
def test_no_text_starts_like_a_formula(text: str) -> None:
    safe = neutral(text)
    assert safe in (text, f"'{text}")
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
