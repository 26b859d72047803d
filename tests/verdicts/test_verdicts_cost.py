from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.verdicts import cost
from cloudxai_analysis.window import Window, parse_window

WEEK = parse_window("2026-W46")
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-12", "2026-11-15", tz="UTC", unit="us"), "covered": True})
SPIKE = {
    "tenant": "acme",
    "currency": "",
    "start": pd.Timestamp("2026-11-13 09:00", tz="UTC"),
    "end": pd.Timestamp("2026-11-13 15:00", tz="UTC"),
    "hours": 6,
    "cost": 36.0,
    "expected": 12.0,
    "excess": 24.0,
    "score": 48.0,
}
GROWS = {
    "tenant": "flat",
    "finding": "only_grows",
    "rises": 214,
    "falls": 0,
    "start": pd.Timestamp("2026-11-02", tz="UTC"),
    "end": pd.Timestamp("2026-11-15 23:59", tz="UTC"),
    "metric": "tenant_cost_estimate",
}
DRIFTED = {"tenant": "acme", "currency": "EUR", "estimate": 90.0, "other": 100.0, "drift": -0.1}


def table(*rows, like):
    return pd.DataFrame(list(rows), columns=list(like))


def basis(*judged):
    tenants = [f"t{number}" for number in range(len(judged))]
    return pd.DataFrame({"tenant": tenants, "weeks": 4, "judged": list(judged)}).astype({"judged": bool})


def costs(*amounts):
    tenants = [f"t{number}" for number in range(len(amounts))]
    return pd.DataFrame({"tenant": tenants, "currency": "EUR", "cost": list(amounts)})


def anomalies_check(*spikes, tenants=(True, True), breaks=()):
    return cost.anomalies_check(
        table(*spikes, like=SPIKE),
        basis(*tenants),
        table(*breaks, like=GROWS),
        window=WEEK,
        currency="EUR",
        floor=0.5,
    )


def semantics_check(*breaks, amounts=(5.0, 6.0), covered=COVERED):
    return cost.semantics_check(table(*breaks, like=GROWS), costs(*amounts), covered, window=WEEK)


def reconciliation_check(*rows, covered=COVERED, window=WEEK):
    return cost.reconciliation_check(table(*rows, like=DRIFTED), covered, window=window, drift=0.05)


def conservation_check(*rows, amounts=(60.0, 30.0), covered_share=1.0):
    bill = {"source": "invoice 2026-11", "start": WEEK.start, "end": WEEK.end, "covered_share": covered_share}
    found = table(*(bill | row for row in rows), like=[*bill, "currency", "allocated", "total", "rest"])
    return cost.conservation_check(costs(*amounts), found, window=WEEK, drift=0.05)


def test_a_sudden_cost_is_said_with_tenant_amount_and_time():
    check = anomalies_check(SPIKE)
    assert check.status == "warn"
    assert check.finding == (
        "acme cost 24.00 EUR more than its history explains from Fri 13 Nov, 09:00 UTC, for 6 hours "
        "(36.00 EUR instead of 12.00 EUR)."
    )
    assert (check.value, check.unit, check.bound, check.bound_key) == (24.0, "EUR", 0.5, "cost_anomaly_floor")
    assert check.since == datetime(2026, 11, 13, 9, tzinfo=UTC)
    assert check.events == (
        {
            "kind": "cost_spike",
            "place": "acme",
            "start": datetime(2026, 11, 13, 9, tzinfo=UTC),
            "end": datetime(2026, 11, 13, 15, tzinfo=UTC),
            "size": 24.0,
            "unit": "EUR",
        },
    )
    assert check.action
    assert check.decides
    assert check.disproof


def test_the_largest_of_several_is_named_and_currencies_are_not_added_up():
    check = anomalies_check(SPIKE, {**SPIKE, "tenant": "b", "excess": 400.0, "currency": "USD"})
    assert check.finding.startswith("2 sudden costs of 2 tenants in 2026-W46, the largest: b cost 400 USD more")
    assert check.size == "24.00 EUR and 400 USD beyond what was expected in 2026-W46"
    assert [event["unit"] for event in check.events] == ["EUR", "USD"]


def test_a_gauge_that_is_no_rate_shows_no_sudden_cost():
    check = anomalies_check(SPIKE, breaks=[{**GROWS, "tenant": "acme"}])
    assert check.status == "pass"
    assert check.events == ()


def test_no_sudden_cost_passes_and_says_how_many_were_judged():
    check = anomalies_check(tenants=(True, True, False))
    assert check.status == "pass"
    assert check.finding == (
        "None of 2 tenants cost more in 2026-W46 than its history explains; 1 more has too little history."
    )


@pytest.mark.parametrize(
    ("tenants", "reason"), [((), "No tenant exported a cost estimate"), ((False, False), "none of 2 tenants has three")]
)
def test_anomalies_are_unknown_without_costs_or_history(tenants, reason):
    check = anomalies_check(tenants=tenants)
    assert check.status == "unknown"
    assert reason in check.finding


def test_a_gauge_that_only_grows_is_a_finding():
    check = semantics_check(GROWS)
    assert check.status == "warn"
    assert check.finding == (
        "The cost gauge of flat shows 214 rises and no fall from Mon 2 Nov, 00:00 UTC to Sun 15 Nov, 23:59 UTC, "
        "though it is declared a rate."
    )
    event = check.events[0]
    assert (event["kind"], event["place"], event["size"], event["unit"]) == ("semantics_break", "flat", 214.0, "rises")


def test_a_gauge_that_falls_in_its_window_is_a_finding_too():
    check = semantics_check(GROWS, {**GROWS, "tenant": "b", "finding": "falls_in_window", "rises": 5, "falls": 900})
    assert "cost gauges of 2 tenants contradict their declaration; that of b shows 900 falls" in check.finding
    assert [(event["place"], event["size"], event["unit"]) for event in check.events] == [
        ("b", 900.0, "falls"),
        ("flat", 214.0, "rises"),
    ]


def test_semantics_pass_and_are_unknown():
    assert semantics_check().status == "pass"
    assert "2 tenants behaved as declared on 14 covered days" in semantics_check().finding
    assert semantics_check(amounts=()).status == "unknown"
    few = COVERED.assign(covered=COVERED["day"] >= pd.Timestamp("2026-11-14", tz="UTC"))
    assert semantics_check(covered=few).status == "unknown"
    assert "2 covered days" in semantics_check(covered=few).finding
    # A finding stands, however little is covered.
    assert semantics_check(GROWS, covered=few).status == "warn"


def test_a_drift_is_said_with_both_sums():
    check = reconciliation_check(DRIFTED, {**DRIFTED, "tenant": "b", "estimate": 50.0, "other": 50.0, "drift": 0.0})
    assert check.status == "warn"
    assert check.value == pytest.approx(0.1)
    assert check.finding == (
        "Our cost of the 7 days up to Mon 16 Nov, 00:00 UTC differs from the platform's own by over 5 % for 1 of "
        "2 tenants, most of all for acme: 90.00 EUR against 100 EUR."
    )


def test_sums_that_agree_pass():
    check = reconciliation_check({**DRIFTED, "estimate": 96.0, "drift": -0.04})
    assert (check.status, check.value) == ("pass", pytest.approx(0.04))


def test_a_few_cents_of_a_tenant_that_just_came_are_no_drift():
    came = {**DRIFTED, "estimate": 0.2, "other": 0.1, "drift": 1.0}
    assert reconciliation_check(came).status == "pass"
    nothing = {**DRIFTED, "estimate": 2.0, "other": 0.0, "drift": float("inf")}
    assert reconciliation_check(nothing).status == "warn"


def test_a_drift_beside_days_that_are_not_covered_is_unknown():
    holes = COVERED.assign(covered=COVERED["day"] != pd.Timestamp("2026-11-12", tz="UTC"))
    check = reconciliation_check(DRIFTED, covered=holes)
    assert check.status == "unknown"
    assert "1 day of the 7" in check.finding
    agreeing = {**DRIFTED, "estimate": 96.0, "drift": -0.04}
    assert reconciliation_check(agreeing, covered=holes).status == "pass"
    before = COVERED.assign(covered=COVERED["day"] >= pd.Timestamp("2026-11-09", tz="UTC"))
    assert reconciliation_check(DRIFTED, covered=before).status == "warn"


def test_nothing_to_hold_against_is_unknown():
    check = reconciliation_check()
    assert (check.status, check.value) == ("unknown", None)
    assert "no process exports the platform's own 7-day cost" in check.finding


def test_conservation_needs_a_total():
    check = conservation_check()
    assert check.status == "unknown"
    assert check.finding == (
        "Whether the tenants' 90.00 EUR of 2026-W46 are the whole cost is unknown: no total from elsewhere is "
        "configured."
    )
    assert cost.conservation_check(costs(1.0), window=WEEK, drift=0.05).status == "unknown"


@pytest.mark.parametrize(("total", "status"), [(94.0, "pass"), (100.0, "warn"), (80.0, "warn"), (0.0, "unknown")])
def test_conservation_shows_the_rest(total, status):
    check = conservation_check({"currency": "EUR", "allocated": 90.0, "total": total, "rest": total - 90.0})
    assert check.status == status
    if total == 100.0:
        assert check.finding == (
            "The tenants' costs of 2026-11-09 to 2026-11-16 are 90.00 EUR of a total of 100 EUR (invoice 2026-11): "
            "10.00 EUR (10.0 %) unallocated."
        )
        assert check.value == pytest.approx(0.1)
    assert conservation_check({"currency": "EUR", "allocated": 0, "total": 9.0, "rest": 9.0}, amounts=()).value is None


def test_a_bill_of_days_that_nobody_saw_proves_nothing():
    row = {"currency": "EUR", "allocated": 50.0, "total": 100.0, "rest": 50.0}
    check = conservation_check(row, covered_share=0.5)
    assert (check.status, check.value) == ("unknown", 0.5)
    assert check.finding.endswith("; the telemetry covers 50.0 % of those days, so that the tenants' sum is short.")


FAULT = {
    **{"cause": "left behind", "tenants": 2, "examples": ("acme", "moved-on"), "hours": 60},
    **{"start": WEEK.start, "end": WEEK.end, "amount": 30.0, "currency": "EUR"},
}


def test_a_gauge_that_stays_behind_is_said_with_names_and_amount():
    check = cost.cost_data_check(table(FAULT, like=FAULT), costs(1.0), window=WEEK)
    assert check.status == "warn"
    assert check.finding == (
        "The cost gauge of 2 tenants (acme, moved-on) kept its last value after the tenant had left for 60 hours in "
        "2026-W46 (30.00 EUR)."
    )
    assert [event["kind"] for event in check.events] == ["cost_left_behind"]


def test_what_is_no_number_has_no_amount_and_other_causes_are_counted():
    nan = FAULT | {"cause": "not a number", "amount": float("nan"), "tenants": 3}
    check = cost.cost_data_check(table(nan, FAULT, like=FAULT), costs(1.0), window=WEEK)
    assert check.finding.endswith("held no number for 60 hours in 2026-W46; 1 further cause.")
    assert check.value == 5.0


def test_no_fault_passes_and_no_gauge_is_unknown():
    none = table(like=FAULT)
    assert cost.cost_data_check(none, costs(1.0), window=WEEK).status == "pass"
    assert cost.cost_data_check(none, costs(), window=WEEK).status == "unknown"


def test_hostile_and_endless_names_leave_the_headline_one_short_line():
    check = anomalies_check({**SPIKE, "tenant": "x\ny" + "z" * 5000})
    assert len(check.finding) < 250
    assert "\n" not in check.finding
    assert check.events[0]["place"].startswith("x\ny")
    assert "a tenant without a name cost" in anomalies_check({**SPIKE, "tenant": ""}).finding


def test_a_window_without_a_name_is_said_by_its_times():
    window = Window(WEEK.start, WEEK.end)
    check = cost.conservation_check(costs(1.0), window=window, drift=0.05)
    assert "2026-11-09 00:00 to 2026-11-16 00:00 UTC" in check.finding


def test_every_check_is_plain_data_of_the_cost_section():
    checks = [anomalies_check(SPIKE), semantics_check(GROWS), reconciliation_check(DRIFTED), conservation_check()]
    assert [check.key for check in checks] == ["anomalies", "semantics", "reconciliation", "conservation"]
    for check in checks:
        assert check.section == "cost"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)
