import pandas as pd

from cloudxai_analysis.checks.growth import time_to_cap_check

START = pd.Timestamp("2026-11-15", tz="UTC")
HEADROOM = pd.DataFrame({"instance": ["cloudxai-0:8080"], "headroom": [55]})
ENDS = ("earliest95", "earliest80", "median", "latest80", "latest95")
ROW = {
    "answer": "forecast", "held": 80, "generated": 0, "one_off": 0.0, "one_off_day": pd.NaT,
    "cap": 100, "since": pd.NaT, "from_day": START, "within": 0.9, "horizon_days": 90,
    "model": "steady", "days_known": 40, **dict.fromkeys(ENDS, pd.NaT),
}  # fmt: skip


def check(*days, headroom=HEADROOM, **changed):
    """The verdict where the intervals' ends are so many days after the start."""
    ends = {end: START + pd.Timedelta(days=day) for end, day in zip(ENDS, days, strict=False)}
    return time_to_cap_check(pd.DataFrame([{**ROW, **ends, **changed}]), headroom, days=14)


def test_a_median_within_the_bound_warns_and_says_when_and_how_sure():
    found = check(5, 7, 14, 30)
    assert (found.status, found.value, found.bound, found.bound_key) == ("warn", 14.0, 14.0, "days_to_cap")
    assert found.finding == (
        "cloudxai-0:8080 is likely to reach the cap by Sun 29 Nov (80 % interval: Sun 22 Nov to Tue 15 Dec): it holds "
        "80 of 100 labels; the earliest plausible date is Fri 20 Nov."
    )
    assert found.action
    assert found.size == "14 days left"


def test_a_median_later_than_the_bound_passes_with_the_date():
    found = check(5, 7, 15)
    assert (found.status, found.value) == ("pass", 15.0)
    assert "by Mon 30 Nov (80 % interval: Sun 22 Nov to over 90 days ahead)" in found.finding


def test_not_within_the_horizon_passes_and_says_what_share_of_the_paths_does():
    found = check(within=0.01, answer="not within the horizon")
    assert (found.status, found.value) == ("pass", None)
    assert found.finding == (
        "cloudxai-0:8080 holds 80 of 100 labels, and is not likely to reach the cap within 90 days; 1 % of the "
        "simulated courses do, and no plausible date lies within 90 days."
    )


def test_what_is_not_extrapolated_is_said():
    campaign = pd.Timestamp("2026-11-11", tz="UTC")
    found = check(20, 30, 40, generated=40, one_off=25.0, one_off_day=campaign)
    assert "it holds 80 of 100 labels (40 generated); the earliest plausible date is Sat 5 Dec" in found.finding
    assert found.finding.endswith("; 25 tenants of Wed 11 Nov are taken for a one-off.")


def test_too_little_history_is_unknown_and_says_how_much_is_needed():
    found = check(answer="too little history", days_known=9)
    assert (found.status, found.value) == ("unknown", None)
    assert (
        found.finding == "When the tenant labels run out is unknown: the arrivals of 9 days are known, 21 are needed."
    )
    assert "no process exported a tenant" in check(headroom=HEADROOM[:0]).finding


def test_a_cap_that_is_reached_warns_with_since_when():
    since = pd.Timestamp("2026-11-10 09:48", tz="UTC")
    refusing, full = check(answer="refusing", since=since, held=100), check(answer="at the cap", since=since)
    assert refusing.finding == "cloudxai-0:8080 refuses new tenants since Tue 10 Nov, 09:48 UTC: the cap is reached."
    assert "holds all 100 tenant labels since" in full.finding
    assert (refusing.status, full.value, full.since) == ("warn", 0.0, since.to_pydatetime())


def test_a_guard_that_refuses_below_the_cap_has_not_reached_it():
    """88 labels are left, and it refuses all the same: that is the guard's fault, and no cap that is reached."""
    found = check(answer="refusing", since=pd.Timestamp("2026-11-09 00:20", tz="UTC"), held=12)
    assert (found.status, found.value) == ("unknown", None)
    assert "refuses new tenants since Mon 9 Nov, 00:20 UTC, and has shown 12 of 100" in found.finding
