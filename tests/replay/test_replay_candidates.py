"""Candidates of a rule whose history is written by hand, and the frontier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.candidates import LeftSide, Variant, candidates, loosest, proposal, thresholds, variants
from cloudxai_analysis.replay.quality import Truth, frontier
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
DAY = Window(START, START + timedelta(days=7), "2026-W46")
TIME = "datetime64[us, UTC]"


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def truth(*incidents: tuple[str, float, float], labels: tuple[tuple[float, str], ...] = ()) -> Truth:
    spans = {"start": TIME, "end": TIME}
    named = [(name, at(start), at(end), "", ("A",), "") for name, start, end in incidents]
    frame = pd.DataFrame(named, columns=["id", "start", "end", "tenant", "alerts", "summary"])
    kinds = {"alertname": "str", "tenant": "str", "fired_at": TIME, "judgement": "str"}
    said = pd.DataFrame([("A", "", at(hour), word) for hour, word in labels], columns=list(kinds))
    complete = pd.DataFrame({"start": [DAY.start], "end": [DAY.end]})
    return Truth(frame.astype(spans), said.astype(kinds), complete.astype(spans))


def bumpy(*bumps: tuple[float, int, float]) -> LeftSide:
    """A left side that is 1, but for bumps: the hour at which one begins, its minutes and its height."""
    steps = Steps(ZERO, 60_000, 7 * 24 * 60)
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
    return candidates(side, [present, *others], truth, DAY, alertname="A")


@pytest.mark.parametrize(
    ("threshold", "minutes", "false", "misses", "detection"),
    [(4.0, 0, 2, 0, 0.0), (4.0, 5, 1, 0, 300.0), (6.0, 5, 0, 0, 300.0), (8.5, 0, 1, 1, 0.0), (6.0, 25, 0, 1, 1500.0)],
)
def test_each_candidate_has_the_counts_of_the_bumps_that_it_sees(
    threshold: float, minutes: int, false: int, misses: int, detection: float
) -> None:
    found = tried(Variant(threshold, minutes * 60.0, 0.0)).iloc[1]
    assert (found["false_positives"], found["misses"], found["detection_seconds"]) == (false, misses, detection)
    assert found["incidents"] == 2
    assert found["pages_a_week"] == found["episodes"]


def test_the_proposal_misses_no_more_and_is_false_least() -> None:
    levels = thresholds(BUMPS.batch.values[::7], ">", 4.0)
    first, *others = variants(BUMPS._replace(levels=levels), FOUR)
    assert first == FOUR
    table = tried(*others)
    best = proposal(table)
    assert best
    assert (table.loc[best, "misses"], table.loc[best, "false_positives"]) == (0, 0)
    # Two minutes at 9 must pass: no threshold alone keeps both incidents without them.
    assert 5.0 <= table.loc[best, "threshold"] < 8.0
    assert table.loc[best, "for_seconds"] >= 120
    assert table.loc[best, "frontier"]


def test_nothing_is_proposed_where_no_incident_names_the_rule() -> None:
    table = tried(Variant(99.0, 0.0, 0.0), truth=truth())
    assert table["false_positives"].tolist() == [4, 0]
    assert proposal(table) == 0


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
    table = pd.DataFrame(
        {
            "false_positives": [5, 2, 2, 0, 9, 2],
            "misses": [0, 0, 0, 1, 0, 0],
            "detection_seconds": [60.0, 120.0, 180.0, np.nan, 60.0, 120.0],
        }
    )
    assert frontier(table).tolist() == [True, True, False, True, False, True]


def test_thresholds_hold_the_present_one_and_the_loosest_lets_all_through() -> None:
    values = np.linspace(0.0, 100.0, 1001)
    above, below = thresholds(values, ">", 50.0), thresholds(values, "<", 50.0)
    assert 50.0 in {*above} & {*below}
    assert max(above) >= 99
    assert min(below) <= 1
    assert (loosest(above, ">"), loosest(below, "<=")) == (min(above), max(below))
    assert thresholds(np.array([np.nan, np.inf]), ">", 3.0)[0] < 3.0
