"""What a study says of alerts: storms that hid each other, what goes over a week's edge, and what silence is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudxai_analysis.cards import alerts
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT, checked_scenario
from cloudxai_analysis.study.study import Study


class Silent(MemorySnapshot):
    """A server that stores no alert and does not say which rules it has loaded."""

    rules = None

    def samples(self, metric: str, *rest: Any, **more: Any) -> Any:
        frame = super().samples(metric, *rest, **more)
        return frame.iloc[:0] if metric.startswith("ALERTS") else frame


def study(folder: Path, week: str, *storms: str, now: datetime | None = None, kind: type = MemorySnapshot) -> Study:
    """A study of a demo in which thirty tenants' alerts begin within twenty minutes at each of these times."""
    events = [
        {
            "kind": "alert_storm",
            "at": datetime.fromisoformat(f"2026-{at}").replace(tzinfo=UTC),
            "tenants": 30,
            "minutes": 20,
        }
        for at in storms
    ]
    source = DemoSource(3, checked_scenario({"name": "planted", "events": events}, "the test"))
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.seed(source.ledger_entries())
    window = parse_window(week)
    return Study(settled, window, kind(source), ledger=ledger, now=now or window.end)


def test_each_storm_of_a_quiet_platform_is_found(tmp_path: Path) -> None:
    days = (9, 10, 11, 12, 13)
    found = judge.check(study(tmp_path, "2026-W46", *[f"11-{day:02d}T09:00" for day in days]), "storms")
    assert (found.status, found.value) == ("warn", float(len(days)))
    assert [(event["start"].day, event["size"]) for event in found.events] == [(day, 26.0) for day in days]


def test_a_storm_over_the_weeks_edge_is_whole_where_it_begins_and_named_by_the_next(tmp_path: Path) -> None:
    first = study(tmp_path, "2026-W45", "11-08T23:52", now=datetime(2026, 11, 10, tzinfo=UTC))
    assert [event["size"] for event in judge.check(first, "storms").events] == [26.0]
    after = study(tmp_path, "2026-W46", "11-08T23:52")
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
    minutes = study(tmp_path, "2026-W41", now=EXTENT.start + timedelta(minutes=7))
    silent = study(tmp_path, "2026-W46", kind=Silent)
    for key in keys:
        assert judge.check(minutes, key).status == "unknown", key
        assert "7 minutes seen" in judge.check(minutes, key).finding
        assert judge.check(silent, key).status == "unknown", key
        assert "no alert was ever stored" in judge.check(silent, key).finding
    assert "no alert was ever stored" in alerts.episodes(silent).empty
