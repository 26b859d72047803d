"""Errors and their exit codes: the tree in the code and docs/faults.md say the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from cloudxai_analysis.ground import errors
from cloudxai_analysis.ground.errors import CloudxaiError

FAULTS = Path(__file__).parents[1] / "docs" / "faults.md"
CODES = {
    "CloudxaiError": 1,
    "UsageError": 2,
    "SourceUnreachable": 3,
    "SourceAnswerError": 4,
    "NoData": 4,
    "LakeDamaged": 5,
    "LakeUnwritable": 5,
    "NotebookFailed": 6,
    "LakeLocked": 7,
    "RefusedForSecurity": 8,
}


def error_classes() -> dict[str, type[CloudxaiError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return {name: value for name, value in members if issubclass(value, CloudxaiError)}


def test_every_error_has_its_promised_exit_code() -> None:
    assert {name: error.exit_code for name, error in error_classes().items()} == CODES


def test_a_user_can_catch_all_of_them_and_nothing_else() -> None:
    assert all(issubclass(error, CloudxaiError) for error in error_classes().values())
    assert CloudxaiError.__bases__ == (Exception,)
    assert errors.NoData.__bases__ == (errors.SourceAnswerError,)


def test_the_modules_tree_names_each_error_with_its_code() -> None:
    drawn = dict(re.findall(r"(\w+)  +(\d)  ", errors.__doc__ or ""))
    assert {name: int(code) for name, code in drawn.items()} == CODES


def test_message_comes_out_as_it_went_in() -> None:
    for error in error_classes().values():
        assert str(error("what, where, what next: 100 % {x}")) == "what, where, what next: 100 % {x}"


@pytest.mark.parametrize("code", [0, *sorted(set(CODES.values())), 130])
def test_docs_say_what_each_exit_code_means(code: int) -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", FAULTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [row[0] for row in rows].count(str(code)) == 1
    meaning, action = next(row[1:] for row in rows if row[0] == str(code))
    assert meaning.strip()
    assert action.strip()


def test_docs_name_the_errors_beside_their_codes() -> None:
    text = FAULTS.read_text(encoding="utf-8")
    for name, code in CODES.items():
        if name != "CloudxaiError":
            section = re.search(rf"^## {code} [^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
            assert section, f"docs/faults.md has no section for exit code {code}"
            assert f"`{name}`" in section[0], f"docs/faults.md does not name {name} under exit code {code}"
