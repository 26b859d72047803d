"""summary.json: its schema takes what a report writes and nothing else; what changed since the weeks before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from executed import check, summary
from jsonschema import Draft202012Validator

from cloudxai_analysis.cards.summary import GROUPS, since, summary_sha256, summary_text
from cloudxai_analysis.report.run import SCHEMA

VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def week(name: str, **statuses: str) -> dict[str, Any]:
    """A summary with the name of its week and its checks alone."""
    checks = [check(key, "cost", status, f"{key} is {status}") for key, status in statuses.items()]
    return {"window": {"name": name}, "checks": checks}


@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("new", "pass-warn pass-fail pass-unknown unknown-warn"),
        ("worse", "warn-fail warn-unknown fail-unknown"),
        ("better", "fail-warn unknown-pass"),
        ("gone", "warn-pass fail-pass"),
        ("still", "warn-warn fail-fail"),
        ("", "pass-pass unknown-unknown"),
    ],
)
def test_each_change_has_its_group(group: str, changes: str) -> None:
    for was, now in (change.split("-") for change in changes.split()):
        found = since(week("2026-W46", gaps=now), [week("2026-W45", gaps=was)])
        assert [name for name in GROUPS if found[name]] == ([group] if group else []), (was, now)


def test_what_is_new_redefined_and_for_how_many_reports_in_a_row() -> None:
    nothing = {"before": None, "before_sha256": None, "new": [], "worse": [], "better": [], "gone": [], "still": []}
    assert since(week("2026-W46", gaps="warn"), []) == nothing
    now, before = week("2026-W46", gaps="warn", storms="warn"), week("2026-W45", gaps="pass")
    now["checks"][0]["definition"] = 2  # a summary from before definitions had versions follows the first
    storms = {
        "check": "storms",
        "status": "warn",
        "was": "",
        "finding": "storms is warn",
        "redefined": False,
        "weeks": 1,
    }
    gaps = storms | {"check": "gaps", "was": "pass", "finding": "gaps is warn", "redefined": True}
    assert since(now, [before])["new"] == [gaps, storms]
    earlier = [week("2026-W45", gaps="warn"), week("2026-W44", gaps="fail"), week("2026-W43", gaps="pass")]
    found = since(week("2026-W46", gaps="warn"), [*earlier, week("2026-W42", gaps="warn")])
    assert (found["before"], found["still"][0]["weeks"]) == ("2026-W45", 3)


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_text(summary_text(summary("naïve")), encoding="utf-8")
    told = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
    assert summary_sha256(summary("naïve")) == told


def test_the_schema_takes_a_summary_needs_every_key_and_refuses_what_is_none() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(summary())
    # What is noted of a source only where it is so.
    noted = {"clock_ahead_seconds": -420, "found_jobs": ["beta"]}
    VALIDATOR.validate({**summary(), "provenance": {**summary()["provenance"], **noted}})
    for key in summary():
        without = {name: value for name, value in summary().items() if name != key}
        assert [error.message for error in VALIDATOR.iter_errors(without)] == [f"'{key}' is a required property"]
    for change in (
        {"status": "ok"},
        {"extra": 1},
        {"tiles": []},
        {"window": {"name": "2026-W46", "start": "yesterday", "end": "today", "partial_until": None}},
        {"coverage": {"value": 0.5, "samples": 1.5, "expected": 3, "text": ""}},
        {"banners": [{"kind": "advert", "text": "x"}]},
    ):
        assert list(VALIDATOR.iter_errors({**summary(), **change})), change
