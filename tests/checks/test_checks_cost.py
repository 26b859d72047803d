from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.checks import anomalies, cost
from cloudxai_analysis.ground.window import Window, parse_window

WEEK = parse_window("2026-W46")
HOURS = pd.DataFrame({"hour": pd.date_range("2026-11-09", periods=168, freq="h", tz="UTC", unit="us"), "covered": True})
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-12", "2026-11-15", tz="UTC", unit="us"), "covered": True})
SPIKE = {
    "tenant": "acme",
    "currency": "",
    "since": pd.Timestamp("2026-11-13 09:00", tz="UTC"),
    "start": pd.Timestamp("2026-11-13 09:00", tz="UTC"),
    "end": pd.Timestamp("2026-11-13 15:00", tz="UTC"),
    "hours": 6,
    "unseen": 0,
    "cost": 36.0,
    "expected": 12.0,
    "excess": 24.0,
    "score": 48.0,
    "generated": float("nan"),
    "unknown": "",
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


def anomalies_check(*spikes, tenants=(True, True), covered=HOURS):
    return anomalies.anomalies_check(
        table(*spikes, like=SPIKE),
        basis(*tenants),
        covered,
        window=WEEK,
        currency="EUR",
        floor=0.5,
    )


def semantics_check(*breaks, amounts=(5.0, 6.0), covered=COVERED, told=("t0", "t1")):
    return cost.semantics_check(table(*breaks, like=GROWS), costs(*amounts), covered, told, window=WEEK)


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
        "(36.00 EUR instead of 12.00 EUR, +200 %)."
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


def test_all_together_are_said_with_what_generated_names_cost():
    total = {**SPIKE, "tenant": "", "excess": 580.0, "expected": 1000.0, "cost": 1580.0, "generated": 700.0}
    check = anomalies_check(total, SPIKE)
    assert check.finding == (
        "2 sudden costs of 1 tenant, and of all together, in 2026-W46, the largest: all tenants together cost 580 EUR "
        "more than their history explains from Fri 13 Nov, 09:00 UTC, for 6 hours (1,580 EUR instead of 1,000 EUR, "
        "+58 %), in which generated names cost 700 EUR."
    )
    assert [(event["kind"], event["place"]) for event in check.events] == [
        ("cost_rise", "all tenants together"),
        ("cost_spike", "acme"),
    ]
    # The tenant's 24 EUR are among the 580: they are not added to them.
    assert check.size.startswith("580 EUR")
    assert "makes up tenant names" in check.action


def test_what_began_before_or_was_partly_unseen_says_so():
    before = SPIKE["start"] - pd.Timedelta(days=4)
    finding = anomalies_check({**SPIKE, "since": before, "unseen": 2}).finding
    assert "from Mon 9 Nov, 09:00 UTC, before this window, on, for 6 hours" in finding
    assert finding.endswith("2 of which were not wholly seen and may have cost more.")


def test_what_may_be_a_rhythm_is_unknown_and_no_warning():
    check = anomalies_check({**SPIKE, "unknown": "the like came once before"})
    assert check.status == "unknown"
    assert check.events == ()
    assert check.finding.startswith(
        "Whether 1 rise of cost in 2026-W46 is usual is unknown, for the like came once before"
    )
    both = anomalies_check({**SPIKE, "unknown": "the like came once before"}, SPIKE)
    assert both.status == "warn"
    assert both.finding.endswith("; 1 other rise may be a rhythm of which too little was seen.")


def test_under_a_day_is_too_little_to_tell():
    check = anomalies_check(covered=HOURS.iloc[:7])
    assert check.status == "unknown"
    assert check.finding == "Cost anomalies of 2026-W46 are unknown: 7 hours of it is too little to tell."


def test_no_sudden_cost_passes_and_says_how_many_were_judged():
    check = anomalies_check(tenants=(True, True, False))
    assert check.status == "pass"
    assert check.finding == (
        "None of 2 tenants, nor all together, cost more in 2026-W46 than its history explains; 1 more has too little "
        "history."
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
    assert "2 tenants behaved as declared as long as they were there" in semantics_check().finding
    assert semantics_check(told=["t1"]).finding.endswith(
        "; 1 more was there too briefly, or changed too seldom, to tell."
    )
    assert semantics_check(told=["elsewhere"]).status == "unknown"
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
    check = cost.cost_data_check(table(FAULT, like=FAULT), costs(1.0), table(like=FAULT), window=WEEK)
    assert check.status == "warn"
    assert check.finding == (
        "In 2026-W46 the cost gauge of 2 tenants (acme, moved-on) kept its last value after the tenant had left for 60 "
        f"hours from {FAULT['start']:%a} {FAULT['start'].day} Nov, {FAULT['start']:%H:%M} UTC, 30.00 EUR."
    )
    assert [event["kind"] for event in check.events] == ["cost_left_behind"]


def test_what_is_no_number_has_no_amount_and_every_cause_is_named():
    nan = FAULT | {"cause": "not a number", "amount": float("nan"), "tenants": 3}
    check = cost.cost_data_check(table(nan, FAULT, like=FAULT), costs(1.0), table(like=FAULT), window=WEEK)
    assert "3 tenants (acme, moved-on) held no number for 60 hours" in check.finding
    assert ", and of 2 tenants (acme, moved-on) kept its last value" in check.finding
    assert check.value == 5.0
    infinite = FAULT | {"cause": "infinite", "amount": float("nan")}
    check = cost.cost_data_check(table(infinite, like=FAULT), costs(1.0), table(like=FAULT), window=WEEK)
    assert check.finding.endswith("; such hours are in no sum.")
    check = cost.cost_data_check(table(like=FAULT), costs(1.0), table(infinite, like=FAULT), window=WEEK)
    assert check.status == "pass"
    assert "in the weeks before, that of 2 tenants (acme, moved-on) was infinite" in check.finding


def test_no_fault_passes_and_no_gauge_is_unknown():
    none = table(like=FAULT)
    assert cost.cost_data_check(none, costs(1.0), none, window=WEEK).status == "pass"
    assert cost.cost_data_check(none, costs(), none, window=WEEK).status == "unknown"


def test_hostile_and_endless_names_leave_the_headline_one_short_line():
    check = anomalies_check({**SPIKE, "tenant": "x\ny" + "z" * 5000})
    assert len(check.finding) < 250
    assert "\n" not in check.finding
    assert check.events[0]["place"].startswith("x\ny")


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
