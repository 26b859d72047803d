"""HA pairs as one: every moment once, and no reset that the process did not make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.rollups import roll_up
from cloudxai_analysis.sources.replicas import merge_replicas
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
STEP = 15_000
MARKER = np.array([0x7FF0000000000002], dtype=np.uint64).view(np.float64)[0]
RESTART = 900_000


def counter(times: np.ndarray, *, restart: int | None = None, skew: int = 0) -> np.ndarray:
    """One request a second since the window's start, seen by a clock that is `skew` ms ahead; a restart begins at 0."""
    seen = (times - skew - HOUR.start_ms) / 1000
    since = 0 if restart is None else restart / 1000
    return np.where((restart is None) | (seen < since), 1_000 + seen, seen - since)


def scrapes(offset: int, *, missing: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Scrape times of a replica, without those between two milliseconds of the hour."""
    times = np.arange(offset, 3_600_000, STEP, dtype=np.int64)
    return HOUR.start_ms + times[(times < missing[0]) | (times >= missing[1])]


def pair(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], *, kind: bool = True) -> SeriesBatch:
    labels = {"job": "cloudxai", "tenant": "acme"}
    series = [({**labels, "replica": "b"}, *b), ({**labels, "replica": "a"}, *a)]
    return merge_replicas(SeriesBatch.of("m", series), ["replica"], HOUR, counter=kind)


def test_two_replicas_that_see_everything_are_one_and_one_alone_is_cut_to_the_window() -> None:
    a, b = scrapes(0), scrapes(7_000)
    merged = pair((a, counter(a)), (b, counter(b)))
    assert merged.labels == ({"job": "cloudxai", "tenant": "acme"},)
    assert (merged.times.tolist(), merged.values.tolist()) == (a.tolist(), counter(a).tolist())
    times = np.arange(HOUR.start_ms - 600_000, HOUR.end_ms, STEP, dtype=np.int64)
    batch = SeriesBatch.of("m", [({"replica": "b", "x": "1"}, times, np.ones(len(times)))])
    merged = merge_replicas(batch, ["replica"], HOUR, counter=True)
    assert (merged.labels, merged.times.tolist()) == (({"x": "1"},), a.tolist())
    for labels in (["replica"], ["replica", "cluster"]):
        assert merge_replicas(SeriesBatch.of("m", []), labels, HOUR, counter=True).samples == 0


A, B = scrapes(0, missing=(600_000, 1_200_000)), scrapes(7_000)


def test_a_gap_of_one_is_filled_by_the_other() -> None:
    merged = pair((A, counter(A)), (B, counter(B)))
    # Of the other's 40 scrapes in the ten minutes, all stand at least half a gap's limit from the followed ones but
    # the first (22 s after the last of a, 18.75 s are asked for: it stays) and the last (8 s before a is back).
    filled = np.setdiff1d(merged.times, A) - HOUR.start_ms
    assert (filled[0], filled[-1], set(np.diff(filled))) == (607_000, 1_177_000, {STEP})
    assert np.diff(merged.times).max() <= 2.5 * STEP
    assert roll_up(merged)["resets"].sum() == 0
    gauges = pair((A, np.full(len(A), 5.0)), (B, np.full(len(B), 1.0)), kind=False)
    assert set(gauges.values) == {5.0, 1.0}


@given(st.integers(-9_000, 9_000), st.integers(0, 14_999), st.integers(60_000, 3_000_000), st.integers(40_000, 500_000))
def test_a_switch_makes_no_reset_though_the_clocks_differ(skew: int, offset: int, begin: int, length: int) -> None:
    a, b = scrapes(0, missing=(begin, begin + length)), scrapes(offset)
    merged = pair((a, counter(a)), (b, counter(b, skew=skew)))
    assert roll_up(merged)["resets"].sum() == 0
    assert np.diff(merged.times).max() <= 3.5 * STEP + abs(skew) + STEP


@pytest.mark.parametrize("marked", [False, True])
def test_a_restart_in_a_gap_is_seen_behind_a_marker_too(marked: bool) -> None:
    values = counter(B, restart=RESTART)
    if marked:
        values[60] = MARKER  # at 907 s, the first scrape after the restart
    assert roll_up(pair((A, counter(A, restart=RESTART)), (B, values)))["resets"].sum() == 1
