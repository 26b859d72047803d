"""What the checks of the tenants' costs say, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from planted_study import WEEK, Planted, at, table

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures.semantics import CAUSES

HOURS = pd.DataFrame({"hour": pd.date_range("2026-11-09", periods=168, freq="h", tz="UTC", unit="us"), "covered": True})
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-12", "2026-11-15", tz="UTC", unit="us"), "covered": True})
SPIKE = {
    **{"tenant": "acme", "currency": "", "since": at("09:00", 13), "start": at("09:00", 13), "end": at("15:00", 13)},
    **{"hours": 6, "unseen": 0, "cost": 36.0, "expected": 12.0, "excess": 24.0, "score": 48.0},
    **{"generated": float("nan"), "unknown": ""},
}
RHYTHM = {**SPIKE, "unknown": "the like came once before"}
GROWS = {
    **{"tenant": "flat", "finding": "only_grows", "rises": 214, "falls": 0},
    **{"start": at("00:00", 2), "end": at("23:59", 15), "metric": "tenant_cost_estimate"},
}
DRIFTED = {"tenant": "acme", "currency": "EUR", "estimate": 90.0, "other": 100.0, "drift": -0.1}
AGREEING = {**DRIFTED, "estimate": 96.0, "drift": -0.04}
FAULT = {
    **{"cause": "left behind", "tenants": 2, "examples": ("acme", "moved-on"), "hours": 60},
    **{"start": WEEK.start, "end": WEEK.end, "amount": 30.0, "currency": "EUR"},
}
ENDLESS = "x\ny" + "z" * 5000


def costs(*amounts: float) -> pd.DataFrame:
    tenants = [f"t{number}" for number in range(len(amounts))]
    return pd.DataFrame({"tenant": tenants, "currency": "EUR", "cost": list(amounts)})


def anomalies(*spikes: Any, judged: Any = (True, True), covered: pd.DataFrame = HOURS) -> Planted:
    frames = {
        "cost.cost_stretches": table(SPIKE, *spikes),
        "cost.anomaly_basis": pd.DataFrame({"tenant": range(len(judged)), "judged": list(judged)}).astype(
            {"judged": bool}
        ),
        "telemetry.covered_hours": covered,
    }
    return Planted("anomalies", frames, settings={"cost_anomaly_floor": 0.5})


def semantics(
    *breaks: Any, amounts: Any = (5.0, 6.0), covered: pd.DataFrame = COVERED, told: Any = ("t0", "t1")
) -> Planted:
    frames = {
        "cost.semantics_breaks": table(GROWS, *breaks),
        "cost.costs": costs(*amounts),
        "cost.able_to_tell": list(told),
        "telemetry.covered": covered,
    }
    return Planted("semantics", frames)


def reconciliation(*rows: Any, covered: pd.DataFrame = COVERED) -> Planted:
    return Planted("reconciliation", {"cost.reconciliation": table(DRIFTED, *rows), "telemetry.covered": covered})


def conservation(*rows: Any, amounts: Any = (60.0, 30.0), covered_share: float = 1.0, window: Window = WEEK) -> Planted:
    bill = {"source": "invoice 2026-11", "start": WEEK.start, "end": WEEK.end, "covered_share": covered_share}
    bills = table([*bill, "currency", "allocated", "total", "rest"], *(bill | row for row in rows))
    return Planted("conservation", {"cost.costs": costs(*amounts), "cost.bills": bills}, window=window)


def cost_data(*faults: Any, amounts: Any = (1.0,), before: Any = ()) -> Planted:
    frames = {
        "cost.faults": table(FAULT, *faults),
        "cost.faults_before": table(FAULT, *before),
        "cost.costs": costs(*amounts),
    }
    return Planted("cost_data", frames)


def agreement(*rows: Any) -> Planted:
    columns = "gauge named currency compared unknown median worst apart tenant at"
    return Planted("agreement", {"cost.agreement": table(columns, *rows)})


def budgets(*rows: Any) -> Planted:
    frame = table("tenant currency budget spent answer spent_on", *rows)
    return Planted("budgets", {"cost.budgets": frame, "cost.month": parse_window("2026-11")})


def _anomalies_rows() -> list[Planted]:
    total = {**SPIKE, "tenant": "", "excess": 580.0, "expected": 1000.0, "cost": 1580.0, "generated": 700.0}
    return [
        anomalies(SPIKE).says(
            "warn",
            "acme cost 24.00 EUR more than its history explains from Fri 13 Nov, 09:00 UTC, for 6 hours (36.00 EUR "
            "instead of 12.00 EUR, +200 %).",
            value=24.0,
            unit="EUR",
            bound=0.5,
            bound_key="cost_anomaly_floor",
            since=datetime(2026, 11, 13, 9, tzinfo=UTC),
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
        anomalies(total, SPIKE).says(
            "warn",
            "2 sudden costs of 1 tenant, and of all together, in 2026-W46, the largest: all tenants together cost 580 "
            "EUR more than their history explains from Fri 13 Nov, 09:00 UTC, for 6 hours (1,580 EUR instead of 1,000 "
            "EUR, +58 %), in which generated names cost 700 EUR.",
            events=(("cost_rise", "all tenants together", 580.0, "EUR"), ("cost_spike", "acme", 24.0, "EUR")),
            size="580 EUR…",
            action="…makes up tenant names…",
        ),
        anomalies(total).says("warn", "All tenants together cost 580 EUR more…"),
        anomalies({**SPIKE, "since": SPIKE["start"] - pd.Timedelta(days=4), "unseen": 2}).says(
            "warn",
            "…from Mon 9 Nov, 09:00 UTC, before this window, on, for 6 hours…2 of which were not wholly seen and may "
            "have cost more.",
        ),
        anomalies(RHYTHM).says(
            "unknown",
            "It is unknown whether 1 rise of cost in 2026-W46 may be usual, for the like came once before…",
            events=(),
            value=24.0,
        ),
        anomalies(RHYTHM, SPIKE).says("warn", "…; 1 other rise may be a rhythm of which too little was seen."),
        anomalies(covered=HOURS.iloc[:7]).says(
            "unknown", "Cost anomalies of 2026-W46 are unknown: 7 hours of it is too little to tell."
        ),
        anomalies(judged=(True, True, False)).says(
            "pass",
            "None of 2 tenants, nor all together, cost more in 2026-W46 than its history explains; of 1 more too "
            "little history is known.",
        ),
        anomalies(judged=()).says("unknown", "No tenant exported a cost estimate…"),
        anomalies(judged=(False, False)).says("unknown", "…none of 2 tenants has three…"),
        anomalies({**SPIKE, "tenant": ENDLESS}).says("warn", events=(("cost_spike", ENDLESS, 24.0, "EUR"),)),
    ]


def _semantics_rows() -> list[Planted]:
    few = COVERED.assign(covered=COVERED["day"] >= pd.Timestamp("2026-11-14", tz="UTC"))
    falls = {**GROWS, "tenant": "b", "finding": "falls_in_window", "rises": 5, "falls": 900}
    grew = ("semantics_break", "flat", 214.0, "rises")
    return [
        semantics(GROWS).says(
            "warn",
            "The cost gauge of flat shows 214 rises and no fall from Mon 2 Nov, 00:00 UTC to Sun 15 Nov, 23:59 UTC, "
            "though it is declared a rate.",
            events=(grew,),
        ),
        semantics(GROWS, falls).says(
            "warn",
            "The cost gauges of 2 tenants contradict their declaration; that of b shows 900 falls…",
            events=(("semantics_break", "b", 900.0, "falls"), grew),
        ),
        semantics().says("pass", "…2 tenants behaved as declared as long as they were there…"),
        semantics(told=["t1"]).says("pass", "…; 1 more came too late, or changed too seldom, to tell."),
        semantics(told=["elsewhere"]).says("unknown"),
        semantics(amounts=()).says("unknown"),
        semantics(covered=few).says("unknown", "…2 covered days…"),
        # A finding stands, however little is covered.
        semantics(GROWS, covered=few).says("warn"),
    ]


def _reconciliation_rows() -> list[Planted]:
    holes = COVERED.assign(covered=COVERED["day"] != pd.Timestamp("2026-11-12", tz="UTC"))
    recent = COVERED.assign(covered=COVERED["day"] >= pd.Timestamp("2026-11-09", tz="UTC"))
    return [
        reconciliation(DRIFTED, {**DRIFTED, "tenant": "b", "estimate": 50.0, "other": 50.0, "drift": 0.0}).says(
            "warn",
            "Our cost of the 7 days up to Mon 16 Nov, 00:00 UTC differs from the platform's own by over 5 % for 1 of "
            "2 tenants, most of all for acme: 90.00 EUR against 100 EUR.",
            value=0.1,
        ),
        reconciliation(AGREEING).says("pass", value=0.04),
        # A few cents of a tenant that just came are no drift.
        reconciliation({**DRIFTED, "estimate": 0.2, "other": 0.1, "drift": 1.0}).says("pass"),
        reconciliation({**DRIFTED, "estimate": 2.0, "other": 0.0, "drift": float("inf")}).says("warn"),
        reconciliation(DRIFTED, covered=holes).says("unknown", "…1 day of the 7…"),
        reconciliation(AGREEING, covered=holes).says("pass"),
        reconciliation(DRIFTED, covered=recent).says("warn"),
        reconciliation().says("unknown", "…no process exports the platform's own 7-day cost.", value=None),
    ]


def _conservation_rows() -> list[Planted]:
    bill, totals = {"currency": "EUR", "allocated": 90.0}, [(94.0, "pass"), (80.0, "warn"), (0.0, "unknown")]
    return [
        conservation().says(
            "unknown",
            "Whether the tenants' 90.00 EUR of 2026-W46 are the whole cost is unknown: no total from elsewhere is "
            "configured.",
        ),
        conservation(amounts=()).says("unknown", "Whether the tenants' costs of 2026-W46 are the whole cost…"),
        # A window without a name is said by its times.
        conservation(window=Window(WEEK.start, WEEK.end)).says("unknown", "…2026-11-09 00:00 to 2026-11-16 00:00 UTC…"),
        *(conservation({**bill, "total": total, "rest": total - 90.0}).says(status) for total, status in totals),
        conservation({**bill, "total": 100.0, "rest": 10.0}).says(
            "warn",
            "The tenants' costs of 2026-11-09 to 2026-11-16 are 90.00 EUR of a total of 100 EUR (invoice 2026-11): "
            "10.00 EUR (10.0 %) unallocated.",
            value=0.1,
            size="10.00 EUR unallocated",
        ),
        conservation({"currency": "EUR", "allocated": 0, "total": 9.0, "rest": 9.0}, amounts=()).says(
            "unknown", value=None
        ),
        conservation({**bill, "allocated": 50.0, "total": 100.0, "rest": 50.0}, covered_share=0.5).says(
            "unknown",
            "…; the telemetry covers 50.0 % of those days, so that the tenants' sum is short.",
            value=0.5,
        ),
    ]


def _cost_data_rows() -> list[Planted]:
    left = "kept its last value after the tenant had left for 60 hours from Mon 9 Nov, 00:00 UTC"
    kept = f"2 tenants (acme, moved-on) {left}"
    nan = FAULT | {"cause": "not a number", "amount": float("nan"), "tenants": 3}
    infinite = FAULT | {"cause": "infinite", "amount": float("nan")}
    return [
        cost_data(FAULT).says(
            "warn",
            f"In 2026-W46 the cost gauge of {kept}, 30.00 EUR.",
            events=(("cost_left_behind", "acme, moved-on", 60.0, "hours"),),
        ),
        cost_data(nan, FAULT).says(
            "warn",
            "…3 tenants (acme, moved-on) held no number for 60 hours…, and of 2 tenants (acme, moved-on) kept its…",
            value=5.0,
        ),
        *(cost_data({**FAULT, "cause": cause}).says("warn", f"…{words}…") for cause, words in CAUSES.items()),
        cost_data(infinite).says("warn", "…; such hours are in no sum."),
        cost_data(before=[infinite]).says(
            "pass", "…in the weeks before, that of 2 tenants (acme, moved-on) was infinite…"
        ),
        cost_data().says("pass"),
        cost_data(amounts=()).says("unknown"),
    ]


def _agreement_rows() -> list[Planted]:
    midnight = at("00:00", 12)
    return [
        agreement(
            ("r", "7d", "EUR", 80, 0, 0.0, 0.002, 2.0, "acme", midnight),
            ("b", "2026-11", "EUR", 5, 0, 0.0, -0.004, 3.0, "otter", midnight),
        ).says(
            "pass",
            "The platform's cost windows agree with ours in 85 comparisons; most apart by 0.40 % for otter at Thu 12 "
            "Nov, 00:00 UTC.",
            value=0.004,
            bound=0.05,
        ),
        agreement(("r", "7d", "EUR", 80, 0, -0.1, -0.5, 9.0, "acme", midnight)).says(
            "warn",
            "The platform's cost window '7d' differs from ours by 50.00 % for acme at Thu 12 Nov, 00:00 UTC, of 80 "
            "comparisons.",
            value=0.5,
            since=midnight,
            size="1 of 1 labelled window",
        ),
        agreement().says("unknown", "…it exports none."),
        agreement(("r", "7d", "EUR", 0, 90, float("nan"), float("nan"), float("nan"), "", pd.NaT)).says(
            "unknown", "…no day of their windows is covered…", value=None
        ),
        # A few cents are no drift.
        agreement(("r", "7d", "EUR", 80, 0, 0.0, -0.3, 0.08, "acme", midnight)).says(
            "pass", "The platform's cost windows agree with ours in 80 comparisons, each to within 0.50 EUR."
        ),
    ]


def _budgets_rows() -> list[Planted]:
    otter = ("otter", "EUR", 500.0, 200.0, "will be spent", at("00:00", 28))
    last = [(name, "EUR", 100.0, spent, "will last", pd.NaT) for name, spent in (("a", 40.0), ("b", 4.0))]
    return [
        budgets(("marlin", "EUR", 300.0, 330.0, "spent", at("00:00", 12)), otter).says(
            "warn",
            "marlin has spent its month's budget since Thu 12 Nov: 330 EUR of 300 EUR, and 1 other budget will not "
            "last either.",
            value=2.0,
            events=(("budget_spent", "marlin", 30.0, "EUR"),),
            since=at("00:00", 12),
        ),
        budgets(otter).says(
            "warn",
            "otter is likely to have spent its month's budget on Sat 28 Nov: 200 EUR of 500 EUR.",
            events=(),
            since=None,
        ),
        budgets(*last).says(
            "pass",
            "Of 2 budgets none is likely to be spent before the end of 2026-11; the fullest is that of a, 40.00 EUR of "
            "100 EUR.",
            value=0.0,
        ),
        budgets().says("unknown"),
        budgets(("a", "EUR", 100.0, 40.0, "unknown", pd.NaT)).says("unknown", "…no day of it is covered.", value=None),
    ]


ROWS = [
    *(*_anomalies_rows(), *_semantics_rows(), *_reconciliation_rows(), *_conservation_rows()),
    *(*_cost_data_rows(), *_agreement_rows(), *_budgets_rows()),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()
