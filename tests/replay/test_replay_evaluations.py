"""When rules were evaluated, told from what they left."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.replay.evaluations import evaluations, phase, unsettled
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

NONE = pd.DataFrame({"start": [], "end": []}).astype("datetime64[us, UTC]")
FIRST = 1_794_182_400_000 + 17


def alerts(*series: tuple[str, list[int], list[int]]) -> SeriesBatch:
    """Series of ALERTS: rule, seconds with a sample, and those of them that are staleness markers."""
    made = []
    for name, seconds, markers in series:
        values = np.ones(len(seconds))
        values.view(np.int64)[np.isin(seconds, markers)] = STALENESS_MARKER_BITS
        made.append(({"alertname": name}, FIRST + 1000 * np.array(seconds, dtype=np.int64), values))
    return SeriesBatch.of("ALERTS", made)


def seconds(found: np.ndarray) -> list[int]:
    return ((found - FIRST) // 1000).tolist()


def test_the_phase_is_that_of_the_group_s_own_alerts() -> None:
    batch = alerts(("A", [0, 1, 2], []), ("B", [5], []))
    assert phase(batch, ["A"], 1000) == 17
    assert phase(batch, ["C"], 1000) is None


def test_an_evaluation_is_missed_where_alerts_went_on_over_it_and_none_has_a_sample() -> None:
    batch = alerts(("A", [0, 1, 2, 4, 5, 7], []), ("B", [7, 8], []), ("Other", [3, 6], []))
    found = evaluations(Steps(FIRST, 1000, 10), down=NONE, alerts=batch, rules=["A", "B"])
    assert seconds(found.times) == [0, 1, 2, 4, 5, 7, 8, 9]


def test_an_alert_that_ended_proves_no_missed_evaluation() -> None:
    batch = alerts(("A", [0, 1, 2, 3, 6, 7], [3]), ("B", [20], []))
    found = evaluations(Steps(FIRST, 1000, 10), down=NONE, alerts=batch, rules=["A"])
    assert seconds(found.times) == list(range(10))


def test_a_long_silence_is_no_missed_evaluation() -> None:
    batch = alerts(("A", [0, 30], []))
    found = evaluations(Steps(FIRST, 1000, 31), down=NONE, alerts=batch, rules=["A"])
    assert len(found.times) == 31


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
