"""The judge: every verdict has its place in the report, is made once, and is unknown where nothing was measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from cloudxai_analysis.checks import NEEDED, SECTIONS, Status, judge, week_status
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Bounds, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study.study import Study

EVENT = {"kind", "place", "start", "end", "size", "unit"}


@pytest.fixture(scope="module")
def source() -> DemoSource:
    return DemoSource()


@pytest.fixture(scope="module")
def study(source: DemoSource, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(source, tmp_path_factory.mktemp("judge"))


def opened(source: DemoSource, folder: Path, window: Window, now: datetime) -> Study:
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    return Study(settled, window, MemorySnapshot(source), ledger=Ledger(folder / "ledger.jsonl"), now=now)


def test_every_key_is_a_verdict_of_a_section_with_a_sentence(study: Study) -> None:
    assert set(NEEDED) <= set(judge.KEYS)
    for key in judge.KEYS:
        check = judge.check(study, key)
        assert check.key == key
        assert check.section in SECTIONS
        assert check.status in get_args(Status)
        assert check.finding.endswith(".")
        assert "\n" not in check.finding
        assert (check.value is None) or check.status != "unknown"
    assert {check.section for check in judge.checks(study)} == set(SECTIONS)


def test_verdicts_come_in_the_order_of_the_reports_sections(study: Study) -> None:
    found = judge.checks(study)
    assert tuple(check.key for check in found) == judge.KEYS
    sections = [SECTIONS.index(check.section) for check in found]
    assert sections == sorted(sections)


def test_what_asks_for_people_says_how_large_since_when_and_what_to_do(study: Study) -> None:
    asking = [check for check in judge.checks(study) if check.status in ("warn", "fail")]
    assert week_status(judge.checks(study)) == "warn"
    assert len(asking) > 5
    for check in asking:
        assert check.size
        assert check.samples
        assert check.disproof
        assert check.action
        assert check.decides
        assert check.since is not None
        assert EXTENT.start <= check.since < EXTENT.end


def test_bounds_are_those_of_the_settings(study: Study) -> None:
    named = [check for check in judge.checks(study) if check.bound_key]
    # Cost anomalies have two bounds, and name the one that every hour of them has passed.
    assert {check.bound_key for check in named} == set(Bounds.model_fields) - {"cost_hour_floor"}
    assert all(check.bound is not None for check in named)


def test_events_are_plain_data_with_times(study: Study) -> None:
    events = [event for check in judge.checks(study) for event in check.events]
    assert len(events) > 5
    for event in events:
        assert set(event) == EVENT
        assert isinstance(event["start"], datetime)
        assert event["start"].utcoffset() == timedelta(0)
        assert event["end"] is None or event["end"] >= event["start"]
        assert event["size"] > 0


def test_a_verdict_is_made_once_for_a_study(study: Study, source: DemoSource, tmp_path: Path) -> None:
    assert judge.check(study, "coverage") is judge.check(study, "coverage")
    assert judge.checks(study)[0] is judge.check(study, "coverage")
    other = evaluate.study_of(source, tmp_path)
    assert judge.check(other, "coverage") is not judge.check(study, "coverage")
    assert judge.check(other, "coverage") == judge.check(study, "coverage")


def test_an_unknown_key_is_none(study: Study) -> None:
    with pytest.raises(KeyError):
        judge.check(study, "weather")


def test_the_table_holds_one_section_or_all(study: Study) -> None:
    table = judge.check_table(study)
    assert table.columns.tolist() == ["check", "status", "finding", "value", "unit", "bound"]
    assert tuple(table["check"]) == judge.KEYS
    readiness = judge.check_table(study, "readiness")
    assert readiness["check"].tolist() == [
        "availability",
        "outages",
        "burn",
        "isolation",
        "transitions",
        "latency",
        "tenants",
    ]
    coverage = judge.check(study, "coverage")
    row = table.set_index("check").loc["coverage"]
    assert (row["status"], row["finding"], row["value"], row["bound"]) == (
        coverage.status,
        coverage.finding,
        coverage.value,
        coverage.bound,
    )
    assert sum(len(judge.check_table(study, section)) for section in SECTIONS) == len(judge.KEYS)
    assert judge.check_table(study, "weather").empty


def test_where_nothing_was_measured_everything_is_unknown(source: DemoSource, tmp_path: Path) -> None:
    week = parse_window("2026-W30")
    empty = opened(source, tmp_path, week, week.end)
    assert {check.key for check in judge.checks(empty) if check.status != "unknown"} == set()
    assert week_status(judge.checks(empty)) == "unknown"


@pytest.mark.parametrize("after", [timedelta(minutes=1), timedelta(minutes=90), timedelta(days=2, hours=5)])
def test_a_week_that_has_just_begun_is_judged_on_what_there_is(
    source: DemoSource, tmp_path: Path, after: timedelta
) -> None:
    """From a single scrape on nothing breaks, nothing fails, and what needs a history says that it has none."""
    begun = opened(source, tmp_path, parse_window("2026-W41"), EXTENT.start + after)
    found = {check.key: check for check in judge.checks(begun)}
    assert begun.partial
    assert {check.key for check in found.values() if check.status in ("warn", "fail")} == set()
    assert found["anomalies"].status == "unknown"
    for key in ("coverage", "churn"):
        assert found[key].status == ("pass" if after > timedelta(days=2) else "unknown")
    # Of a single scrape nobody knows for how long it speaks.
    for key in ("coverage", "availability", "outages", "burn")[: 4 if after > timedelta(minutes=1) else 1]:
        assert found[key].finding.startswith("Too early to tell") == (after < timedelta(days=2)), key
