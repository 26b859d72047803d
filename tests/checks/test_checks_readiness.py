from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.checks import readiness
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES

WEEK = parse_window("2026-W46")
MONTH = Window(datetime(2026, 10, 17, tzinfo=UTC), WEEK.end)
OUTAGE = ("2026-11-12 10:23", "2026-11-12 10:42", 19.0)
BLIP = ("2026-11-10 03:00", "2026-11-10 03:01", 1.0)
DAYS = 1440


def moments(texts):
    return pd.to_datetime(list(texts), utc=True, format="ISO8601").astype("datetime64[us, UTC]")


def measured(not_ready, seen, whole):
    """Minutes of readiness: not ready, seen, and of the whole time that counts."""
    known = {"low": (seen - not_ready) / whole, "high": 1 - not_ready / whole} if seen else {}
    row = {"since": MONTH.start, "availability": (seen - not_ready) / seen if seen else np.nan, "low": np.nan}
    row |= {"high": np.nan, **known, "seen_minutes": seen, "not_ready_minutes": not_ready}
    return pd.DataFrame([row | {"unknown_minutes": whole - seen, "seen_share": seen / whole}])


def availability_check(not_ready, *, seen=30 * DAYS, whole=None, slo=0.999):
    """Of a platform that is as old as what was seen of it, unless `whole` says otherwise."""
    allowed, used = (1 - slo) * 30 * DAYS, float(not_ready) if seen else np.nan
    budget = pd.DataFrame([{"allowed_minutes": allowed, "used_minutes": used, "remaining_share": 1 - used / allowed}])
    measure = measured(not_ready, seen, whole or max(seen, 1))
    return readiness.availability_check(measure, budget, slo_window=MONTH, slo=slo)


def outages_of(*rows, **columns):
    frame = pd.DataFrame(rows, columns=["start", "end", "minutes"]).astype({"minutes": "float64"})
    return frame.assign(start=moments(frame["start"]), end=moments(frame["end"]), **columns)


def incidents_of(*rows):
    frame = pd.DataFrame(rows, columns=["id", "start", "end"])
    return frame.assign(start=moments(frame["start"]), end=moments(frame["end"]))


def outages_check(*rows, before=(), not_ready=None, seen=7 * DAYS, whole=7 * DAYS, incidents=(), window=WEEK):
    total = sum(row[2] for row in rows) if not_ready is None else not_ready
    return readiness.outages_check(
        outages_of(*rows),
        outages_of(*before),
        measured(total, seen, whole),
        incidents_of(*incidents),
        window=window,
        least_minutes=OUTAGE_MINUTES,
        coverage=0.95,
    )


def hourly(name, *values):
    hours = pd.date_range("2026-11-09", periods=len(values), freq="h", tz="UTC", unit="us")
    return pd.DataFrame({"hour": hours, name: pd.Series(values, dtype="float64")})


def transitions_check(*values, bound=10):
    return readiness.transitions_check(hourly("transitions", *values), window=WEEK, bound=bound)


def latency_check(*values, bound=0.2):
    return readiness.latency_check(hourly("seconds", *values), window=WEEK, bound=bound)


def tenants_check(*rows, names=(), seen=110):
    tenants = pd.DataFrame({"tenant": range(seen)})
    outages = outages_of(*rows, tenant=list(names))
    return readiness.tenants_check(outages, tenants, incidents_of(), window=WEEK, least_minutes=TENANT_MINUTES)


def test_an_objective_that_is_met_says_what_is_used():
    check = availability_check(23)
    assert (check.status, check.value, check.bound) == ("pass", pytest.approx(1 - 23 / 43_200), 0.999)
    assert check.finding == (
        "Ready for 99.947 % of 30 days against an objective of 99.9 %: 23 minutes used of the 43 minutes that 30 days "
        "allow."
    )
    assert check.samples == "every sample of global readiness, held until the next one: 30 days"


@pytest.mark.parametrize(("minutes", "status"), [(38, "pass"), (39, "warn"), (43, "warn"), (44, "fail")])
def test_the_last_tenth_of_the_budget_warns_and_beyond_it_fails(minutes, status):
    """43.2 minutes are allowed: a tenth is left after 38.88."""
    check = availability_check(minutes)
    assert check.status == status
    assert check.finding.startswith(f"Ready for {100 - minutes / 432:.3f} % of 30 days")
    if status == "fail":
        assert check.finding.endswith("44 minutes not ready, 43 minutes allowed.")
        assert check.since == MONTH.start


ASKED = "against an objective of 99.9 %"


@pytest.mark.parametrize(
    ("given", "status", "finding"),
    [
        # Ten days bring a third of the budget: 20 of 14,400 minutes, 14.4 allowed.
        (
            {"not_ready": 20, "seen": 10 * DAYS},
            *("fail", f"Ready for 99.861 % of the 10 days seen {ASKED}: 20 minutes not ready, 14 minutes allowed."),
        ),
        ({"not_ready": 14, "seen": 10 * DAYS}, "pass", f"Ready for 99.903 % of the 10 days seen {ASKED}: 14 minutes "),
        # Exactly the objective is not below it.
        ({"not_ready": 44, "seen": 44_000}, "warn", "Ready for 99.900 % of 30 days"),
        ({"not_ready": 45, "seen": 44_000}, "fail", "Ready for 99.898 % of 30 days"),
        # 60 minutes that nobody saw decide: 23 not ready of 43,200 are 99.947 %, and with them 99.808 %.
        (
            {"not_ready": 23, "seen": 43_140, "whole": 43_200},
            "unknown",
            f"Ready for 99.947 % of 30 days {ASKED}: unknown whether it is met, for 60 minutes were not seen, and with "
            "them it lies between 99.808 % and 99.947 %.",
        ),
        # Ten of them do not.
        ({"not_ready": 23, "seen": 43_190, "whole": 43_200}, "pass", "Ready for 99.947 % of 30 days"),
        # However good the rest was, 44 minutes are lost.
        (
            {"not_ready": 44, "seen": 40_000, "whole": 43_200},
            "fail",
            f"Ready for 99.890 % of the 27.8 days seen {ASKED}",
        ),
        (
            {"not_ready": 0, "seen": 7},
            *("unknown", "Too early to tell whether 99.9 % of 30 days is met: 7 minutes seen, ready in all of it."),
        ),
        (
            {"not_ready": 2, "seen": 60},
            *("unknown", "Too early to tell whether 99.9 % of 30 days is met: 60 minutes seen, 2 minutes of it not "),
        ),
        # What 30 days allow is gone within an hour: for that nothing is too early.
        ({"not_ready": 50, "seen": 60}, "fail", "Ready for 16.667 % of the 60 minutes seen"),
        (
            {"not_ready": 0, "seen": 0},
            *(
                "unknown",
                "Availability over the 30 days up to Mon 16 Nov, 00:00 UTC is unknown: nothing was seen of it.",
            ),
        ),
    ],
)
def test_the_objective_is_judged_by_what_is_sure(given, status, finding):
    check = availability_check(given.pop("not_ready"), **given)
    assert check.status == status
    assert check.finding.startswith(finding)
    assert bool(check.action) == (status in ("warn", "fail"))


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
            "unit": "minutes",
        },
    )


def test_of_several_outages_the_longest_is_named_and_one_goes_on():
    check = outages_check(("2026-11-09 05:00", "2026-11-09 05:02", 2), OUTAGE, ("2026-11-15 23:55", None, 5))
    assert check.finding == ("The platform was not ready 3 times, longest for 19 minutes from Thu 12 Nov, 10:23 UTC.")
    assert (check.value, check.size) == (26.0, "26 minutes in 3 outages")
    assert check.events[2]["end"] is None
    goes_on = outages_check(("2026-11-15 23:00", None, 60))
    assert goes_on.finding.endswith("for 60 minutes from Sun 15 Nov, 23:00 UTC, and still was not when the data end.")


@pytest.mark.parametrize(("minutes", "status"), [(1, "pass"), (1.0001, "pass"), (1.25, "warn"), (2, "warn")])
def test_one_failed_scrape_is_told_and_is_no_warning(minutes, status):
    """A scrape a minute may fail once, and the next one come a few milliseconds late."""
    check = outages_check((*BLIP[:2], minutes))
    assert check.status == status
    if status == "pass":
        assert check.finding == "The platform was ready for all of 2026-W46, but for 1 minute."
        assert check.events == ()


PART = "The platform was not ready for the first 25 minutes, in an outage of 45 minutes that began Sun 8 Nov, 23:40 UTC"


@pytest.mark.parametrize(
    ("end", "seen", "not_ready", "finding"),
    [
        ("2026-11-09 00:25", 7 * DAYS, 25, PART),
        # What was never seen to end is not ready only for as long as it was seen so.
        (None, 25, 25, PART),
        # Of its time in this week an hour was not seen.
        ("2026-11-09 01:25", 7 * DAYS - 60, 25, PART),
    ],
)
def test_an_outage_that_began_before_is_named_with_both_parts(end, seen, not_ready, finding):
    check = outages_check(before=[("2026-11-08 23:40", end, 45)], not_ready=not_ready, seen=seen)
    assert (check.status, check.value, check.events) == ("warn", 25.0, ())
    assert check.finding == f"{finding}."
    assert check.since == datetime(2026, 11, 8, 23, 40, tzinfo=UTC)
    both = outages_check(OUTAGE, before=[("2026-11-08 23:40", end, 45)], not_ready=not_ready)
    assert both.finding.startswith(
        "The platform was not ready for 19 minutes from Thu 12 Nov, 10:23 UTC; for the first"
    )
    assert len(both.events) == 1


@pytest.mark.parametrize(
    ("incidents", "action"),
    [
        ([], "Write an incident for Thu 12 Nov, 10:23 UTC into the ledger, with its cause."),
        ([("INC-7", "2026-11-12 10:00", None)], "Decide what keeps INC-7 from happening again."),
        (
            [("INC-7", "2026-11-12 10:43", None)],
            "Write an incident for Thu 12 Nov, 10:23 UTC into the ledger, with its",
        ),
    ],
)
def test_what_is_left_to_do_depends_on_the_ledger(incidents, action):
    assert outages_check(OUTAGE, incidents=incidents).action.startswith(action)


@pytest.mark.parametrize(
    ("seen", "status", "finding"),
    [
        (7 * DAYS, "pass", "The platform was ready for all of 2026-W46."),
        (7 * DAYS - 60, "pass", "The platform was ready for all of the 7 days seen of 2026-W46."),
        (
            5 * DAYS,
            *(
                "unknown",
                "Not enough was seen to tell whether the platform had an outage: it was ready for all of the 5",
            ),
        ),
        (7, "unknown", "Too early to tell whether the platform had an outage: it was ready for all of the 7 minutes "),
        (0, "unknown", "Whether the platform was ready in 2026-W46 is unknown: nothing was seen of it."),
    ],
)
def test_ready_is_said_of_no_more_than_was_seen(seen, status, finding):
    check = outages_check(seen=seen)
    assert check.status == status
    assert check.finding.startswith(finding)
    assert check.value == (0.0 if status == "pass" else None)


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
        assert check.finding == "The readiness check's p95 stayed within 200 ms in 2026-W46: at most 200 ms."
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
        "1 of 110 tenants not ready for more than 2 minutes at once, the longest a for 19 minutes from Thu 12 Nov, "
        "10:23 UTC."
    )
    brief = tenants_check(BLIP, names=("a",))
    assert (brief.status, brief.value) == ("pass", 0.0)
    assert brief.finding == "Every one of 110 tenants was ready in 2026-W46, but for 1 brief outage."
    assert tenants_check().finding == "Every one of 110 tenants was ready in 2026-W46."


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
