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


def test_two_replicas_that_see_everything_are_one() -> None:
    a, b = scrapes(0), scrapes(7_000)
    merged = pair((a, counter(a)), (b, counter(b)))
    assert merged.labels == ({"job": "cloudxai", "tenant": "acme"},)
    assert np.array_equal(merged.times, a)
    assert np.array_equal(merged.values, counter(a))


def test_a_gap_of_one_is_filled_by_the_other() -> None:
    a, b = scrapes(0, missing=(600_000, 1_200_000)), scrapes(7_000)
    merged = pair((a, counter(a)), (b, counter(b)))
    # Of the other's 40 scrapes in the ten minutes, all stand at least half a gap's limit from the followed ones but
    # the first (22 s after the last of a, 18.75 s are asked for: it stays) and the last (8 s before a is back).
    filled = np.setdiff1d(merged.times, a) - HOUR.start_ms
    assert filled[0] == 607_000
    assert filled[-1] == 1_177_000
    assert np.all(np.diff(filled) == STEP)
    assert np.diff(merged.times).max() <= 2.5 * STEP
    assert roll_up(merged)["resets"].sum() == 0


@given(st.integers(-9_000, 9_000), st.integers(0, 14_999), st.integers(60_000, 3_000_000), st.integers(40_000, 500_000))
def test_a_switch_makes_no_reset_though_the_clocks_differ(skew: int, offset: int, begin: int, length: int) -> None:
    a, b = scrapes(0, missing=(begin, begin + length)), scrapes(offset)
    merged = pair((a, counter(a)), (b, counter(b, skew=skew)))
    assert roll_up(merged)["resets"].sum() == 0
    assert np.diff(merged.times).max() <= 3.5 * STEP + abs(skew) + STEP


def test_a_restart_in_a_gap_is_seen() -> None:
    a, b = scrapes(0, missing=(600_000, 1_200_000)), scrapes(7_000)
    merged = pair((a, counter(a, restart=900_000)), (b, counter(b, restart=900_000)))
    assert roll_up(merged)["resets"].sum() == 1


def test_gauges_are_filled_whatever_their_values() -> None:
    a, b = scrapes(0, missing=(600_000, 1_200_000)), scrapes(7_000)
    merged = pair((a, np.full(len(a), 5.0)), (b, np.full(len(b), 1.0)), kind=False)
    assert set(merged.values) == {5.0, 1.0}


def test_markers_do_not_hide_a_reset() -> None:
    a, b = scrapes(0, missing=(600_000, 1_200_000)), scrapes(7_000)
    values = counter(b, restart=900_000)
    values[60] = MARKER  # at 907 s, the first scrape after the restart
    merged = pair((a, counter(a, restart=900_000)), (b, values))
    assert roll_up(merged)["resets"].sum() == 1


def test_a_replica_alone_is_only_renamed_and_cut_to_the_window() -> None:
    times = np.arange(HOUR.start_ms - 600_000, HOUR.end_ms, STEP, dtype=np.int64)
    batch = SeriesBatch.of("m", [({"replica": "b", "x": "1"}, times, np.ones(len(times)))])
    merged = merge_replicas(batch, ["replica"], HOUR, counter=True)
    assert merged.labels == ({"x": "1"},)
    assert np.array_equal(merged.times, scrapes(0))


@pytest.mark.parametrize("replica_labels", [["replica"], ["replica", "cluster"]])
def test_no_samples_are_no_samples(replica_labels: list[str]) -> None:
    assert merge_replicas(SeriesBatch.of("m", []), replica_labels, HOUR, counter=True).samples == 0
