from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from cloudxai_analysis.checks import Check, telemetry
from cloudxai_analysis.ground.window import Window, parse_window

WEEK = parse_window("2026-W46")
TIME = "datetime64[us, UTC]"
GAPS = ["job", "instance", "start", "end", "seconds", "missing"]
STARTS = ["instance", "started_at", "seen_at", "restarted"]


def at(text):
    return pd.Timestamp(text, tz="UTC")


def covered_of(*shares, first="2026-11-09", least=0.95):
    """Days of the least covered job, as `covered_periods` gives them."""
    days = pd.date_range(first, periods=len(shares), tz="UTC", unit="us")
    frame = pd.DataFrame({"day": days, "coverage": list(shares)})
    return frame.assign(covered=frame["coverage"] >= least)


def coverage_of(days=7, failed=0.0):
    return pd.DataFrame({"job": "cloudxai", "expected_minutes": [1440.0] * days, "failed_share": failed})


def coverage_check(*shares, failed=0.0, first="2026-11-09", began="2026-10-01", hours=7 * 24):
    window = Window(WEEK.start, WEEK.start + timedelta(hours=hours), WEEK.name)
    coverage, covered = coverage_of(len(shares), failed), covered_of(*shares, first=first)
    return telemetry.coverage_check(coverage, covered, at(began), window=window, least=0.95)


def gaps_of(*rows):
    frame = pd.DataFrame(rows, columns=GAPS)
    return frame.assign(start=pd.to_datetime(frame["start"], utc=True), end=pd.to_datetime(frame["end"], utc=True))


def starts_of(*rows):
    frame = pd.DataFrame(rows, columns=STARTS)
    return frame.assign(started_at=pd.to_datetime(frame["started_at"], utc=True))


GAP = ("cloudxai", "cloudxai-1:8080", "2026-11-11 14:19", "2026-11-11 15:10", 3060.0, 50)
START = ("cloudxai-0:8080", "2026-11-10 19:03:48", "2026-11-10 19:04", True)


@pytest.mark.parametrize(
    ("given", "status", "finding"),
    [
        (
            {"shares": [1.0] * 6 + [0.95], "failed": 0.002},
            "pass",
            "All 7 whole days of 2026-W46 are covered: 99.29 % of the time was seen, 0.20 % of the scrapes failed.",
        ),
        (
            {"shares": [1.0, 1.0, 0.9499, 1.0, 0.5, 1.0, 1.0]},
            *("warn", "2 of 7 days of 2026-W46 not covered, the least with 12 hours of 24 hours; 92.14 % of the time"),
        ),
        # Of Monday and Tuesday there is no row, though the telemetry began long before.
        (
            {"shares": [1.0] * 5, "first": "2026-11-11"},
            *("warn", "2 of 7 days of 2026-W46 not covered, the least with 0 seconds of 24 hours; 71.43 % of the"),
        ),
        # It began on Wednesday: of what was before nobody can know, and it is no fault.
        (
            {"shares": [0.5, 1.0, 1.0, 1.0, 1.0], "first": "2026-11-11", "began": "2026-11-11 12:00"},
            *(
                "unknown",
                "What was before Wed 11 Nov, 12:00 UTC is unknown, for the telemetry of 2026-W46 begins there",
            ),
        ),
        (
            {"shares": [0.5, 1.0, 0.2, 1.0, 1.0], "first": "2026-11-11", "began": "2026-11-11 12:00"},
            *("warn", "1 of 7 days of 2026-W46 not covered, the least with 4.8 hours of 24 hours"),
        ),
        # The day under way is none of the days yet.
        (
            {"shares": [1.0, 1.0, 0.375], "hours": 57},
            "pass",
            "All 2 whole days of 2026-W46 are covered: 100.00 % of the time",
        ),
        (
            {"shares": [7 / 1440], "hours": 7 / 60, "began": "2026-11-09"},
            *("unknown", "Too early to tell: 7 minutes seen, since Mon 9 Nov, 00:00 UTC."),
        ),
        # Of a single scrape nobody knows for how long it speaks.
        (
            {"shares": [], "began": "2026-11-09"},
            *("unknown", "Too early to tell: scraped for the first time on Mon 9 Nov, 00:00 UTC."),
        ),
        (
            {"shares": [], "began": None},
            "unknown",
            "No sample of `up` for the contract's jobs in 2026-W46: nobody knows what was",
        ),
    ],
)
def test_coverage_is_judged_by_the_days_since_the_telemetry_began(given, status, finding):
    shares = given.pop("shares")
    check = coverage_check(*shares, **given)
    assert check.status == status
    assert check.finding.startswith(finding)
    assert check.value == (pytest.approx(min(1.0, sum(shares) * 24 / given.get("hours", 168))) if shares else None)
    assert (check.bound, check.bound_key, check.unit) == (0.95, "coverage", "share")
    assert bool(check.action) == (status == "warn")


def test_what_is_not_covered_says_since_when():
    check = coverage_check(1.0, 1.0, 0.9499, 1.0, 0.5, 1.0, 1.0)
    assert (check.since, check.size) == (datetime(2026, 11, 11, tzinfo=UTC), "2 uncovered days")


def test_no_gap_passes():
    check = telemetry.gaps_check(gaps_of(), coverage_of(), window=WEEK)
    assert (check.status, check.value, check.events) == ("pass", 0.0, ())
    assert check.finding == "No gap in the scrapes of 1 job in the 7 days of 2026-W46."


def test_a_gap_warns_with_target_length_and_event():
    check = telemetry.gaps_check(gaps_of(GAP), coverage_of(), window=WEEK)
    assert (check.status, check.value, check.size) == ("warn", 50.0, "50 scrapes missing")
    assert check.finding == "cloudxai-1:8080 was not scraped for 51 minutes from Wed 11 Nov, 14:19 UTC."
    assert check.since == datetime(2026, 11, 11, 14, 19, tzinfo=UTC)
    assert check.events == (
        {
            "kind": "scrape_gap",
            "place": "cloudxai-1:8080",
            "start": datetime(2026, 11, 11, 14, 19, tzinfo=UTC),
            "end": datetime(2026, 11, 11, 15, 10, tzinfo=UTC),
            "size": 50.0,
            "unit": "scrapes",
        },
    )


def test_of_several_gaps_the_longest_is_named():
    short = ("cloudxai", "cloudxai-0:8080", "2026-11-10 03:00", "2026-11-10 03:04", 240.0, 3)
    check = telemetry.gaps_check(gaps_of(short, GAP), coverage_of(), window=WEEK)
    assert check.finding.endswith("51 minutes from Wed 11 Nov, 14:19 UTC, the longest of 2 gaps.")
    assert (check.value, check.since) == (53.0, datetime(2026, 11, 10, 3, tzinfo=UTC))
    assert len(check.events) == 2


def test_a_time_without_any_target_weighs_more_than_a_longer_gap_of_one():
    """Two hours in which nobody was scraped, and a day in which others stood in."""
    whole = ("cloudxai", "", "2026-11-12 10:00", "2026-11-12 12:00", 7200.0, 119)
    one = ("cloudxai", "cloudxai-0:8080", "2026-11-10 03:00", "2026-11-11 03:00", 86400.0, 1439)
    check = telemetry.gaps_check(gaps_of(one, whole), coverage_of(), window=WEEK)
    assert check.finding == (
        "No target of cloudxai was scraped for 2 hours from Thu 12 Nov, 10:00 UTC, the longest of 2 gaps."
    )
    assert [event["place"] for event in check.events] == ["cloudxai-0:8080", "cloudxai"]
    assert check.action == "Find out why cloudxai was no target from Thu 12 Nov, 10:00 UTC."


def test_gaps_without_a_sample_of_up_are_unknown():
    check = telemetry.gaps_check(gaps_of(), coverage_of(0), window=WEEK)
    assert check.status == "unknown"
    assert "there are no two samples of `up`" in check.finding


def planned_of(*rows):
    """Deploys and maintenance of the ledger: kind, start, end, tenant."""
    frame = pd.DataFrame(rows, columns=["kind", "start", "end", "tenant"])
    return frame.assign(start=pd.to_datetime(frame["start"], utc=True), end=pd.to_datetime(frame["end"], utc=True))


def restarts_check(*restarts, planned=(), starts=(START,)):
    return telemetry.restarts_check(starts_of(*restarts), starts_of(*starts), planned_of(*planned), window=WEEK)


@pytest.mark.parametrize(
    ("planned", "status"),
    [
        ([], "warn"),
        ([("deploy", "2026-11-10 18:00", "2026-11-10 18:40", "")], "pass"),
        ([("maintenance", "2026-11-10 19:30", "2026-11-10 20:00", "")], "pass"),
        ([("deploy", "2026-11-10 18:00", "2026-11-10 18:33", "")], "warn"),
        ([("deploy", "2026-11-10 18:00", "2026-11-10 20:00", "acme")], "warn"),
    ],
)
def test_a_deploy_within_half_an_hour_explains_a_restart(planned, status):
    assert restarts_check(START, planned=planned).status == status


def test_a_restart_that_nobody_planned_asks_for_people():
    check = restarts_check(START)
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding == (
        "cloudxai-0:8080 restarted on Tue 10 Nov, 19:03 UTC, and no deploy or maintenance in the ledger says why."
    )
    moment = datetime(2026, 11, 10, 19, 3, 48, tzinfo=UTC)
    assert check.events == (
        {"kind": "restart", "place": START[0], "start": moment, "end": moment, "size": 1.0, "unit": "restart"},
    )


def test_no_restart_and_no_known_start():
    none = restarts_check()
    assert (none.status, none.value, none.finding) == ("pass", 0.0, "No process restarted in 2026-W46.")
    unknown = restarts_check(starts=())
    assert (unknown.status, unknown.value) == ("unknown", None)
    assert unknown.finding == "Restarts in 2026-W46 are unknown: no process exports when it began."


@pytest.mark.parametrize("name", ["x\ny" + "z" * 5000, "a,b"])
def test_a_hostile_instance_leaves_the_headline_one_short_line(name):
    check = telemetry.gaps_check(gaps_of(("cloudxai", name, *GAP[2:])), coverage_of(), window=WEEK)
    assert len(check.finding) < 200
    assert "\n" not in check.finding
    assert check.events[0]["place"] == name


def test_every_check_is_plain_data_of_the_telemetry_section():
    checks = [
        coverage_check(*[1.0] * 7),
        telemetry.gaps_check(gaps_of(GAP), coverage_of(), window=WEEK),
        restarts_check(START),
    ]
    assert [check.key for check in checks] == ["coverage", "gaps", "restarts"]
    for check in checks:
        assert check.section == "telemetry"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)


def test_beside_an_address_of_several_processes_no_counter_passes():
    shared = pd.DataFrame([{"instance": "cloudxai:80", "processes": 3}])
    quiet = Check(key="rejections", section="cardinality", status="pass", finding="Nothing refused.", value=0.0)
    assert telemetry.unread(quiet, shared.iloc[:0]) is quiet
    unknown = telemetry.unread(quiet, shared)
    assert (unknown.status, unknown.value) == ("unknown", None)
    assert "behind 1 address: cloudxai:80 (3 processes)" in unknown.finding
    assert "scrape each process at an address of its own" in unknown.finding
    loud = replace(quiet, status="warn", finding="7 refused.", value=7.0)
    assert telemetry.unread(loud, shared).value == 7.0
    assert telemetry.unread(loud, shared).finding.startswith("7 refused. Several processes answer")
