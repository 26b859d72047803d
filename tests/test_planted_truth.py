"""Every event planted in the demo is found by the check meant for it, with its place, its times and its size."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from _own_weeks import FOUND_BY
from small_platform import demo_of, demo_study_of, event

from cloudxai_analysis.checks import judge, week_status
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIRST, SECOND = "cloudxai-0:8080", "cloudxai-1:8080"
# A cost is known by the hour; all else by the sample.
APART = {"cost_spike": HOUR}
# Rises are counted in whole hours before the recent samples; a cost is held against what history lets expect.
SIZE_OFF = {"cost_spike": 0.10, "semantics_break": 0.01}


# What is planted, by a name for people: the week reported, and the scenario with its seed, or the events.
CASES: dict[str, tuple[Any, ...]] = {
    "beta": ("2026-W46", "demo://?seed=1&scenario=beta"),
    "beta-of-another-seed": ("2026-W46", "demo://?seed=7&scenario=beta"),
    "beta-in-w45": ("2026-W45", "demo://?seed=1&scenario=beta"),
    "beta-in-w44": ("2026-W44", "demo://?seed=7&scenario=beta"),
    "clean": ("2026-W46", "demo://?seed=3&scenario=clean"),
    "burst-on-the-second-instance": (
        "2026-W46",
        event("burst", "11-11T06:00", 60, instance=SECOND, per_minute=5, stem="sess_"),
        event("restart", "11-11T10:00", 4, instance=SECOND),
    ),
    # Events far enough apart to be told apart share one study: a whole study a case is what takes time.
    "w45": (
        "2026-W45",
        event("burst", "11-07T22:00", 10, per_minute=1, stem="job."),
        event("readiness_incident", "11-03T04:00", 90),
        event("cost_spike", "11-05T13:30", 600, factor=5.0, tenant="=cmd()"),
    ),
    "w44": ("2026-W44", event("scrape_gap", "10-31T11:00", 4), event("alert_storm", "10-27T18:00", 5, tenants=12)),
    "w46-restarts-and-edges": (
        "2026-W46",
        event("restart", "11-09T12:10", 1),
        event("restart", "11-09T12:40", 3),
        event("restart", "11-14T23:50", 15),
        event("scrape_gap", "11-12T23:30", 75, instance=FIRST),
        event("flapping_tenant", "11-09T00:20", 12, flips_per_minute=2, tenant="a,b <x>"),
    ),
    "w46-alerts": (
        "2026-W46",
        event("readiness_incident", "11-14T23:58", 5),
        event("false_alert", "11-13T02:00", 30),
        event("false_alert", "11-11T02:00", 8, alertname="ReadinessLatencyHigh", instance=SECOND),
        event("cost_spike", "11-10T22:00", 240, factor=2.0),
    ),
    "gauge-that-only-grows": ("2026-W46", event("semantics_break", "11-05T07:00", growth=0.1)),
}


def opened(name: str, folder: Path) -> tuple[list[dict[Any, Any]], Window, Study]:
    """All that was planted, and the study of the week reported."""
    week, planted = parse_window(CASES[name][0]), CASES[name][1:]
    source = DemoSource.from_url(planted[0]) if isinstance(planted[0], str) else demo_of(*planted)
    return source.truth().to_dict("records"), week, demo_study_of(source, folder, week)


def held_against(row: dict[Any, Any], week: Window, study: Study) -> None:
    """One event of the check meant for the planted one has its kind and place, and begins, ends and is as large."""
    apart = APART.get(row["kind"], MINUTE)
    events = judge.check(study, FOUND_BY[row["kind"]]).events
    found = [
        one
        for one in events
        if (one["kind"], one["place"]) == (row["kind"], row["place"])
        if abs(one["start"] - row["start"].to_pydatetime()) <= apart
    ]
    assert len(found) == 1, (row, events)
    if row["kind"] == "alert_storm":
        # A storm ends ten minutes after its last alert began, the planted one when its last alert is resolved.
        assert found[0]["start"] < found[0]["end"] <= row["end"] + timedelta(minutes=10)
    else:
        assert abs(found[0]["end"] - min(row["end"].to_pydatetime(), week.end)) <= apart, row
    # What goes on after the week is only found as far as the week shows it.
    if row["end"] <= week.end:
        assert found[0]["size"] == pytest.approx(row["size"], rel=SIZE_OFF.get(row["kind"], 0.0), abs=0), row


@pytest.mark.parametrize("name", CASES)
def test_every_planted_event_is_found_and_no_other(name: str, tmp_path: Path) -> None:
    truth, week, study = opened(name, tmp_path)
    # A gauge that breaks its meaning before the week goes on doing so.
    of_week = [
        row
        for row in truth
        if row["start"] < week.end and (row["start"] >= week.start or row["kind"] == "semantics_break")
    ]
    for row in of_week:
        held_against(row, week, study)
    for one in (one for key in set(FOUND_BY.values()) for one in judge.check(study, key).events):
        # That all tenants together cost more is what a flood of generated names does, and no event beside it.
        flood = one["kind"] == "cost_rise"
        apart = HOUR if flood else APART.get(one["kind"], MINUTE)
        assert any(
            abs(row["start"].to_pydatetime() - one["start"]) <= apart
            for row in truth
            if (row["kind"], row["place"]) == (one["kind"], one["place"])
            or (flood and row["kind"] == "generated_names")
        ), one
    findings = [(check.key, check.finding) for check in judge.checks(study) if check.status in ("warn", "fail")]
    assert (week_status(judge.checks(study)) == "pass") == (not of_week), findings
    guard = judge.check(study, "guard")
    assert (guard.status, guard.value) == ("pass", 0.0), guard.finding


def test_every_kind_of_event_is_planted_and_has_its_check() -> None:
    kinds = {one["kind"] for _, *events in CASES.values() for one in events if not isinstance(one, str)}
    # A burst shows as generated names and, once the process is full, as rejections.
    assert kinds | {"generated_names", "rejections"} == {*FOUND_BY, "burst"}
    assert set(FOUND_BY.values()) <= set(judge.KEYS)
