"""Tenant labels by hand: who is there, what each process holds, who comes and goes, what the guard did."""

from __future__ import annotations

import json
from datetime import timedelta

import pandas as pd
import pytest
from by_hand import at, said, table
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import cardinality as measure
from cloudxai_analysis.measures.counters import counter_steps
from cloudxai_analysis.measures.labels import label_savings, series_by_metric

WEEK = parse_window("2026-W46")  # 9 to 16 November
MORNING = Window(at("09").to_pydatetime(), at("09 06:00").to_pydatetime())


def hours(*rows, **more):
    """One row per (instance, tenant, first sample, last sample), which lie in one hour."""
    frame = table("instance tenant first_ts last_ts", *rows, text=False, **{"samples": 1, **more})
    return frame.assign(hour=frame["first_ts"].dt.floor("h"))


def starts(*rows, until="20"):
    """One row per (instance, started_at, seen_at)."""
    return table("instance started_at seen_at", *rows, until=at(until), processes=1, restarted=True)


def covered(*days, first=9):
    return table("day covered", *((f"{first + number:02}", there) for number, there in enumerate(days)))


def days(*tenants):
    """Hours with one string of one-letter tenants per day, from 9 November on."""
    there = [(day, name) for day, row in enumerate(tenants) for name in row]
    return hours(*(("a", name, f"{9 + day:02} 12:00", f"{9 + day:02} 12:59") for day, name in there))


# Hours, starts, then who arrived: instance, start, tenant, when.
RESTART = [("a", "acme", "09 00:00", "09 00:59"), ("a", "beta", "09 00:00", "09 00:10")]
ARRIVALS = {
    "without a start it is one process": (
        [*RESTART[:1], ("a", "acme", "09 01:00", "09 01:59"), ("b", "acme", "09 01:30", "09 01:59")],
        [],
        [["a", None, "acme", "09 00:00"], ["b", None, "acme", "09 01:30"]],
    ),
    # acme was there before and after it, beta only before, new only after.
    "a restart begins with an empty list": (
        [*RESTART, ("a", "new", "09 00:45", "09 00:59")],
        [("a", "08 00:00", "08 00:01"), ("a", "09 00:30", "09 00:31")],
        [
            *(["a", "08 00:00", "acme", "09 00:00"], ["a", "08 00:00", "beta", "09 00:00"]),
            *(["a", "09 00:30", "acme", "09 00:31"], ["a", "09 00:30", "new", "09 00:45"]),
        ],
    ),
    # What an hour's rollup cannot tell apart counts for each process that it reaches over.
    "two restarts within an hour": (
        [RESTART[0], ("a", "beta", "09 00:25", "09 00:35")],
        [("a", "09 00:19", "09 00:20"), ("a", "09 00:29", "09 00:30")],
        [
            ["a", None, "acme", "09 00:00"],
            *(["a", "09 00:19", "acme", "09 00:20"], ["a", "09 00:19", "beta", "09 00:25"]),
            *(["a", "09 00:29", "acme", "09 00:30"], ["a", "09 00:29", "beta", "09 00:30"]),
        ],
    ),
}


@pytest.mark.parametrize("case", ARRIVALS)
def test_a_tenant_arrives_when_a_process_first_shows_it(case):
    rows, begun, expected = ARRIVALS[case]
    found = measure.tenant_arrivals(hours(*rows), starts(*begun)).sort_values(["instance", "seen_at", "tenant"])
    assert said(found, "instance started_at tenant seen_at") == expected


def held(rows, begun, window=MORNING):
    return measure.held_tenants(measure.tenant_arrivals(rows, begun), window, begun)


def test_a_new_process_holds_nothing_until_its_first_tenant_comes():
    begun = starts(("a", "08 00:00", "08 00:01"), ("a", "09 00:59:30", "09 01:00"), until="09 04:00")
    found = held(hours(RESTART[0], ("a", "acme", "09 03:20", "09 03:59")), begun)
    assert said(found[found["hour"] > at("09 00:30")], "hour held") == [
        *(["09 01:00", 0], ["09 02:00", 0], ["09 03:00", 1])
    ]


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5 * 60 + 59)), min_size=1, max_size=30),
    st.lists(st.integers(1, 5 * 60), max_size=3, unique=True),
)
def test_held_tenants_are_those_seen_since_the_last_start(sightings, restarts):
    """Against a plain count: the names seen in [last start, end of the hour); each process shows one from its start."""
    begun = sorted(at("09") + timedelta(minutes=minute) for minute in {0, *restarts})
    seen = [(name, at("09") + timedelta(minutes=minute)) for name, minute in sightings]
    seen += [("always", moment) for moment in begun]
    last = max(moment.hour for _, moment in seen)
    own = starts(*(("a", moment - timedelta(seconds=20), moment) for moment in begun), until=f"09 {1 + last:02}:00")
    found = held(hours(*(("a", name, moment, moment) for name, moment in seen)), own)
    assert len(found) == 1 + last
    for row in found.itertuples():
        end = row.hour + timedelta(hours=1)
        since = max(moment for moment in begun if moment < end)
        assert row.held == len({name for name, moment in seen if since <= moment < end})


def test_tenants_are_active_once_and_headroom_is_of_the_process_with_the_least():
    there = hours(
        *(("a", "acme", "09 00:00", "09 00:59"), ("b", "acme", "09 00:00", "09 00:59")),
        *(("b", "beta", "09 00:30", "09 00:59"), ("b", "beta", "09 02:00", "09 02:59")),
    )
    # An hour that holds a staleness marker alone shows nobody.
    there = pd.concat([there, hours(("a", "acme", "09 03:00", "09 03:00"), samples=0)], ignore_index=True)
    found = measure.active_tenants(there, ["beta", "nobody"])
    assert said(found, "hour tenants generated") == [["09 00:00", 2, 1], ["09 02:00", 1, 1]]
    full = table(
        "hour instance held", *((f"09 0{n}:00", *row) for n in (0, 1) for row in [("a", 60 + 40 * n), ("b", 61)])
    )
    assert said(measure.headroom(full, cap=100), "headroom instance") == [[39, "b"], [0, "a"]]
    # Who came and went by turns is no more than was there at once.
    assert measure.headroom(full, cap=90)["headroom"].tolist() == [29, -10]
    shown = table("instance most_tenants", ("a", 88), ("b", 61))
    assert measure.headroom(full, cap=90, shown=shown)["headroom"].tolist() == [29, 0]


@pytest.mark.parametrize(
    ("tenants", "sure", "came", "left", "churn"),
    [
        # One came and one left of five; none of four.
        (["abcd", "bcde", "bcde"], [True] * 3, [None, 1, 0], [None, 1, 0], [None, 0.4, 0]),
        (["abc", "a", "abc", "abc"], [True, False, True, True], *[[None, None, None, 0]] * 3),
    ],
)
def test_churn_is_who_came_and_left_of_all_on_either_of_two_covered_days(tenants, sure, came, left, churn):
    found = measure.tenant_churn(days(*tenants), covered(*sure))
    assert found["tenants"].tolist() == [len(day) for day in tenants]
    assert said(found, "came left churn") == [list(row) for row in zip(came, left, churn, strict=True)]


def test_each_tenant_of_a_week_is_in_one_set():
    rows = [
        *(("a", name, "01 12:00", "01 12:59") for name in ("back", "gone")),  # two weeks before
        *(("a", name, "05 12:00", "05 12:59") for name in ("stays", "leaves")),  # the week before
        *(("a", name, "09 00:00", "09 00:59") for name in ("stays", "back", "new")),
        ("a", "later", "16 00:00", "16 00:59"),
        ("a", "marked", "09 00:00", "09 00:00"),  # a staleness marker, and no sample
    ]
    there = hours(*rows, samples=[name != "marked" for _, name, *_ in rows])
    found = dict(said(measure.tenant_sets(there, WEEK), "tenant set"))
    assert found == {"stays": "stayed", "leaves": "lost", "back": "returning", "new": "new"}
    begun = measure.tenant_sets(there, WEEK, begins=True)
    assert set(begun["set"]) == {"stayed", "lost", "returning", "unknown"}


def test_each_weeks_tenants_are_followed_to_the_end_and_lives_run_from_first_to_last():
    """a stays for a week, b pauses for one and comes back; of the week of 16 November nobody knows anything."""
    noons = {"old": (2, 9, 16, 23), "a": (9, 16), "b": (10, 24), "c": (18,)}
    rows = [("a", name, f"{day:02} 12:00", f"{day:02} 12:59") for name, those in noons.items() for day in those]
    window = Window(at("02").to_pydatetime(), at("30").to_pydatetime())
    sure = covered(*[True] * 28, first=2)
    found = measure.tenant_cohorts(hours(*rows), sure, window)
    assert said(found, "cohort weeks_later tenants present already_there") == [
        *(["2026-W45", later, 1, 1, True] for later in range(4)),
        *(["2026-W46", later, 2, present, False] for later, present in enumerate((2, 1, 1))),
        *(["2026-W47", later, 1, present, False] for later, present in enumerate((1, 0))),
    ]
    unseen = sure.assign(covered=~sure["day"].between(at("16"), at("22")))
    assert said(measure.tenant_cohorts(hours(*rows), unseen, window)[:4], "present") == [[1], [1], [None], [1]]
    lives = measure.tenant_lifetimes(hours(*rows), end=at("25 12:00")).set_index("tenant")
    assert lives["days"].to_dict() == pytest.approx(
        {"old": 21 + 59 / 1440, "b": 14 + 59 / 1440, "a": 7 + 59 / 1440, "c": 59 / 1440}
    )
    assert lives["gone"].to_dict() == {"old": True, "b": False, "a": True, "c": True}
    assert lives.index[lives["already_there"]].tolist() == ["old"]


SERIES = table(
    "metric labels first_seen last_seen samples",
    ("cost", {"tenant": "a", "pod": "1"}, "01", "15 23:59", 100),
    ("cost", {"tenant": "a", "pod": "2"}, "10", "15 23:59", 50),
    ("cost", {"tenant": "b", "pod": "1"}, "10", "12", 20),
    ("cost", {"tenant": "gone", "pod": "1"}, "01", "02", 20),
    ("ready", {"tenant": "a"}, "01", "15 23:59", 70),
    ("m", {"a": "1"}, "01", "02", 1),
    ("m", {"a": "1", "b": ""}, "01", "02", 1),
)
SERIES["labels"] = [json.dumps(labels) for labels in SERIES["labels"]]


def test_series_are_counted_with_who_came_and_left_and_what_a_label_makes():
    found = series_by_metric(SERIES, WEEK)
    assert said(found, "metric series tenants samples newcomers leavers churn share") == [
        *(["cost", 3, 2, 170, 2, 1, 1.0, 0.75], ["ready", 1, 1, 70, 0, 0, 0.0, 0.25])
    ]
    # Without pod: a, b, gone; without tenant: pods 1 and 2. An empty label is a value of its own.
    assert said(label_savings(SERIES, needed=("tenant",)), "metric label values series without saving needed") == [
        *(["cost", "tenant", 3, 4, 2, 2, True], ["cost", "pod", 2, 4, 3, 1, False]),
        *(["m", "b", 1, 2, 1, 1, False], ["m", "a", 1, 2, 2, 0, False], ["ready", "tenant", 1, 1, 1, 0, True]),
    ]


def steps(*series):
    """Steps of the rejection counter: per series its instance and its value by minute of 10 November, 09:00."""
    rows = [
        (number, instance, minute(at_), value)
        for number, (instance, values) in enumerate(series)
        for at_, value in values.items()
    ]
    frame = table("series_id instance time value", *rows, tenant="", text=False).astype({"value": "float64"})
    return counter_steps(frame, table("instance time"), starts())


def minute(number):
    return at("10 09:00") + pd.Timedelta(minutes=number)


@pytest.mark.parametrize(
    ("series", "found"),
    [
        # 0, 0, 3, 10, 10: 3 at minute 2 and 7 at minute 3.
        ([("a", {0: 0, 1: 0, 2: 3, 3: 10, 4: 10})], [["a", "10 09:02", "10 09:03", 10]]),
        # Some builds have one series per refused tenant.
        (
            [("a", {0: 0, 1: 2}), ("a", {0: 1, 1: 4, 2: 5}), ("b", {0: 0, 1: 1})],
            [["a", "10 09:01", "10 09:02", 6], ["b", "10 09:01", "10 09:01", 1]],
        ),
        ([("a", {0: 0, 1: 1, 61: 2})], [["a", "10 09:01", "10 10:01", 2]]),
        ([("a", {0: 0, 1: 1, 62: 2})], [["a", "10 09:01", "10 09:01", 1], ["a", "10 10:02", "10 10:02", 1]]),
    ],
)
def test_refusals_within_an_hour_are_one_stretch_of_a_process(series, found):
    assert said(measure.refusals(steps(*series), WEEK), "instance start end rejections") == found


def test_neighbouring_weeks_have_their_own_refusals_and_one_stretch_tells_both_parts():
    """30 an hour without end: 5,040 in each week, of which none is its neighbour's."""
    first = int((at("09") - at("10 09:00")) / pd.Timedelta(minutes=1)) - 60
    refused = steps(("a", {first + 10 * number: 5 * number for number in range(6 * 24 * 15)}))
    for week in (WEEK, parse_window("2026-W47")):
        assert measure.refusals(refused, week)["inside"].tolist() == [5040]
        own = refused[(refused["time"] >= week.start) & (refused["time"] < week.end)]
        assert measure.rejections(own)["rejections"].sum() == 5040


# Of a cap of 3: minutes at which each tenant is shown, (start, minutes at which tenants came) of each process, refusals
# by minute; then most at once, since when, refused, of them below the cap, since when, whether only at the cap.
THREE = [range(number, 6) for number in range(3)]  # one more each minute
FULL, OLD = [(-1, (0, 1, 2))], [(-600, (0, 1))]
GUARD = {
    "four names, never more than three at once": ([*THREE, [6]], [(-1, (0, 1, 2, 6))], {}, [3, 2, 0, 0, None, None]),
    # What was refused since the scrape before shows at that of the third tenant, too.
    "refusals at the cap": (THREE, FULL, {0: 0, 1: 0, 2: 4, 3: 9}, [3, 2, 9, 0, None, True]),
    "a tenant that has gone is still held": ([[0], [1], [2]], FULL, {2: 0, 3: 5}, [1, 0, 5, 0, None, True]),
    # Two with two of three held, seven more at the cap.
    "a refusal below the cap": (THREE, FULL, {0: 0, 1: 2, 2: 9}, [3, 2, 9, 2, 1, False]),
    # The new process, begun at minute 9, refuses at minute 11 with one tenant.
    "a restarted process fills up again": (
        *(THREE, [*FULL, (9, (10, 12, 13))], {0: 0, 3: 5, 10: 0, 11: 4, 13: 6}),
        [3, 2, 11, 4, 11, False],
    ),
    "older than the telemetry": (THREE, OLD, {0: 0, 3: 5}, [3, 2, 5, 0, None, None]),
    "of no known start": (THREE, [("", (0, 1))], {0: 0, 3: 5}, [3, 2, 5, 0, None, None]),
    "an old process excuses no new one": (
        *(THREE, [*OLD, (9, (10,))], {0: 0, 3: 5, 10: 0, 11: 2}),
        [3, 2, 7, 2, 11, False],
    ),
    "it refuses all and shows no tenant": ([], [], {0: 0, 3: 5}, [0, None, 5, 0, None, None]),
}


@pytest.mark.parametrize("case", GUARD)
def test_the_guards_promises_scrape_by_scrape(case):
    shown, runs, refused, expected = GUARD[case]
    seen = [(f"t{number}", minute(one)) for number, those in enumerate(shown) for one in those]
    came = [
        ("" if begun == "" else minute(begun), f"t{number}", minute(one), minute(one))
        for begun, those in runs
        for number, one in enumerate(those)
    ]
    own = {"instance": "a"}
    found = measure.guard_invariants(
        table("tenant time", *seen, text=False, **own),
        table("started_at tenant seen_at last_seen", *came, **own),
        steps(("a", refused), ("b", {0: 0, 1: 1})),
        cap=3,
        starts=starts(),
    )
    told = said(found, "instance most_tenants most_at rejections below_cap below_cap_at only_at_cap within_cap")
    moments = [None if one is None else f"{minute(one):%d %H:%M}" for one in (expected[1], expected[4])]
    assert told[0] == ["a", expected[0], moments[0], *expected[2:4], moments[1], expected[5], True]
    # The other one, which refused and showed nobody, is judged by itself.
    assert told[1] == ["b", 0, None, 1, 0, None, None, True]


MANY = [(f"t{number}", "11 01:00") for number in range(60)]
CAME = [("harbor-lane", "11 15:01"), ("late", "11 15:11"), ("early", "11 08:00")]
STEPS = [("a", "09:00", "x"), ("a", "09:10", "x"), ("a", "09:10", "y"), ("a", "13:00", "z"), ("b", "09:00", "w")]
NAMES = [("a", "09:00", "harbor-lane"), ("a", "09:10", "req-0a1b2c3d"), ("a", "09:10", "req-9f8e7d6c")]
TWICE = [("a", "11 09:00", "11 09:30", 5), ("a", "11 12:00", "11 12:10", 2)]
LONG = [("a", "11 09:00", "11 14:00", 2)]
# Refusals, starts, and more; then start, last refusal, until, over, rejections, missing at least and most.
TAINTS = {
    # Whom 09:00 refused is still missing at 12:00, though nobody asked in between.
    "until it starts anew": ((TWICE, ["08:00", "15:00"]), [["11 09:00", "11 12:10", "11 15:00", True, 7, 0, 7]]),
    "a start parts two": (
        (TWICE, ["10:00"]),
        [["11 09:00", "11 09:30", "11 10:00", True, 5, 0, 5], ["11 12:00", "11 12:10", "12 00:00", False, 2, 0, 2]],
    ),
    # A rollout gave its successor another name.
    "it ended": ((TWICE[:1], [], MANY, [], "11 10:00"), [["11 09:00", "11 09:30", "11 10:00", True, 5, 0, 5]]),
    "a counter that names them": (
        ([(*TWICE[0][:3], 50)], [], MANY, STEPS),
        [["11 09:00", "11 09:30", "12 00:00", False, 50, 0, 2]],
    ),
    "generated names are no tenants": (
        ([(*TWICE[0][:3], 50)], [], MANY, NAMES),
        [["11 09:00", "11 09:30", "12 00:00", False, 50, 0, 1]],
    ),
    # One came a minute after the restart, one after eleven minutes, one long before.
    "at least who came soon after": ((LONG, ["15:00"], CAME), [["11 09:00", "11 14:00", "11 15:00", True, 2, 1, 2]]),
    "it has not let go": ((LONG, [], CAME), [["11 09:00", "11 14:00", "12 00:00", False, 2, 0, 2]]),
    # Of 384 requests of a fleet of three the upper bound is no bound.
    "more requests than tenants": (
        ([(*LONG[0][:3], 384)], ["15:00"], CAME),
        [["11 09:00", "11 14:00", "11 15:00", True, 384, 1, None]],
    ),
    "over before the window": (([("a", "07 09:00", "07 09:30", 5)], ["07 15:00"]), []),
    "nobody refused": (([], ["08:00"]), []),
}


@pytest.mark.parametrize("case", TAINTS)
def test_tenants_are_missing_from_a_refusal_on(case):
    (refused, begun, *more), expected = TAINTS[case]
    tenants, named, until = [*more, *(MANY, [], "12 00:01")[len(more) :]]
    moments = [one if " " in one else f"11 {one}" for one in begun or ["08:00"]]
    found = measure.tainted_stretches(
        table("instance start end rejections", *refused),
        starts(*(("a", one, one) for one in moments), until=until),
        table("instance time tenant", *((name, f"11 {clock}", who) for name, clock, who in named), step=1.0),
        table("tenant first_seen", *tenants, last_seen=at("12")),
        pd.DataFrame({"stem": ["req-"], "shape": ["hex"]}),
        Window(WEEK.start, at("12").to_pydatetime()),
    )
    columns = "start last_refusal until over rejections missing_least missing_most"
    assert said(found, columns) == expected
