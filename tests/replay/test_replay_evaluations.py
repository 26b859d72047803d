"""When rules were evaluated, told from what they left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.replay.evaluations import evaluations, phase, unsettled
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

NONE = pd.DataFrame({"start": [], "end": []}).astype("datetime64[us, UTC]")
FIRST = 1_794_182_400_000 + 17


def alerts(*series: tuple[list[int], list[int]]) -> SeriesBatch:
    """Series of a group's ALERTS: seconds with a sample, and those of them that are staleness markers."""
    made = []
    for number, (at, markers) in enumerate(series):
        values = np.ones(len(at))
        values.view(np.int64)[np.isin(at, markers)] = STALENESS_MARKER_BITS
        made.append(({"tenant": str(number)}, FIRST + 1000 * np.array(at, dtype=np.int64), values))
    return SeriesBatch.of("ALERTS", made)


def seconds(found: np.ndarray) -> list[int]:
    return ((found - FIRST) // 1000).tolist()


def test_the_phase_is_that_of_the_group_s_own_alerts() -> None:
    assert phase(alerts(([0, 1, 2], []), ([5], [])), 1000) == 17
    assert phase(alerts(), 1000) is None


@pytest.mark.parametrize(
    ("series", "due", "missed"),
    [
        # Alerts went on over 3 and 6, and none has a sample of those.
        ([([0, 1, 2, 4, 5, 7], []), ([7, 8], [])], 10, [3, 6]),
        # An alert that ended proves no missed evaluation.
        ([([0, 1, 2, 3, 6, 7], [3]), ([20], [])], 10, []),
        # A long silence is none.
        ([([0, 30], [])], 31, []),
    ],
)
def test_an_evaluation_is_missed_where_alerts_went_on_over_it(series: list, due: int, missed: list[int]) -> None:
    found = evaluations(Steps(FIRST, 1000, due), down=NONE, alerts=alerts(*series))
    assert seconds(found.times) == [second for second in range(due) if second not in missed]


def test_nothing_is_evaluated_while_the_server_is_down() -> None:
    stretch = pd.DataFrame({"start": [pd.Timestamp(FIRST + 2000, unit="ms", tz="UTC")]}).astype("datetime64[us, UTC]")
    stretch["end"] = stretch["start"] + pd.Timedelta(seconds=4)
    found = evaluations(Steps(FIRST, 1000, 10), down=stretch)
    assert seconds(found.times) == [0, 1, 2, 6, 7, 8, 9]
    assert found.steps.count == 10


def test_an_evaluation_between_a_scrapes_begin_and_its_commit_is_unsettled() -> None:
    """Evaluations at 0.7 s of each second; scrapes begin at 0.0, and two of them take too long."""
    times = FIRST + 700 + 1000 * np.arange(4, dtype=np.int64)
    begun = FIRST + 1000 * np.arange(4, dtype=np.int64)
    scrapes = SeriesBatch.of("scrape_duration_seconds", [({}, begun, np.array([0.01, 0.65, 0.55, 1.8]))])
    assert seconds(unsettled(times, scrapes) - 700) == [1, 3]
    exactly = SeriesBatch.of("scrape_duration_seconds", [({}, times[:1], np.array([0.05]))])
    assert not len(unsettled(times, exactly))
    assert not len(unsettled(times, SeriesBatch.of("scrape_duration_seconds", [])))
