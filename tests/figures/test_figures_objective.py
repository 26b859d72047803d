import pandas as pd

from cloudxai_analysis.figures import new_axes, objective
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")
START = pd.Timestamp("2026-11-12 10:23", tz="UTC")


def drawn(*rows):
    return objective.burn_lanes(
        new_axes(), pd.DataFrame(rows, columns=["threshold", "long_hours", "start", "end", "most"]), WEEK
    )


def test_a_lane_per_pair_with_the_fastest_on_top():
    ax = drawn((1.0, 72.0, START, pd.NaT, 4.4), (14.4, 1.0, START, START + pd.Timedelta(minutes=23), 316.7))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["over 14.4× in 1 h", "over 1× in 3 d"]
    assert ax.get_title(loc="left") == "The error budget burnt up to 317 times too fast, on Thu 12 Nov"
    assert {"up to 317×", "up to 4×"} <= {text.get_text() for text in ax.texts}


def test_a_quiet_week_is_said():
    assert any("nowhere faster" in text.get_text() for text in drawn().texts)
