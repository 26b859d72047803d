"""Windows that are not whole weeks: one under way, and a beta that is three days old."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import validate

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.cards.weekly import CARDS, write_summary
from cloudxai_analysis.ground.window import Window, named_window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Settings, resolve_environment
from cloudxai_analysis.report.run import SCHEMA
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

THURSDAY = datetime(2026, 11, 12, 6, 0, tzinfo=UTC)


class Young:
    """The demo as a platform that was first scraped at `since`."""

    def __init__(self, since: datetime) -> None:
        self._demo, self._since = DemoSource(), since

    def extent(self) -> Window:
        """From its first scrape on."""
        return Window(self._since, self._demo.extent().end)

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The demo's samples, but none from before its time."""
        start = min(max(window.start, self._since), window.end)
        return self._demo.read(metric, matchers, Window(start, window.end))


def study_of(source, folder: Path, *, now: datetime, week: str = "current") -> Study:
    settled = resolve_environment(Settings.model_construct(), source="demo://", name="demo")
    provenance = {"source": {"kind": "demo"}, "lake": {"rollups": 1, "samples": 1}, "warnings": []}
    return Study(
        settled.model_copy(update={"outputs": folder}),
        named_window(week, now),
        MemorySnapshot(source),
        ledger=Ledger(folder / "ledger.jsonl"),
        now=now,
        provenance=provenance,
    )


@pytest.fixture(scope="module")
def under_way(tmp_path_factory) -> Study:
    return study_of(DemoSource(), tmp_path_factory.mktemp("under_way"), now=THURSDAY)


def test_a_week_under_way_is_marked_partial(under_way):
    summary = summarise(under_way)
    assert summary["window"]["name"] == "2026-W46"
    assert summary["window"]["partial_until"] == "2026-11-12T06:00:00+00:00"
    assert "so far" in summary["headline"]
    assert len(summary["paragraph"].split()) <= 60
    assert "partial" in [banner["kind"] for banner in summary["banners"]]
    validate(summary, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_a_week_under_way_is_compared_with_the_same_stretch_of_the_week_before(under_way):
    """Three days and six hours of both weeks: the burst's tenants aside, costs differ by some percent, not by half."""
    movers = under_way.cost.cost_movers
    stayed = movers[(movers["before"] > 0) & (movers["cost"] > 0)]
    assert 0.8 < stayed["cost"].sum() / stayed["before"].sum() < 1.2


@pytest.fixture(scope="module")
def young(tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("young")
    return study_of(Young(datetime(2026, 11, 9, tzinfo=UTC)), folder, now=THURSDAY)


def test_a_beta_of_three_days_has_a_report_that_says_what_it_cannot_know(young, tmp_path):
    summary = summarise(young)
    validate(summary, json.loads(SCHEMA.read_text(encoding="utf-8")))
    unknown = {check["key"] for check in summary["checks"] if check["status"] == "unknown"}
    assert {"anomalies", "missed", "incidents"} <= unknown
    availability = next(tile for tile in summary["tiles"] if tile["key"] == "availability")
    assert availability["change_week"] is None
    assert (
        "of the 3.2 days seen"
        in next(check for check in summary["checks"] if check["key"] == "availability")["finding"]
    )
    write_summary(young, output=str(tmp_path), run="x")
    assert len(list((tmp_path / "data").glob("*.csv"))) == len(CARDS)


def test_every_look_of_a_young_beta_can_be_drawn(young):
    for make in CARDS:
        look = make(young)
        assert look.heading
        assert look.svg().startswith("<svg") or look.draw is None


@pytest.mark.parametrize("name", ["2026-10", "2026-Q4"])
@pytest.mark.slow
def test_months_and_quarters_have_a_summary_too(tmp_path, name):
    source = DemoSource()
    study = study_of(source, tmp_path, now=source.extent().end, week=name)
    summary = summarise(study)
    assert summary["window"]["name"] == name
    assert bool(summary["window"]["partial_until"]) is (name == "2026-Q4")
    assert parse_window(name) == study.window
