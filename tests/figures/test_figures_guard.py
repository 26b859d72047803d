import numpy as np
import pandas as pd

from cloudxai_analysis.figures import guard as figures
from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")


def hours(*rows):
    """Rows of (hour of Tuesday, held, rejections, only_at_cap) of one process."""
    frame = pd.DataFrame(rows, columns=["at", "held", "rejections", "only_at_cap"])
    frame["hour"] = pd.Timestamp("2026-11-10", tz="UTC") + pd.to_timedelta(frame.pop("at"), unit="h")
    return frame.assign(job="cloudxai", instance="cloudxai-0:8080", restarted=False)


def marks(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker and line.get_transform() == ax.transData]


def test_hours_refused_at_the_cap_and_below_it_have_marks_of_their_own():
    ax = figures.guard_course(
        new_axes(), hours((8, 99, 0, None), (9, 100, 12, True), (10, 60, 3, False), (11, 60, 0, None)), cap=100
    )
    assert ax.get_title(loc="left") == "2 hours with refusals, 1 of them below the cap"
    (at_cap,), (below,) = marks(ax, "v"), marks(ax, "X")
    assert list(at_cap.get_ydata()) == [100]
    assert list(below.get_ydata()) == [60]
    assert {"cloudxai-0", "cap 100"} <= {text.get_text() for text in ax.texts}


def test_a_week_without_a_refusal_says_so():
    ax = figures.guard_course(new_axes(), hours((8, 44, 0, None), (9, 45, 0, None)), cap=100)
    assert ax.get_title(loc="left") == "Nothing was refused"
    assert figures.guard_course(new_axes(), hours(), cap=100).texts[0].get_text() == "Nothing to draw"


def test_each_process_that_refused_has_a_lane_with_the_tenants_missing():
    day = pd.Timestamp("2026-11-10", tz="UTC")
    stretches = pd.DataFrame(
        {
            "instance": ["a:1", "b:1"],
            "start": [day - pd.Timedelta(days=3), day + pd.Timedelta(hours=9)],
            "last_refusal": [day, day + pd.Timedelta(hours=18)],
            "until": [day + pd.Timedelta(days=1), day + pd.Timedelta(hours=19)],
            "missing_least": [0, 1],
            "missing_most": [7, np.nan],
        }
    )
    ax = figures.tainted_lanes(new_axes(), stretches, window=WEEK)
    assert ax.get_title(loc="left") == "Tenants missing from numbers per tenant: at least 1, at most unknown"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a:1", "b:1"]
    assert {text.get_text().strip() for text in ax.texts if text.get_gid() == "value"} == {
        "at least 0, at most 7",
        "at least 1, at most unknown",
    }
