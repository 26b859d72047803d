"""The rule's states, against Prometheus' own code written down evaluation by evaluation, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import alerts
from cloudxai_analysis.replay.episodes import Firings, episodes, firings, runs
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
MINUTE = 60_000


def steps_of(count: int) -> Steps:
    return Steps(ZERO, MINUTE, count)


def batch_of(*rows: str) -> SeriesBatch:
    """One series a row; an 'x' is a minute at which the expression gave it."""
    series = []
    for number, row in enumerate(rows):
        at = np.array([place for place, sign in enumerate(row) if sign == "x"], dtype=np.int64)
        series.append(({"tenant": f"t{number}"}, ZERO + MINUTE * at, np.ones(len(at))))
    return SeriesBatch.of("", series)


def fired(row: str, for_seconds: float, keep_seconds: float, down: tuple[int, ...] = ()) -> Firings:
    steps = steps_of(len(row))
    evaluated = ~np.isin(np.arange(len(row)), down)
    return firings(runs(batch_of(row), steps, evaluated), steps, for_seconds=for_seconds, keep_seconds=keep_seconds)


def framed(found: list[Firings], count: int, window: tuple[int, int], *, markers: bool = True) -> pd.DataFrame:
    """The episodes in a window of minutes."""
    inside = Window(*(START + timedelta(minutes=minute) for minute in window))
    labels = [{"tenant": f"t{number}", "alertname": "A", "severity": "page"} for number in range(2)]
    return episodes(found, labels, steps_of(count), window=inside, markers=markers)


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
    rows: list[dict[str, Any]] = []
    states_at = dict(seen)
    for minute, state in seen:
        rows.append({"time": minute, "alertstate": state, "value": 1.0})
        if minute + 1 < count and states_at.get(minute + 1) != state:
            rows.append({"time": minute + 1, "alertstate": state, "value": np.nan})
    frame = pd.DataFrame(rows, columns=["time", "alertstate", "value"])
    frame["series_id"] = frame["alertstate"].map({"pending": 1, "firing": 2}).astype("int64")
    at = ZERO + MINUTE * frame["time"].astype("int64")
    frame["time"] = pd.to_datetime(at, unit="ms", utc=True).dt.as_unit("us")
    frame = frame.assign(alertname="A", severity="page", tenant="t0").astype({"alertstate": "str"})
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
    assert list(ours.columns) == ["variant", *theirs.columns]
    columns = ["alertname", "severity", "tenant", "instance", "fired_at", "resolved_at", "seconds"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])


# An 'x' in a row is a minute at which the expression gave it; `minutes` are `for` and `keep_firing_for`.
@pytest.mark.parametrize(
    ("row", "minutes", "given", "expected"),
    [
        # It fires at 2; gone at 3 it is kept for 3 and 4; back at 4, gone from 5 it is kept for 5 and 6, back at 7.
        ("xxx.x..xx.", (2, 2), {}, [(2, 10)]),
        ("xxx.x..xx.", (2, 0), {}, [(2, 3)]),
        # A firing belongs to the window in which it begins, and is cut at its edges.
        ("xxxxx.....xxxxx", (0, 0), {"window": (3, 13)}, [("cut", 3, 5), (10, 13, "cut")]),
        # A server that was down begins anew.
        ("x" * 20, (2, 0), {"down": tuple(range(5, 12))}, [(2, 5), (14, 20, "cut")]),
        # A source without markers shows one absent evaluation as nothing, but no two.
        ("xx.xx..x.", (0, 0), {}, [(0, 2), (3, 5), (7, 8)]),
        ("xx.xx..x.", (0, 0), {"markers": False}, [(0, 5), (7, 8)]),
    ],
)
def test_firings_by_the_minute(
    row: str, minutes: tuple[int, int], given: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    found = fired(row, minutes[0] * 60, minutes[1] * 60, given.get("down", ()))
    window = given.get("window", (0, len(row)))
    frame = framed([found], len(row), window, markers=given.get("markers", True))
    edges = zip(frame["fired_at"].dt.minute, frame["resolved_at"].dt.minute, strict=True)
    assert [*edges] == [tuple(edge for edge in one if edge != "cut") for one in expected]
    assert frame["cut_start"].tolist() == [one[0] == "cut" for one in expected]
    assert frame["cut_end"].tolist() == [one[-1] == "cut" or one[1] == len(row) for one in expected]


def test_variants_are_put_side_by_side() -> None:
    steps, batch = steps_of(10), batch_of("xxxx....xx", "..xxxxxx..")
    found = runs(batch, steps, np.ones(10, dtype=bool))
    frame = framed([firings(found, steps, for_seconds=minutes * 60) for minutes in (0, 2, 9)], 10, (0, 20))
    assert frame["variant"].value_counts().to_dict() == {0: 3, 1: 2}
    second = frame[frame["variant"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        second.assign(variant=0), framed([firings(found, steps, for_seconds=120)], 10, (0, 20))
    )
