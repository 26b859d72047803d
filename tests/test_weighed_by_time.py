"""Platforms whose scrapes change, stop or fail: what is said of their weeks, held against what was written down."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_platform import Written, study_of

from cloudxai_analysis.checks import Check, judge
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.study.study import Study

BEFORE, WEEK = parse_window("2026-W45"), parse_window("2026-W46")
HOUR, DAY = 60, 1440
MARKER = np.array([0x7FF0000000000002], dtype="uint64").view("float64")[0]


class Target:
    """One instance over two weeks, scraped every `step` seconds; minutes count from the Monday of 2026-W45."""

    def __init__(self, name: str = "a:80", start: float = 0, end: float = 14 * DAY, step: int = 60) -> None:
        self.labels = {"job": "cloudxai", "instance": name}
        self.times = np.arange(round(start * 60), round(end * 60), step, dtype="int64")
        self.up = np.ones(len(self.times))
        self.ready = np.ones(len(self.times))

    def every(self, step: int, *, since: float) -> Target:
        """From a minute on another scrape interval."""
        later = np.arange(round(since * 60), self.times[-1] + 60, step, dtype="int64")
        self.times = np.append(self.times[self.times < since * 60], later)
        self.up, self.ready = np.ones((2, len(self.times)))
        return self

    def not_ready(self, start: float, minutes: float) -> Target:
        self.ready[self._between(start, minutes)] = 0
        return self

    def down(self, start: float, minutes: float) -> Target:
        self.up[self._between(start, minutes)] = 0
        return self

    def _between(self, start: float, minutes: float) -> Any:
        return (self.times >= start * 60) & (self.times < (start + minutes) * 60)

    def series(self, metric: str, *, markers: bool) -> Written:
        times = BEFORE.start_ms + 1000 * self.times
        if metric == "up":
            return self.labels, times, self.up
        there = self.up == 1
        if not markers:
            return self.labels, times[there], self.ready[there]
        ends = there | np.append(False, there[:-1])
        return self.labels, times[ends], np.where(there, self.ready, MARKER)[ends]


def study(folder: Path, *targets: Target, markers: bool = False, **how: Any) -> Study:
    series = {
        metric: [target.series(metric, markers=markers) for target in targets] for metric in ("up", "readiness_state")
    }
    return study_of(series, folder, how.pop("window", WEEK), **how)


def said(study: Study, key: str) -> Check:
    return judge.check(study, key)


def not_ready(study: Study) -> float:
    return float(study.readiness.availability["not_ready_minutes"].iloc[0])


@pytest.mark.parametrize("markers", [True, False], ids=["markers", "hidden markers"])
def test_all_targets_down_is_not_ready_whatever_the_ledger_notes(tmp_path, markers):
    """Both processes fail their scrapes for an hour each day of the week: 420 minutes, ten months' budgets."""
    targets = [Target("a:80"), Target("b:80")]
    for day in range(7, 14):
        for target in targets:
            target.down(day * DAY + 600, 60)
    deploys = [
        {
            **{"kind": "deploy", "id": f"D{day}", "by": "ada"},
            **{"start": f"2026-11-{day:02d}T09:55:00Z", "end": f"2026-11-{day:02d}T11:05:00Z"},
        }
        for day in range(9, 16)
    ]
    Ledger(tmp_path / "ledger.jsonl").seed(deploys)
    week = study(tmp_path, *targets, markers=markers)
    assert len(week.ledger.stretches()) == 7
    assert not_ready(week) == 420
    check = said(week, "availability")
    assert check.status == "fail"
    assert "7 hours not ready" in check.finding
    assert [event["size"] for event in said(week, "outages").events] == [60] * 7
    assert said(week, "burn").status == "warn"
    # Each scrape was tried: that is no gap, and an hour down uncovers a day only beyond 72 minutes.
    assert said(week, "gaps").status == "pass"
    assert said(week, "coverage").status == "pass"
    assert said(week, "coverage").value == pytest.approx(1 - 420 / 10_080)


def test_without_any_scrape_nothing_is_known(tmp_path):
    """Of the week there is no `up` at all, of the one before there is."""
    week = study(tmp_path, Target(end=6 * DAY))
    assert said(week, "outages").status == "unknown"
    assert said(week, "burn").status == "unknown"
    assert said(week, "availability").status == "unknown"
    assert said(week, "coverage").status == "warn"
    nothing = study(tmp_path)
    for key in ("availability", "outages", "burn", "coverage", "gaps", "isolation"):
        assert said(nothing, key).status == "unknown", key


def test_a_rollout_of_pods_hides_nothing_and_adds_nothing(tmp_path):
    """Six generations of three pods, each beginning as the one before ends, with markers and without."""
    edges = [0, 2 * DAY, 7 * DAY + 77, 8 * DAY + 500, 9 * DAY, 12 * DAY + 3, 14 * DAY]
    pods = [
        Target(f"pod-{number}-{n}:80", start=start, end=end)
        for number, (start, end) in enumerate(pairwise(edges))
        for n in range(3)
    ]
    for markers in (True, False):
        week = study(tmp_path, *pods, markers=markers)
        assert not_ready(week) == 0
        assert said(week, "coverage").value == 1
        assert [said(week, key).status for key in ("coverage", "gaps", "outages", "availability")] == ["pass"] * 4


def test_one_failed_scrape_is_no_outage_and_burns_nothing(tmp_path):
    """In the week's last minutes, where what burns would be told."""
    week = study(tmp_path, Target().down(14 * DAY - 3, 1))
    assert not_ready(week) == 1
    assert said(week, "outages").status == "pass"
    assert said(week, "outages").finding == "The platform was ready for all of 2026-W46, but for 1 minute."
    assert said(week, "burn").status == "pass"
    assert said(week, "burn").value == 0
    assert said(week, "availability").status == "pass"


@pytest.mark.parametrize("minutes", [7, 23 * HOUR // 2])
def test_under_a_day_it_is_too_early_to_tell(tmp_path, minutes):
    now = WEEK.start + timedelta(minutes=minutes)
    week = study(tmp_path, Target(start=7 * DAY, end=7 * DAY + minutes), now=now)
    for key in ("coverage", "availability", "outages", "burn"):
        check = said(week, key)
        assert check.status == "unknown", key
        assert check.finding.startswith("Too early to tell"), key
        assert "30 days:" not in check.finding


def test_the_day_under_way_covers_nothing_yet(tmp_path):
    now = WEEK.start + timedelta(days=1, hours=23)
    week = study(tmp_path, Target(), now=now)
    assert week.within(week.telemetry.covered, "day")["covered"].tolist() == [True, False]
    assert said(week, "coverage").status == "pass"
    assert pd.Timestamp(now) == week.seen.end


def test_a_window_of_whole_history_is_ready_only_by_its_lower_bound(tmp_path):
    """44 minutes that nobody saw in the last 30 days decide over 99.9 %: 43.2 are allowed."""
    start = WEEK.end - timedelta(days=30)
    minutes = [16 * DAY + 10, 16 * DAY + 10 + 42, 16 * DAY + 10 + 47]
    for until, status in zip(minutes[1:], ("pass", "unknown"), strict=True):
        times = [np.arange(0, minutes[0]), np.arange(until, 30 * DAY)]
        ms = Window(start, WEEK.end).start_ms + 60_000 * np.concatenate(times).astype("int64")
        labels = {"job": "cloudxai", "instance": "a:80"}
        one: Written = (labels, ms, np.ones(len(ms)))
        week = study_of({"up": [one], "readiness_state": [one]}, tmp_path, WEEK)
        assert said(week, "availability").status == status


def test_a_target_that_went_for_good_is_told_where_others_still_answer(tmp_path: Path) -> None:
    """Service discovery dropped it at noon on Thursday: nobody knows whether on purpose. A rollout is no such thing.

    Its last scrape at 11:59 stands for it for 2.5 scrapes of a minute.
    """
    gone = study(tmp_path / "gone", Target("a:80"), Target("b:80", end=10 * DAY + 12 * HOUR))
    assert said(gone, "gaps").status == "pass"
    assert said(gone, "gaps").finding.endswith(
        " b:80 is no target any more from Thu 12 Nov, 12:01 UTC on, and cloudxai ends with 1 target instead of 2."
    )
    pods = [Target("a:80", end=11 * DAY), Target("b:80", end=11 * DAY + 2)]
    rolled = study(tmp_path / "rolled", *pods, Target("c:80", start=11 * DAY - 1), Target("d:80", start=11 * DAY + 1))
    assert "no target" not in said(rolled, "gaps").finding
    assert "no target" not in said(study(tmp_path / "all", Target("a:80")), "gaps").finding
