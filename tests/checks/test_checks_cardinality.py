from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.checks import cardinality
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.identifiers import SHAPES

WEEK = parse_window("2026-W46")
TIME = "datetime64[us, UTC]"
INSTANCE = "cloudxai-0:8080"
GUARD = {
    "job": "cloudxai",
    "instance": INSTANCE,
    "most_tenants": 95,
    "most_at": pd.Timestamp("2026-11-10 12:00", tz="UTC"),
    "within_cap": True,
    "rejections": 384.0,
    "below_cap": 0.0,
    "below_cap_at": pd.NaT,
    "only_at_cap": True,
}
REQ = {
    "stem": "req-",
    "shape": "hex",
    "count": 53,
    "new": 53,
    "still": 0,
    "examples": ("req-0c1d2e3f", "req-1a2b3c4d"),
    "first_seen": pd.Timestamp("2026-11-10 09:40", tz="UTC"),
    "last_seen": pd.Timestamp("2026-11-10 19:01", tz="UTC"),
}
STRETCH = (INSTANCE, "2026-11-10 09:48", "2026-11-10 19:01", 384.0)


def moments(*texts):
    return pd.to_datetime(list(texts), utc=True, format="ISO8601").astype(TIME)


def headroom_check(*left, cap=100, share=0.15, hours=None):
    """Headroom of the week's first hours, the last row of its last one; or of `hours`."""
    first = pd.date_range("2026-11-09", periods=max(len(left) - 1, 0), freq="h", tz="UTC")
    last = moments("2026-11-15 23:00")[: len(left)]
    starts = first.append(last) if hours is None else moments(*hours)
    frame = pd.DataFrame({"hour": starts, "headroom": list(left), "job": "cloudxai", "instance": INSTANCE})
    frame = frame.assign(held=cap - frame["headroom"])
    return cardinality.headroom_check(frame, window=WEEK, cap=cap, share=share)


def guard_check(*rows, counted=True):
    frame = pd.DataFrame([{**GUARD, **row} for row in rows], columns=list(GUARD))
    return cardinality.guard_check(frame.astype({"only_at_cap": "boolean"}), counted=counted, window=WEEK, cap=100)


def rejections_check(*stretches, hours=(("2026-11-10 09:00", 384.0),)):
    """Stretches of (instance, start, end, refusals, and how many of them in the week where not all)."""
    rows = [(*row, row[3]) if len(row) == 4 else row for row in stretches]
    frame = pd.DataFrame(rows, columns=["instance", "start", "end", "rejections", "inside"])
    frame = frame.assign(start=moments(*frame["start"]), end=moments(*frame["end"]))
    by_hour = pd.DataFrame(hours, columns=["hour", "rejections"])
    by_hour = by_hour.assign(hour=moments(*by_hour["hour"]), job="cloudxai", instance=INSTANCE)
    return cardinality.rejections_check(frame, by_hour, window=WEEK)


def identifiers_check(*rows, tenants=110, least=3):
    frame = pd.DataFrame(list(rows), columns=list(REQ))
    bursts = frame.rename(columns={"first_seen": "start", "last_seen": "end", "count": "names"})
    seen = pd.DataFrame({"tenant": [f"t{number}" for number in range(tenants)]})
    return cardinality.identifiers_check(frame, bursts[bursts["new"] > 0], seen, window=WEEK, least=least)


def churn_check(*days, bound=0.25):
    """One (came, left, churn) a day from Monday on; None where unknown."""
    rows = [day or (None, None, None) for day in days]
    frame = pd.DataFrame(rows, columns=["came", "left", "churn"], dtype="float64")
    frame["day"] = pd.date_range("2026-11-09", periods=len(days), tz="UTC", unit="us")
    return cardinality.churn_check(frame, window=WEEK, bound=bound)


def test_enough_labels_pass_with_the_least_of_the_week():
    check = headroom_check(60, 40, 54)
    assert (check.status, check.value, check.bound) == ("pass", 54.0, 15.0)
    assert check.finding == "54 tenant labels of 100 left at the end of 2026-W46, never fewer than 40."
    assert check.action == ""


@pytest.mark.parametrize(("least", "status"), [(15, "pass"), (14, "warn"), (0, "warn")])
def test_under_the_share_of_the_cap_warns(least, status):
    assert headroom_check(60, least, 54).status == status


@pytest.mark.parametrize(
    ("cap", "share", "bound"), [(100, 0.07, 7.0), (100, 0.29, 29.0), (50, 0.15, 8.0), (30, 0.15, 5.0), (100, 0.0, 0.0)]
)
def test_the_bound_is_whole_labels_and_judges_as_it_says(cap, share, bound):
    assert headroom_check(20 + int(bound), cap=cap, share=share).bound == bound
    at_bound = headroom_check(int(bound), int(bound) + 20, cap=cap, share=share)
    assert at_bound.status == "pass"
    assert headroom_check(int(bound) - 1, int(bound) + 20, cap=cap, share=share).status == "warn"


def test_a_tight_day_is_named_with_the_least():
    check = headroom_check(14, 2, 20, hours=("2026-11-09 10:00", "2026-11-11 11:00", "2026-11-15 23:00"))
    assert check.finding == (
        "cloudxai-0:8080 had only 2 tenant labels left on Wed 11 Nov; 20 of 100 were left at the end of 2026-W46."
    )
    assert (check.size, check.since) == ("2 hours under 15 labels", datetime(2026, 11, 9, 10, tzinfo=UTC))


def test_hours_without_a_label_are_counted():
    one_day = headroom_check(10, 0, 0, 54)
    assert one_day.finding.startswith("cloudxai-0:8080 had no tenant label left for 2 hours on Mon 9 Nov; 54 of 100")
    hours = ("2026-11-10 22:00", "2026-11-10 23:00", "2026-11-11 02:00", "2026-11-11 03:00")
    over_midnight = headroom_check(5, 0, 0, 54, hours=hours)
    assert "for 2 hours from Tue 10 Nov;" in over_midnight.finding


def test_no_label_left_at_the_end_fails():
    check = headroom_check(10, 0)
    assert (check.status, check.value) == ("fail", 0.0)
    assert check.finding == "cloudxai-0:8080 has no tenant label left at the end of 2026-W46: all 100 are held."
    assert check.decides
    assert headroom_check(10, -3).status == "fail"


def test_what_is_left_is_said_of_the_last_time_a_process_was_seen():
    """A week of which two hours are there, and a process that has let more names in than the cap."""
    check = headroom_check(60, 40, hours=("2026-11-10 22:00", "2026-11-10 23:00"))
    assert check.finding.startswith("40 tenant labels of 100 left when last seen, up to Wed 11 Nov, 00:00 UTC")
    assert "it has shown 103 of 100 since its start" in headroom_check(-3).finding


def test_headroom_without_a_tenant_is_unknown():
    check = headroom_check()
    assert (check.status, check.value) == ("unknown", None)
    assert "no process exported a tenant" in check.finding


def test_a_guard_that_held_says_how_full_it_was():
    check = guard_check(
        {}, {"instance": "cloudxai-1:8080", "most_tenants": 12, "rejections": 0.0, "only_at_cap": pd.NA}
    )
    assert (check.status, check.value) == ("pass", 0.0)
    assert check.finding == (
        "The guard held in 2026-W46: at most 95 tenants of 100 at one scrape, and 384 refusals, none below the cap."
    )
    quiet = guard_check({"rejections": 0.0, "only_at_cap": pd.NA})
    assert quiet.finding == "The guard held in 2026-W46: at most 95 tenants of 100 at one scrape, and 0 refusals."


def test_more_tenants_than_the_cap_fail():
    check = guard_check({"most_tenants": 104, "within_cap": False}, {})
    assert (check.status, check.value) == ("fail", 1.0)
    assert check.finding == (
        "cloudxai-0:8080 exported 104 tenants at Tue 10 Nov, 12:00 UTC, 4 more than its cap of 100."
    )
    assert check.since == datetime(2026, 11, 10, 12, tzinfo=UTC)


def test_refusals_below_the_cap_fail():
    early = {"only_at_cap": False, "below_cap": 7.0, "below_cap_at": pd.Timestamp("2026-11-10 08:00", tz="UTC")}
    check = guard_check(early)
    assert (check.status, check.size) == ("fail", "1 broken promise")
    assert check.finding == (
        "cloudxai-0:8080 refused 7 requests while it held fewer than 100 tenants, first at Tue 10 Nov, 08:00 UTC."
    )
    both = guard_check({**early, "most_tenants": 101, "within_cap": False})
    assert both.value == 2.0


def test_refusals_that_cannot_be_judged_are_no_pass():
    check = guard_check({"only_at_cap": pd.NA}, {})
    assert check.status == "unknown"
    assert check.finding == (
        "Whether the guard works is unknown: 384 refusals in 2026-W46 by cloudxai-0:8080, which may hold more tenants "
        "than the telemetry saw; at most 95 tenants of 100 at one scrape."
    )
    # What is broken is broken.
    assert guard_check({"only_at_cap": pd.NA}, {"most_tenants": 101, "within_cap": False}).status == "fail"


def test_a_guard_nobody_saw_is_unknown():
    assert guard_check().status == "unknown"
    uncounted = guard_check({"most_tenants": 44, "rejections": 0.0, "only_at_cap": pd.NA}, counted=False)
    assert uncounted.status == "unknown"
    assert "no rejection counter was seen" in uncounted.finding
    assert "no process exported a tenant in 2026-W46" in guard_check().finding


def test_refused_requests_warn_with_count_process_and_times():
    check = rejections_check(STRETCH)
    assert (check.status, check.value, check.size) == ("warn", 384.0, "384 refused requests")
    assert check.finding == (
        "384 requests of new tenants refused in 2026-W46, most by cloudxai-0:8080 from Tue 10 Nov, 09:48 UTC to "
        "Tue 10 Nov, 19:01 UTC."
    )
    assert check.since == datetime(2026, 11, 10, 9, 48, tzinfo=UTC)
    assert check.events == (
        {
            "kind": "rejections",
            "place": INSTANCE,
            "start": datetime(2026, 11, 10, 9, 48, tzinfo=UTC),
            "end": datetime(2026, 11, 10, 19, 1, tzinfo=UTC),
            "size": 384.0,
            "unit": "requests",
        },
    )


def test_several_stretches_are_counted_and_the_largest_named():
    small = ("cloudxai-1:8080", "2026-11-12 09:00", "2026-11-12 09:01", 2.0)
    check = rejections_check(STRETCH, small, hours=(("2026-11-10 09:00", 384.0), ("2026-11-12 09:00", 2.0)))
    assert check.finding.startswith("386 requests of new tenants refused in 2026-W46 in 2 periods, most by cloudxai-0")
    assert len(check.events) == 2


def test_a_stretch_that_began_before_the_window_is_named_with_both_parts_and_is_no_event_of_it():
    check = rejections_check(
        (INSTANCE, "2026-11-08 23:30", "2026-11-09 01:10", 100.0, 42.0),
        hours=(("2026-11-09 00:00", 30.0), ("2026-11-09 01:00", 12.0)),
    )
    assert (check.status, check.value, check.events) == ("warn", 42.0, ())
    assert check.finding == (
        "42 requests of new tenants refused in 2026-W46, at cloudxai-0:8080 since Sun 8 Nov, 23:30 UTC, before "
        "this window: 42 of 100 refusals in it."
    )


def test_a_stretch_that_goes_on_after_the_window_is_told_whole():
    check = rejections_check(
        (INSTANCE, "2026-11-15 23:30", "2026-11-16 00:30", 100.0, 60.0), hours=(("2026-11-15 23:00", 60.0),)
    )
    assert check.value == 60.0
    assert "to Mon 16 Nov, 00:30 UTC; it goes on after 2026-W46, with 40 more." in check.finding
    assert [found["size"] for found in check.events] == [100.0]


def test_no_refusal_passes_and_no_counter_is_unknown():
    hours = [f"2026-11-{9 + number // 24:02} {number % 24:02}:00" for number in range(168)]
    quiet = rejections_check(hours=[(hour, 0.0) for hour in hours])
    assert (quiet.status, quiet.value) == ("pass", 0.0)
    assert quiet.finding == "The guard refused no request in 2026-W46."
    part = rejections_check(hours=[(hour, 0.0) for hour in hours[:3]])
    assert part.finding == "The guard refused no request in the 3 hours in which its counter was seen."
    unknown = rejections_check(hours=())
    assert (unknown.status, unknown.value) == ("unknown", None)
    assert "no rejection counter was seen" in unknown.finding


def test_generated_names_warn_with_stem_and_count():
    check = identifiers_check(REQ)
    assert (check.status, check.value, check.bound) == ("warn", 53.0, 3.0)
    assert check.finding == (
        "53 tenant labels look generated: 'req-…' followed by a hex string, first Tue 10 Nov, 09:40 UTC."
    )
    event = check.events[0]
    assert (event["kind"], event["place"], event["size"]) == ("generated_names", "req-", 53.0)
    assert "req-0c1d2e3f" in check.samples


@pytest.mark.parametrize(("count", "status"), [(2, "pass"), (3, "warn")])
def test_fewer_names_than_the_bound_are_none(count, status):
    check = identifiers_check({**REQ, "count": count, "new": count})
    assert check.status == status
    if status == "pass":
        assert check.finding == "No generated name is among 110 tenant labels in 2026-W46."


def test_other_stems_are_counted_and_a_missing_stem_is_said():
    check = identifiers_check({**REQ, "stem": ""}, {**REQ, "stem": "x\n" + "y" * 5000, "count": 4})
    assert check.finding.startswith("53 tenant labels look generated: a hex string and nothing else, first")
    assert check.finding.endswith("and 4 of other stems.")
    assert check.value == 57.0
    endless = identifiers_check({**REQ, "stem": "x\n" + "y" * 5000})
    assert len(endless.finding) < 250
    assert "\n" not in endless.finding


@pytest.mark.parametrize("shape", list(SHAPES))
def test_every_shape_has_words_with_a_stem_and_without(shape):
    said = identifiers_check({**REQ, "shape": shape})
    assert f"'req-…' followed by a {SHAPES[shape].words}, first" in said.finding
    assert said.action == "Find what sends tenant 'req-…', and have it send the tenant's own name."
    bare = identifiers_check({**REQ, "shape": shape, "stem": ""})
    assert f"look generated: a {SHAPES[shape].words} and nothing else, first" in bare.finding


def test_generated_names_of_before_are_named_as_going_on_and_are_no_event():
    before = {**REQ, "first_seen": pd.Timestamp("2026-11-08 23:30", tz="UTC")}
    going = identifiers_check({**before, "new": 13, "still": 20})
    assert going.finding.endswith("first Sun 8 Nov, 23:30 UTC; 40 of them came before 2026-W46, 20 still hold labels.")
    held = identifiers_check({**before, "new": 0, "still": 53})
    assert (held.status, held.events) == ("warn", ())
    gone = identifiers_check({**before, "new": 0, "still": 0})
    assert gone.status == "pass"
    assert gone.finding == "No more generated names in 2026-W46: 53 names of before, gone by its end."


def test_identifiers_without_a_tenant_are_unknown():
    check = identifiers_check(tenants=0)
    assert (check.status, check.value) == ("unknown", None)
    assert "no tenant was seen in 2026-W46" in check.finding


@pytest.mark.parametrize(("top", "status"), [(0.25, "pass"), (0.2501, "warn")])
def test_churn_above_the_bound_warns(top, status):
    check = churn_check((1, 0, 0.1), (9, 3, top), (0, 0, 0.0))
    assert (check.status, check.value) == (status, top)
    if status == "warn":
        assert check.finding == "25 % churn on Tue 10 Nov: 9 tenants came, 3 left."
        assert check.since == datetime(2026, 11, 10, tzinfo=UTC)
    else:
        assert check.finding == "At most 25 % of the tenants came or went from one day to the next."


def test_unknown_days_are_told_and_all_unknown_is_unknown():
    assert churn_check((1, 0, 0.1), None, None).finding.endswith("; 2 days unknown.")
    check = churn_check(None, None)
    assert (check.status, check.value) == ("unknown", None)
    assert "no two neighbouring days with tenants are covered" in check.finding
    assert churn_check().status == "unknown"


def test_every_check_is_plain_data_of_the_cardinality_section():
    checks = [
        headroom_check(10),
        guard_check({}),
        rejections_check(STRETCH),
        identifiers_check(REQ),
        churn_check((1, 0, 0.5)),
    ]
    assert [check.key for check in checks] == ["headroom", "guard", "rejections", "identifiers", "churn"]
    for check in checks:
        assert check.section == "cardinality"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)
        assert check.disproof
