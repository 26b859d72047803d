"""What the checks of the tenants' costs say, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from _memory import MemorySnapshot
from by_hand import at, table
from planted_study import WEEK, Planted
from small_platform import study_over

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.measures.cost import unserved_costs
from cloudxai_analysis.measures.semantics import CAUSES
from cloudxai_analysis.sources.demo import DemoSource

HOURS = pd.DataFrame({"hour": pd.date_range("2026-11-09", periods=168, freq="h", tz="UTC", unit="us"), "covered": True})
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-12", "2026-11-15", tz="UTC", unit="us"), "covered": True})
FEW, THREE = (COVERED.assign(covered=COVERED["day"] >= at(day)) for day in ("11-14", "11-13"))
HOLES = COVERED.assign(covered=COVERED["day"] != pd.Timestamp("2026-11-12", tz="UTC"))
NAN, ENDLESS, MIDNIGHT = float("nan"), "x\ny" + "z" * 5000, at("12 00:00")
SPIKE = {
    **{"tenant": "acme", "currency": "", "since": at("13 09:00"), "start": at("13 09:00"), "end": at("13 15:00")},
    **{"hours": 6, "unseen": 0, "cost": 36.0, "expected": 12.0, "excess": 24.0, "score": 48.0},
    **{"generated": NAN, "unknown": ""},
}
TOTAL = {**SPIKE, "tenant": "", "excess": 580.0, "expected": 1000.0, "cost": 1580.0, "generated": 700.0}
RHYTHM = {**SPIKE, "unknown": "the like came once before"}
GROWS = {
    **{"tenant": "flat", "finding": "only_grows", "rises": 214, "falls": 0},
    **{"start": at("02 00:00"), "end": at("15 23:59"), "metric": "tenant_cost_estimate"},
}
FALLS = {**GROWS, "tenant": "b", "finding": "falls_in_window", "rises": 5, "falls": 900}
DRIFTED = {"tenant": "acme", "currency": "EUR", "estimate": 90.0, "other": 100.0, "drift": -0.1}
AGREEING = {**DRIFTED, "estimate": 96.0, "drift": -0.04}
FAULT = {
    **{"cause": "left behind", "tenants": 2, "examples": ("acme", "moved-on"), "hours": 60},
    **{"start": WEEK.start, "end": WEEK.end, "amount": 30.0, "currency": "EUR"},
}
INFINITE = FAULT | {"cause": "infinite", "amount": NAN}
BILL = {"source": "invoice 2026-11", "start": WEEK.start, "end": WEEK.end, "currency": "EUR", "allocated": 90.0}


def costs(amounts: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"tenant": [f"t{number}" for number in range(len(amounts))], "currency": "EUR", "cost": amounts}
    )


BUT_NEWCOMERS = "All tenants together, newcomers aside, cost 580 EUR more…"


def anomalies(*spikes: Any, judged: Any = (True, True), covered: pd.DataFrame = HOURS) -> Planted:
    basis = pd.DataFrame({"tenant": range(len(judged)), "judged": list(judged)}).astype({"judged": bool})
    frames = {"cost.cost_stretches": table(SPIKE, *spikes), "cost.anomaly_basis": basis}
    return Planted("anomalies", {**frames, "telemetry.covered_hours": covered}, settings={"cost_anomaly_floor": 0.5})


def in_a_drill(row: Planted, tenant: str, *, cost: float = 0.0) -> Planted:
    """The same, with a drill of one tenant, which cost so much in its first hour."""
    drill = {"kind": "drill", "start": "2026-11-13T09:10Z", "end": "2026-11-13T14:30Z", "tenants": [tenant]}
    hours = pd.DataFrame({"tenant": [tenant], "currency": ["EUR"], "hour": [at("13 09:00")], "cost": [cost]})
    return replace(row, frames={**row.frames, "cost.hourly_costs": hours}, entries=({**drill, "summary": "load"},))


def semantics(*breaks: Any, amounts: Any = (5, 6), covered: Any = COVERED, told: Any = ("t0", "t1")) -> Planted:
    frames = {"cost.semantics_breaks": table(GROWS, *breaks), "cost.costs": costs(amounts)}
    return Planted("semantics", {**frames, "cost.able_to_tell": list(told), "telemetry.covered": covered})


def reconciliation(*rows: Any, covered: pd.DataFrame = COVERED) -> Planted:
    return Planted("reconciliation", {"cost.reconciliation": table(DRIFTED, *rows), "telemetry.covered": covered})


def agreement(*rows: Any) -> Planted:
    columns = "gauge named currency compared unknown median worst apart tenant at"
    return Planted("agreement", {"cost.agreement": table(columns, *rows)})


def conservation(
    *totals: float, amounts: Any = (60, 30), share: float = 1.0, window: Window = WEEK, **bill: Any
) -> Planted:
    own = BILL | {"covered_share": share} | bill
    rows = [own | {"total": total, "rest": total - own["allocated"]} for total in totals]
    bills = table([*own, "total", "rest"], *rows)
    return Planted("conservation", {"cost.costs": costs(amounts), "cost.bills": bills}, window=window)


def cost_data(*faults: Any, amounts: Any = (1.0,), before: Any = ()) -> Planted:
    frames = {"cost.faults": table(FAULT, *faults), "cost.faults_before": table(FAULT, *before)}
    return Planted("cost_data", {**frames, "cost.costs": costs(amounts)})


def budgets(*rows: Any) -> Planted:
    frame = table("tenant currency budget spent answer spent_on", *rows)
    return Planted("budgets", {"cost.budgets": frame, "cost.month": parse_window("2026-11")})


def says(text: str) -> str:
    return f"…{text}…"


def unserved(*rows: tuple[str, float, float | None], currency: str = "EUR") -> Planted:
    """A row per tenant: what its one hour cost, and how many of the hour's 60 samples were ready; None without any."""
    hour = at("13 09:00")
    costs = [(tenant, currency, hour, cost) for tenant, cost, _ in rows]
    told = [(tenant, hour, ready, 60) for tenant, _, ready in rows if ready is not None]
    hourly = table("tenant currency hour cost", *costs)
    found = unserved_costs(hourly, table("tenant hour sum samples", *told))
    frames = {"cost.hourly_costs": hourly, "cost.unserved_costs": found}
    return Planted("unserved", frames, settings={"cost_hour_floor": 0.5})


OTTER = ("otter", "EUR", 500.0, 200.0, "will be spent", at("28 00:00"))
GAUGE = ("r", "7d", "EUR", 80, 0)
OF_LOAD = "What cost more in 2026-W46 than its history explains is of drills: 1 by the drill 'load'."
ROWS = [
    in_a_drill(anomalies(SPIKE), "acme").says("pass", OF_LOAD, value=0.0, events=()),
    in_a_drill(anomalies(SPIKE), "other").says("warn", "acme cost 24.00 EUR more…+200 %)."),
    in_a_drill(anomalies(SPIKE, {**SPIKE, "tenant": "b"}), "acme").says(
        "warn", "b cost 24.00 EUR more…; beside them 1 by the drill 'load'."
    ),
    # Without the drill's tenant less than 0.5 EUR would be left of it all, or more.
    in_a_drill(anomalies(TOTAL), "acme", cost=579.6).says("pass", OF_LOAD),
    in_a_drill(anomalies(TOTAL), "acme", cost=579.4).says("warn", BUT_NEWCOMERS),
    anomalies(SPIKE).says(
        "warn",
        "acme cost 24.00 EUR more than its history explains from Fri 13 Nov, 09:00 UTC, for 6 hours (36.00 EUR instead "
        "of 12.00 EUR, +200 %).",
        **{"value": 24.0, "unit": "EUR", "bound": 0.5, "bound_key": "cost_anomaly_floor", "since": at("13 09:00")},
        events=(("cost_spike", "acme", 24.0, "EUR"),),
    ),
    # Currencies are not added up.
    anomalies(SPIKE, {**SPIKE, "tenant": "b", "excess": 400.0, "currency": "USD"}).says(
        "warn",
        "2 sudden costs of 2 tenants in 2026-W46, the largest: b cost 400 USD more…",
        size="24.00 EUR and 400 USD beyond what was expected in 2026-W46",
        events=(("cost_spike", "acme", 24.0, "EUR"), ("cost_spike", "b", 400.0, "USD")),
    ),
    # The tenant's 24 EUR are among the 580: they are not added to them.
    anomalies(TOTAL, SPIKE).says(
        "warn",
        "2 sudden costs of 1 tenant, and of all together, in 2026-W46, the largest: all tenants together, "
        "newcomers aside, cost 580 EUR more than "
        "their history explains…+58 %), in which generated names cost 700 EUR.",
        events=(("cost_rise", "all tenants together", 580.0, "EUR"), ("cost_spike", "acme", 24.0, "EUR")),
        size="580 EUR…",
        action="…makes up tenant names…",
    ),
    anomalies(TOTAL).says("warn", BUT_NEWCOMERS),
    anomalies({**SPIKE, "since": SPIKE["start"] - pd.Timedelta(days=4), "unseen": 2}).says(
        "warn", "…from Mon 9 Nov, 09:00 UTC, before this window, on, for 6 hours…2 of which were not wholly seen…"
    ),
    anomalies(RHYTHM).says("unknown", "…1 rise of cost…for the like came once before…", events=(), value=24.0),
    anomalies(RHYTHM, SPIKE).says("warn", "…; 1 other rise may be a rhythm of which too little was seen."),
    anomalies(covered=HOURS.iloc[:7]).says("unknown", "…7 hours of it is too little to tell."),
    anomalies(judged=(True, True, False)).says("pass", "None of 2 tenants, nor all together…; of 1 more too little…"),
    anomalies(judged=()).says("unknown", "No tenant exported a cost estimate…"),
    anomalies(judged=(False, False)).says("unknown", "…none of 2 tenants has three…"),
    anomalies({**SPIKE, "tenant": ENDLESS}).says("warn", events=(("cost_spike", ENDLESS, 24.0, "EUR"),)),
    # 15 of 60 minutes not ready of 8 EUR are 2 EUR, 30 of 60 of 6 EUR are 3 EUR; c was ready.
    unserved(("acme", 8.0, 45.0), ("b", 6.0, 30.0), ("c", 5.0, 60.0)).says(
        "warn",
        "2 tenants cost over 0.50 EUR in 2026-W46 while not ready, b most with 3.00 EUR of its 6.00 EUR; all together "
        "5.00 EUR.",
        **{"value": 5.0, "unit": "EUR", "bound": 0.5, "since": MIDNIGHT + DAY},
        events=(("unserved_cost", "b", 3.0, "EUR"), ("unserved_cost", "acme", 2.0, "EUR")),
    ),
    unserved(("acme", 8.0, 59.0), ("b", 0.3, None)).says("pass", "…0.13 EUR…none of them over 0.50 EUR; of 0.30 EUR…"),
    unserved(("acme", 8.0, 60.0)).says("pass", "…0.00 EUR in 2026-W46 while…", value=0.0),
    unserved(("acme", 8.0, None)).says(
        "unknown", "…0.00 EUR are known; of 8.00 EUR no readiness is known.", value=None
    ),
    # Another currency is no part of the environment's own sum.
    unserved(("acme", 8.0, 30.0), currency="USD").says("warn", "…acme most with 4.00 USD…", value=None),
    unserved().says("unknown", "…no tenant exported a cost estimate."),
    semantics(GROWS).says(
        "warn",
        "The cost gauge of flat shows 214 rises and no fall from Mon 2 Nov, 00:00 UTC to Sun 15 Nov, 23:59 UTC, though "
        "it is declared a rate.",
        events=(("semantics_break", "flat", 214.0, "rises"),),
    ),
    # A finding stands, however little is covered.
    semantics(GROWS, FALLS, covered=FEW).says(
        "warn",
        "The cost gauges of 2 tenants contradict their declaration; that of b shows 900 falls…",
        events=(("semantics_break", "b", 900.0, "falls"), ("semantics_break", "flat", 214.0, "rises")),
    ),
    semantics(told=["t1"]).says("pass", "…1 tenant behaved…; 1 more came too late, or changed too seldom, to tell."),
    semantics(told=["elsewhere"]).says("unknown"),
    semantics(amounts=()).says("unknown"),
    semantics(covered=FEW).says("unknown", says("2 covered days")),
    semantics(covered=THREE).says("pass"),
    reconciliation(DRIFTED, {**DRIFTED, "tenant": "b", "estimate": 50.0, "other": 50.0, "drift": 0.0}).says(
        "warn", "…by over 5 % for 1 of 2 tenants, most of all for acme: 90.00 EUR against 100 EUR.", value=0.1
    ),
    # A few cents of a tenant that just came are no drift.
    reconciliation({**DRIFTED, "estimate": 0.2, "other": 0.1, "drift": 1.0}).says("pass"),
    reconciliation({**DRIFTED, "estimate": 2.0, "other": 0.0, "drift": float("inf")}).says("warn"),
    reconciliation(DRIFTED, covered=HOLES).says("unknown", says("1 day of the 7")),
    reconciliation(AGREEING, covered=HOLES).says("pass", value=0.04),
    reconciliation().says("unknown", says("no process exports"), value=None),
    agreement(
        (*GAUGE, 0.0, 0.002, 2.0, "acme", MIDNIGHT),
        ("b", "2026-11", "EUR", 5, 0, 0.0, -0.004, 3.0, "otter", MIDNIGHT),
    ).says("pass", "…in 85 comparisons; most apart by 0.40 % for otter at Thu 12 Nov, 00:00 UTC.", value=0.004),
    agreement((*GAUGE, -0.1, -0.5, 9.0, "acme", MIDNIGHT)).says(
        "warn",
        "The platform's cost window '7d' differs from ours by 50.00 % for acme at Thu 12 Nov, 00:00 UTC, of 80…",
        **{"value": 0.5, "bound": 0.05, "since": MIDNIGHT, "size": "1 of 1 labelled window"},
    ),
    agreement((*GAUGE, 0.0, -0.3, 0.08, "acme", MIDNIGHT)).says("pass", "…each to within 0.50 EUR."),
    agreement((*GAUGE[:3], 0, 90, NAN, NAN, NAN, "", pd.NaT)).says(
        "unknown", says("no day of their windows"), value=None
    ),
    agreement().says("unknown", "…it exports none."),
    conservation().says("unknown", "Whether the tenants' 90.00 EUR of 2026-W46 are the whole cost is unknown…"),
    *(conservation(total).says(status) for total, status in ((94.0, "pass"), (80.0, "warn"), (0.0, "unknown"))),
    conservation(90.0).says("pass", "…unallocated…", value=0.0),
    conservation(100.0).says(
        "warn",
        "The tenants' costs of 2026-11-09 to 2026-11-16 are 90.00 EUR of a total of 100 EUR (invoice 2026-11): 10.00 "
        "EUR (10.0 %) unallocated.",
        value=0.1,
        size="10.00 EUR unallocated",
    ),
    conservation(9.0, amounts=(), allocated=0.0).says("unknown", value=None),
    conservation(100.0, share=0.5).says("unknown", "…; the telemetry covers 50.0 % of those days…", value=0.1),
    cost_data(FAULT).says(
        "warn",
        "In 2026-W46 the cost gauge of 2 tenants (acme, moved-on) kept its last value after the tenant had left for 60 "
        "hours from Mon 9 Nov, 00:00 UTC, 30.00 EUR.",
        events=(("cost_left_behind", "acme, moved-on", 60.0, "hours"),),
    ),
    cost_data(FAULT | {"cause": "not a number", "amount": NAN, "tenants": 3}, FAULT).says(
        "warn",
        "…3 tenants (acme, moved-on) held no number for 60 hours…, and of 2 tenants (acme, moved-on)…",
        value=5.0,
    ),
    *(cost_data({**FAULT, "cause": cause}).says("warn", says(words)) for cause, words in CAUSES.items()),
    cost_data(INFINITE).says("warn", "…; such hours are in no sum."),
    cost_data(before=[INFINITE]).says("pass", "…in the weeks before, that of 2 tenants (acme, moved-on) was infinite…"),
    cost_data().says("pass"),
    cost_data(amounts=()).says("unknown"),
    budgets(("marlin", "EUR", 300.0, 330.0, "spent", MIDNIGHT), OTTER).says(
        "warn",
        "marlin has spent its month's budget since Thu 12 Nov: 330 EUR of 300 EUR, and 1 other budget will not last…",
        **{"value": 2.0, "events": (("budget_spent", "marlin", 30.0, "EUR"),), "since": MIDNIGHT},
    ),
    budgets(OTTER).says("warn", "otter is likely to…on Sat 28 Nov: 200 EUR of 500 EUR.", events=(), since=None),
    budgets(*[(name, "EUR", 100.0, spent, "will last", pd.NaT) for name, spent in (("a", 40.0), ("b", 4.0))]).says(
        "pass", "Of 2 budgets none is likely…; the fullest is that of a, 40.00 EUR of 100 EUR.", value=0.0
    ),
    budgets().says("unknown"),
    budgets(("a", "EUR", 100.0, 40.0, "unknown", pd.NaT)).says("unknown", "…no day of it is covered.", value=None),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()


def test_what_a_planted_incident_cost_is_that_of_its_minutes(tmp_path: Path) -> None:
    source = DemoSource.from_url("demo://?seed=1")
    study = study_over(MemorySnapshot(source), tmp_path, WEEK, now=WEEK.end)
    costs, ready = (study.samples(role, WEEK) for role in ("cost", "tenant_readiness"))
    minutes = costs.merge(ready, on=["instance", "tenant", "time"], suffixes=("", "_ready"))
    # Minute by minute, at the rate of that minute.
    by_hand = minutes[minutes["value_ready"] == 0].groupby("tenant", observed=True)["value"].sum() / 60
    found = study.within(study.cost.unserved_costs, "day").groupby("tenant")["amount"].sum()
    assert found.to_dict() == pytest.approx(by_hand.to_dict(), rel=0.1, abs=0.01)
    incidents = [entry for entry in source.ledger_entries() if entry["kind"] == "incident" and entry.get("tenant")]
    own = [entry["tenant"] for entry in incidents if entry["start"] >= WEEK.start]
    assert found.idxmax() in own
