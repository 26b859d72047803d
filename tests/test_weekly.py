"""Windows that are no whole weeks, weeks of nothing or of minutes, and alerts that cross the edges of a week."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _memory import MemorySnapshot
from jsonschema import validate
from small_platform import demo_of, demo_study_of, event, study_over

from cloudxai_analysis.cards import alerts
from cloudxai_analysis.cards.notebook import CARDS, write_summary
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks import judge, week_status
from cloudxai_analysis.ground.window import Window, named_window, parse_window
from cloudxai_analysis.report.run import SCHEMA
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

W46 = parse_window("2026-W46")
THURSDAY, MONDAY = datetime(2026, 11, 12, 6, 0, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)


class Young(DemoSource):
    """The demo as a platform that was first scraped on Monday."""

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        start = min(max(window.start, MONDAY), window.end)
        return super().read(metric, matchers, Window(start, window.end))


def opened(source: DemoSource, folder: Path, now: datetime, week: str = "current") -> tuple[Study, dict]:
    """The study, and its summary as the schema takes it."""
    study = study_over(MemorySnapshot(source), folder, named_window(week, now), now=now)
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
    assert next(tile for tile in summary["tiles"] if tile["key"] == "error_budget")["change_week"] is None
    write_summary(young, output=str(tmp_path), run="x")
    assert len(list((tmp_path / "data").glob("*.csv"))) == len(CARDS)
    for card in (make(young) for make in CARDS):
        assert card.heading
        assert card.svg().startswith("<svg") or card.draw is None
        assert replace(card, table=card.table.head(0)).as_dict()["rows"] == []


@pytest.mark.parametrize("name", ["2026-10", "2026-Q4"])
def test_months_and_quarters_have_a_summary_too(tmp_path, name):
    _, summary = opened(DemoSource(), tmp_path, EXTENT.end, name)
    assert summary["window"]["name"] == name
    assert bool(summary["window"]["partial_until"]) is (name == "2026-Q4")


def test_where_nothing_was_measured_everything_is_unknown(tmp_path: Path) -> None:
    week = parse_window("2026-W30")
    empty = study_over(MemorySnapshot(DemoSource()), tmp_path, week, now=week.end)
    assert {check.key for check in judge.checks(empty) if check.status != "unknown"} == set()
    assert week_status(judge.checks(empty)) == "unknown"


@pytest.mark.parametrize("after", [timedelta(minutes=1), timedelta(days=2, hours=5)])
def test_a_week_that_has_just_begun_is_judged_on_what_there_is(tmp_path: Path, after: timedelta) -> None:
    """From a single scrape on nothing breaks, nothing fails, and what needs a history says that it has none."""
    week = parse_window("2026-W41")
    begun = study_over(MemorySnapshot(DemoSource()), tmp_path, week, now=EXTENT.start + after)
    found = {check.key: check for check in judge.checks(begun)}
    assert begun.partial
    assert {check.key for check in found.values() if check.status in ("warn", "fail")} == set()
    assert found["anomalies"].status == "unknown"
    for key in ("coverage", "churn"):
        assert found[key].status == ("pass" if after > timedelta(days=2) else "unknown")
    # Of a single scrape nobody knows for how long it speaks.
    for key in ("coverage", "availability", "outages", "burn")[: 4 if after > timedelta(minutes=1) else 1]:
        assert found[key].finding.startswith("Too early to tell") == (after < timedelta(days=2)), key


class Silent(MemorySnapshot):
    """A server that stores no alert and does not say which rules it has loaded."""

    rules = None

    def samples(self, metric: str, *rest: Any, **more: Any) -> Any:
        frame = super().samples(metric, *rest, **more)
        return frame.iloc[:0] if metric.startswith("ALERTS") else frame


def stormy(folder: Path, week: str, *storms: str, now: datetime | None = None) -> Study:
    """A study of a demo in which thirty tenants' alerts begin within twenty minutes at each of these times."""
    source = demo_of(*(event("alert_storm", at, 20, tenants=30) for at in storms), seed=3)
    return demo_study_of(source, folder, parse_window(week), now=now)


def test_each_storm_of_a_quiet_platform_is_found(tmp_path: Path) -> None:
    days = (9, 10, 11, 12, 13)
    found = judge.check(stormy(tmp_path, "2026-W46", *[f"11-{day:02d}T09:00" for day in days]), "storms")
    assert (found.status, found.value) == ("warn", float(len(days)))
    assert [(event["start"].day, event["size"]) for event in found.events] == [(day, 26.0) for day in days]


def test_a_storm_over_the_weeks_edge_is_whole_where_it_begins_and_named_by_the_next(tmp_path: Path) -> None:
    first = stormy(tmp_path, "2026-W45", "11-08T23:52", now=datetime(2026, 11, 10, tzinfo=UTC))
    assert [event["size"] for event in judge.check(first, "storms").events] == [26.0]
    after = stormy(tmp_path, "2026-W46", "11-08T23:52")
    found = judge.check(after, "storms")
    assert (found.status, found.value, found.events) == ("warn", 0.0, ())
    assert found.finding.startswith(
        "0 alert storms began in 2026-W46; a storm of 26 alerts, begun on Sun 8 Nov, 23:54 UTC"
    )
    assert "6 minutes before 2026-W46, went on into it for" in found.finding
    # So is the last of its alerts.
    assert ", begun on Sun 8 Nov, 23:5" in alerts.episodes(after).heading


def test_nothing_fired_is_said_only_where_it_would_have_been_seen(tmp_path: Path) -> None:
    """It was said of seven minutes of data, and of servers that never stored an alert."""
    keys = ("storms", "noise", "false_positives", "rules")
    minutes = stormy(tmp_path, "2026-W41", now=EXTENT.start + timedelta(minutes=7))
    silent = study_over(Silent(demo_of(seed=3)), tmp_path, W46, now=W46.end)
    for key in keys:
        assert judge.check(minutes, key).status == "unknown", key
        assert "7 minutes seen" in judge.check(minutes, key).finding
        assert judge.check(silent, key).status == "unknown", key
        assert "no alert was ever stored" in judge.check(silent, key).finding
    assert "no alert was ever stored" in alerts.episodes(silent).empty
