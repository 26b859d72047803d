from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.verdicts import readiness
from cloudxai_analysis.window import Window, parse_window

WEEK = parse_window("2026-W46")
MONTH = Window(datetime(2026, 10, 17, tzinfo=UTC), WEEK.end)
OUTAGE = ("2026-11-12 10:23", "2026-11-12 10:42", 19, 19.0)
BLIP = ("2026-11-10 03:00", "2026-11-10 03:01", 1, 1.0)


def moments(texts):
    return pd.to_datetime(list(texts), utc=True, format="ISO8601").astype("datetime64[us, UTC]")


def measured(not_ready, samples=10_080):
    share = (samples - not_ready) / samples if samples else float("nan")
    row = {"samples": samples, "ready_samples": samples - not_ready, "availability": share}
    return pd.DataFrame([{**row, "not_ready_minutes": float(not_ready)}])


def availability_check(not_ready, samples=43_200, covered_days=30, slo=0.999):
    allowed = (1 - slo) * 43_200
    used = float(not_ready) if samples else float("nan")
    budget = pd.DataFrame([{"allowed_minutes": allowed, "used_minutes": used, "remaining_share": 1 - used / allowed}])
    days = pd.date_range("2026-10-17", periods=30, tz="UTC", unit="us")
    covered = pd.DataFrame({"day": days, "covered": [number < covered_days for number in range(30)]})
    return readiness.availability_check(measured(not_ready, samples), budget, covered, slo_window=MONTH, slo=slo)


def outages_of(*rows, **columns):
    frame = pd.DataFrame(rows, columns=["start", "end", "not_ready_samples", "minutes"])
    return frame.assign(start=moments(frame["start"]), end=moments(frame["end"]), **columns)


def outages_check(*rows, not_ready=None, samples=10_080):
    total = sum(row[2] for row in rows) if not_ready is None else not_ready
    return readiness.outages_check(outages_of(*rows), measured(total, samples), window=WEEK)


def hourly(name, *values):
    hours = pd.date_range("2026-11-09", periods=len(values), freq="h", tz="UTC", unit="us")
    return pd.DataFrame({"hour": hours, name: pd.Series(values, dtype="float64")})


def transitions_check(*values, bound=10):
    return readiness.transitions_check(hourly("transitions", *values), window=WEEK, bound=bound)


def latency_check(*values, bound=0.2):
    return readiness.latency_check(hourly("seconds", *values), window=WEEK, bound=bound)


def tenants_check(*rows, names=(), seen=110):
    tenants = pd.DataFrame({"tenant": range(seen)})
    return readiness.tenants_check(outages_of(*rows, tenant=list(names)), tenants, window=WEEK)


def test_an_objective_that_is_met_says_what_is_left():
    check = availability_check(23)
    assert (check.status, check.value, check.bound) == ("pass", pytest.approx(1 - 23 / 43_200), 0.999)
    assert check.finding == (
        "Ready for 99.947 % of 30 days against an objective of 99.9 %: 47 % of the error budget left."
    )
    assert check.samples == "43,200 samples of global readiness"


@pytest.mark.parametrize(("minutes", "status"), [(38, "pass"), (39, "warn"), (43, "warn"), (44, "fail")])
def test_the_last_tenth_of_the_budget_warns_and_beyond_it_fails(minutes, status):
    """43.2 minutes are allowed: a tenth is left after 38.88."""
    check = availability_check(minutes)
    assert check.status == status
    assert check.finding.startswith(f"Ready for {100 - minutes / 432:.3f} % of 30 days")
    if status == "fail":
        assert check.finding.endswith("44 minutes not ready, 43 allowed.")
        assert check.since == MONTH.start


def test_exactly_the_objective_is_not_below_it():
    assert availability_check(44, samples=44_000).status != "fail"
    assert availability_check(45, samples=44_000).status == "fail"


def test_few_days_are_said_and_bring_no_budget_of_their_own():
    """On 10 of 30 days 20 of 14,400 minutes were not ready: 14.4 were allowed of the time that was measured."""
    check = availability_check(20, samples=14_400, covered_days=10)
    assert check.status == "fail"
    assert "20 minutes not ready, 14 allowed, measured on 10 covered of 30 days" in check.finding


def test_availability_without_samples_or_a_covered_day_is_unknown():
    nothing = availability_check(0, samples=0)
    assert (nothing.status, nothing.value) == ("unknown", None)
    assert nothing.finding == (
        "Availability over the 30 days up to Mon 16 Nov, 00:00 UTC is unknown: no process exported readiness."
    )
    blind = availability_check(0, samples=100, covered_days=0)
    assert (blind.status, blind.value) == ("unknown", None)
    assert "none of them is covered" in blind.finding


def test_an_outage_warns_with_its_minutes_and_event():
    check = outages_check(OUTAGE)
    assert (check.status, check.value) == ("warn", 19.0)
    assert check.finding == "The platform was not ready for 19 minutes from Thu 12 Nov, 10:23 UTC."
    assert check.events == (
        {
            "kind": "readiness_incident",
            "place": "global",
            "start": datetime(2026, 11, 12, 10, 23, tzinfo=UTC),
            "end": datetime(2026, 11, 12, 10, 42, tzinfo=UTC),
            "size": 19.0,
            "unit": "samples",
        },
    )


def test_of_several_outages_the_longest_is_named_and_one_goes_on():
    check = outages_check(("2026-11-09 05:00", "2026-11-09 05:02", 2, 2.0), OUTAGE, ("2026-11-15 23:55", None, 5, 5.0))
    assert check.finding == ("The platform was not ready 3 times, longest for 19 minutes from Thu 12 Nov, 10:23 UTC.")
    assert (check.value, check.size) == (26.0, "26 minutes in 3 stretches")
    assert check.events[2]["end"] is None


@pytest.mark.parametrize(("samples", "status"), [(1, "pass"), (2, "warn")])
def test_a_single_sample_is_told_and_is_no_warning(samples, status):
    check = outages_check((*BLIP[:2], samples, float(samples)))
    assert check.status == status
    if status == "pass":
        assert check.finding == "The platform was ready at every scrape of 2026-W46, but for 1 single sample."
        assert check.events == ()


def test_an_outage_that_began_before_the_window_is_no_readiness():
    check = outages_check(not_ready=600)
    assert (check.status, check.value) == ("warn", 600.0)
    assert check.finding == ("The platform was not ready for 600 minutes of 2026-W46, in a stretch that began before.")
    assert check.since == WEEK.start


def test_a_week_of_readiness_passes_and_no_sample_is_unknown():
    assert outages_check().finding == "The platform was ready at every scrape of 2026-W46."
    check = outages_check(samples=0, not_ready=0)
    assert (check.status, check.value) == ("unknown", None)
    assert "no process exported readiness" in check.finding


@pytest.mark.parametrize(("most", "status"), [(10, "pass"), (11, "warn")])
def test_more_transitions_than_the_bound_warn(most, status):
    check = transitions_check(2, most, 0)
    assert (check.status, check.value) == (status, float(most))
    if status == "warn":
        assert check.finding == "11 transitions in the hour from Mon 9 Nov, 01:00 UTC, at most 10 wanted."
        assert check.size == "1 hour above 10"
    else:
        assert check.finding == "At most 10 readiness transitions in any hour of 2026-W46."


def test_transitions_without_a_counter_are_unknown():
    check = transitions_check()
    assert (check.status, check.value) == ("unknown", None)
    assert "no process exports their counter" in check.finding


@pytest.mark.parametrize(("seconds", "status"), [(0.2, "pass"), (0.2011, "warn")])
def test_a_check_slower_than_the_bound_warns(seconds, status):
    check = latency_check(0.05, seconds, float("nan"))
    assert (check.status, check.value) == (status, seconds)
    if status == "pass":
        assert check.finding == "The readiness check's p95 stayed within 200 ms: at most 200 ms."
    else:
        assert check.finding == (
            "The readiness check's p95 was above 200 ms in 1 hour, at most 201 ms, from Mon 9 Nov, 01:00 UTC."
        )


@pytest.mark.parametrize("values", [(), (float("nan"),)])
def test_latency_without_a_duration_is_unknown(values):
    check = latency_check(*values)
    assert (check.status, check.value) == ("unknown", None)
    assert "no duration was exported in 2026-W46" in check.finding


def test_tenants_that_were_not_ready_as_long_as_a_page_waits_ask_for_people():
    check = tenants_check(OUTAGE, BLIP, BLIP, names=("a", "b", "a"))
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding == (
        "1 of 110 tenants not ready for 3 samples or more, the longest a for 19 minutes from Thu 12 Nov, 10:23 UTC."
    )
    brief = tenants_check(BLIP, names=("a",))
    assert (brief.status, brief.value) == ("pass", 0.0)
    assert brief.finding == "Every one of 110 tenants was ready, but for 1 brief stretch."
    assert tenants_check().finding == "Every one of 110 tenants was ready."


def test_tenants_that_nobody_saw_are_unknown():
    check = tenants_check(seen=0)
    assert (check.status, check.value) == ("unknown", None)


def test_every_check_is_plain_data_of_the_readiness_section():
    checks = [
        availability_check(23),
        outages_check(OUTAGE),
        transitions_check(2),
        latency_check(0.1),
        tenants_check(OUTAGE, names=("x\n" + "y" * 5000,)),
    ]
    assert [check.key for check in checks] == ["availability", "outages", "transitions", "latency", "tenants"]
    for check in checks:
        assert check.section == "readiness"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)
        assert len(check.finding) < 250
        assert "\n" not in check.finding
        assert check.disproof
