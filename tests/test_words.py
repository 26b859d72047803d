"""Foreign text beside the report: a spreadsheet reads data and never formulas, a code host text and no markup."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.words.csv_cells import neutral, write_csv
from cloudxai_analysis.words.markdown import markdown_code, markdown_table, markdown_text
from cloudxai_analysis.words.phrases import rise

FORMULA = "cmd|' /C calc'!A0"
MIXED = pd.Series([-2, "-2"], dtype=object)
TIMES = pd.to_datetime(["2026-11-10T09:48:00Z", None]).as_unit("us")
NOTHING = pd.DataFrame({"tenant": pd.Series(dtype="str"), "n": pd.Series(dtype="int64")})


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        *(
            ({"tenant": [f"{start}{FORMULA}", "acme"]}, [["tenant"], [f"'{start}{FORMULA}"], ["acme"]])
            for start in (*"=+-@\t\r\n＝＋－＠", "\x00=", "\ufeff\x1b-")
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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain name-1.2", "plain name-1.2"),
        ("a | b", "a &#124; b"),
        ("<script>", "&lt;script&gt;"),
        ("[x](javascript:alert(1))", r"\[x\](javascript&#58;alert(1))"),
        ("*bold* `code` _it_", r"\*bold\* \`code\` \_it\_"),
        ("@everyone #12", "&#64;everyone &#35;12"),
        ("https://evil.example www.evil.example", "https&#58;//evil.example www&#46;evil.example"),
        ("two\nlines\x1b[31m", "two lines\ufffd\\[31m"),
        ("right\u202eleft", "right\ufffdleft"),
        ("&amp;", "&amp;amp;"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_text_comes_out_as_itself(text: str, written: str) -> None:
    assert markdown_text(text) == written


def test_a_table_lines_numbers_up_and_no_text_closes_the_fence_of_code() -> None:
    table = [*markdown_table({"rule": False, "missed": True}, [["a", 1], ["b", ""]])]
    assert table == ["| rule | missed |", "| --- | ---: |", "| a | 1 |", "| b | |"]
    assert [*markdown_code("a\n```\nb", "yaml")] == ["````yaml", "a", "```", "b", "````"]


@pytest.mark.parametrize(
    ("relative", "digits", "said"),
    [
        (0.12, 1, "+12.0 %"),
        (-0.03, 1, "−3.0 %"),
        (0.9989, 0, "+100 %"),  # of a share it would be 'over 99 %'
        (1.194, 0, "+119 %"),
        (0.00001, 1, "under 0.1 %"),
        (float("nan"), 1, "no data"),
    ],
)
def test_a_change_is_no_share(relative: float, digits: int, said: str) -> None:
    assert rise(relative, digits) == said
