from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import cardinality

TIME = "datetime64[us, UTC]"
WEEK = parse_window("2026-W46")  # 9 to 16 November
MORNING = Window(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 9, 6, tzinfo=UTC))


def moment(text):
    """'09 03:20' of November 2026."""
    return pd.Timestamp(f"2026-11-{text}", tz="UTC")


def hours_of(*rows, categorical=True):
    """One row per (instance, tenant, first sample, last sample); both lie in one hour."""
    frame = pd.DataFrame(rows, columns=["instance", "tenant", "first_ts", "last_ts"])
    for column in ("first_ts", "last_ts"):
        frame[column] = pd.to_datetime("2026-11-" + frame[column].astype(str), utc=True).astype(TIME)
    frame["hour"] = frame["first_ts"].dt.floor("h").astype(TIME)
    frame = frame.assign(series_id=frame.groupby(["instance", "tenant"]).ngroup(), job="cloudxai", samples=1)
    labels = ["job", "instance", "tenant"]
    return frame.astype(dict.fromkeys(labels, "category" if categorical else "str"))


def starts_of(*rows, until="09 04:00"):
    """One row per (instance, started_at, seen_at); all are seen until one moment."""
    frame = pd.DataFrame(rows, columns=["instance", "started_at", "seen_at"]).assign(job="cloudxai", restarted=True)
    for column in ("started_at", "seen_at"):
        frame[column] = pd.to_datetime("2026-11-" + frame[column].astype(str), utc=True, format="ISO8601").astype(TIME)
    return frame.assign(processes=1, until=moment(until)).astype({"job": "str", "instance": "str"})


NO_HOURS = hours_of(("a:80", "acme", "09 00:00", "09 00:59")).iloc[:0].assign(increase=0.0)
NO_STARTS = starts_of(("a:80", "09 00:00", "09 00:01")).iloc[:0]
NO_STEPS = NO_HOURS.assign(time=NO_HOURS["first_ts"], step=0.0)
NO_COVERED = pd.DataFrame({"day": pd.Series(dtype=TIME), "coverage": pd.Series(dtype=float), "covered": False})


def test_nothing_in_is_an_empty_frame_with_its_columns():
    arrivals = cardinality.tenant_arrivals(NO_HOURS, NO_STARTS)
    held = cardinality.held_tenants(arrivals, WEEK, NO_STARTS)
    frames = {
        "hour tenants generated": cardinality.active_tenants(NO_HOURS),
        "job instance started_at tenant seen_at last_seen": arrivals,
        "job instance hour held": held,
        "hour headroom job instance held": cardinality.headroom(held, cap=100),
        "day tenants came left churn": cardinality.tenant_churn(NO_HOURS, NO_COVERED),
        "tenant set first_seen last_seen": cardinality.tenant_sets(NO_HOURS, WEEK),
        "hour job instance rejections": cardinality.rejections(NO_STEPS),
    }
    for columns, frame in frames.items():
        assert " ".join(frame.columns) == columns
        assert frame.empty
        times = frame.columns.intersection(["hour", "day", "started_at", "seen_at", "last_seen", "first_seen"])
        assert all(str(frame[column].dtype) == TIME for column in times)


def test_a_tenant_on_two_processes_is_active_once():
    hours = hours_of(
        ("a:80", "acme", "09 00:00", "09 00:59"),
        ("b:80", "acme", "09 00:00", "09 00:59"),
        ("b:80", "beta", "09 00:30", "09 00:59"),
        ("b:80", "beta", "09 02:00", "09 02:59"),
    )
    # An hour that holds a staleness marker alone shows nobody.
    hours.loc[len(hours)] = hours.iloc[-1].to_dict() | {"tenant": "acme", "samples": 0}
    active = cardinality.active_tenants(hours)
    assert active[["hour", "tenants"]].values.tolist() == [[moment("09 00:00"), 2], [moment("09 02:00"), 1]]
    apart = cardinality.active_tenants(hours, ["beta", "nobody"])
    assert apart[["tenants", "generated"]].values.tolist() == [[2, 1], [1, 1]]


def arrivals_of(hours, starts=NO_STARTS):
    frame = cardinality.tenant_arrivals(hours, starts)
    return [
        [instance, "" if pd.isna(begun) else f"{begun:%d %H:%M}", tenant, f"{seen:%d %H:%M}"]
        for _, instance, begun, tenant, seen, _ in frame.sort_values(["instance", "seen_at", "tenant"]).itertuples(
            index=False
        )
    ]


def test_a_tenant_arrives_when_a_process_first_shows_it():
    hours = hours_of(
        ("a:80", "acme", "09 00:00", "09 00:59"),
        ("a:80", "acme", "09 01:00", "09 01:59"),
        ("a:80", "beta", "09 01:20", "09 01:59"),
        ("b:80", "acme", "09 01:30", "09 01:59"),
    )
    unknown = [["a:80", "", "acme", "09 00:00"], ["a:80", "", "beta", "09 01:20"], ["b:80", "", "acme", "09 01:30"]]
    assert arrivals_of(hours) == unknown
    known = arrivals_of(hours, starts_of(("a:80", "08 12:00", "09 00:00"), ("b:80", "09 01:29", "09 01:30")))
    assert [row[1] for row in known] == ["08 12:00", "08 12:00", "09 01:29"]
    assert [[row[0], *row[2:]] for row in known] == [[row[0], *row[2:]] for row in unknown]


def test_a_restart_begins_with_an_empty_list():
    """In the hour of the restart acme was there before it and after it, beta only before, new only after."""
    hours = hours_of(
        ("a:80", "acme", "09 00:00", "09 00:59"),
        ("a:80", "beta", "09 00:00", "09 00:10"),
        ("a:80", "new", "09 00:45", "09 00:59"),
    )
    starts = starts_of(("a:80", "08 00:00", "08 00:01"), ("a:80", "09 00:30", "09 00:31"))
    assert arrivals_of(hours, starts) == [
        ["a:80", "08 00:00", "acme", "09 00:00"],
        ["a:80", "08 00:00", "beta", "09 00:00"],
        ["a:80", "09 00:30", "acme", "09 00:31"],
        ["a:80", "09 00:30", "new", "09 00:45"],
    ]


def test_two_restarts_within_an_hour_are_three_processes():
    """What an hour's rollup cannot tell apart counts for each process that it reaches over."""
    hours = hours_of(("a:80", "acme", "09 00:00", "09 00:59"), ("a:80", "beta", "09 00:25", "09 00:35"))
    starts = starts_of(("a:80", "09 00:19", "09 00:20"), ("a:80", "09 00:29", "09 00:30"))
    assert arrivals_of(hours, starts) == [
        ["a:80", "", "acme", "09 00:00"],
        ["a:80", "09 00:19", "acme", "09 00:20"],
        ["a:80", "09 00:19", "beta", "09 00:25"],
        ["a:80", "09 00:29", "acme", "09 00:30"],
        ["a:80", "09 00:29", "beta", "09 00:30"],
    ]


def held_of(hours, starts=NO_STARTS, window=MORNING):
    held = cardinality.held_tenants(cardinality.tenant_arrivals(hours, starts), window, starts)
    return [[instance, f"{hour:%d %H}", number] for _, instance, hour, number in held.itertuples(index=False)]


def test_a_new_process_holds_nothing_until_its_first_tenant_comes():
    hours = hours_of(("a:80", "acme", "09 00:00", "09 00:59"), ("a:80", "acme", "09 03:20", "09 03:59"))
    starts = starts_of(("a:80", "08 00:00", "08 00:01"), ("a:80", "09 00:59:30", "09 01:00"))
    assert held_of(hours, starts)[1:] == [["a:80", "09 01", 0], ["a:80", "09 02", 0], ["a:80", "09 03", 1]]


def test_headroom_is_of_the_process_with_the_least():
    held = pd.DataFrame(
        {
            "job": "cloudxai",
            "instance": ["a:80", "a:80", "b:80", "b:80"],
            "hour": [moment("09 00:00"), moment("09 01:00")] * 2,
            "held": [60, 100, 61, 12],
        }
    )
    frame = cardinality.headroom(held, cap=100)
    assert frame.values.tolist() == [
        [moment("09 00:00"), 39, "cloudxai", "b:80", 61],
        [moment("09 01:00"), 0, "cloudxai", "a:80", 100],
    ]
    assert cardinality.headroom(held, cap=90)["headroom"].tolist() == [29, -10]


def days_of(*tenants):
    """Hours with one string of one-letter tenants per day, from 9 November on."""
    return hours_of(
        *(
            ("a:80", name, f"{9 + day:02} 12:00", f"{9 + day:02} 12:59")
            for day, row in enumerate(tenants)
            for name in row
        )
    )


def covered_of(*covered, first=9):
    days = [moment(f"{first + number:02}") for number in range(len(covered))]
    frame = pd.DataFrame({"day": days, "coverage": [1.0 if there else 0.5 for there in covered], "covered": covered})
    return frame.astype({"day": TIME})


def test_churn_is_who_came_and_left_of_all_on_either_day():
    """abcd -> bcde: one came and one left of five; bcde -> bcde: none of four."""
    churn = cardinality.tenant_churn(days_of("abcd", "bcde", "bcde"), covered_of(True, True, True))
    assert churn["tenants"].tolist() == [4, 4, 4]
    np.testing.assert_array_equal(churn["came"], [np.nan, 1, 0])
    np.testing.assert_array_equal(churn["left"], [np.nan, 1, 0])
    np.testing.assert_array_equal(churn["churn"], [np.nan, 0.4, 0])


def test_churn_is_unknown_beside_a_day_that_is_not_covered():
    churn = cardinality.tenant_churn(days_of("abc", "a", "abc", "abc"), covered_of(True, False, True, True))
    np.testing.assert_array_equal(churn["churn"], [np.nan, np.nan, np.nan, 0])
    assert churn["came"].isna().tolist() == [True, True, True, False]


def sets_of(*rows, week=WEEK):
    frame = cardinality.tenant_sets(hours_of(*rows), week)
    return dict(zip(frame["tenant"], frame["set"], strict=True))


def test_each_tenant_is_in_one_set():
    rows = [
        *(("a:80", name, "01 12:00", "01 12:59") for name in ("back", "gone")),  # two weeks before
        *(("a:80", name, "05 12:00", "05 12:59") for name in ("stays", "leaves")),  # the week before
        *(("a:80", name, "09 00:00", "09 00:59") for name in ("stays", "back", "new")),
        ("a:80", "later", "16 00:00", "16 00:59"),
    ]
    assert sets_of(*rows) == {"stays": "stayed", "leaves": "lost", "back": "returning", "new": "new"}


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5 * 60 + 59)), min_size=1, max_size=30),
    st.lists(st.integers(1, 5 * 60), max_size=3, unique=True),
)
def test_held_tenants_are_those_seen_since_the_last_start(sightings, restarts):
    """Against a plain count: the names seen in [last start, end of the hour); each process shows one from its start."""
    begin = moment("09 00:00")
    begun = sorted(begin + timedelta(minutes=at) for at in {0, *restarts})
    rows = [(name, begin + timedelta(minutes=at)) for name, at in sightings] + [("always", at) for at in begun]
    hours = hours_of(*(("a:80", name, f"{at:%d %H:%M}", f"{at:%d %H:%M}") for name, at in rows))
    until = f"09 {1 + max(at.hour for _, at in rows):02}:00"
    begins = [("a:80", f"{at - timedelta(seconds=20):%d %H:%M:%S}", f"{at:%d %H:%M}") for at in begun]
    starts = starts_of(*begins, until=until)
    held = held_of(hours, starts)
    assert len(held) == 1 + max(at.hour for _, at in rows)
    for _, hour, number in held:
        end = moment(f"{hour}:00") + timedelta(hours=1)
        since = max(at for at in begun if at < end)
        assert number == len({name for name, at in rows if since <= at < end})
