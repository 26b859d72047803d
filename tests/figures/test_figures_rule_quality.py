import numpy as np
import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures import rule_quality as figures

COLUMNS = ["alertname", "false_positives", "false_at_night", "caught", "alone", "first", "verdict"]


def overview(*rows):
    return pd.DataFrame(rows, columns=COLUMNS).assign(severity="page")


def rates(*rows):
    """One row per (week, start, alertname, trials, false_positives, rate, low, high, change)."""
    columns = ["week", "start", "alertname", "trials", "false_positives", "rate", "low", "high", "change"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(start=pd.to_datetime(frame["start"], utc=True), severity="page")


def said(ax):
    return [text.get_text() for text in ax.texts]


def message(ax):
    return ax.get_title(loc="left")


def test_worth_says_what_each_rule_costs_and_catches():
    frame = overview(
        ("Down", 5, 2, 10, 8, 9, "too few to judge, 28 more needed"),
        ("Slow", 3, 0, 0, 0, 0, "bad"),
        ("Fine", 0, 0, 4, 4, 4, "good"),
    )
    ax = figures.worth_and_noise(new_axes(), frame)
    assert message(ax) == "Down: 5 false alert groups for 10 incidents caught"
    assert {"5", "10", "3", "4", "28 more needed", "bad", "good"} <= set(said(ax))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Down", "Slow", "Fine"]
    assert ax.get_xlim()[0] < -5
    assert ax.get_xlim()[1] > 10


def test_rules_without_a_false_trial():
    ax = figures.worth_and_noise(new_axes(), overview(("Down", 0, 0, 2, 2, 2, "good")))
    assert message(ax) == "No alert group of 1 rule is known to be false"


def test_weeks_stand_side_by_side_and_the_last_is_said():
    frame = rates(
        ("2026-W44", "2026-10-26", "Down", 4, 1, 0.25, 0.05, 0.7, ""),
        ("2026-W46", "2026-11-09", "Down", 5, 3, 0.6, 0.23, 0.88, "not distinguishable"),
        ("2026-W46", "2026-11-09", "Slow", 0, 0, np.nan, np.nan, np.nan, ""),
    )
    ax = figures.weekly_rates(new_axes(), frame, bound=0.25)
    assert message(ax) == "Down: 3 of 5 alert groups false, not distinguishable"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["W44", "W45", "W46"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Down"]
    assert {"0 %", "100 %"} <= set(said(ax))
    assert any("dashed: bound 25 %" in text for text in said(ax))
    assert "UTC" in ax.get_xlabel()


def test_one_week_alone_and_a_year_end():
    frame = rates(
        ("2026-W53", "2026-12-28", "Down", 3, 0, 0.0, 0.0, 0.56, ""),
        ("2027-W01", "2027-01-04", "Down", 1, 0, 0.0, 0.0, 0.8, ""),
    )
    assert message(figures.weekly_rates(new_axes(), frame[:1], bound=0.25)) == "Down: 0 of 3 alert groups false"
    both = figures.weekly_rates(new_axes(), frame, bound=0.25)
    assert [label.get_text() for label in both.get_xticklabels()] == ["W53", "W01"]


def test_empty_frames_say_why():
    assert (
        said(figures.worth_and_noise(new_axes(), overview()))[1] == "no alert is stored, so that no rule can be weighed"
    )
    nothing = rates(("2026-W46", "2026-11-09", "Slow", 0, 0, np.nan, np.nan, np.nan, ""))
    assert said(figures.weekly_rates(new_axes(), nothing, bound=0.25))[1] == "no episode of any 28 days was judged"


def test_many_rules_with_hostile_names_are_cut_and_counted():
    frame = overview(*[(f"<b>\n{number}" + "x" * 300, number, 0, 1, 1, 1, "bad") for number in range(40, 0, -1)])
    ax = figures.worth_and_noise(new_axes(), frame)
    assert any("of 40 rules" in text for text in said(ax))
    assert all("\n" not in label.get_text() for label in ax.get_yticklabels())
