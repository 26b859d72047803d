"""Episodes by hand, and how the server evaluated the rules that they are of."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from by_hand import TIME, at, table

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import alerts

WEEK = parse_window("2026-W46")  # 9 to 16 November


def firing(first: str, minutes: int, tenant: str = "acme", *, state: str = "firing", **labels: str) -> pd.DataFrame:
    """One sample a minute for that many minutes."""
    frame = pd.DataFrame({"time": pd.date_range(at(first), periods=minutes, freq="min", unit="us"), "value": 1.0})
    own = {"alertname": "Breach", "severity": "page", "tenant": tenant, "job": "", "instance": "", **labels}
    frame["series_id"], frame["alert"] = hash((state, *own.values())) % 2**62, hash((*own.values(),)) % 2**62
    return frame.assign(
        **{label: pd.Categorical([text] * len(frame)) for label, text in {**own, "alertstate": state}.items()}
    )


def samples(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames).sort_values(["series_id", "time"], ignore_index=True)


def written(text: str) -> pd.DataFrame:
    """Samples as 'state, first, minutes, tenant', parted by commas; 'ended' has a staleness marker at its end."""
    frames = [firing("10:00", 0)]
    for one in text.split(", ") if text else ():
        state, first, minutes, *tenant = one.split(" ", 3)
        frame = firing(first.replace("T", " "), int(minutes), *tenant, state=state.replace("ended", "firing"))
        frames.append(frame.assign(value=[1.0] * (len(frame) - 1) + [float("nan")]) if state == "ended" else frame)
    return samples(*frames)


def active(*spans: tuple[str, str]) -> pd.DataFrame:
    """ALERTS_FOR_STATE: since when the alert is active, in whole seconds, for five minutes from a time on."""
    return samples(*(firing(first, 5).assign(value=at(since).timestamp(), series_id=7) for since, first in spans))


HOLE = {"gaps": table("start end", ("10:05", "10:59"))}
ONE = {"for_state": active(("09:58", "10:00"), ("09:58", "11:00"))}
TWO = {"for_state": active(("09:58", "10:00"), ("10:58", "11:00"))}
BOTH, EARLY = "firing 10:00 5, firing 11:00 5", "2026-11-09 00:0"
# Samples, what else is given; then tenant, pending, fired, resolved, seconds unseen, and which ends are cut off.
EPISODES: dict[str, tuple[str, dict[str, pd.DataFrame], list[str]]] = {
    # Pending at 10:00 and 10:01, firing from 10:02 to 10:06, so resolved by 10:07.
    "one": ("pending 10:00 2, firing 10:02 5", {}, ["acme 10:00 10:02 10:07 0"]),
    "further apart": ("firing 10:00 3, firing 10:05 3", {}, ["acme - 10:00 10:03 0", "acme - 10:05 10:08 0"]),
    "a staleness marker": ("ended 10:00 4, firing 10:04 3", {}, ["acme - 10:00 10:03 0", "acme - 10:04 10:07 0"]),
    "label sets": (
        "firing 10:01 3 b c, firing 10:01 3 b, firing 10:00 3",
        {},
        ["acme - 10:00 10:03 0", "b - 10:01 10:04 0", "b c - 10:01 10:04 0"],
    ),
    "the window's start": ("firing 2026-11-09T00:00 5", {}, [f"acme - {EARLY}0 {EARLY}5 0 start"]),
    "pending in it": (
        "pending 2026-11-09T00:00 1, firing 2026-11-09T00:01 3",
        {},
        [f"acme {EARLY}0 {EARLY}1 {EARLY}4 0"],
    ),
    "the window's end": ("firing 2026-11-15T23:55 5", {}, ["acme - 2026-11-15 23:55 2026-11-16 00:00 0 end"]),
    # The last sample at 10:04, the next at 11:00: 55 minutes of evaluations are missing between them.
    "over a gap": (BOTH, HOLE, ["acme - 10:00 11:05 3300"]),
    # Pending again after the restart, as a server whose rule has a `for` makes it.
    "pending after a gap": (
        "firing 10:00 5, pending 11:00 2, firing 11:02 5",
        *(HOLE, ["acme - 10:00 11:07 3420"]),
    ),
    "not back after a gap": ("firing 10:00 5", HOLE, ["acme - 10:00 10:05 0 end"]),
    "there after a gap": ("firing 11:00 5", HOLE, ["acme - 11:00 11:05 0 start"]),
    "began after a gap": ("pending 11:00 2, firing 11:02 5", HOLE, ["acme 11:00 11:02 11:07 0"]),
    "another's after a gap": (
        "firing 10:00 5, firing 11:00 5 b",
        *(HOLE, ["acme - 10:00 10:05 0 end", "b - 11:00 11:05 0 start"]),
    ),
    "one activation": (BOTH, ONE, ["acme 09:58 10:00 11:05 3300"]),
    "two activations": (BOTH, TWO, ["acme 09:58 10:00 10:05 0", "acme 10:58 11:00 11:05 0"]),
    # A rule without `for` is active since it fired, and was not pending.
    "no for": ("firing 10:00 5", {"for_state": active(("10:00", "10:00"))}, ["acme - 10:00 10:05 0"]),
    "active before the window": (
        "firing 2026-11-09T00:00 5",
        {"for_state": active(("2026-11-08 23:00", f"{EARLY}0"))},
        [f"acme 2026-11-08 23:00 {EARLY}0 {EARLY}5 0 start"],
    ),
    "active since the window's start": (
        *("firing 2026-11-09T00:00 5", {"for_state": active((f"{EARLY}0", f"{EARLY}0"))}),
        [f"acme - {EARLY}0 {EARLY}5 0"],
    ),
    "hostile names": ('firing 10:00 3 a"b\n=c</td>', {}, ['a"b\n=c</td> - 10:00 10:03 0']),
    "markers alone": ("ended 10:00 1", {}, []),
    "nothing": ("", {}, []),
}


@pytest.mark.parametrize("case", EPISODES)
def test_episodes_by_hand(case: str) -> None:
    text, how, expected = EPISODES[case]
    ours = alerts.episodes(written(text), interval_seconds=60, window=WEEK, **how)
    moments = ours[["pending_at", "fired_at", "resolved_at"]]
    assert set(moments.dtypes.astype(str)) == {TIME}
    told = moments.apply(
        lambda column: column.dt.strftime("%Y-%m-%d %H:%M").str.removeprefix("2026-11-11 ").fillna("-")
    )
    rows = zip(
        ours["tenant"], *told.T.to_numpy(), ours["unseen_seconds"], ours["cut_start"], ours["cut_end"], strict=True
    )
    assert [
        " ".join([*words, f"{unseen:g}", *(["start"] if first else []), *(["end"] if last else [])])
        for *words, unseen, first, last in rows
    ] == expected
    assert ours["episode"].tolist() == list(range(1, len(ours) + 1))
    assert (ours["seconds"] == (ours["resolved_at"] - ours["fired_at"]).dt.total_seconds()).all()


def test_replicas_of_one_alert_and_intervals_by_rule() -> None:
    pair = pd.concat([firing("10:00", 5, instance="x"), firing("10:02", 5, instance="y")]).assign(alert=1)
    ours = alerts.episodes(samples(pair), interval_seconds={"": 60, "Breach": 30}, window=WEEK)
    # Sixty seconds apart are two intervals of thirty; over is it half a minute after the last sample.
    assert ours[["fired_at", "resolved_at"]].values.tolist() == [[at("10:00"), at("10:06:30")]]


LONG, SHORT = "pending 10:00 30 long", "pending 10:05 2 short"


def test_replicas_that_fire_an_evaluation_apart_are_pending_since_the_first_of_them_is() -> None:
    """One evaluates at 10:00 what the other does not see before 10:01: neither by ALERTS nor by ALERTS_FOR_STATE."""
    later = [firing("10:01", 2, state="pending", replica="b"), firing("10:03", 3, replica="b")]
    both = samples(firing("10:00", 2, state="pending"), firing("10:02", 3), *later)
    both["alert"] = 1
    known = samples(
        *(firing(at_, 5).assign(value=at(at_).timestamp(), series_id=n) for n, at_ in enumerate(("10:00", "10:01")))
    )
    for rows in (both, both[both["alertstate"] == "firing"]):
        found = alerts.episodes(rows, interval_seconds=60, window=WEEK, for_state=known.assign(alert=1))
        assert list(found[["pending_at", "fired_at", "resolved_at"]].itertuples(index=False, name=None)) == [
            (at("10:00"), at("10:02"), at("10:06"))
        ]


@pytest.mark.parametrize(
    ("text", "waited"),
    [
        ("pending 10:00 2, firing 10:02 5", []),
        ("pending 12:00 2 b, firing 12:02 2 b, pending 11:00 4", [["acme", "11:00", "11:04"]]),
        # The order by end differs from the order by begin.
        (f"{LONG}, {SHORT}, firing 10:30 2 long", [["short", "10:05", "10:07"]]),
        (f"{LONG}, {SHORT}, firing 10:07 2 short", [["long", "10:00", "10:30"]]),
        ("", []),
    ],
)
def test_pending_that_fired_is_no_near_miss(text: str, waited: list) -> None:
    ours = alerts.pendings(written(text), interval_seconds=60)[["tenant", "pending_at", "ended_at"]]
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
