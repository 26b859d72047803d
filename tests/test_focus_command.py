"""`cloudxai focus`, as finance meets it: the totals of the report, the same bytes again, and nothing made up."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground.errors import CloudxaiError, UsageError
from cloudxai_analysis.study.opening import open_study

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("focus")


@pytest.fixture
def run(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(outputs))

    def invoke(*arguments: str) -> Result:
        found = CliRunner().invoke(main_group, ["focus", *arguments, "--source", "demo://"], standalone_mode=False)
        if isinstance(found.exception, CloudxaiError):
            raise found.exception
        assert found.exit_code == 0, found.output
        return found

    return invoke


def test_the_sum_is_the_reports_and_the_file_is_whole_and_the_same_again(run: Run, tmp_path: Path) -> None:
    printed, file = run("2026-W46").stdout_bytes, tmp_path / "costs.csv"
    said = run("2026-W46", "--output", str(file)).stderr
    assert file.read_bytes() == printed
    assert [path.name for path in tmp_path.iterdir()] == ["costs.csv"]
    assert "EUR in" in said
    assert f"Export: {file}" in said
    rows = list(csv.DictReader(io.StringIO(printed.decode())))
    told = open_study("2026-W46", source="demo://").cost.costs["cost"].sum()
    assert math.fsum(float(row["BilledCost"]) for row in rows) == pytest.approx(told, rel=1e-12)
    assert min(row["ChargePeriodStart"] for row in rows) == "2026-11-09T00:00:00Z"
    assert max(row["ChargePeriodEnd"] for row in rows) == "2026-11-16T00:00:00Z"


def test_days_without_telemetry_are_named_and_a_window_under_way_says_so(run: Run) -> None:
    assert "4 days from 2026-10-01 to 2026-10-04 without a row" in run("2026-10").stderr
    assert "is under way; the export ends with 2026-11-16 00:00 UTC" in run("2026-11").stderr


@pytest.mark.parametrize(
    ("place", "settings", "said"),
    [
        ("none/costs.csv", {}, r"Export .*none/costs.csv cannot be written: No such file"),
        ("costs.csv", {"demo": {"source": "demo://", "currency": "XTS"}}, "XTS"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, settings: dict[str, object], said: str
) -> None:
    monkeypatch.setenv("CLOUDXAI_ENVIRONMENTS", json.dumps(settings))
    with pytest.raises(UsageError, match=said):
        run("2026-W46", "--output", str(tmp_path / place))
    assert not list(tmp_path.iterdir())
