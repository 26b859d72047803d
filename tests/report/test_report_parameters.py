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
    said = [line.split() for line in parameter_lines(notebook)]
    assert said[:2] == [["Parameters", "of", "weekly:"], ["week:", "str", "'last'", "a", "week"]]
    assert read_parameters(written(tmp_path)) == {}


def test_text_is_read_as_the_declared_type_and_a_whole_number_is_a_float_too(notebook: Path) -> None:
    given = {"week": "007", "share": "1", "rows": "12", "loud": "YES", "plain": "true"}
    found = checked_parameters(notebook, given)
    assert found == {"week": "007", "share": 1.0, "rows": 12, "loud": True, "plain": "true"}
    assert [type(value) for value in found.values()] == [str, float, int, bool, str]
    assert checked_parameters(notebook, {"share": 2}) == {"share": 2.0}


def test_a_password_in_a_url_is_not_kept_in_an_executed_notebook(notebook: Path) -> None:
    for user in ("user:s3cret", "s3cret", "user:s3c/re@t", ":s3cret", "user:s3cret@x"):
        with pytest.raises(UsageError, match=r"^Parameter 'week' holds a password, .* `http_config_file`") as raised:
            checked_parameters(notebook, {"week": f"http://{user}@prometheus:9090/x"})
        assert "s3c" not in str(raised.value)
    for url in ("http://prometheus:9090/a@b", "http://[::1]:9090/a@b", "http://prometheus", "demo://?scenario=/a@b"):
        assert checked_parameters(notebook, {"week": url})


WRONG = {"rows": ("five", 5.0, True), "share": ("nan", "inf", None), "loud": ("maybe",), "week": (46,)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_of_another_type_or_an_unknown_name_is_refused(notebook: Path, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"Parameter '{name}' of notebook weekly is {value!r}, which is no "):
        checked_parameters(notebook, {name: value})
    with pytest.raises(UsageError, match=r"^Notebook weekly has no parameter 'weak'\. Did you mean 'week'\?$"):
        checked_parameters(notebook, {"weak": "2026-W46"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        *((text, "the cell tagged 'parameters' may only hold lines like") for text in ("week: str = ", "week: str")),
        *((text, "may only hold lines like") for text in ("week: str = today()", "import os", "a = b = 1")),
        *((text, r"cannot be read: ") for text in (b"", b"{}", b"\xff\xfe", b"[1]", b'{"cells": ')),
        (b'{"nbformat": 3, "worksheets": []}', "cannot be read: ValueError: it is of format 3"),
    ],
)
def test_what_declares_no_parameter_or_is_no_notebook_is_named(tmp_path: Path, content: bytes | str, told: str) -> None:
    if isinstance(content, str):
        written(tmp_path, content)
    else:
        (tmp_path / "weekly.ipynb").write_bytes(content)
    with pytest.raises(NotebookFailed, match=rf"Notebook .*weekly\.ipynb.*{told}"):
        read_parameters(tmp_path / "weekly.ipynb")
