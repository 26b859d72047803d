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
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Bounds, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study.study import Study


def opened(folder: Path, window: Window, now: datetime) -> Study:
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    return Study(settled, window, MemorySnapshot(DemoSource()), ledger=Ledger(folder / "ledger.jsonl"), now=now)


def test_every_verdict_has_a_sentence_and_stands_in_its_section(demo_study: Study) -> None:
    found = judge.checks(demo_study)
    assert tuple(check.key for check in found) == judge.KEYS
    assert set(NEEDED) <= set(judge.KEYS)
    assert list(dict.fromkeys(check.section for check in found)) == list(SECTIONS)
    for check in found:
        assert check is judge.check(demo_study, check.key)
        assert check.status in get_args(Status)
        assert check.finding.endswith(".")
        assert "\n" not in check.finding
        assert check.value is None or check.status != "unknown"
    # Cost anomalies have two bounds, and name the one that every hour of them has passed.
    bounds = {check.bound_key: check.bound for check in found if check.bound_key}
    assert set(bounds) == set(Bounds.model_fields) - {"cost_hour_floor"}
    assert None not in bounds.values()


def test_what_asks_for_people_says_how_large_since_when_and_what_to_do(demo_study: Study) -> None:
    asking = [check for check in judge.checks(demo_study) if check.status in ("warn", "fail")]
    assert week_status(judge.checks(demo_study)) == "warn"
    assert len(asking) > 5
    for check in asking:
        assert all((check.size, check.samples, check.disproof, check.action, check.decides))
        assert check.since is not None
        assert EXTENT.start <= check.since < EXTENT.end
    events = [event for check in judge.checks(demo_study) for event in check.events]
    assert len(events) > 5
    for event in events:
        assert set(event) == {"kind", "place", "start", "end", "size", "unit"}
        assert event["start"].utcoffset() == timedelta(0)
        assert event["end"] is None or event["end"] >= event["start"]
        assert event["size"] > 0


def test_where_nothing_was_measured_everything_is_unknown(tmp_path: Path) -> None:
    week = parse_window("2026-W30")
    empty = opened(tmp_path, week, week.end)
    assert {check.key for check in judge.checks(empty) if check.status != "unknown"} == set()
    assert week_status(judge.checks(empty)) == "unknown"


@pytest.mark.parametrize("after", [timedelta(minutes=1), timedelta(minutes=90), timedelta(days=2, hours=5)])
def test_a_week_that_has_just_begun_is_judged_on_what_there_is(tmp_path: Path, after: timedelta) -> None:
    """From a single scrape on nothing breaks, nothing fails, and what needs a history says that it has none."""
    begun = opened(tmp_path, parse_window("2026-W41"), EXTENT.start + after)
    found = {check.key: check for check in judge.checks(begun)}
    assert begun.partial
    assert {check.key for check in found.values() if check.status in ("warn", "fail")} == set()
    assert found["anomalies"].status == "unknown"
    for key in ("coverage", "churn"):
        assert found[key].status == ("pass" if after > timedelta(days=2) else "unknown")
    # Of a single scrape nobody knows for how long it speaks.
    for key in ("coverage", "availability", "outages", "burn")[: 4 if after > timedelta(minutes=1) else 1]:
        assert found[key].finding.startswith("Too early to tell") == (after < timedelta(days=2)), key
