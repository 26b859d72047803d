"""How the measures grow with the tenants: passes over the column at 1,000 tenants, and the growth exponent up to there.

Hourly rollups of 30 days are made for 500, 1,000 and 2,000 tenants. Each measure is run on each; its exponent is the
slope of log(seconds) over log(tenants) by least squares, and its passes are its seconds at 1,000 tenants divided by
those of one pass over the same frame: the sum of one column by tenant, as pandas does it.

JSON keys: max_exponent, max_passes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures import (
    anomalies,
    cardinality,
    cost,
    cost_data,
    identifiers,
    readiness,
    semantics,
    unit_costs,
)
from cloudxai_analysis.window import DAY, Window, parse_window

LAST = parse_window("2026-W46")
SPAN = Window(LAST.end - 30 * DAY, LAST.end)
SIZES = (500, 1_000, 2_000)
JUDGED = 1_000
ROUNDS = 5
TIME = "datetime64[us, UTC]"
TARGET = {"job": "cloudxai", "instance": "cloudxai-0:8080"}


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


def frames(tenants: int) -> Frames:
    """The rollups, and what is made of them for the measures that take a measure's frame."""
    hours = rollups(tenants)
    days = pd.DataFrame({"day": pd.date_range(SPAN.start, SPAN.end, freq="D", inclusive="left", unit="us")})
    started = pd.DataFrame([TARGET | {"started_at": SPAN.start, "seen_at": SPAN.start, "restarted": False}])
    starts = started.astype({"started_at": TIME, "seen_at": TIME})
    seen = hours.groupby("tenant", observed=True).agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max"))
    arrivals = cardinality.tenant_arrivals(hours, starts)
    return Frames(
        hours=hours,
        covered=days.assign(coverage=1.0, covered=True),
        starts=starts,
        tenants=seen.reset_index(),
        daily=cost.costs_by_day(hours, semantics="rate", currency="EUR"),
        arrivals=arrivals,
        held=cardinality.held_tenants(arrivals, SPAN),
        costs=cost.tenant_costs(hours, LAST, semantics="rate", currency="EUR"),
    )


RATE: dict[str, Any] = {"semantics": "rate", "currency": "EUR"}
MEASURES: dict[str, Callable[[Frames], Any]] = {
    "cardinality.active_tenants": lambda f: cardinality.active_tenants(f.hours),
    "cardinality.tenant_arrivals": lambda f: cardinality.tenant_arrivals(f.hours, f.starts),
    "cardinality.held_tenants": lambda f: cardinality.held_tenants(f.arrivals, SPAN),
    "cardinality.headroom": lambda f: cardinality.headroom(f.held, cap=2_000),
    "cardinality.tenant_churn": lambda f: cardinality.tenant_churn(f.hours, f.covered),
    "cardinality.tenant_sets": lambda f: cardinality.tenant_sets(f.hours, LAST),
    "cardinality.rejections": lambda f: cardinality.rejections(f.hours),
    "identifiers.unstable_identifiers": lambda f: identifiers.unstable_identifiers(f.tenants),
    "cost.hourly_costs": lambda f: cost.hourly_costs(f.hours, **RATE),
    "cost.tenant_costs": lambda f: cost.tenant_costs(f.hours, LAST, **RATE),
    "cost.costs_by_day": lambda f: cost.costs_by_day(f.hours, **RATE),
    "cost.weekly_costs": lambda f: cost.weekly_costs(f.daily),
    "cost.cost_movers": lambda f: cost.cost_movers(f.costs, f.costs),
    "cost.converted": lambda f: cost.converted(f.daily, {"USD": 0.9}, currency="EUR"),
    "cost.concentration": lambda f: cost.concentration(f.costs),
    "cost_data.cost_faults": lambda f: cost_data.cost_faults(f.hours, f.hours, currency="EUR"),
    "unit_costs.cost_per_tenant": lambda f: unit_costs.cost_per_tenant(f.daily),
    "anomalies.cost_anomalies": lambda f: anomalies.cost_anomalies(f.hours, LAST, f.covered, floor=0.1, **RATE),
    "anomalies.anomaly_basis": lambda f: anomalies.anomaly_basis(f.hours, LAST, f.covered, semantics="rate"),
    "semantics.suspects": lambda f: semantics.suspects(f.hours, semantics="rate"),
    "readiness.tenant_availability": lambda f: readiness.tenant_availability(f.hours),
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


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    made = {size: frames(size) for size in SIZES}
    largest = made[JUDGED].hours
    one_pass = seconds_of(lambda: one_pass_over(largest))
    print(f"{len(largest):,} rollups of {JUDGED:,} tenants over 30 days; one pass takes {one_pass * 1e3:.1f} ms.\n")
    print("| measure | ms | passes | growth exponent |\n| --- | ---: | ---: | ---: |")
    exponents, passes = [], []
    for name, measure in MEASURES.items():
        taken = [seconds_of(lambda measure=measure, own=own: measure(own)) for own in made.values()]
        exponents.append(float(np.polyfit(np.log(SIZES), np.log(taken), 1)[0]))
        passes.append(taken[SIZES.index(JUDGED)] / one_pass)
        print(f"| `{name}` | {taken[SIZES.index(JUDGED)] * 1e3:.1f} | {passes[-1]:.1f} | {exponents[-1]:.2f} |")
    if given.json:
        print(json.dumps({"max_exponent": round(max(exponents), 2), "max_passes": round(max(passes), 1)}))


if __name__ == "__main__":
    main()
