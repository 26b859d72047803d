"""Every event planted in the demo is found by the check meant for it, with its place, its times and its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cloudxai_analysis.checks import judge, week_status
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.operate.evaluate import FOUND_BY
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import checked_scenario
from cloudxai_analysis.study.study import Study

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIRST, SECOND = "cloudxai-0:8080", "cloudxai-1:8080"
# A cost is known by the hour; all else by the sample.
APART = {"cost_spike": HOUR}
# Rises are counted in whole hours before the recent samples; a cost is held against what history lets expect.
SIZE_OFF = {"cost_spike": 0.10, "semantics_break": 0.01}


@dataclass(frozen=True)
class Planted:
    """A week of a demo in which something is planted."""

    source: DemoSource
    week: Window
    study: Study

    def rows(self) -> list[dict[Any, Any]]:
        """The planted events that begin in the week, and the gauges that break their meaning during it."""
        truth = self.source.truth()
        begun = (truth["start"] >= self.week.start) & (truth["start"] < self.week.end)
        during = (truth["kind"] == "semantics_break") & (truth["start"] < self.week.end)
        return truth[begun | during].to_dict("records")


@cache
def _source(seed: int, scenario: str) -> DemoSource:
    return DemoSource.from_url(f"demo://?seed={seed}&scenario={scenario}")


def _event(kind: str, moment: str, **details: Any) -> dict[str, Any]:
    return {"kind": kind, "at": datetime.fromisoformat(f"2026-{moment}").replace(tzinfo=UTC), **details}


def _planted(name: str, folder: Path) -> Planted:
    week_name, seed, planted = CASES[name]
    if isinstance(planted, str):
        source = _source(seed, planted)
    else:
        source = DemoSource(seed, checked_scenario({"name": "planted", "events": list(planted)}, "the test"))
    week = parse_window(week_name)
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.seed(source.ledger_entries())
    return Planted(source, week, Study(settled, week, MemorySnapshot(source), ledger=ledger, now=week.end))


# What is planted, by a name for people: the week reported, the seed, and the scenario or its events.
CASES: dict[str, tuple[str, int, str | list[dict[str, Any]]]] = {
    "beta": ("2026-W46", 1, "beta"),
    "beta-of-another-seed": ("2026-W46", 7, "beta"),
    "beta-in-w45": ("2026-W45", 1, "beta"),
    "beta-in-w44": ("2026-W44", 7, "beta"),
    "clean": ("2026-W46", 3, "clean"),
    "burst-on-the-second-instance": (
        "2026-W46",
        5,
        [
            _event("burst", "11-11T06:00", instance=SECOND, minutes=60, per_minute=5, stem="sess_"),
            _event("restart", "11-11T10:00", instance=SECOND, minutes=4),
        ],
    ),
    "burst-under-the-cap": ("2026-W45", 5, [_event("burst", "11-07T22:00", minutes=10, per_minute=1, stem="job.")]),
    "one-restart": ("2026-W46", 5, [_event("restart", "11-14T23:50", minutes=15)]),
    "two-restarts-in-one-hour": (
        "2026-W46",
        5,
        [_event("restart", "11-09T12:10", minutes=1), _event("restart", "11-09T12:40", minutes=3)],
    ),
    "gap-over-midnight": ("2026-W46", 5, [_event("scrape_gap", "11-12T23:30", instance=FIRST, minutes=75)]),
    "short-gap": ("2026-W44", 5, [_event("scrape_gap", "10-31T11:00", minutes=4)]),
    "incident-over-midnight": ("2026-W46", 5, [_event("readiness_incident", "11-14T23:58", minutes=5)]),
    "long-incident": ("2026-W45", 5, [_event("readiness_incident", "11-03T04:00", minutes=90)]),
    "hostile-name-that-flaps": (
        "2026-W46",
        5,
        [_event("flapping_tenant", "11-09T00:20", minutes=12, flips_per_minute=2, tenant="a,b <x>")],
    ),
    "storm": ("2026-W44", 5, [_event("alert_storm", "10-27T18:00", tenants=12, minutes=5)]),
    "false-page": ("2026-W46", 5, [_event("false_alert", "11-13T02:00", minutes=30)]),
    "false-ticket-of-the-second-instance": (
        "2026-W46",
        5,
        [_event("false_alert", "11-13T02:00", minutes=8, alertname="ReadinessLatencyHigh", instance=SECOND)],
    ),
    "spike-over-midnight": ("2026-W46", 5, [_event("cost_spike", "11-10T22:00", minutes=240, factor=2.0)]),
    "spike-of-a-formula": (
        "2026-W45",
        5,
        [_event("cost_spike", "11-05T13:30", minutes=600, factor=5.0, tenant="=cmd()")],
    ),
    "gauge-that-only-grows": ("2026-W46", 5, [_event("semantics_break", "11-05T07:00", growth=0.1)]),
}


@pytest.fixture(scope="module", params=list(CASES))
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    return _planted(request.param, tmp_path_factory.mktemp("planted"))


def _found(row: dict[Any, Any], study: Study) -> list[dict[str, Any]]:
    """The events of the check meant for a planted one that share its kind and place, and about its start."""
    apart = APART.get(row["kind"], MINUTE)
    return [
        event
        for event in judge.check(study, FOUND_BY[row["kind"]]).events
        if (event["kind"], event["place"]) == (row["kind"], row["place"])
        if abs(event["start"] - row["start"].to_pydatetime()) <= apart
    ]


def test_every_planted_event_is_found_with_place_start_end_and_size(planted: Planted) -> None:
    for row in planted.rows():
        found = _found(row, planted.study)
        assert len(found) == 1, (row, judge.check(planted.study, FOUND_BY[row["kind"]]).events)
        _ends_as_planted(row, found[0], planted.week)
        # What goes on after the week is only found as far as the week shows it.
        if row["end"] <= planted.week.end:
            assert found[0]["size"] == pytest.approx(row["size"], rel=SIZE_OFF.get(row["kind"], 0.0), abs=0), row


def _ends_as_planted(row: dict[Any, Any], event: dict[str, Any], week: Window) -> None:
    if row["kind"] == "alert_storm":
        # A storm ends ten minutes after its last alert began, the planted one when its last alert is resolved.
        assert event["start"] < event["end"] <= row["end"] + timedelta(minutes=10)
        return
    end = min(row["end"].to_pydatetime(), week.end)
    assert abs(event["end"] - end) <= APART.get(row["kind"], MINUTE), row


def test_no_event_is_found_that_was_not_planted(planted: Planted) -> None:
    rows = planted.source.truth().to_dict("records")
    for key in set(FOUND_BY.values()):
        for event in judge.check(planted.study, key).events:
            # That all tenants together cost more is what a flood of generated names does, and no event beside it.
            flood = event["kind"] == "cost_rise"
            own = [
                row
                for row in rows
                if (row["kind"], row["place"]) == (event["kind"], event["place"])
                or (flood and row["kind"] == "generated_names")
            ]
            apart = timedelta(hours=1) if flood else APART.get(event["kind"], MINUTE)
            assert any(abs(row["start"].to_pydatetime() - event["start"]) <= apart for row in own), event


def test_the_week_passes_if_nothing_is_planted_and_only_then(planted: Planted) -> None:
    kinds = {row["kind"] for row in planted.rows()}
    status = week_status(judge.checks(planted.study))
    assert (status == "pass") == (not kinds), [
        (check.key, check.finding) for check in judge.checks(planted.study) if check.status in ("warn", "fail")
    ]


def test_the_guard_keeps_its_promises_throughout(planted: Planted) -> None:
    check = judge.check(planted.study, "guard")
    assert (check.status, check.value) == ("pass", 0.0), check.finding


def test_every_kind_of_event_is_planted_and_has_its_check() -> None:
    kinds = {event["kind"] for _, _, events in CASES.values() if not isinstance(events, str) for event in events}
    # A burst shows as generated names and, once the process is full, as rejections.
    assert kinds | {"generated_names", "rejections"} == {*FOUND_BY, "burst"}
    assert set(FOUND_BY.values()) <= set(judge.KEYS)
