"""How the measures grow with the tenants: passes over the column at 1,000 tenants, and the growth exponent up to there.

Hourly rollups of 30 days are made for 500, 1,000 and 2,000 tenants. Each measure is run on each; its exponent is the
slope of log(seconds) over log(tenants) by least squares, and its passes are its seconds at 1,000 tenants divided by
those of one pass over the frame that it reads: the sum of the rollups by tenant, by pandas; the label sets read
once, by the standard library's JSON, for measures of the series table; the samples' mean by tenant, for those of each
scrape.

A forecast reads some 30 numbers and simulates a thousand paths: its time does not depend on the telemetry, and
passes say nothing of it. It is listed with its seconds, and its exponent counts like any other.

JSON keys: max_exponent, max_passes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.measures import (
    agreement,
    anomalies,
    cardinality,
    cost,
    focus,
    identifiers,
    labels,
    readiness,
    semantics,
    telemetry,
    time_to_cap,
)
from cloudxai_analysis.measures.time_seen import holds

LAST = parse_window("2026-W46")
SPAN = Window(LAST.end - 30 * DAY, LAST.end)
MONTH = parse_window("2026-11")
SIZES = (500, 1_000, 2_000)
JUDGED = 1_000
ROUNDS = 5
TIME = "datetime64[us, UTC]"
TARGET = {"job": "cloudxai", "instance": "cloudxai-0:8080"}
FULLEST = pd.DataFrame([TARGET]).assign(held=1_000)


@dataclass(frozen=True)
class Frames:
    """What the measures take, for one number of tenants."""

    hours: pd.DataFrame
    covered: pd.DataFrame
    starts: pd.DataFrame
    tenants: pd.DataFrame
    daily: pd.DataFrame
    arrivals: pd.DataFrame
    held: pd.DataFrame
    costs: pd.DataFrame
    hourly: pd.DataFrame
    rolling: pd.DataFrame
    lifetimes: pd.DataFrame
    arriving: pd.DataFrame
    series: pd.DataFrame
    ready: pd.DataFrame
    tenant_samples: pd.DataFrame
    outages: pd.DataFrame
    tenant_outages: pd.DataFrame


def rollups(tenants: int) -> pd.DataFrame:
    """One gauge a tenant, an hour's rollup for each hour that it lives: half of them all the time, half in part."""
    draw = np.random.default_rng(tenants)
    hours = pd.date_range(SPAN.start, SPAN.end, freq="h", inclusive="left", unit="us")
    begin = np.where(np.arange(tenants) % 2, 0, draw.integers(0, len(hours) // 2, tenants))
    end = np.where(np.arange(tenants) % 2, len(hours), begin + draw.integers(24, len(hours) // 2, tenants))
    code = np.repeat(np.arange(tenants), end - begin)
    hour = np.concatenate([np.arange(first, last) for first, last in zip(begin, end, strict=True)])
    value = (
        draw.gamma(2.0, 0.5, tenants)[code]
        * (1 + 0.3 * np.sin(hour * 2 * np.pi / 24))
        * draw.lognormal(0, 0.1, len(code))
    )
    stamp = hours[hour]
    names = pd.Index([f"tenant-{number:04d}" for number in range(tenants)], dtype="str")
    last = pd.Series(stamp) + pd.Timedelta(minutes=59)
    fields = {"first": value, "last": value, "min": value, "max": value, "sum": 60 * value, "integral": 3600 * value}
    frame = pd.DataFrame(
        {"series_id": code.astype("int64"), "hour": stamp, "samples": 60, "first_ts": stamp, "last_ts": last}
    )
    counts = {"increase": 0.0, "resets": 1, "changes": 60, "nan_samples": 0, "stale_markers": 0}
    labels = {name: pd.Categorical([text] * len(frame)) for name, text in (TARGET | {"currency": ""}).items()}
    return frame.assign(**fields, **counts, **labels, tenant=pd.Categorical.from_codes(code, categories=names))


def series_table(seen: pd.DataFrame) -> pd.DataFrame:
    """Two gauges of each tenant, and a counter by tenant and status."""
    kinds = [("tenant_readiness", {}), ("tenant_cost_estimate", {"currency": "EUR"})]
    kinds += [("tenant_requests_total", {"status": status}) for status in ("200", "404", "429", "500")]
    rows = [
        (metric, json.dumps(TARGET | own | {"tenant": row.tenant}, sort_keys=True), row.first_seen, row.last_seen, 720)
        for metric, own in kinds
        for row in seen.itertuples()
    ]
    table = pd.DataFrame(rows, columns=["metric", "labels", "first_seen", "last_seen", "samples"])
    return table.astype({"metric": "str", "labels": "str", "first_seen": TIME, "last_seen": TIME})


def not_ready(count: int, minutes: int, draw: np.random.Generator) -> np.ndarray:
    """For each of `count` gauges a value a minute, 0 in some stretches of 20 minutes."""
    down = draw.random((count, minutes // 20 + 1)) < 0.01
    return 1.0 - np.repeat(down, 20, axis=1)[:, :minutes]


def scrapes(tenants: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Global readiness over 30 days, and a week of the tenth of the tenants that were ever not ready."""
    draw = np.random.default_rng(tenants)
    times = pd.date_range(SPAN.start, SPAN.end, freq="min", inclusive="left", unit="us")
    gauge = pd.DataFrame({"series_id": 0, "time": times, "value": not_ready(1, len(times), draw)[0], **TARGET})
    up = gauge.iloc[:0]
    ready = readiness.global_readiness(gauge, up, telemetry.job_states(holds(up)))
    week = times[times >= LAST.start]
    names = pd.Index([f"tenant-{number:04d}" for number in range(tenants // 10)], dtype="str")
    samples = pd.DataFrame(
        {
            "series_id": np.repeat(np.arange(len(names)), len(week)),
            "time": np.tile(week, len(names)),
            "value": not_ready(len(names), len(week), draw).ravel(),
            "tenant": pd.Categorical.from_codes(np.repeat(np.arange(len(names)), len(week)), categories=names),
        }
    )
    return ready, samples.assign(time=samples["time"].astype(TIME), instance=pd.Categorical(["a"] * len(samples)))


def frames(tenants: int) -> Frames:
    """The rollups, and what is made of them for the measures that take a measure's frame."""
    hours = rollups(tenants)
    days = pd.DataFrame({"day": pd.date_range(SPAN.start, SPAN.end, freq="D", inclusive="left", unit="us")})
    process = TARGET | {"started_at": SPAN.start, "seen_at": SPAN.start, "until": SPAN.end}
    started = pd.DataFrame([process | {"restarted": False, "processes": 1}])
    starts = started.astype({"started_at": TIME, "seen_at": TIME, "until": TIME})
    seen = hours.groupby("tenant", observed=True).agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max"))
    arrivals = cardinality.tenant_arrivals(hours, starts)
    covered = days.assign(coverage=1.0, covered=True)
    ready, samples = scrapes(tenants)
    rolling = hours.assign(window=pd.Categorical(["24h"] * len(hours)), last=24 * hours["last"])
    hourly = cost.hourly_costs(hours, semantics="rate", currency="EUR")
    return Frames(
        hours=hours,
        covered=covered,
        starts=starts,
        tenants=seen.reset_index(),
        daily=cost.costs_by_day(hourly),
        arrivals=arrivals,
        held=cardinality.held_tenants(arrivals, SPAN, starts),
        costs=cost.tenant_costs(hourly, LAST),
        hourly=hourly,
        rolling=rolling,
        lifetimes=cardinality.tenant_lifetimes(hours, end=pd.Timestamp(SPAN.end)),
        arriving=time_to_cap.daily_arrivals(arrivals, covered, SPAN, cap=2 * max(SIZES), fullest=FULLEST),
        series=series_table(seen.reset_index()),
        ready=ready,
        tenant_samples=samples,
        outages=readiness.outages(ready),
        tenant_outages=readiness.tenant_outages(samples),
    )


NEVER = pd.DataFrame({"start": pd.to_datetime([], utc=True), "end": pd.to_datetime([], utc=True)})
HOURS = pd.date_range(SPAN.start, SPAN.end, freq="h", inclusive="left", unit="us")
COVERED_HOURS = pd.DataFrame({"hour": HOURS, "covered": True})
RATE: dict[str, Any] = {"semantics": "rate", "currency": "EUR"}


def grid(f: Frames) -> Any:
    """The hours that costs are held against, of a gauge that never broke."""
    breaks = NEVER.assign(tenant="")
    return anomalies.cost_grid(f.hours, LAST, COVERED_HOURS, breaks=breaks, generated=(), **RATE)


MEASURES: dict[str, Callable[[Frames], Any]] = {
    "cardinality.active_tenants": lambda f: cardinality.active_tenants(f.hours),
    "cardinality.tenant_arrivals": lambda f: cardinality.tenant_arrivals(f.hours, f.starts),
    "cardinality.held_tenants": lambda f: cardinality.held_tenants(f.arrivals, SPAN, f.starts),
    "cardinality.headroom": lambda f: cardinality.headroom(f.held, cap=2_000),
    "cardinality.tenant_churn": lambda f: cardinality.tenant_churn(f.hours, f.covered),
    "cardinality.tenant_sets": lambda f: cardinality.tenant_sets(f.hours, LAST),
    "identifiers.generated_names": lambda f: identifiers.generated_names(f.arrivals, refusals=NEVER, gaps=NEVER),
    "cost.hourly_costs": lambda f: cost.hourly_costs(f.hours, **RATE),
    "cost.tenant_costs": lambda f: cost.tenant_costs(f.hourly, LAST),
    "cost.costs_by_day": lambda f: cost.costs_by_day(f.hourly),
    "cost.weekly_costs": lambda f: cost.weekly_costs(f.daily),
    "cost.cost_movers": lambda f: cost.cost_movers(f.costs, f.costs),
    "cost.concentration": lambda f: cost.concentration(f.costs),
    "semantics.cost_faults": lambda f: semantics.cost_faults(f.hours, f.hours, currency="EUR"),
    "cost.cost_per_tenant": lambda f: cost.cost_per_tenant(f.daily),
    "anomalies.cost_anomalies": lambda f: anomalies.cost_anomalies(grid(f), floor=0.1, hour_floor=2.0),
    "anomalies.anomaly_basis": lambda f: anomalies.anomaly_basis(grid(f)),
    "semantics.suspects": lambda f: semantics.suspects(f.hours, semantics="rate"),
    "readiness.tenant_availability": lambda f: readiness.tenant_availability(f.hours),
    "cardinality.tenant_cohorts": lambda f: cardinality.tenant_cohorts(f.hours, f.covered, SPAN),
    "cardinality.tenant_lifetimes": lambda f: cardinality.tenant_lifetimes(f.hours, end=pd.Timestamp(SPAN.end)),
    "time_to_cap.daily_arrivals": lambda f: time_to_cap.daily_arrivals(
        f.arrivals, f.covered, SPAN, cap=4_000, fullest=FULLEST
    ),
    "agreement.cost_agreement": lambda f: agreement.cost_agreement(f.hourly, f.rolling, f.covered, label="window"),
    "focus.focus_rows": lambda f: focus.focus_rows(
        f.daily, f.covered, provider="CloudxAi", billing_account="beta", metric="tenant_cost_estimate"
    ),
}
OF_SERIES: dict[str, Callable[[Frames], Any]] = {
    "labels.series_by_metric": lambda f: labels.series_by_metric(f.series, LAST),
    "labels.label_savings": lambda f: labels.label_savings(f.series, needed=["tenant"]),
}
OF_SCRAPES: dict[str, Callable[[Frames], Any]] = {
    "readiness.isolation_breaches": lambda f: readiness.isolation_breaches(
        f.outages, f.tenant_outages, seen=f.tenants.shape[0], end=pd.Timestamp(LAST.end)
    ),
    "readiness.burn_rates": lambda f: readiness.burn_rates(f.ready, slo=0.999, at=pd.Timestamp(LAST.end)),
    "readiness.burn_stretches": lambda f: readiness.burn_stretches(f.ready, LAST, slo=0.999),
}
FORECASTS: dict[str, Callable[[Frames], Any]] = {
    "time_to_cap.time_to_cap": lambda f: time_to_cap.time_to_cap(
        *(f.arriving, time_to_cap.arrivals_ahead(f.arriving), f.arrivals, NEVER),
        **{"fullest": FULLEST, "cap": 4_000, "expected": 0, "generated": (), "end": pd.Timestamp(SPAN.end)},
    ),
    "cost.month_projection": lambda f: cost.month_projection(f.daily, f.covered, MONTH, until=pd.Timestamp(LAST.end)),
    "cost.budget_course": lambda f: cost.budget_course(
        f.daily,
        {"tenant-0001": 500.0, "tenant-0003": 900.0},
        f.covered,
        MONTH,
        until=pd.Timestamp(LAST.end),
        currency="EUR",
    ),
}


def seconds_of(run: Callable[[], Any]) -> float:
    """The smallest wall time of some runs."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


def one_pass_over(hours: pd.DataFrame) -> pd.Series:
    """One column added up by tenant."""
    return hours.groupby("tenant", observed=True)["integral"].sum()


def one_pass_over_series(series: pd.DataFrame) -> list[dict[str, str]]:
    """The label sets, read."""
    return [json.loads(labels) for labels in series["labels"]]


def one_pass_over_scrapes(samples: pd.DataFrame) -> pd.Series:
    """The values' mean by tenant."""
    return samples.groupby("tenant", observed=True)["value"].mean()


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    made = {size: frames(size) for size in SIZES}
    judged = made[JUDGED]
    kinds: list[tuple[str, dict[str, Callable[[Frames], Any]], float | None]] = [
        (f"{len(judged.hours):,} rollups of 30 days", MEASURES, seconds_of(lambda: one_pass_over(judged.hours))),
        (f"{len(judged.series):,} series", OF_SERIES, seconds_of(lambda: one_pass_over_series(judged.series))),
        (
            f"{len(judged.tenant_samples):,} scrapes",
            OF_SCRAPES,
            seconds_of(lambda: one_pass_over_scrapes(judged.tenant_samples)),
        ),
        ("daily sums", FORECASTS, None),
    ]
    exponents, passes = [], []
    for read, measures, one_pass in kinds:
        length = f", one pass over which takes {one_pass * 1e3:.1f} ms" if one_pass else ""
        print(f"\nOf {read}{length}:\n\n| measure | ms | passes | growth exponent |\n| --- | ---: | ---: | ---: |")
        for name, measure in measures.items():
            taken = [seconds_of(partial(measure, own)) for own in made.values()]
            at_judged = taken[SIZES.index(JUDGED)]
            exponents.append(float(np.polyfit(np.log(SIZES), np.log(taken), 1)[0]))
            passes.append(at_judged / one_pass if one_pass else 0.0)
            told = f"{passes[-1]:.1f}" if one_pass else ""
            print(f"| `{name}` | {at_judged * 1e3:.1f} | {told} | {exponents[-1]:.2f} |")
    if given.json:
        print(json.dumps({"max_exponent": round(max(exponents), 2), "max_passes": round(max(passes), 1)}))


if __name__ == "__main__":
    main()
