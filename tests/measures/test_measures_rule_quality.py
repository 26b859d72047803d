import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import judgement, rule_quality

TIME = "datetime64[us, UTC]"


def moment(text):
    return pd.Timestamp(text if "-" in text else f"2026-11-11 {text}", tz="UTC")


def judged(*rows):
    """One row per (alertname, fired_at, minutes, judgement, tenant, instance)."""
    rows = [(*row, *("true", "acme", "")[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["alertname", "fired_at", "minutes", "judgement", "tenant", "instance"])
    frame["fired_at"] = pd.to_datetime([moment(text) for text in frame["fired_at"]], utc=True).astype(TIME)
    frame["seconds"] = frame["minutes"].astype("float64") * 60
    frame["resolved_at"] = frame["fired_at"] + pd.to_timedelta(frame["seconds"], unit="s")
    frame = frame.assign(severity="page", cut_start=False, cut_end=False, incident="")
    return frame.astype({"alertname": "str", "tenant": "str", "instance": "str", "judgement": "str"})


def incidents(*rows):
    """One row per (id, start, end, tenant, alerts)."""
    rows = [(*row, *("", ())[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["id", "start", "end", "tenant", "alerts"])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime([moment(text) for text in frame[name]], utc=True).astype(TIME)
    return frame.assign(summary="").astype({"id": "str", "tenant": "str"})


def pendings(*rows):
    """One row per (alertname, pending_at, ended_at, tenant)."""
    frame = pd.DataFrame(rows, columns=["alertname", "pending_at", "ended_at", "tenant"])
    for name in ("pending_at", "ended_at"):
        frame[name] = pd.to_datetime([moment(text) for text in frame[name]], utc=True).astype(TIME)
    return frame.assign(instance="").astype({"alertname": "str", "tenant": "str"})


def test_what_a_rule_adds_by_hand():
    truth = incidents(("one", "10:00", "10:20"), ("two", "12:00", "12:20"), ("three", "14:00", "14:20"))
    found = judged(
        # The first incident: A at 2 minutes, B at 3; the second: B alone; the third: both at once.
        *(("A", "10:02", 5), ("B", "10:03", 5), ("B", "12:04", 5), ("A", "14:01", 5), ("B", "14:01", 5)),
        ("C", "18:00", 5, "false"),
    )
    frame = rule_quality.added(found, truth)
    assert frame.values.tolist() == [["A", 2, 0, 2], ["B", 3, 1, 2], ["C", 0, 0, 0]]
    assert rule_quality.added(judged(), truth).empty


def test_near_misses_of_every_incident():
    truth = incidents(("one", "10:00", "10:20"), ("two", "12:00", "12:20", "b"))
    found = judged(("A", "10:02", 5))
    waiting = pendings(
        *(("A", "10:01", "10:02", ""), ("B", "10:05", "10:06", ""), ("B", "10:10", "10:14", "")),
        *(("B", "12:05", "12:07", "a"), ("C", "12:05", "12:07", "b"), ("C", "13:00", "13:05", "b")),
    )
    frame = rule_quality.near_misses(found, truth, waiting)
    # A caught the first; B was pending twice in it, 4 minutes at most; in the second only its tenant's C counts.
    assert frame.values.tolist() == [
        ["one", "B", "", moment("10:05"), 240.0],
        ["two", "C", "b", moment("12:05"), 120.0],
    ]
    assert rule_quality.near_misses(found, truth[:0], waiting).empty


def test_duplicates_are_of_one_rule_and_tenant_on_several_instances_at_once():
    found = judged(
        *(("A", "10:00", 5, "true", "", "x"), ("A", "10:04", 5, "true", "", "y"), ("A", "10:08", 2, "true", "", "x")),
        ("A", "11:00", 5, "true", "", "x"),
        *(("A", "12:00", 5, "true", "", "x"), ("A", "12:05", 5, "true", "", "y")),  # the one ends as the other begins
        *(("A", "13:00", 5, "true", "t", "x"), ("A", "13:01", 5, "true", "u", "y")),
        *(("B", "10:00", 60, "true", "", "x"), ("B", "10:01", 2, "true", "", "x")),
    )
    assert rule_quality.duplicates(found).values.tolist() == [["A", "", 3, 2, moment("10:00"), moment("10:10")]]
    assert rule_quality.duplicates(judged()).empty


def test_a_long_episode_holds_those_after_a_short_one_too():
    found = judged(
        ("A", "10:00", 60, "true", "", "x"), ("A", "10:01", 1, "true", "", "y"), ("A", "10:30", 1, "true", "", "y")
    )
    assert rule_quality.duplicates(found)["episodes"].tolist() == [3]


def weeks(*names):
    return [parse_window(name) for name in names]


def test_rates_of_the_28_days_that_end_with_each_week():
    # A single week was compared with another, of three alert groups each: now 28 days with those a week earlier.
    found = judged(
        *(("A", "2026-10-12 00:00", 5, "false"), ("A", "2026-10-18 23:59", 5, "false")),
        *(("A", "2026-11-08 23:59", 5, "true"), ("A", "2026-11-09 00:00", 5, "true"), ("A", "2026-11-16", 5, "false")),
    )
    frame = rule_quality.weekly_rates(found, weeks("2026-W45", "2026-W46"))
    # W45 ends 28 days after 12 October, W46 after 19 October; the two true ones begin within a minute: one group.
    assert frame[["week", "start", "trials", "false_positives", "change"]].values.tolist() == [
        ["2026-W45", moment("2026-11-02"), 3, 2, ""],
        ["2026-W46", moment("2026-11-09"), 1, 0, "not distinguishable"],
    ]
    assert frame[["low", "high"]].iloc[0].tolist() == pytest.approx(judgement.wilson_interval(2, 3))
    assert rule_quality.weekly_rates(judged(), weeks("2026-W46")).empty
    assert rule_quality.weekly_rates(found, []).empty


@pytest.mark.parametrize(("before", "after", "change"), [("true", "false", "worse"), ("false", "true", "better")])
def test_a_change_is_one_where_the_two_intervals_do_not_meet(before, after, change):
    # Twelve alike fall out of the 28 days and twelve of the other kind come in: Wilson, 12 of 12 is 0.757 to 1.
    old = [("A", f"2026-10-12 {hour:02d}:00", 5, before) for hour in range(0, 24, 2)]
    new = [("A", f"2026-11-09 {hour:02d}:00", 5, after) for hour in range(0, 24, 2)]
    frame = rule_quality.weekly_rates(judged(*old, *new), weeks("2026-W45", "2026-W46"))
    assert frame["change"].tolist() == ["", change]
    # Weeks that do not follow each other are not compared.
    assert rule_quality.weekly_rates(judged(*old, *new), weeks("2026-W44", "2026-W46"))["change"].tolist() == ["", ""]


def test_the_burden_weighs_pages_three_times_and_those_at_night_six():
    found = judged(
        *(("Page", "02:00", 5, "false"), ("Page", "12:00", 5, "false"), ("Page", "12:20", 5, "false")),
        *(("Ticket", "02:00", 5, "false"), ("Ticket", "05:00", 5, "false"), ("Good", "02:00", 5, "true")),
    )
    frame = rule_quality.false_burden(found, paging=("Page",), zone="UTC")
    # Page: one trial at night, 6, and one by day, 3; the ticket rule: two trials, 1 each.
    assert frame.values.tolist() == [
        ["Page", True, 2, 1, 9],
        ["Ticket", False, 2, 2, 2],
        ["Good", False, 0, 0, 0],
    ]
    # 02:00 UTC is 11:00 in Tokyo, and 12:00 is 21:00.
    assert rule_quality.false_burden(found, paging=("Page",), zone="Asia/Tokyo")["weight"].tolist() == [6, 2, 0]


def test_an_overview_puts_everything_of_a_rule_beside_each_other():
    truth = incidents(("one", "10:00", "10:20", "", ("A",)), ("two", "12:00", "12:20", "", ("A", "B")))
    found = judged(
        ("A", "10:02", 30), ("A", "23:00", 2, "false"), ("B", "15:00", 4, "false"), ("C", "16:00", 4, "unjudged")
    )
    waiting = pendings(("B", "12:01", "12:03", ""))
    rates = judgement.false_positive_rates(found)
    needed = judgement.further_trials(rates, share=0.25)
    frame = rule_quality.rule_overview(found, truth, waiting, needed, paging=("A",), zone="UTC", days=28)
    rows = frame.set_index("alertname")
    assert frame["alertname"].tolist() == ["A", "B", "C"]
    assert rows.loc["A", ["paging", "weight", "trials", "false_positives", "false_at_night", "rate"]].tolist() == [
        *(True, 6, 2, 1, 1, 0.5)
    ]
    assert rows.loc["A", ["incidents", "caught", "recall", "alone", "first", "near_misses"]].tolist() == [
        2,
        1,
        0.5,
        1,
        1,
        0,
    ]
    assert rows.loc["A", ["detection_seconds", "reset_seconds", "per_week"]].tolist() == [120.0, 720.0, 0.5]
    assert rows.loc["A", ["short_lived", "at_night"]].tolist() == [1, 1]
    assert rows.loc["B", ["weight", "incidents", "caught", "near_misses"]].tolist() == [1, 1, 0, 1]
    assert rows.loc["C", ["trials", "needed", "judged_share", "caught"]].tolist() == [0, 12.0, 0.0, 0]
    nothing = rule_quality.rule_overview(judged(), truth, waiting, needed[:0], paging=("A",), zone="UTC", days=28)
    assert list(nothing) == list(frame)
    assert nothing.empty
