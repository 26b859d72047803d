"""Episodes by hand, and how the server evaluated the rules that they are of."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from alert_frames import TIME, at, table

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import alerts

WEEK = parse_window("2026-W46")  # 9 to 16 November
NAME = 'a"b,\n=c</td>'


def firing(first: str, minutes: int, *, state: str = "firing", marker: bool = False, **labels: str) -> pd.DataFrame:
    """One sample a minute for that many minutes, and a staleness marker."""
    frame = pd.DataFrame({"time": pd.date_range(at(first), periods=minutes + marker, freq="min", unit="us")})
    frame["value"] = [1.0] * minutes + [float("nan")] * marker
    own = {"alertname": "Breach", "severity": "page", "tenant": "acme", "job": "", "instance": "", **labels}
    frame["series_id"] = hash((state, *own.values())) % 2**62
    return frame.assign(
        **{label: pd.Categorical([text] * len(frame)) for label, text in {**own, "alertstate": state}.items()}
    )


def pending(first: str, minutes: int, **labels: str) -> pd.DataFrame:
    return firing(first, minutes, state="pending", **labels)


def active(since: str, first: str, minutes: int = 5) -> pd.DataFrame:
    """ALERTS_FOR_STATE: since when the alert is active, in whole seconds, one sample a minute."""
    return firing(first, minutes).assign(value=float(at(since).timestamp()), series_id=7)


def samples(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames).sort_values(["series_id", "time"], ignore_index=True)


def found(*frames: pd.DataFrame, **more: Any) -> pd.DataFrame:
    return alerts.episodes(samples(*frames), interval_seconds=60, window=WEEK, **more)


BEFORE, AFTER = firing("10:00", 5), firing("11:00", 5)
HOLE = table("start end", (), [("10:05", "10:59")])
ONE, TWO = [pd.concat([active("09:58", "10:00"), active(since, "11:00")]) for since in ("09:58", "10:58")]
LATE, EARLY = "2026-11-15 23:55", "2026-11-09 00:0"
# Samples, gaps, ALERTS_FOR_STATE; then tenant, pending, fired, resolved, seconds unseen, cut at the start and the end.
EPISODES = {
    # Pending at 10:00 and 10:01, firing from 10:02 to 10:06, so resolved by 10:07.
    "one": ([pending("10:00", 2), firing("10:02", 5)], {}, [("acme", "10:00", "10:02", "10:07", 0, "")]),
    "further apart": (
        [firing("10:00", 3), firing("10:05", 3)],
        {},
        [("acme", None, "10:00", "10:03", 0, ""), ("acme", None, "10:05", "10:08", 0, "")],
    ),
    "a staleness marker": (
        [firing("10:00", 3, marker=True), firing("10:04", 3)],
        {},
        [("acme", None, "10:00", "10:03", 0, ""), ("acme", None, "10:04", "10:07", 0, "")],
    ),
    "label sets": (
        [firing("10:01", 3, tenant="b c"), firing("10:01", 3, tenant="b"), firing("10:00", 3)],
        {},
        [
            (who, None, first, end, 0, "")
            for who, first, end in (("acme", "10:00", "10:03"), ("b", "10:01", "10:04"), ("b c", "10:01", "10:04"))
        ],
    ),
    "the window's start": ([firing(EARLY + "0", 5)], {}, [("acme", None, EARLY + "0", EARLY + "5", 0, "start")]),
    "pending in it": (
        [pending(EARLY + "0", 1), firing(EARLY + "1", 3)],
        {},
        [("acme", EARLY + "0", EARLY + "1", EARLY + "4", 0, "")],
    ),
    "the window's end": ([firing(LATE, 5)], {}, [("acme", None, LATE, "2026-11-16 00:00", 0, "end")]),
    # The last sample at 10:04, the next at 11:00: 55 minutes of evaluations are missing between them.
    "over a gap": ([BEFORE, AFTER], {"gaps": HOLE}, [("acme", None, "10:00", "11:05", 55 * 60, "")]),
    # Pending again after the restart, as a server whose rule has a `for` makes it.
    "pending after a gap": (
        [BEFORE, pending("11:00", 2), firing("11:02", 5)],
        {"gaps": HOLE},
        [("acme", None, "10:00", "11:07", 57 * 60, "")],
    ),
    "not back after a gap": ([BEFORE], {"gaps": HOLE}, [("acme", None, "10:00", "10:05", 0, "end")]),
    "there after a gap": ([AFTER], {"gaps": HOLE}, [("acme", None, "11:00", "11:05", 0, "start")]),
    "began after a gap": (
        [pending("11:00", 2), firing("11:02", 5)],
        {"gaps": HOLE},
        [("acme", "11:00", "11:02", "11:07", 0, "")],
    ),
    "another's after a gap": (
        [BEFORE, firing("11:00", 5, tenant="b")],
        {"gaps": HOLE},
        [("acme", None, "10:00", "10:05", 0, "end"), ("b", None, "11:00", "11:05", 0, "start")],
    ),
    "one activation": ([BEFORE, AFTER], {"for_state": ONE}, [("acme", "09:58", "10:00", "11:05", 55 * 60, "")]),
    "two activations": (
        [BEFORE, AFTER],
        {"for_state": TWO},
        [("acme", "09:58", "10:00", "10:05", 0, ""), ("acme", "10:58", "11:00", "11:05", 0, "")],
    ),
    # A rule without `for` is active since it fired, and was not pending.
    "no for": ([BEFORE], {"for_state": active("10:00", "10:00")}, [("acme", None, "10:00", "10:05", 0, "")]),
    "active before the window": (
        [firing(EARLY + "0", 5)],
        {"for_state": active("2026-11-08 23:00", EARLY + "0")},
        [("acme", "2026-11-08 23:00", EARLY + "0", EARLY + "5", 0, "start")],
    ),
    "hostile names": ([firing("10:00", 3, tenant=NAME)], {}, [(NAME, None, "10:00", "10:03", 0, "")]),
    "markers alone": ([firing("10:00", 3).assign(value=float("nan"))], {}, []),
    "nothing": ([BEFORE[:0]], {}, []),
}


@pytest.mark.parametrize("case", EPISODES)
def test_episodes_by_hand(case: str) -> None:
    frames, how, expected = EPISODES[case]
    ours = found(*frames, **how)
    ours["cut"] = [
        " ".join(n for n, cut in zip(("start", "end"), row, strict=True) if cut)
        for row in ours[["cut_start", "cut_end"]].values
    ]
    rows = [(who, at(since), at(first), at(end), unseen, cut) for who, since, first, end, unseen, cut in expected]
    columns = ["tenant", "pending_at", "fired_at", "resolved_at", "unseen_seconds", "cut"]
    for row, by_hand in zip(ours[columns].itertuples(index=False, name=None), rows, strict=True):
        assert [None if pd.isna(one) else one for one in row] == [None if pd.isna(one) else one for one in by_hand]
    assert ours["episode"].tolist() == list(range(1, len(ours) + 1))
    assert (ours["seconds"] == (ours["resolved_at"] - ours["fired_at"]).dt.total_seconds()).all()
    assert {str(ours[name].dtype) for name in columns[1:4]} == {TIME}


def test_replicas_of_one_alert_and_intervals_by_rule() -> None:
    pair = pd.concat([firing("10:00", 5, instance="x"), firing("10:02", 5, instance="y")]).assign(alert=1)
    ours = alerts.episodes(samples(pair), interval_seconds={"": 60, "Breach": 30}, window=WEEK)
    # Sixty seconds apart are two intervals of thirty; over is it half a minute after the last sample.
    assert ours[["fired_at", "resolved_at"]].values.tolist() == [[at("10:00"), at("10:06:30")]]


LONG, SHORT = pending("10:00", 30, tenant="long"), pending("10:05", 2, tenant="short")


@pytest.mark.parametrize(
    ("frames", "waited"),
    [
        ([pending("10:00", 2), firing("10:02", 5)], []),
        (
            [pending("12:00", 2, tenant="b"), firing("12:02", 2, tenant="b"), pending("11:00", 4)],
            [("acme", "11:00", "11:04")],
        ),
        # The order by end differs from the order by begin.
        ([LONG, SHORT, firing("10:30", 2, tenant="long")], [("short", "10:05", "10:07")]),
        ([LONG, SHORT, firing("10:07", 2, tenant="short")], [("long", "10:00", "10:30")]),
        ([BEFORE[:0]], []),
    ],
)
def test_pending_that_fired_is_no_near_miss(frames: list[pd.DataFrame], waited: list) -> None:
    ours = alerts.pendings(samples(*frames), interval_seconds=60)[["tenant", "pending_at", "ended_at"]]
    assert ours.values.tolist() == [[who, at(first), at(end)] for who, first, end in waited]


def steps(first: str, apart: list[int], *, series: int = 1, name: str = "Breach") -> pd.DataFrame:
    """Samples that many seconds apart from each other."""
    seconds = pd.Series([0, *apart]).cumsum()
    frame = pd.DataFrame({"time": (at(first) + pd.to_timedelta(seconds, unit="s")).astype(TIME), "value": 1.0})
    return frame.assign(series_id=series, alertname=pd.Categorical([name] * len(frame)))


@pytest.mark.parametrize(
    ("frames", "intervals"),
    [
        # Twelve steps of 15 s, and one of an hour between two firings.
        ([steps("10:00", [15] * 6 + [3600] + [15] * 6)], {"Breach": (15.0, 13)}),
        (
            [steps("10:00", [300] * 12), steps("10:00", [1] * 12, series=2, name="Live")],
            {"Breach": (300.0, 12), "Live": (1.0, 12)},
        ),
        # What the samples cannot tell is the contract's: too few, not regular, and one sample every ten minutes.
        ([steps("10:00", [15] * 9)], {"Breach": (60.0, 0)}),
        ([steps("10:00", [15] * 8 + [60] * 8)], {"Breach": (60.0, 0)}),
        ([steps("10:00", [600] * 20)], {"Breach": (60.0, 0)}),
        # Steps between series are none.
        ([steps("10:00", [60], series=number) for number in range(12)], {"Breach": (60.0, 12)}),
        ([steps("10:00", [])[:0]], {}),
    ],
)
def test_an_interval_is_the_usual_step_of_a_rules_series(frames: list, intervals: dict) -> None:
    ours = alerts.evaluation_intervals(pd.concat(frames, ignore_index=True), default_seconds=60)
    assert {row.alertname: (row.interval_seconds, row.steps) for row in ours.itertuples()} == intervals


def test_series_of_one_alert_differ_by_state_and_replica_alone() -> None:
    pair = {"alertname": "A", "alertstate": "firing", "replica": "a"}
    texts = [json.dumps(pair | more) for more in ({}, {"alertstate": "pending"}, {"path": "/y"}, {"replica": "b"})]
    series = pd.DataFrame({"series_id": [20, -(2**62), 30, 40], "labels": texts})
    frame = pd.concat([steps("10:00", [60], series=number) for number in (20, -(2**62), 30, 40, 50)])
    first, pends, other, replica, unknown = alerts.identified(frame, series)["alert"].tolist()[::2]
    assert (first == pends, len({first, other, replica, unknown})) == (True, 4)
    one = alerts.identified(frame, series, replica_labels=["replica"])["alert"].tolist()[::2]
    assert (one[0] == one[3], one[4]) == (True, 50)
    assert alerts.identified(frame, series[:0])["alert"].tolist() == frame["series_id"].tolist()


def up(*stretches: tuple[str, int]) -> pd.DataFrame:
    return pd.concat([steps(first, [60] * (minutes - 1)) for first, minutes in stretches])


NOTHING = steps("10:00", [])[:0]
APART = up(("10:00", 10), ("10:30", 10))


@pytest.mark.parametrize(
    ("left", "scraped", "seconds", "gaps"),
    [
        (NOTHING, APART, 60, [("10:09", "10:30", 1260.0)]),
        # Two minutes and a half are none, and a rule that is evaluated meanwhile shows that the server is up.
        (NOTHING, up(("10:00", 10), ("10:11", 10)), 60, []),
        (steps("10:09", [60] * 11), APART, 60, [("10:20", "10:30", 600.0)]),
        # Quiet rules are no gap; without a scrape nobody knows.
        (NOTHING, up(("10:00", 40)), 60, []),
        (steps("10:00", [3600]), NOTHING, 60, []),
        # Scraped every minute, evaluated every five: seven minutes between are none.
        (NOTHING, up(("10:00", 10), ("10:16", 10)), 300, []),
        (NOTHING, up(("10:00", 10), ("10:16", 10)), 60, [("10:09", "10:16", 420.0)]),
    ],
)
def test_a_gap_is_where_neither_a_rule_nor_a_scrape_left_anything(
    left: pd.DataFrame, scraped: pd.DataFrame, seconds: float, gaps: list
) -> None:
    ours = alerts.evaluation_gaps(left, scraped, interval_seconds=seconds)
    assert ours.values.tolist() == [[at(start), at(end), long] for start, end, long in gaps]
