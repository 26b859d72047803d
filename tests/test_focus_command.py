"""`cloudxai focus`, as finance meets it: the totals of the report, the same bytes again, and nothing made up."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground.errors import CloudxaiError, UsageError


def run(outputs: Path, *arguments: str) -> Result:
    found = CliRunner().invoke(main_group, ["focus", *arguments, "--source", "demo://"], standalone_mode=False)
    if isinstance(found.exception, CloudxaiError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("focus")


@pytest.fixture(autouse=True)
def in_folder(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(outputs))


@pytest.fixture(scope="module")
def rows(outputs: Path) -> list[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_OUTPUTS", str(outputs))
        return list(csv.DictReader(io.StringIO(run(outputs, "2026-W46").stdout)))


def test_the_sum_is_the_reports(rows: list[dict[str, str]], outputs: Path) -> None:
    from cloudxai_analysis.cards.summary import summarise
    from cloudxai_analysis.study.opening import open_study

    tiles = {tile["key"]: tile["value"] for tile in summarise(open_study("2026-W46", source="demo://"))["tiles"]}
    total = math.fsum(float(row["BilledCost"]) for row in rows)
    # The summary keeps nine digits.
    assert total == pytest.approx(tiles["cost"], rel=1e-8)
    assert {row["BillingCurrency"] for row in rows} == {"EUR"}


def test_periods_are_half_open_days_in_utc(rows: list[dict[str, str]]) -> None:
    assert min(row["ChargePeriodStart"] for row in rows) == "2026-11-09T00:00:00Z"
    assert max(row["ChargePeriodEnd"] for row in rows) == "2026-11-16T00:00:00Z"
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in rows} == {
        ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    }


def test_a_file_is_written_whole_and_the_same_again(outputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    said = run(outputs, "2026-W46", "--output", str(file)).stderr
    first = file.read_bytes()
    run(outputs, "2026-W46", "--output", str(file))
    assert file.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["costs.csv"]
    assert "EUR in" in said
    assert f"Export: {file}" in said


def test_days_before_the_telemetry_are_named_and_have_no_row(outputs: Path) -> None:
    found = run(outputs, "2026-10")
    assert "4 days from 2026-10-01 to 2026-10-04 without a row" in found.stderr
    days = {row["ChargePeriodStart"] for row in csv.DictReader(io.StringIO(found.stdout))}
    assert min(days) == "2026-10-05T00:00:00Z"


def test_a_window_under_way_says_so(outputs: Path) -> None:
    assert "is under way; the export ends with 2026-11-16 00:00 UTC" in run(outputs, "2026-11").stderr


def test_where_it_cannot_be_written_nothing_is_left(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Export .*none/costs.csv cannot be written: No such file"):
        run(outputs, "2026-W46", "--output", str(tmp_path / "none" / "costs.csv"))
    assert not list(tmp_path.iterdir())


def test_a_label_that_is_no_currency_ends_the_export(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"demo": {"source": "demo://", "currency": "XTS"}}
    monkeypatch.setenv("CLOUDXAI_ENVIRONMENTS", json.dumps(given))
    with pytest.raises(UsageError, match="XTS"):
        run(outputs, "2026-W46", "--output", str(tmp_path / "costs.csv"))
    assert not list(tmp_path.iterdir())
