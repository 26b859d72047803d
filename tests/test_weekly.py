"""Windows that are not whole weeks: one under way, a beta that is three days old, a month, a quarter."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import validate
from small_platform import study_over

from cloudxai_analysis.cards.notebook import CARDS, write_summary
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.window import Window, named_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.report.run import SCHEMA
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

THURSDAY, MONDAY = datetime(2026, 11, 12, 6, 0, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)


class Young(DemoSource):
    """The demo as a platform that was first scraped on Monday."""

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        start = min(max(window.start, MONDAY), window.end)
        return super().read(metric, matchers, Window(start, window.end))


def opened(source: DemoSource, folder: Path, now: datetime, week: str = "current") -> tuple[Study, dict]:
    """The study, and its summary as the schema takes it."""
    study = study_over(MemorySnapshot(source), folder, named_window(week, now), now=now)
    study.provenance = {"source": {"kind": "demo"}, "lake": {"rollups": 1, "samples": 1}, "warnings": []}
    summary = summarise(study)
    validate(summary, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return study, summary


def test_a_week_under_way_is_marked_partial_and_compared_with_the_same_days_of_the_week_before(tmp_path):
    study, summary = opened(DemoSource(), tmp_path, THURSDAY)
    assert summary["window"]["name"] == "2026-W46"
    assert summary["window"]["partial_until"] == "2026-11-12T06:00:00+00:00"
    assert "so far" in summary["headline"]
    assert len(summary["paragraph"].split()) <= 60
    assert "partial" in [banner["kind"] for banner in summary["banners"]]
    # Three days and six hours of both: the burst's tenants aside, costs differ by some percent, not by half.
    movers = study.cost.cost_movers
    stayed = movers[(movers["before"] > 0) & (movers["cost"] > 0)]
    assert 0.8 < stayed["cost"].sum() / stayed["before"].sum() < 1.2


def test_a_beta_of_three_days_has_a_report_that_says_what_it_cannot_know(tmp_path):
    young, summary = opened(Young(), tmp_path, THURSDAY)
    checks = {check["key"]: check for check in summary["checks"]}
    assert {checks[key]["status"] for key in ("anomalies", "missed", "incidents")} == {"unknown"}
    assert "of the 3.2 days seen" in checks["availability"]["finding"]
    assert next(tile for tile in summary["tiles"] if tile["key"] == "availability")["change_week"] is None
    write_summary(young, output=str(tmp_path), run="x")
    assert len(list((tmp_path / "data").glob("*.csv"))) == len(CARDS)
    for card in (make(young) for make in CARDS):
        assert card.heading
        assert card.svg().startswith("<svg") or card.draw is None
        assert replace(card, table=card.table.head(0)).as_dict()["rows"] == []


@pytest.mark.parametrize("name", ["2026-10", "2026-Q4"])
@pytest.mark.slow
def test_months_and_quarters_have_a_summary_too(tmp_path, name):
    _, summary = opened(DemoSource(), tmp_path, EXTENT.end, name)
    assert summary["window"]["name"] == name
    assert bool(summary["window"]["partial_until"]) is (name == "2026-Q4")
