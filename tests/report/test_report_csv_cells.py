"""CSV beside the report: a spreadsheet reads data, never formulas."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.words.csv_cells import neutral, write_csv


def written(frame: pd.DataFrame, folder: Path) -> list[list[str]]:
    file = folder / "table.csv"
    write_csv(frame, file)
    assert [path.name for path in folder.iterdir()] == ["table.csv"]
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_text_that_would_run_is_neutralised(start: str, tmp_path: Path) -> None:
    rows = written(pd.DataFrame({"tenant": [f"{start}cmd|' /C calc'!A0", "acme"]}), tmp_path)
    assert rows == [["tenant"], [f"'{start}cmd|' /C calc'!A0"], ["acme"]]


def test_numbers_stay_numbers_and_unknown_stays_empty(tmp_path: Path) -> None:
    mixed = pd.Series([-2, "-2"], dtype=object)
    frame = pd.DataFrame({"change": [-1.5, float("nan")], "count": [-3, 4], "mixed": mixed})
    assert written(frame, tmp_path) == [["change", "count", "mixed"], ["-1.5", "-3", "-2"], ["", "4", "'-2"]]


def test_times_are_iso_8601_in_utc(tmp_path: Path) -> None:
    moments = pd.to_datetime(["2026-11-10T09:48:00Z", None]).as_unit("us")
    frame = pd.DataFrame({"start": moments, "end": [None, "x"]})
    assert written(frame, tmp_path)[1:] == [["2026-11-10T09:48:00+00:00", ""], ["", "x"]]


def test_column_names_tuples_and_categories_are_safe_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=x": [("a", "b"), ("=c",)], "set": pd.Categorical(["+new", "lost"])})
    assert written(frame, tmp_path) == [["'=x", "set"], ["a, b", "'+new"], ["'=c", "lost"]]


def test_an_empty_frame_leaves_its_header(tmp_path: Path) -> None:
    assert written(pd.DataFrame({"tenant": pd.Series(dtype="str"), "n": pd.Series(dtype="int64")}), tmp_path) == [
        ["tenant", "n"]
    ]


def test_half_a_surrogate_pair_does_not_lose_the_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"tenant": pd.Series(["a\ud800b", "acme"], dtype=object)})
    assert written(frame, tmp_path)[1:] == [["a?b"], ["acme"]]


def test_what_cannot_be_written_leaves_the_old_table(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    write_csv(pd.DataFrame({"n": [1]}), file)

    class Wrong:
        def __str__(self) -> str:
            raise ValueError("no text")

    with pytest.raises(ValueError, match="no text"):
        write_csv(pd.DataFrame({"n": pd.Series([Wrong()], dtype=object)}), file)
    assert file.read_text() == '"n"\n1\n'
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@given(st.text())
def test_no_text_starts_like_a_formula(text: str) -> None:
    safe = neutral(text)
    assert safe in (text, f"'{text}")
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
