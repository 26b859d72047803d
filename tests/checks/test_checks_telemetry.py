"""What the checks of the telemetry itself say, row by row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from by_hand import at, table
from planted_study import WEEK, Planted

from cloudxai_analysis.ground.window import Window

GAP = ("cloudxai", "cloudxai-1:8080", "2026-11-11 14:19", "2026-11-11 15:10", 3060.0, 50)
START = ("cloudxai-0:8080", "2026-11-10 19:03:48")
ENDLESS = "x\ny" + "z" * 5000


def days(*shares: float, first: str = "2026-11-09") -> pd.DataFrame:
    rows = zip(pd.date_range(first, periods=len(shares)), shares, strict=True)
    return table("day coverage", *rows, job="cloudxai", expected_minutes=1440.0)


def coverage(
    *shares: float, failed: float = 0.0, first: str = "2026-11-09", began: str | None = "2026-10-01", hours: float = 168
) -> Planted:
    """Days of the least covered job from `first` on, of a telemetry that began then, seen for so many hours."""
    covered = days(*shares, first=first)
    frames = {
        "telemetry.coverage": covered.assign(failed_share=failed),
        "telemetry.covered": covered.assign(covered=covered["coverage"] >= 0.95),
        "telemetry.held": table("start", *([(began,)] if began else [])),
    }
    return Planted("coverage", frames, seen=Window(WEEK.start, WEEK.start + timedelta(hours=hours), WEEK.name))


def gaps(*rows: Any, seen: int = 7) -> Planted:
    frames = {
        "telemetry.gaps": table("job instance start end seconds missing", *rows),
        "telemetry.coverage": days(*[1.0] * seen),
    }
    return Planted("gaps", frames)


def restarts(*rows: Any, planned: Any = (), starts: Any = (START,)) -> Planted:
    """Restarts of the window, and what the ledger has planned: (kind, start, end, tenant)."""
    frames = {
        "telemetry.restarts": table("instance started_at", *rows),
        "telemetry.starts": table("instance started_at", *starts),
    }
    entries = [
        {"kind": kind, "start": at(f"10 {start}"), "end": at(f"10 {end}"), "tenant": who}
        for kind, start, end, who in planned
    ]
    return Planted("restarts", frames, entries=tuple(entries))


def labels(*rows: Any, tenants: int = 3, series: int = 9) -> Planted:
    """Unexpected labels, and how many tenants a tenants' metric names."""
    frames = {
        "telemetry.unexpected_labels": table("role metric label values series start", *rows),
        "telemetry.inventory": pd.DataFrame({"series": [series]}),
        "cardinality.series_by_metric": table("metric tenants", ("tenant_readiness_state", tenants)),
    }
    return Planted("labels", frames)


CLUSTER = ("cost", "tenant_cost_estimate", "cluster", ("a", "b"), 8, "2026-11-09 00:00")
BEGAN = {"first": "2026-11-11", "began": "2026-11-11 12:00"}
ROWS = [
    coverage(*[1.0] * 6, 0.95, failed=0.002).says(
        "pass",
        "All 7 whole days of 2026-W46 are covered: 99.29 % of the time was seen, 0.20 % of the scrapes failed.",
        value=6.95 / 7,
        bound=0.95,
        bound_key="coverage",
        unit="share",
    ),
    coverage(1.0, 1.0, 0.9499, 1.0, 0.5, 1.0, 1.0).says(
        "warn",
        "2 of 7 days of 2026-W46 not covered, the least with 12 hours of 24 hours; 92.14 % of the time…",
        since=at("11 00:00"),
        size="2 uncovered days",
    ),
    # Of Monday and Tuesday there is no row, though the telemetry began long before.
    coverage(*[1.0] * 5, first="2026-11-11").says(
        "warn", "2 of 7 days of 2026-W46 not covered, the least with 0 seconds of 24 hours; 71.43 % of the…"
    ),
    # It began on Wednesday: of what was before nobody can know, and it is no fault.
    coverage(0.5, 1.0, 1.0, 1.0, 1.0, **BEGAN).says(
        "unknown", "What was before Wed 11 Nov, 12:00 UTC is unknown, for the telemetry of 2026-W46 begins there…"
    ),
    coverage(0.5, 1.0, 0.2, 1.0, 1.0, **BEGAN).says("warn", "1 of 7 days of 2026-W46 not covered…4.8 hours of 24…"),
    # The day under way is none of the days yet.
    coverage(1.0, 1.0, 0.375, hours=57).says("pass", "All 2 whole days of 2026-W46…100.00 % of the time…", value=1.0),
    coverage(7 / 1440, hours=7 / 60, began="2026-11-09").says(
        "unknown", "Too early to tell: 7 minutes seen, since Mon 9 Nov, 00:00 UTC.", value=1.0
    ),
    # Of a single scrape nobody knows for how long it speaks.
    coverage(began="2026-11-09").says(
        "unknown", "Too early to tell: scraped for the first time on Mon 9 Nov, 00:00 UTC.", value=None, bound=0.95
    ),
    coverage(began=None).says("unknown", "No sample of 'up' for the contract's jobs in 2026-W46: nobody…", value=None),
    gaps().says("pass", "No gap in the scrapes of 1 job in the 7 days of 2026-W46.", value=0.0, events=()),
    gaps(GAP).says(
        "warn",
        "cloudxai-1:8080 was not scraped for 51 minutes from Wed 11 Nov, 14:19 UTC.",
        value=50.0,
        size="50 scrapes missing",
        since=at("11 14:19"),
        events=(("scrape_gap", "cloudxai-1:8080", 50.0, "scrapes"),),
    ),
    # Two hours in which nobody was scraped weigh more than a day in which others stood in.
    gaps(
        ("cloudxai", "cloudxai-0:8080", "2026-11-10 03:00", "2026-11-11 03:00", 86400.0, 1439),
        ("cloudxai", "", "2026-11-12 10:00", "2026-11-12 12:00", 7200.0, 119),
    ).says(
        "warn",
        "No target of cloudxai was scraped for 2 hours from Thu 12 Nov, 10:00 UTC, the longest of 2 gaps.",
        action="Find out why cloudxai was no target from Thu 12 Nov, 10:00 UTC.",
        since=at("10 03:00"),
        events=(("scrape_gap", "cloudxai-0:8080", 1439.0, "scrapes"), ("scrape_gap", "cloudxai", 119.0, "scrapes")),
    ),
    gaps(seen=0).says("unknown", "…there are no two samples of 'up' to tell by."),
    gaps(("cloudxai", ENDLESS, *GAP[2:])).says("warn", events=(("scrape_gap", ENDLESS, 50.0, "scrapes"),)),
    restarts(START, planned=[("deploy", "18:00", "18:40", "")]).says("pass"),
    restarts(START, planned=[("maintenance", "19:30", "20:00", "")]).says("pass"),
    restarts(START, planned=[("deploy", "18:00", "18:33", "")]).says("warn"),
    restarts(START, planned=[("deploy", "18:00", "20:00", "acme")]).says("warn"),
    restarts(START).says(
        "warn",
        "cloudxai-0:8080 restarted on Tue 10 Nov, 19:03 UTC, and no deploy or maintenance in the ledger says why.",
        value=1.0,
        since=at("10 19:03:48"),
        events=(("restart", START[0], 1.0, "restart"),),
    ),
    restarts().says("pass", "No process restarted in 2026-W46.", value=0.0),
    restarts(starts=()).says("unknown", "Restarts in 2026-W46 are unknown: no process exports when it began."),
    labels().says("pass", "No label outside of the contract tells series apart at the same time in 2026-W46."),
    labels(tenants=0).says(
        "warn",
        "No series of tenant_readiness_state has the label 'tenant' in 2026-W46: they are no tenant's, and in no "
        "number.",
        size="1 metric",
    ),
    labels(CLUSTER, ("cost", "x", "pod", ("p", ""), 2, "2026-11-10 00:00")).says(
        "warn",
        "Series of tenant_cost_estimate that the contract takes for one are several at a time, told apart by "
        "'cluster' (a, b); so do 'pod': sums may count twice, or mix what is apart.",
        value=2.0,
        size="10 series",
        since=at("09 00:00"),
        action="Say what 'cluster' is: …or 'matchers' of the environment, for one of them alone.",
    ),
    labels(series=0).says("unknown", "…there is no series of the contract."),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()
