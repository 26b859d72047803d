"""Errors and their exit codes: the tree in the code and docs/faults.md say the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from cloudxai_analysis.ground import errors
from cloudxai_analysis.ground.errors import CloudxaiError

FAULTS = (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8")
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


def test_every_error_has_its_promised_exit_code_and_says_what_it_was_given() -> None:
    members = dict(inspect.getmembers(errors, inspect.isclass))
    assert {name: error.exit_code for name, error in members.items()} == CODES
    assert all(issubclass(error, CloudxaiError) for error in members.values())
    assert (CloudxaiError.__bases__, errors.NoData.__bases__) == ((Exception,), (errors.SourceAnswerError,))
    drawn = dict(re.findall(r"(\w+)  +(\d)  ", errors.__doc__ or ""))
    assert {name: int(code) for name, code in drawn.items()} == CODES
    said = "what, where, what next: 100 % {x}"
    assert {str(error(said)) for error in members.values()} == {said}


def test_docs_say_what_each_exit_code_means_and_which_errors_have_it() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", FAULTS, re.MULTILINE)
    assert sorted(int(row[0]) for row in rows) == [0, *sorted(set(CODES.values())), 130]
    assert all(meaning.strip() and action.strip() for _, meaning, action in rows)
    for name, code in CODES.items():
        if name != "CloudxaiError":
            section = re.search(rf"^## {code} [^\n]*\n(.*?)(?=^## |\Z)", FAULTS, re.MULTILINE | re.DOTALL)
            assert section, f"docs/faults.md has no section for exit code {code}"
            assert f"`{name}`" in section[0], f"docs/faults.md does not name {name} under exit code {code}"
