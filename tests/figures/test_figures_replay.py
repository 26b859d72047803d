"""What the figures of a replay draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures.replay import frontier, signal
from cloudxai_analysis.ground.window import Window

START = datetime(2026, 11, 9, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=7), "2026-W46")
CANDIDATES = pd.DataFrame(
    {
        "threshold": [10.0, 12.0, 8.0, 99.0],
        "for_seconds": [120.0, 240.0, 0.0, 0.0],
        "keep_firing_for_seconds": [0.0, 300.0, 0.0, 0.0],
        "judged": [True, True, True, True],
        "frontier": [False, True, True, False],
        "false_positives": [5, 1, 9, 0],
        "misses": [0, 0, 0, 2],
        "detection_seconds": [120.0, 240.0, 0.0, np.nan],
    }
)


def test_the_frontier_marks_the_present_rule_and_the_proposed_one() -> None:
    ax = frontier(new_axes(), CANDIDATES, alertname="Flapping", best=1, window=WINDOW)
    marks = {line.get_gid(): line for line in ax.get_lines() if line.get_gid() in ("present", "proposed", "frontier")}
    assert (marks["present"].get_xdata()[0], marks["present"].get_ydata()[0]) == (5, 2)
    assert (marks["proposed"].get_xdata()[0], marks["proposed"].get_ydata()[0]) == (1, 4)
    assert sorted(marks["frontier"].get_xdata()) == [1, 9]
    named = [text.get_text() for text in ax.texts if text.get_gid() == "named"]
    assert named == ["present: 10, for 2 min", "proposed: 12, for 4 min, kept 5 min"]
    assert ax.get_title(loc="left") == "Flapping could be false 1 instead of 5 times"
    assert "false positives" in ax.get_xlabel()
    assert all(label.get_text().endswith(" min") for label in ax.get_yticklabels())
    assert any("1 that catch nothing" in text.get_text() for text in ax.texts)


def test_nothing_better_is_said() -> None:
    ax = frontier(new_axes(), CANDIDATES, alertname="Flapping", best=0, window=WINDOW)
    assert ax.get_title(loc="left") == "Flapping: nothing is better than it is"


def test_candidates_that_catch_nothing_leave_an_empty_figure() -> None:
    ax = frontier(new_axes(), CANDIDATES.iloc[3:].reset_index(drop=True), alertname="A", best=0, window=WINDOW)
    assert any("no candidate caught an incident" in text.get_text() for text in ax.texts)


def test_the_signal_has_its_threshold_and_shades_what_fired() -> None:
    time = pd.date_range(START, periods=600, freq="min", unit="us")
    value = np.where(np.arange(600) // 30 == 4, 12.0, 1.0)
    course = pd.DataFrame({"time": time, "value": value})
    episodes = pd.DataFrame({"fired_at": [time[120]], "resolved_at": [time[150]]})
    ax = signal(
        new_axes(), course, episodes, alertname="Flapping", meaning="most of all", threshold=10.0, window=WINDOW
    )
    assert ax.get_title(loc="left") == "Flapping would have fired 1 time"
    assert [text.get_text() for text in ax.texts if text.get_gid() == "end"] == ["threshold 10"]
    assert len(ax.patches) == 1
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 12


def test_an_expression_that_gave_nothing_is_an_empty_figure() -> None:
    none = pd.DataFrame({"time": pd.to_datetime([], utc=True), "value": []})
    ax = signal(new_axes(), none, pd.DataFrame(), alertname="A", meaning="", threshold=None, window=WINDOW)
    assert any("gave nothing" in text.get_text() for text in ax.texts)
