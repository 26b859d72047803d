"""The judge: every check has its place in the report, is made once, and is unknown where nothing was measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from small_platform import study_over

from cloudxai_analysis.checks import NEEDED, SECTIONS, Status, judge, week_status
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.platform.settings import Bounds
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study.study import Study


def opened(folder: Path, window: Window, now: datetime) -> Study:
    return study_over(MemorySnapshot(DemoSource()), folder, window, now=now)


def test_every_check_has_a_sentence_stands_in_its_section_and_says_what_people_are_asked(demo_study: Study) -> None:
    found = judge.checks(demo_study)
    assert tuple(check.key for check in found) == judge.KEYS
    assert set(NEEDED) <= set(judge.KEYS)
    assert list(dict.fromkeys(check.section for check in found)) == list(SECTIONS)
    assert week_status(found) == "warn"
    for check in found:
        assert check is judge.check(demo_study, check.key)
        assert check.status in get_args(Status)
        assert check.finding.endswith(".")
        assert "\n" not in check.finding
        assert check.value is None or check.status != "unknown"
        if check.status in ("warn", "fail"):
            assert all((check.size, check.samples, check.disproof, check.action, check.decides))
            assert EXTENT.start <= check.since < EXTENT.end
        for event in check.events:
            assert set(event) == {"kind", "place", "start", "end", "size", "unit"}
            assert event["start"].utcoffset() == timedelta(0)
            assert event["end"] is None or event["end"] >= event["start"]
            assert event["size"] > 0
    # Cost anomalies have two bounds, and name the one that every hour of them has passed.
    bounds = {check.bound_key: check.bound for check in found if check.bound_key}
    assert set(bounds) == set(Bounds.model_fields) - {"cost_hour_floor"}
    assert None not in bounds.values()


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
