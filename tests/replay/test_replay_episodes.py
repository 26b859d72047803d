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
from cloudxai_analysis.replay.episodes import episodes, runs, states
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
MINUTE = 60_000


def evaluation_times(count: int, *, without: tuple[int, ...] = ()) -> np.ndarray:
    return ZERO + MINUTE * np.array([number for number in range(count) if number not in without], dtype=np.int64)


def batch_of(*rows: str, first: int = 0) -> SeriesBatch:
    """One series a row; an 'x' is a minute at which the expression gave it."""
    series = []
    for number, row in enumerate(rows):
        at = np.array([first + place for place, sign in enumerate(row) if sign == "x"], dtype=np.int64)
        series.append(({"tenant": f"t{number}"}, ZERO + MINUTE * at, np.ones(len(at))))
    return SeriesBatch.of("", series)


def labels_of(batch: SeriesBatch) -> list[dict[str, str]]:
    return [{**labels, "alertname": "A", "severity": "page"} for labels in batch.labels]


def window_of(minutes: int, *, since: int = 0) -> Window:
    return Window(START + timedelta(minutes=since), START + timedelta(minutes=minutes))


def replayed(
    batch: SeriesBatch,
    times: np.ndarray,
    for_minutes: int,
    keep_minutes: int,
    *,
    window: tuple[int, int] | None = None,
    markers: bool = True,
) -> pd.DataFrame:
    """The episodes of a rule in a window of minutes; without one in twice as many as there are times."""
    since, minutes = window or (0, 2 * len(times) + 20)
    found = states(runs(batch, times), times, for_seconds=for_minutes * 60, keep_seconds=keep_minutes * 60)
    inside = window_of(minutes, since=since)
    return episodes([found], labels_of(batch), times, interval_ms=MINUTE, window=inside, markers=markers)


def written_down(present: set[int], times: np.ndarray, for_ms: int, keep_ms: int) -> list[tuple[int, str]]:
    """What Prometheus 2.42's `AlertingRule.Eval` does with one alert: the times at which it is pending or firing."""
    state, active_at, keep_since, seen = "inactive", 0, None, []
    for time in times.tolist():
        if time in present:
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
            seen.append((time, state))
    return seen


def alerts_frame(seen: list[tuple[int, str]], times: np.ndarray) -> pd.DataFrame:
    """The samples of ALERTS that these states leave, with the staleness markers that end each series."""
    rows: list[dict[str, Any]] = []
    states_at = dict(seen)
    for before, after in zip(times.tolist(), [*times.tolist()[1:], None], strict=True):
        state = states_at.get(before)
        if state is None:
            continue
        rows.append({"time": before, "alertstate": state, "value": 1.0})
        if after is not None and states_at.get(after) != state:
            rows.append({"time": after, "alertstate": state, "value": np.nan})
    frame = pd.DataFrame(rows, columns=["time", "alertstate", "value"])
    frame["series_id"] = frame["alertstate"].map({"pending": 1, "firing": 2}).astype("int64")
    frame["time"] = pd.to_datetime(frame["time"].astype("int64"), unit="ms", utc=True).dt.as_unit("us")
    frame = frame.assign(alertname="A", severity="page", tenant="t0").astype({"alertstate": "str"})
    return frame.sort_values(["series_id", "time"], ignore_index=True)


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.sets(st.integers(0, 59), max_size=8),
    st.integers(0, 6),
    st.integers(0, 5),
)
def test_states_are_those_of_prometheus_at_every_evaluation(
    present: list[bool], missed: set[int], for_minutes: int, keep_minutes: int
) -> None:
    times = evaluation_times(len(present), without=tuple(missed))
    if not len(times):
        return
    batch = batch_of("".join("x" if there else "." for there in present))
    at = {ZERO + MINUTE * place for place, there in enumerate(present) if there}
    expected = written_down(at, times, for_minutes * MINUTE, keep_minutes * MINUTE)
    found = states(runs(batch, times), times, for_seconds=for_minutes * 60, keep_seconds=keep_minutes * 60)
    firing = [
        time for fired, last in zip(found.fired, found.last, strict=True) for time in times[fired : last + 1].tolist()
    ]
    assert firing == [time for time, state in expected if state == "firing"]
    pending = [
        time
        for begin, fired in zip(found.pending, found.fired, strict=True)
        if begin >= 0
        for time in times[begin:fired].tolist()
    ]
    assert set(pending) <= {time for time, state in expected if state == "pending"}


@given(st.lists(st.booleans(), min_size=12, max_size=80), st.integers(0, 4), st.integers(0, 3), st.integers(5, 9))
def test_episodes_are_those_of_the_measure_on_the_alerts_left(
    present: list[bool], for_minutes: int, keep_minutes: int, since: int
) -> None:
    times = evaluation_times(len(present))
    batch = batch_of("".join("x" if there else "." for there in present))
    window = window_of(len(present), since=since)
    at = {ZERO + MINUTE * place for place, there in enumerate(present) if there}
    left = alerts_frame(written_down(at, times, for_minutes * MINUTE, keep_minutes * MINUTE), times)
    inside = left[left["time"] >= window.start]
    theirs = alerts.episodes(inside, interval_seconds=60, window=window)
    ours = replayed(batch, times, for_minutes, keep_minutes, window=(since, len(present)))
    assert list(ours.columns) == ["variant", *theirs.columns]
    columns = ["alertname", "severity", "tenant", "instance", "fired_at", "resolved_at", "seconds"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])


# An 'x' in a row is a minute at which the expression gave it; `minutes` are `for` and `keep_firing_for`.
@pytest.mark.parametrize(
    ("row", "minutes", "given", "fired"),
    [
        # It fires at 2; gone at 3 it is kept for 3 and 4; back at 4, gone from 5 it is kept for 5 and 6, back at 7.
        ("xxx.x..xx.", (2, 2), {}, [(2, 10)]),
        ("xxx.x..xx.", (2, 0), {}, [(2, 3)]),
        # A firing belongs to the window in which it begins, and is cut at its edges.
        ("xxxxx.....xxxxx", (0, 0), {"window": (3, 13)}, [("cut", 3, 5), (10, 13, "cut")]),
        # A server that was down parts an episode.
        ("x" * 20, (2, 0), {"without": tuple(range(5, 12))}, [(2, 5), (12, 20)]),
        # A source without markers shows one absent evaluation as nothing, but no two.
        ("xx.xx..x", (0, 0), {}, [(0, 2), (3, 5), (7, 8)]),
        ("xx.xx..x", (0, 0), {"markers": False}, [(0, 5), (7, 8)]),
    ],
)  # fmt: skip
def test_firings_by_the_minute(
    row: str, minutes: tuple[int, int], given: dict[str, Any], fired: list[tuple[Any, ...]]
) -> None:
    times = evaluation_times(len(row), without=given.get("without", ()))
    frame = replayed(batch_of(row), times, *minutes, window=given.get("window"), markers=given.get("markers", True))
    edges = zip(frame["fired_at"].dt.minute, frame["resolved_at"].dt.minute, strict=True)
    assert [*edges] == [tuple(edge for edge in one if edge != "cut") for one in fired]
    if "window" in given:
        assert frame["cut_start"].tolist() == [one[0] == "cut" for one in fired]
        assert frame["cut_end"].tolist() == [one[-1] == "cut" for one in fired]
    if minutes == (2, 2):
        assert frame["pending_at"].tolist() == [START]


def test_points_between_evaluations_do_not_count() -> None:
    times = evaluation_times(5)
    off = SeriesBatch.of("", [({"tenant": "t0"}, times + 1, np.ones(5))])
    assert len(runs(off, times).begin) == 0
    assert len(runs(batch_of("xxx"), times[:0]).begin) == 0


def test_variants_are_put_side_by_side() -> None:
    batch, times = batch_of("xxxx....xx", "..xxxxxx.."), evaluation_times(10)
    found = runs(batch, times)
    variants = [states(found, times, for_seconds=minutes * 60) for minutes in (0, 2, 9)]
    frame = episodes(variants, labels_of(batch), times, interval_ms=MINUTE, window=window_of(20))
    assert frame["variant"].value_counts().to_dict() == {0: 3, 1: 2}
    second = frame[frame["variant"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(second.assign(variant=0), replayed(batch, times, 2, 0, window=(0, 20)))
