"""A rule's states, against Prometheus' own code written down; episodes and candidates by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from by_hand import TIME, table, times
from hypothesis import given

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import alerts
from cloudxai_analysis.replay import history
from cloudxai_analysis.replay.candidates import (
    LeftSide,
    Truth,
    Variant,
    candidates,
    frontier,
    proposal,
    thresholds,
    variants,
)
from cloudxai_analysis.replay.episodes import Firings, agreement, agreement_counts, episodes, firings, runs, unsettled
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
MINUTE = 60_000


def fired(row: str, for_seconds: float, keep_seconds: float, down: tuple[int, ...] = ()) -> Firings:
    """Of an expression that gives its one series at each minute with an 'x'."""
    steps = Steps(ZERO, MINUTE, len(row))
    at = np.array([place for place, sign in enumerate(row) if sign == "x"], dtype=np.int64)
    batch = SeriesBatch.of("", [({}, ZERO + MINUTE * at, np.ones(len(at)))])
    evaluated = ~np.isin(np.arange(len(row)), down)
    return firings(runs(batch, steps, evaluated), steps, for_seconds=for_seconds, keep_seconds=keep_seconds)


def framed(found: list[Firings], count: int, window: tuple[int, int], *, markers: bool = True) -> pd.DataFrame:
    """The episodes in a window of minutes."""
    inside = Window(*(START + timedelta(minutes=minute) for minute in window))
    labels = [{"tenant": "t0", "alertname": "A", "severity": "page"}]
    return episodes(found, labels, Steps(ZERO, MINUTE, count), window=inside, markers=markers)


def written_down(row: str, for_ms: int, keep_ms: int) -> list[tuple[int, str]]:
    """What Prometheus 2.42's `AlertingRule.Eval` does with one alert: the minutes at which it is pending or firing."""
    state, active_at, keep_since, seen = "inactive", 0, None, []
    for minute, sign in enumerate(row):
        time = minute * MINUTE
        if sign == "x":
            if state == "inactive":
                state, active_at = "pending", time
            keep_since = None
        else:
            keep = False
            if state == "firing" and keep_ms > 0:
                keep_since = time if keep_since is None else keep_since
                keep = time - keep_since < keep_ms
            if not keep:
                state, keep_since = "inactive", None
                continue
        if state == "pending" and time - active_at >= for_ms:
            state = "firing"
        if state != "inactive":
            seen.append((minute, state))
    return seen


def alerts_frame(seen: list[tuple[int, str]], count: int) -> pd.DataFrame:
    """The samples of ALERTS that these states leave, with the staleness markers that end each series."""
    states_at = dict(seen)
    ended = [(at + 1, state) for at, state in seen if at + 1 < count and states_at.get(at + 1) != state]
    rows = [(*one, 1.0) for one in seen] + [(*one, np.nan) for one in ended]
    frame = pd.DataFrame(rows, columns=["time", "alertstate", "value"])
    frame["series_id"] = frame["alertstate"].map({"pending": 1, "firing": 2}).astype("int64")
    at = ZERO + MINUTE * frame["time"].astype("int64")
    frame["time"] = pd.to_datetime(at, unit="ms", utc=True).dt.as_unit("us")
    frame = frame.assign(alertname="A", severity="page", tenant="t0", alert=1).astype({"alertstate": "str"})
    return frame.sort_values(["series_id", "time"], ignore_index=True)


rows = st.lists(st.sampled_from("x."), min_size=1, max_size=60).map("".join)


@given(rows, st.integers(0, 390), st.integers(0, 330))
def test_states_are_those_of_prometheus_at_every_evaluation(row: str, for_seconds: int, keep_seconds: int) -> None:
    expected = written_down(row, for_seconds * 1000, keep_seconds * 1000)
    found = fired(row, for_seconds, keep_seconds)
    firing = [minute for begin, last in zip(found.fired, found.last, strict=True) for minute in range(begin, last + 1)]
    assert firing == [minute for minute, state in expected if state == "firing"]
    waits = zip(found.pending, found.fired, strict=True)
    pending = {minute for begin, end in waits if begin >= 0 for minute in range(begin, end)}
    assert pending <= {minute for minute, state in expected if state == "pending"}


@given(rows.filter(lambda row: len(row) >= 12), st.integers(0, 4), st.integers(0, 3), st.integers(5, 9))
def test_episodes_are_those_of_the_measure_on_the_alerts_left(row: str, wait: int, keep: int, since: int) -> None:
    window = Window(START + timedelta(minutes=since), START + timedelta(minutes=len(row)))
    left = alerts_frame(written_down(row, wait * MINUTE, keep * MINUTE), len(row))
    theirs = alerts.episodes(left[left["time"] >= window.start], interval_seconds=60, window=window)
    ours = framed([fired(row, wait * 60, keep * 60)], len(row), (since, len(row)))
    columns = ["alertname", "tenant", "fired_at", "resolved_at", "seconds"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])


# An 'x' in a row is a minute at which the expression gave it; `minutes` are `for` and `keep_firing_for`.
@pytest.mark.parametrize(
    ("row", "minutes", "given", "expected"),
    [
        # It fires at 2; gone at 3 it is kept for 3 and 4; back at 4, gone from 5 it is kept for 5 and 6, back at 7.
        ("xxx.x..xx.", (2, 2), {}, [(2, 10)]),
        # A firing belongs to the window in which it begins, and is cut at its edges.
        ("xxxxx.....xxxxx", (0, 0), {"window": (3, 13)}, [("cut", 3, 5), (10, 13, "cut")]),
        # A server that was down begins anew.
        ("x" * 20, (2, 0), {"down": tuple(range(5, 12))}, [(2, 5), (14, 20, "cut")]),
        # A source without markers shows one absent evaluation as nothing, but no two.
        ("xx.xx..x.", (0, 0), {}, [(0, 2), (3, 5), (7, 8)]),
        ("xx.xx..x.", (0, 0), {"markers": False}, [(0, 5), (7, 8)]),
    ],
)
def test_firings_by_the_minute(row: str, minutes: tuple[int, int], given: dict, expected: list[tuple]) -> None:
    found = fired(row, minutes[0] * 60, minutes[1] * 60, given.get("down", ()))
    frame = framed([found], len(row), given.get("window", (0, len(row))), markers=given.get("markers", True))
    edges = zip(frame["fired_at"].dt.minute, frame["resolved_at"].dt.minute, strict=True)
    assert [*edges] == [tuple(edge for edge in one if edge != "cut") for one in expected]
    assert frame["cut_start"].tolist() == [one[0] == "cut" for one in expected]
    assert frame["cut_end"].tolist() == [one[-1] == "cut" or one[1] == len(row) for one in expected]


def by_minute(spans: list, **more: Any) -> pd.DataFrame:
    """Episodes of the rule A as (tenant, first minute, end minute)."""
    clocks = [(who, f"12:{first:02d}:00.411", f"12:{end:02d}:00.411") for who, first, end in spans]
    frame = table("tenant fired_at resolved_at", *clocks, alertname="A", severity="page", instance="")
    return frame.assign(pending_at=times([None] * len(frame)), cut_start=False, **{"cut_end": False, **more})


SAME = [("a", 0, 5)]


@pytest.mark.parametrize(
    ("live", "ours", "also", "status"),
    [
        # Of the same labels at the same evaluations, one that ends elsewhere, another tenant.
        ([*SAME, ("a", 10, 12), ("b", 20, 22)], [*SAME, ("a", 10, 13)], {}, "same other extra other"),
        (SAME, [("a", 1, 5)], {}, "other extra"),
        # Two alerts that look alike count twice.
        (SAME * 2, SAME, {}, "same other"),
        # A server that was down, two minutes after it, and edges are told apart.
        ([*SAME, ("a", 30, 32), ("a", 50, 55)], [("a", 50, 55)], {"down": [("12:05", "12:29")]}, "apart apart same"),
        (SAME, [], {"cut_end": True}, "apart"),
        # Only what differs is set apart by a scrape under way.
        ([("a", 10, 20), ("b", 10, 20), ("c", 40, 50)], [("a", 10, 20)], {"late": 9}, "same apart other"),
    ],
)
def test_each_episode_beside_the_other_s(live: list, ours: list, also: dict, status: str) -> None:
    late = (
        [round(pd.Timestamp(f"2026-11-11 12:{also['late']:02d}", tz="UTC").timestamp() * 1000)]
        if "late" in also
        else []
    )
    found = agreement(
        by_minute(live, cut_end=also.get("cut_end", False)),
        by_minute(ours),
        table("start end", *also.get("down", [])),
        interval_seconds=60,
        settle_seconds=120,
        unsettled=np.array(late, dtype=np.int64),
    )
    assert found["status"].tolist() == status.split()
    counts = agreement_counts(found).iloc[0]
    assert counts["fired"] == counts["same"] + counts["other"] == status.count("same") + status.count("other")


def test_an_evaluation_between_a_scrapes_begin_and_its_commit_is_unsettled() -> None:
    """Evaluations at 0.7 s of each second; scrapes begin at 0.0, and two of them take too long."""
    begun = 1000 * np.arange(4, dtype=np.int64)
    scrapes = SeriesBatch.of("scrape_duration_seconds", [({}, begun, np.array([0.01, 0.65, 0.55, 1.8]))])
    assert unsettled(begun + 700, scrapes).tolist() == [1700, 3700]


def test_the_rule_s_labels_win_and_simple_templates_are_filled_in() -> None:
    series = {"__name__": "x", "tenant": "a", "severity": "low", "empty": ""}
    labels = {"severity": "page", "who": "{{ $labels.tenant }}/{{$labels.absent}}", "raw": "{{ $value }}"}
    found = history.alert_labels(series, AlertingRule("A", "x", labels=labels))
    assert found == {"tenant": "a", "severity": "page", "who": "a/", "raw": "{{ $value }}", "alertname": "A"}


def test_series_that_make_one_alert_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule whose own label takes the place of the one that tells its series apart."""
    empty, at = SeriesBatch.of("ALERTS", []), np.array([ZERO], dtype=np.int64)
    watched: Any = SimpleNamespace(read=lambda *_: empty, describe=lambda: {"hides_markers": True})
    answer = SeriesBatch.of("", [({"zone": zone}, at, np.ones(1)) for zone in "ab"])
    monkeypatch.setattr(history, "promql_range", lambda *_: answer)
    rule = AlertingRule("A", "x", labels={"zone": "any"})
    past = history.History(watched, watched, WEEK, [rule], evaluation_seconds=60)
    with pytest.raises(UsageError, match="Rule 'A': several series of its expression make the same alert"):
        past.replay(rule)


def test_a_rule_s_own_alerts_are_told_by_its_labels_and_replicas_are_one() -> None:
    own = {"alertname": "A", "severity": "page", "zone": "z"}
    series = [
        {**own, "alertstate": "firing", "replica": "0"},
        {**own, "alertstate": "pending", "replica": "1"},
        {**own, "alertstate": "firing", "severity": "ticket"},
        {**own, "alertstate": "firing", "alertname": "B"},
    ]
    ended = np.array([1.0, np.nan])
    ended.view(np.int64)[1] = STALENESS_MARKER_BITS
    at = np.array([1000, 2000], dtype=np.int64)
    batch = SeriesBatch.of("ALERTS", [(labels, at, ended) for labels in series])
    rule = AlertingRule("A", "up == 0", labels={"severity": "page", "who": "{{ $labels.x }}", "team": "nobody's"})
    found = history.alert_samples(
        batch, rule, replica_labels=["replica"], named=lambda labels: {**labels, "tenant": labels["zone"]}
    )
    assert found["alertstate"].tolist() == ["firing", "firing", "pending", "pending"]
    assert (found["tenant"].unique().tolist(), found["alert"].nunique()) == (["z"], 1)
    assert found["value"].isna().tolist() == [False, True, False, True]


WEEK = Window(START, START + timedelta(days=7), "2026-W46")


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def truth(*incidents: tuple[str, float, float], labels: tuple[tuple[float, str], ...] = ()) -> Truth:
    spans = {"start": TIME, "end": TIME}
    named = [(name, at(start), at(end), "", ("A",), "") for name, start, end in incidents]
    frame = pd.DataFrame(named, columns=["id", "start", "end", "tenant", "alerts", "summary"])
    kinds = {"alertname": "str", "tenant": "str", "fired_at": TIME, "judgement": "str"}
    said = pd.DataFrame([("A", "", at(hour), word) for hour, word in labels], columns=list(kinds))
    complete = pd.DataFrame({"start": [WEEK.start], "end": [WEEK.end]})
    return Truth(frame.astype(spans), said.astype(kinds), complete.astype(spans))


def bumpy(*bumps: tuple[float, int, float]) -> LeftSide:
    """A left side that is 1, but for bumps: the hour at which one begins, its minutes and its height."""
    steps = Steps(ZERO, MINUTE, 7 * 24 * 60)
    values = np.ones(steps.count)
    for hour, minutes, height in bumps:
        first = round(hour * 60)
        values[first : first + minutes] = height
    batch = SeriesBatch.of("", [({}, steps.times, values)])
    return LeftSide(batch, [{"alertname": "A", "severity": "page"}], steps, values > 0, ">")


# Two incidents with high, long bumps; a low bump and a short one are false.
BUMPS = bumpy((10, 20, 9.0), (50, 30, 8.0), (80, 15, 5.0), (100, 2, 9.0))
TRUTH = truth(("one", 10, 10.4), ("two", 50, 50.6))
FOUR = Variant(4.0, 0.0, 0.0)


def tried(*others: Variant, present: Variant = FOUR, truth: Truth = TRUTH, side: LeftSide = BUMPS) -> pd.DataFrame:
    return candidates(side, [present, *others], truth, WEEK, alertname="A")


@pytest.mark.parametrize(
    ("threshold", "minutes", "false", "misses", "detection"),
    [(4.0, 0, 2, 0, 0.0), (4.0, 5, 1, 0, 300.0), (6.0, 5, 0, 0, 300.0), (8.5, 0, 1, 1, 0.0), (6.0, 25, 0, 1, 1500.0)],
)
def test_each_candidate_has_the_counts_of_the_bumps_that_it_sees(
    threshold: float, minutes: int, false: int, misses: int, detection: float
) -> None:
    found = tried(Variant(threshold, minutes * 60.0, 0.0)).iloc[1]
    assert (found["false_positives"], found["misses"], found["detection_seconds"]) == (false, misses, detection)
    assert (found["incidents"], found["pages_a_week"]) == (2, found["episodes"])


def test_the_proposal_misses_no_more_and_is_false_least() -> None:
    levels = thresholds(BUMPS.batch.values[::7], ">", 4.0)
    first, *others = variants(BUMPS._replace(levels=levels), FOUR)
    assert first == FOUR
    table = tried(*others)
    best = table.loc[proposal(table)]
    assert (best["misses"], best["false_positives"], best["frontier"]) == (0, 0, True)
    # Two minutes at 9 must pass: no threshold alone keeps both incidents without them.
    assert 5.0 <= best["threshold"] < 8.0
    assert best["for_seconds"] >= 120
    # Where no incident names the rule nothing is proposed.
    unknown = tried(Variant(99.0, 0.0, 0.0), truth=truth())
    assert unknown["false_positives"].tolist() == [4, 0]
    assert proposal(unknown) == 0


def test_a_label_speaks_of_what_fired_at_the_same_time() -> None:
    said = truth(("one", 10, 10.4), ("two", 50, 50.6), labels=((80.0, "actionable"),))
    table = tried(Variant(4.0, 600.0, 0.0), truth=said)
    # The bump at 80 h fires ten minutes later with the longer `for`, and is still what people called actionable.
    assert table["true_positives"].tolist() == [3, 3]
    assert table["false_positives"].tolist() == [1, 0]


def test_what_fires_far_more_is_not_judged() -> None:
    noisy = bumpy(*((hour, 1, 9.0) for hour in np.arange(1, 150, 0.25)), (151, 30, 20.0))
    table = tried(FOUR, present=Variant(10.0, 0.0, 0.0), truth=truth(("one", 151, 152)), side=noisy)
    assert table["judged"].tolist() == [True, False]
    assert not table["frontier"].iloc[1]


def test_the_frontier_by_hand() -> None:
    rows = [(5, 0, 60), (2, 0, 120), (2, 0, 180), (0, 1, None), (9, 0, 60), (2, 0, 120)]
    costs = pd.DataFrame(rows, columns=["false_positives", "misses", "detection_seconds"])
    assert frontier(costs).tolist() == [True, True, False, True, False, True]
