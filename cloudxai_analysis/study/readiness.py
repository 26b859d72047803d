"""Readiness of a window: availability, error budget, outages, latency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import counters
from cloudxai_analysis.measures import readiness as measure
from cloudxai_analysis.study.frame import Topic, frame, hours, samples, value

SLO_DAYS = 30
_SLO: dict[str, Any] = {"slo": "bounds.availability"}
_COUNTED = ("telemetry.scrapes", "telemetry.starts")


def _slo_window(seen: Window) -> Window:
    """The 30 days that end with what was seen."""
    return Window(seen.end - timedelta(days=SLO_DAYS), seen.end)


def _known(reaching: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """When the platform was ready and when not, over the history."""
    known = reaching[reaching["start"] < end]
    return known.assign(end=known["end"].clip(upper=end))


def _bounds(availability: pd.DataFrame, slo_availability: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Availability with its bounds: of the window, and of the objective's 30 days; one row each, with `period`."""
    found = pd.concat([availability, slo_availability], ignore_index=True)
    found.insert(0, "period", [window.name, f"{SLO_DAYS} days"])
    return found


class Readiness(Topic):
    """Frames on readiness, global and by tenant."""

    slo_window = value(_slo_window, "seen")
    reaching = frame(
        measure.global_readiness, samples("readiness", "reach", markers=True), "telemetry.up", "telemetry.states"
    )
    readiness = frame(_known, "reaching", "end")
    availability = frame(measure.availability, "readiness", "seen", says="Availability in the window.")
    slo_availability = frame(
        measure.availability, "readiness", "slo_window", says="Availability over the 30 days of the SLO."
    )
    daily_availability = frame(measure.daily_availability, "readiness")
    rolling_availability = frame(measure.rolling_availability, "readiness", days=SLO_DAYS)
    error_budget = frame(measure.error_budget, "readiness", "slo_window", **_SLO)
    bounds = frame(_bounds, "availability", "slo_availability", "window")
    burn_rates = frame(measure.burn_rates, "readiness", at="end", **_SLO)
    burn_stretches = frame(measure.burn_stretches, "readiness", "seen", days=SLO_DAYS, **_SLO)
    isolation_breaches = frame(
        measure.isolation_breaches, "outages", "tenant_outages", seen=value(len, "tenant_availability"), end="end"
    )
    outage_history = frame(measure.outages, "reaching", says="When the platform was not ready, up to a day beyond.")
    outages = frame(measure.outages, "reaching", within="start")
    tenant_outages = frame(measure.tenant_outages, "cardinality.tenant_samples", within="start")
    tenant_availability = frame(measure.tenant_availability, "cardinality.window_hours")
    transitions = frame(
        measure.transitions, frame(counters.counter_steps, samples("readiness_transitions", "reach"), *_COUNTED)
    )
    check_latency = frame(
        measure.check_latency, frame(counters.counted_hours, hours("readiness_check", suffix="_bucket"), *_COUNTED)
    )
