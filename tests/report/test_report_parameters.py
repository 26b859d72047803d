"""A notebook's parameters: read and checked before a kernel starts."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from cloudxai_analysis.ground.errors import NotebookFailed, UsageError
from cloudxai_analysis.report.parameters import Parameter, checked_parameters, parameter_lines, read_parameters

SOURCE = '''"""The weekly report's."""
week: str = "last"  # a week
share: float = 0.5
rows: int = 5  # rows of the table: ä
loud: bool = False
plain = "naïve"  # without a type
'''


def written(folder: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "weekly.ipynb")
    return folder / "weekly.ipynb"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return written(tmp_path, SOURCE)


def test_names_types_defaults_and_comments_are_read(notebook: Path, tmp_path: Path) -> None:
    assert list(read_parameters(notebook).values()) == [
        Parameter("week", "str", "last", "a week"),
        Parameter("share", "float", 0.5, ""),
        Parameter("rows", "int", 5, "rows of the table: ä"),
        Parameter("loud", "bool", False, ""),
        Parameter("plain", "str", "naïve", "without a type"),
    ]
    assert list(parameter_lines(notebook))[:3] == [
        "Parameters of weekly:",
        "  week: str     'last'    a week",
        "  share: float  0.5       ",
    ]
    assert read_parameters(written(tmp_path)) == {}


def test_text_is_read_as_the_declared_type_and_a_whole_number_is_a_float_too(notebook: Path) -> None:
    given = {"week": "007", "share": "1", "rows": "12", "loud": "YES", "plain": "true"}
    found = checked_parameters(notebook, given)
    assert found == {"week": "007", "share": 1.0, "rows": 12, "loud": True, "plain": "true"}
    assert [type(value) for value in found.values()] == [str, float, int, bool, str]
    assert checked_parameters(notebook, {"share": 2}) == {"share": 2.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("rows", value) for value in ("five", 5.0, True)),
        *(("share", value) for value in ("nan", "inf", None)),
        *(("loud", "maybe"), ("week", 46)),
    ],
)
def test_a_value_of_another_type_is_refused(notebook: Path, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"Parameter '{name}' of notebook weekly is {value!r}, which is no "):
        checked_parameters(notebook, {name: value})


def test_an_unknown_name_is_refused_with_the_near_miss(notebook: Path) -> None:
    with pytest.raises(UsageError, match=r"^Notebook weekly has no parameter 'weak'\. Did you mean 'week'\?$"):
        checked_parameters(notebook, {"weak": "2026-W46"})


@pytest.mark.parametrize(
    "source", ["week: str = ", "week: str", "week: str = today()", "import os", "for a in b: pass", "a = b = 1"]
)
def test_what_declares_no_parameter_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(NotebookFailed, match=r"weekly\.ipynb: the cell tagged 'parameters' may only hold lines like"):
        read_parameters(written(tmp_path, source))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\xfe", b"[1]", b'{"cells": ', b'{"nbformat": 3, "worksheets": []}']
)
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weekly.ipynb").write_bytes(content)
    with pytest.raises(NotebookFailed, match=r"Notebook .*weekly\.ipynb cannot be read: "):
        read_parameters(tmp_path / "weekly.ipynb")
