"""The schema of summary.json: it takes what a report writes, and nothing that a reader could not rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from executed import summary
from jsonschema import Draft202012Validator, ValidationError

from cloudxai_analysis.report.run import SCHEMA

VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_schema_is_one_and_takes_a_summary() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(summary())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "ok"},
        {"extra": 1},
        {"tiles": []},
        {"window": {"name": "2026-W46", "start": "yesterday", "end": "today", "partial_until": None}},
        {"coverage": {"value": 0.5, "samples": 1.5, "expected": 3, "text": ""}},
        {"banners": [{"kind": "advert", "text": "x"}]},
    ],
)
def test_what_is_no_summary_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**summary(), **change})


def test_every_key_is_needed() -> None:
    for key in summary():
        without = {name: value for name, value in summary().items() if name != key}
        with pytest.raises(ValidationError, match=f"'{key}' is a required property"):
            VALIDATOR.validate(without)
