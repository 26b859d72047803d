"""`cloudxai focus`, as finance meets it: the totals of the report, the same bytes again, and nothing made up."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from clean_command import Done

from cloudxai_analysis.study.opening import open_study

Focus = Callable[..., Done]


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("focus")


@pytest.fixture
def focus(pulled: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> Focus:
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(pulled))
    return lambda *words: command("focus", *words, "--source", "demo://")


def test_the_sum_is_the_reports_and_the_file_is_whole_and_the_same_again(focus: Focus, tmp_path: Path) -> None:
    printed, file = focus("2026-W46").out, tmp_path / "costs.csv"
    said = "\n".join(focus("2026-W46", "--output", str(file)).err)
    assert file.read_bytes().decode().split("\n")[:-1] == printed
    assert [path.name for path in tmp_path.iterdir()] == ["costs.csv"]
    assert "EUR in" in said
    assert f"Export: {file}" in said
    rows = list(csv.DictReader(printed))
    told = open_study("2026-W46", source="demo://").cost.costs["cost"].sum()
    assert math.fsum(float(row["BilledCost"]) for row in rows) == pytest.approx(told, rel=1e-12)
    assert min(row["ChargePeriodStart"] for row in rows) == "2026-11-09T00:00:00Z"
    assert max(row["ChargePeriodEnd"] for row in rows) == "2026-11-16T00:00:00Z"


@pytest.mark.parametrize(
    ("window", "place", "settings", "code", "said"),
    [
        ("2026-10", "", {}, 0, "4 days from 2026-10-01 to 2026-10-04 without a row"),
        ("2026-11", "", {}, 0, "is under way; the export ends with 2026-11-16 00:00 UTC"),
        ("2026-W46", "none/costs.csv", {}, 2, "none/costs.csv cannot be written: No such file"),
        ("2026-W46", "costs.csv", {"demo": {"source": "demo://", "currency": "XTS"}}, 2, "XTS"),
    ],
)
def test_what_is_not_there_or_cannot_be_exported_is_named_and_leaves_nothing(
    focus: Focus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window, place, settings, code, said
) -> None:
    monkeypatch.setenv("CLOUDXAI_ENVIRONMENTS", json.dumps(settings))
    done = focus(window, *(("--output", str(tmp_path / place)) if place else ()))
    assert (done.code, said in "\n".join(done.err)) == (code, True), done.err
    assert not list(tmp_path.iterdir())
