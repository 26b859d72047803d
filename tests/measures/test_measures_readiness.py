"""Readiness by hand: letters of scrapes, stretches of minutes, the Workbook's table, Prometheus' own quantile."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from by_hand import TIME, at, table
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import readiness as measure
from cloudxai_analysis.measures import telemetry
from cloudxai_analysis.measures.time_seen import holds

BEGIN, MINUTE = at("09"), pd.Timedelta(minutes=1)
DAY = Window(BEGIN.to_pydatetime(), at("10").to_pydatetime())
WEEK = parse_window("2026-W46")
SAID = {"1": 1.0, "0": 0.0, "x": np.nan}


def samples_of(*gauges, job="cloudxai", text=False):
    """One letter a scrape: '1', '0', 'x' a staleness marker, '.' no sample. A gauge: name, letters, step, first second.

    What has one name is one series; 'acme@a' is the tenant acme at an instance.
    """
    rows = [
        (*name.rpartition("@")[::2], BEGIN + pd.Timedelta(seconds=begin + place * step), SAID[letter])
        for name, letters, step, begin in [(*gauge, *(60, 0)[len(gauge) - 2 :]) for gauge in gauges]
        for place, letter in enumerate(letters)
        if letter != "."
    ]
    frame = table("tenant instance time value", *rows, job=job, text=text).astype({"value": "float64"})
    return frame.assign(series_id=frame.groupby(["tenant", "instance"], observed=True).ngroup().astype("int64"))


def course(*rows):
    """Stretches of readiness: first minute, minute after the last, 1 or 0."""
    frame = pd.DataFrame(rows, columns=["start", "end", "ready"], dtype="float64")
    return frame.assign(**{edge: (BEGIN + frame[edge] * MINUTE).astype(TIME) for edge in ("start", "end")})


def minutes(time):
    return None if pd.isna(time) else (time - BEGIN) / MINUTE


def told(frame, *columns):
    return [
        (minutes(row.start), minutes(row.end), *(getattr(row, name) for name in columns)) for row in frame.itertuples()
    ]


# The last scrape stands for two and a half minutes, or 37.5 seconds where they are 15 seconds apart.
ON = "1" * 30
HOLE = "1" * 10 + "." * 10 + "1" * 10
DOWN = HOLE.replace(".", "0")
QUICK = ("a", "1" * 480, 15)
# Gauges, `up` of the targets, and stretches of readiness by hand.
PLATFORMS = {
    "the least ready counts": ([("a", "1101"), ("b", "1011")], [], [(0, 1, 1), (1, 3, 0), (3, 5.5, 1)]),
    "an hour after the interval grew from 15 s to a minute": (
        [QUICK, ("a", ON + "0" * 60 + ON, 60, 7200)],
        *([], [(0, 150, 1), (150, 210, 0), (210, 241.5, 1)]),
    ),
    "a slow instance beside a quick one": (
        [QUICK, ("b", ON + "0" * 30 + ON + ON)],
        *([], [(0, 30, 1), (30, 60, 0), (60, 121.5, 1)]),
    ),
    "an instance that is away counts for 2.5 steps": (
        [("a", ON), ("b", "0" * 10 + "." * 10 + "1" * 10)],
        *([], [(0, 11.5, 0), (11.5, 31.5, 1)]),
    ),
    "a gap is unknown": ([("a", HOLE)], [], [(0, 11.5, 1), (20, 31.5, 1)]),
    "a marker ends what holds": ([("a", "1" * 10 + "x")], [], [(0, 10, 1)]),
    "down is not ready": ([("a", HOLE)], [("a", DOWN)], [(0, 10, 1), (10, 20, 0), (20, 31.5, 1)]),
    "without `up` it is unknown": ([("a", HOLE)], [("a", HOLE)], [(0, 11.5, 1), (20, 31.5, 1)]),
    "one of two is down": ([("a", HOLE), ("b", ON)], [("a", DOWN), ("b", ON)], [(0, 31.5, 1)]),
    "a failed scrape ends what an instance said, without a marker": (
        [("a", "0" * 10), ("b", ON)],
        *([("a", DOWN), ("b", ON)], [(0, 10, 0), (10, 31.5, 1)]),
    ),
    "one failed scrape is a minute": (
        [("a", "1" * 10 + "." + "1" * 10)],
        *([("a", "1" * 10 + "0" + "1" * 10)], [(0, 10, 1), (10, 11, 0), (11, 22.5, 1)]),
    ),
    "down without a gauge, and up without one": ([], [("a", DOWN)], [(10, 20, 0)]),
    "a target without a gauge is down": ([("a", ON)], [("a", ON), ("b", DOWN)], [(0, 31.5, 1)]),
    "another job that never told of readiness is down": ([("a", ON)], [("a", ON)], [(0, 31.5, 1)]),
}


@pytest.mark.parametrize("case", PLATFORMS)
def test_readiness_by_hand(case):
    gauges, up, expected = PLATFORMS[case]
    other = [("x", DOWN)] if "another job" in case else []
    scraped = pd.concat([samples_of(*up), samples_of(*other, job="other")], ignore_index=True)
    found = measure.global_readiness(samples_of(*gauges), scraped, telemetry.job_states(holds(scraped)))
    assert told(found, "ready") == expected


@pytest.mark.parametrize(
    ("rows", "ready", "down", "whole"),
    [
        ([(0, 1440, 1)], 1440, 0, 1440),
        ([(0, 10, 1), (10, 12, 0), (12, 500, 1), (500, 501, 0), (501, 1440, 1)], 1437, 3, 1440),
        # 60 minutes are unknown, and 30 not ready.
        ([(0, 100, 1), (100, 130, 0), (190, 1440, 1)], 1350, 30, 1440),
        # What is before the first sample does not count; what is after the last does.
        ([(600, 1000, 1), (1000, 1010, 0)], 400, 10, 840),
        # Only the window's part of a stretch counts.
        ([(-600, 20, 0), (20, 5000, 1)], 1420, 20, 1440),
    ],
)
def test_availability_is_the_share_of_the_time_seen(rows, ready, down, whole):
    row = measure.availability(course(*rows), DAY).iloc[0]
    assert row["availability"] == pytest.approx(ready / (ready + down))
    assert (row["low"], row["high"]) == pytest.approx((ready / whole, 1 - down / whole))
    assert (row["seen_minutes"], row["not_ready_minutes"]) == (ready + down, down)
    assert row["unknown_minutes"] == pytest.approx(whole - ready - down)
    assert row["seen_share"] == pytest.approx((ready + down) / whole)
    assert row["since"] == max(course(*rows)["start"].min(), BEGIN)


@pytest.mark.parametrize("frame", [course(), course((-2000, -1000, 1)), course((5000, 6000, 0))])
def test_where_nothing_was_seen_availability_is_unknown_and_nothing_is_used(frame):
    row = measure.availability(frame, DAY).iloc[0]
    assert (row["seen_minutes"], row["not_ready_minutes"], row["seen_share"]) == (0, 0, 0)
    assert row[["availability", "low", "high"]].isna().all()
    assert measure.error_budget(frame, DAY, slo=0.999)[["used_minutes", "remaining_share"]].isna().all(axis=None)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=60, max_size=200), st.data())
def test_whatever_the_unknown_time_was_the_truth_lies_within_the_bounds(ready, data):
    gone = data.draw(st.sets(st.integers(1, len(ready) - 1), max_size=len(ready) // 4))
    seen = course(*((one, one + 1, float(said)) for one, said in enumerate(ready) if one not in gone))
    window = Window(DAY.start, DAY.start + timedelta(minutes=len(ready)))
    row = measure.availability(seen, window).iloc[0]
    assert row["low"] - 1e-9 <= np.mean(ready) <= row["high"] + 1e-9
    assert row["low"] - 1e-9 <= row["availability"] <= row["high"] + 1e-9


def test_days_rolling_days_and_the_budget_by_hand():
    """A quarter of the first day is not ready, of the third nothing is known, of the fourth half a day."""
    rows = course((0, 360, 0), (360, 2880, 1), (4320, 5040, 1))
    daily = measure.daily_availability(rows)
    assert daily["day"].dt.day.tolist() == [9, 10, 11, 12]
    np.testing.assert_array_equal(daily["availability"], [0.75, 1, np.nan, 1])
    assert daily["seen_minutes"].tolist() == [1440, 1440, 0, 720]
    # Over two days, at each day's end: 18 of 24 h, 42 of 48, 24 of 24, 12 of 12.
    rolling = measure.rolling_availability(rows, days=2)
    assert rolling["day"].dt.day.tolist() == [10, 11, 12, 13]
    assert rolling["availability"].tolist() == [0.75, 42 / 48, 1.0, 1.0]
    # 99.9 % of 30 days leave 43.2 minutes (the figure that every SRE book prints); all of a day is 1,000 budgets.
    month = Window(DAY.start, DAY.start + timedelta(days=30))
    budget = measure.error_budget(course((0, 10, 0), (10, 43_200, 1)), month, slo=0.999).iloc[0]
    assert budget["allowed_minutes"] == pytest.approx(43.2)
    assert budget["remaining_share"] == pytest.approx(1 - 10 / 43.2)
    assert measure.error_budget(course((0, 1440, 0)), DAY, slo=0.999)["remaining_share"].iloc[0] == pytest.approx(-999)


def days(number, *, down=(), missing=()):
    """So many days of readiness; `down` and `missing` are (first minute, minutes)."""
    state = np.ones(number * 1_440)
    for value, stretches in ((0, down), (-1, missing)):
        for first, length in stretches:
            state[first : first + length] = value
    edges = np.append(np.flatnonzero(np.diff(state, prepend=9)), len(state))
    rows = zip(edges[:-1], edges[1:], state[edges[:-1]], strict=True)
    return course(*(row for row in rows if row[2] >= 0))


END = 3 * 1_440
# Three days, and for the pairs' thresholds: rates over the long and the short window, and whether it burns.
BURNS = {
    "all errors burn a thousandfold under three nines": (
        {"down": [(0, END)]},
        dict.fromkeys((14.4, 6.0, 3.0, 1.0), (1000, 1000, True)),
    ),
    # Six of the last 60 minutes: 0.1 / 0.001 = 100 over the hour; none of the last five.
    "six minutes half an hour ago": (
        {"down": [(END - 30, 6)]},
        {14.4: (100, 0, False), 6.0: (6 / 0.36, 6 / 0.03, True), 1.0: (6 / 4.32, 6 / 0.36, True)},
    ),
    "what nobody saw is no rate": ({"missing": [(END - 10, 10)]}, {14.4: (0, None, None)}),
    # Six of 30 minutes seen of the last hour.
    "the time seen counts": ({"down": [(END - 20, 6)], "missing": [(END - 60, 30)]}, {14.4: (6 / 0.03, 0, False)}),
    # One minute of an hour is 16.7 times what is allowed, and is told as such; but one scrape may fail.
    "a single failed scrape burns nothing": ({"down": [(END - 1, 1)]}, {14.4: (1 / 0.06, 200, False)}),
    "two burn": ({"down": [(END - 2, 2)]}, {14.4: (2 / 0.06, 400, True)}),
}


@pytest.mark.parametrize("case", BURNS)
def test_burn_rates_by_hand(case):
    given_, expected = BURNS[case]
    found = measure.burn_rates(days(3, **given_), slo=0.999, at=BEGIN + END * MINUTE).set_index("threshold")
    for threshold, row in expected.items():
        own = found.loc[threshold, ["burn_long", "burn_short", "burning"]]
        assert [None if pd.isna(one) else pytest.approx(one) for one in own] == list(row)


def test_stretches_begin_and_end_where_both_windows_cross():
    """Two minutes of errors, 600 and 601: told once both are seen, at 602, until the short window has lost the last.

    At 606 it still holds the minute before 602; at 607 none.
    """
    fast = measure.burn_stretches(days(2, down=[(600, 2)]), WEEK, slo=0.999).set_index("threshold").loc[14.4]
    assert (minutes(fast["start"]), minutes(fast["end"])) == (602, 607)
    assert fast["most"] == pytest.approx(2 / 60 / 0.001)
    assert fast["budget_share"] == pytest.approx(2 / 43.2)
    # One that goes on has no end, and a quiet week none.
    long = measure.burn_stretches(days(7, down=[(10_000, 80)]), WEEK, slo=0.999)
    assert long["end"].isna().all()
    assert set(long["threshold"]) == {14.4, 6.0, 3.0, 1.0}
    for quiet in (days(7), course(), days(3, down=[(600, 1)])):
        assert measure.burn_stretches(quiet, WEEK, slo=0.999).empty
    # Table 5-8: 2 % of 30 days' budget in 1 h, 5 % in 6 h, 10 % in 3 d; and 10 % in a day; a twelfth is short.
    month = pd.Timedelta(days=30)
    assert [round(rate * (over / month), 6) for rate, over, _ in measure.PAIRS] == [0.02, 0.05, 0.1, 0.1]
    assert all(over / short == 12 for _, over, short in measure.PAIRS)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([(0, 1, 1), (1, 4, 0), (4, 9, 1)], [(1, 4, 3)]),
        ([(0, 5, 0), (5, 6, 1), (6, 8, 0)], [(0, 5, 5), (6, None, 2)]),
        ([(0, 5, 1), (7, 9, 1)], []),
        # What nobody saw ends no outage, and counts for none of its minutes.
        ([(0, 1, 1), (1, 3, 0), (10, 12, 0), (12, 20, 1)], [(1, 12, 4)]),
        ([(0, 1, 0), (5, 9, 1), (9, 10, 0)], [(0, 5, 1), (9, None, 1)]),
    ],
)
def test_an_outage_runs_until_the_platform_is_seen_ready(rows, found):
    assert told(measure.outages(course(*rows)), "minutes") == found


@pytest.mark.parametrize(
    ("gauges", "found"),
    [
        # By whichever instance; the last scrape of one that stays not ready stands for two and a half minutes.
        (
            [("=1+1@a", "1001"), ("<b>@a", "0011"), ("=1+1@b", "1110"), ("c@a", "1111")],
            [(0, 2, "<b>", 1, 2), (1, None, "=1+1", 2, 4.5)],
        ),
        ([("t@a", "1" * 10 + "0" * 12 + "1" * 10, 15)], [(2.5, 5.5, "t", 1, 3)]),
        ([("t@a", "1" * 10 + "000" + "1" * 10)], [(10, 13, "t", 1, 3)]),
        # A gap counts 2.5 steps; NaN is no sample.
        ([("t@a", "1" * 40 + "00.....00" + "1" * 40)], [(40, 49, "t", 1, 2 - 1 + 2.5 + 2)]),
        ([("t@a", "1" * 10 + "0x0" + "1" * 10)], [(10, 13, "t", 1, 3)]),
        # A pod that goes while not ready: its tenant's next sample, of the new pod, ends it or goes on with it.
        ([("t@a", "1100"), ("t@b", "." * 8 + "1110011")], [(2, 8, "t", 1, 3.5), (11, 13, "t", 1, 2)]),
        ([("t@a", "1100"), ("t@b", "." * 8 + "0011")], [(2, 10, "t", 2, 3.5 + 2)]),
    ],
)
@pytest.mark.parametrize("text", [True, False])
def test_an_outage_of_a_tenant_counts_once_and_is_weighed_by_time(gauges, found, text):
    frame = measure.tenant_outages(samples_of(*gauges, text=text).sample(frac=1, random_state=1))
    assert told(frame, "tenant", "instances", "minutes") == found


# Of an outage from 600 to 620, of 50 tenants: (tenant, first minute, its end); then verdict, tenants, nearest.
BREACHES = {
    "a tenant that went before": ([("acme", 598, 620), ("other", 100, 105)], ("tenant", 1, "acme")),
    "of several the one that overlaps most": ([("a", 596, 636), ("b", 600, 620)], ("tenant", 2, "b")),
    "began too early": ([("acme", 590, 620)], ("alone", 0, "")),
    "began later": ([("acme", 602, 620)], ("alone", 0, "")),
    "ended soon": ([("acme", 599, 604)], ("alone", 0, "")),
    "was long not ready": ([("acme", 500, 900)], ("alone", 0, "")),
    "half of them": ([(f"t{number}", 600, 620) for number in range(25)], ("platform", 25, "t0")),
    "not half of them": ([(f"t{number}", 600, 620) for number in range(24)], ("tenant", 24, "t0")),
}


@pytest.mark.parametrize("case", BREACHES)
def test_what_went_with_an_outage(case):
    tenants, expected = BREACHES[case]
    made = course(*((start, end, 0) for _, start, end in tenants)).assign(tenant=[name for name, *_ in tenants])
    row = measure.isolation_breaches(course((600, 620, 0)), made, seen=50, end=at("10")).iloc[0]
    assert tuple(row[["verdict", "tenants", "nearest"]]) == expected
    if case == "a tenant that went before":
        assert (row["lead_seconds"], row["overlap"]) == (120, pytest.approx(20 / 22))
    # What goes on lasts to the end, and without an outage there is none.
    outage, still = (
        frame.assign(end=frame["end"].where(frame["end"].isna())) for frame in (course((600, 620, 0)), made)
    )
    on = measure.isolation_breaches(outage, still, seen=50, end=at("10"))
    assert on["end"].tolist() == [at("10")]
    assert measure.isolation_breaches(course(), made, seen=50, end=at("10")).empty


def test_transitions_are_those_of_the_process_that_saw_most_and_add_up_over_a_rollout():
    """a and b look on at the same minutes; b saw one more. c came after them. An hour without a flip stands with 0."""
    rows = [("a", 1, 2, 2), ("b", 1.5, 2.5, 3), ("c", 39, 40, 3), ("c", 59, 61, 1), ("a", 121, 122, 0)]
    steps = table(
        "instance before time step",
        *((name, *(BEGIN + one * MINUTE for one in edges), step) for name, *edges, step in rows),
    )
    assert measure.transitions(steps)["transitions"].tolist() == [6.0, 1.0, 0.0]


CHECKS = {"0.1": 50, "0.2": 90, "0.5": 100, "+Inf": 100}
PARTS = [{"0.1": 50, "0.2": 60, "0.5": 60, "+Inf": 60}, {"0.10": 0, "0.2": 30, "5e-1": 40, "+Inf": 40}]


@pytest.mark.parametrize(
    ("counts", "quantile", "seconds"),
    [
        # 100 checks: 50 up to 0.1 s, 40 more up to 0.2 s, 10 more up to 0.5 s; the first bucket begins at 0.
        *(([CHECKS], 0.25, [0.05]), ([CHECKS], 0.5, [0.1]), ([CHECKS], 0.7, [0.15]), ([CHECKS], 1.0, [0.5])),
        ([CHECKS], 0.95, [0.35]),  # 5 of the 10 of the third: 0.2 + 0.3 x 5 / 10
        (PARTS, 0.95, [0.35]),  # together as above; spellings of one bound are one bucket
        ([{"0.1": 95, "0.2": 95, "0.5": 100, "+Inf": 100}], 0.95, [0.1]),  # the first bucket that holds it
        ([{"0.1": 50, "0.2": 90, "+Inf": 100}], 0.95, [0.2]),  # all that is known beyond the last finite bound
        ([{"0.1": 0, "+Inf": 0}], 0.95, []),
        ([{"0.1": 50, "0.2": 100}], 0.95, []),  # a histogram without its end
    ],
)
def test_a_quantile_is_linear_within_its_bucket(counts, quantile, seconds):
    rows = [(f"i{number}", le, float(many)) for number, own in enumerate(counts) for le, many in own.items()]
    hours = table("instance le increase", *rows, hour=BEGIN, text=False)
    assert measure.check_latency(hours, quantile=quantile)["seconds"].tolist() == pytest.approx(seconds)


def test_the_least_available_tenant_stands_first():
    """acme is not ready in 10 of 60 minutes of one hour, and ready in the next, in which it is scraped every 15 s.

    Weighed by time that is 110 of 120 minutes; of its samples it would be 290 of 300.
    """
    rows = [
        ("beta", 60, 60.0, 0, 0, 59),
        ("acme", 60, 50.0, 4, 0, 59),
        ("acme", 240, 240.0, 1, 60, 119.75),
        ("gone", 0, 0.0, 0, 0, 0),
    ]
    made = [(*row[:4], *(BEGIN + one * MINUTE for one in row[4:])) for row in rows]
    frame = measure.tenant_availability(table("tenant samples sum changes first_ts last_ts", *made, text=False))
    assert frame.to_numpy().tolist() == [["acme", 300, pytest.approx(110 / 120), 5], ["beta", 60, 1.0, 0]]
