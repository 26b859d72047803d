import numpy as np
import pandas as pd

from cloudxai_analysis.figures import alerts as figures
from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")


def judged(*rows):
    """One row per (rule, fired_at, minutes, judgement)."""
    frame = pd.DataFrame(rows, columns=["alertname", "fired_at", "minutes", "judgement"])
    fired = pd.to_datetime(frame["fired_at"], utc=True).astype("datetime64[us, UTC]")
    length = pd.to_timedelta(frame["minutes"].astype("float64"), unit="min")
    return frame.assign(fired_at=fired, resolved_at=fired + length, severity="page")


def rates(*rows):
    names = ["alertname", "trials", "false_positives", "rate", "low", "high"]
    frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[1:], "float64"))
    return frame.assign(severity="page")


def noise(*rows):
    columns = ["alertname", "episodes", "short_lived", "at_night"]
    return pd.DataFrame(rows, columns=columns).assign(severity="page", seconds=60.0)


def said(ax):
    return [text.get_text() for text in ax.texts]


def lanes(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def message(ax):
    return ax.get_title(loc="left")


def test_episodes_say_their_judgements():
    frame = judged(
        ("Slow", "2026-11-09 02:00", 5, "false"),
        ("Down", "2026-11-12 14:00", 19, "true"),
        ("Down", "2026-11-13 14:00", 3, "unjudged"),
    )
    ax = figures.episodes_on_timeline(new_axes(), frame, WEEK)
    assert message(ax) == "3 episodes: 1 true, 1 false, 1 unjudged"
    assert lanes(ax) == ["Down", "Slow"]
    assert {"1 true", "1 false", "1 unjudged"} <= set(said(ax))


def test_storm_of_one_rule_says_its_number():
    frame = judged(*[("Down", f"2026-11-12 14:00:{second:02d}", 5, "true") for second in range(15)])
    assert "15 at once" in said(figures.episodes_on_timeline(new_axes(), frame, WEEK))


def test_each_judgement_has_a_marker_of_its_own():
    markers = [looks["marker"] for looks in figures._LOOKS.values()]
    assert len(markers) == len(set(markers)) == 4


def test_rates_name_the_rule_that_is_wrong_most_often():
    frame = rates(("Slow", 6, 5, 5 / 6, 0.44, 0.97), ("Down", 4, 0, 0.0, 0.0, 0.49), ("Odd", 0, 0, *[np.nan] * 3))
    ax = figures.false_positive_rates(new_axes(), frame, bound=0.1)
    assert message(ax) == "Slow most often false: 5 of 6 alert groups"
    assert {"5 of 6 false", "0 of 4 false", "none judged"} <= set(said(ax))
    assert "bound 10 %" in ax.get_xlabel()


def test_rates_without_a_false_trial_or_without_any():
    right = figures.false_positive_rates(new_axes(), rates(("Down", 4, 0, 0.0, 0.0, 0.49)), bound=0.1)
    assert message(right) == "None of 4 judged alert groups was false"
    none = figures.false_positive_rates(new_axes(), rates(("Odd", 0, 0, *[np.nan] * 3)), bound=0.1)
    assert message(none) == "No rule could be judged"


def test_rule_with_two_severities_shows_them():
    frame = noise(("Down", 3, 0, 1), ("Down", 1, 0, 0)).assign(severity=["page", "ticket"])
    assert lanes(figures.noise_by_rule(new_axes(), frame)) == ["Down page", "Down ticket"]


def test_noise_begins_at_zero_and_says_its_parts():
    ax = figures.noise_by_rule(new_axes(), noise(("Slow", 4, 2, 3), ("Down", 16, 3, 2)))
    assert message(ax) == "Down fired most: 16 of 20 episodes"
    assert {"16 (3 short, 2 at night)", "4 (2 short, 3 at night)"} <= set(said(ax))
    assert ax.get_xlim()[0] == 0
    assert lanes(ax) == ["Down", "Slow"]


def test_empty_frames_say_why():
    drawn = [
        figures.episodes_on_timeline(new_axes(), judged(), WEEK),
        figures.false_positive_rates(new_axes(), rates(), bound=0.1),
        figures.noise_by_rule(new_axes(), noise()),
    ]
    assert [said(ax)[1] for ax in drawn] == [
        "no alert is stored of 2026-W46, 9 to 15 Nov 2026",
        "no alert is stored, so that no rule can be judged",
        "no alert of this window is stored",
    ]
