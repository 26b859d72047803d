"""Scenarios for the demo with one event of every kind, each at a random time and of a random size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudxai_analysis.ground.window import last_whole_week
from cloudxai_analysis.sources.demo.population import Draws
from cloudxai_analysis.sources.scenario import EXTENT, Scenario, checked_scenario

_DAY_MINUTES = 1440


def random_scenario(seed: int) -> Scenario:
    """One event of every kind in the last week, each at a random time of a day of its own, and of a random size."""
    draws, week = Draws(seed), last_whole_week(EXTENT.end)

    def at(day: int, name: str) -> datetime:
        moment = week.start + timedelta(days=day, minutes=draws.one(f"at/{name}", 60, _DAY_MINUTES - 240))
        return moment.astimezone(UTC)

    def size(name: str, low: int, high: int) -> int:
        # As many small ones as large ones: a random doubling, then a random step within it.
        doublings = (high // low).bit_length()
        base = low << draws.one(f"doubling/{name}", 0, doublings - 1)
        return min(high, draws.one(f"size/{name}", base, 2 * base - 1))

    burst = size("burst", 1, 40)
    events = [
        {"kind": "burst", "at": at(0, "burst"), "minutes": 15, "per_minute": burst, "stem": "sess-"},
        {"kind": "restart", "at": at(1, "restart"), "minutes": size("restart", 1, 8)},
        {"kind": "scrape_gap", "at": at(1, "gap"), "minutes": size("gap", 3, 90)},
        {"kind": "readiness_incident", "at": at(2, "incident"), "minutes": size("incident", 1, 30)},
        {
            "kind": "flapping_tenant",
            "at": at(3, "flapping"),
            "minutes": size("flapping", 4, 60),
            "flips_per_minute": draws.one("flips", 1, 5),
        },
        {"kind": "alert_storm", "at": at(4, "storm"), "tenants": size("storm", 4, 24), "minutes": 6},
        {"kind": "false_alert", "at": at(5, "false"), "minutes": size("false", 3, 20)},
        {
            "kind": "cost_spike",
            "at": at(5, "spike"),
            "minutes": size("spike", 60, 480),
            "factor": 1 + size("factor", 5, 320) / 100,
        },
        {
            "kind": "semantics_break",
            "at": at(-4, "semantics"),
            "growth": size("growth", 2, 128) / 1000,
        },
    ]
    return checked_scenario({"name": f"random-{seed}", "events": events}, "evaluation")
