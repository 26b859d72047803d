import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures.pages import pages_by_shift


def shifts(*rows):
    """One row per (pages, true, false, at night), twelve hours each from 8 November 20:00 UTC on."""
    frame = pd.DataFrame(rows, columns=["pages", "true_pages", "false_pages", "at_night"])
    start = pd.date_range("2026-11-08T20:00", periods=len(frame), freq="12h", tz="UTC", unit="us")
    return frame.assign(start=start, end=start + pd.Timedelta(hours=12), shift="20:00")


def said(ax):
    return [text.get_text() for text in ax.texts]


def test_the_fullest_shift_and_the_nights_are_said():
    ax = pages_by_shift(new_axes(), shifts((1, 0, 1, 1), (4, 2, 1, 0), (0, 0, 0, 0)), zone="Europe/Berlin")
    # 08:00 UTC is 09:00 in Berlin.
    assert ax.get_title(loc="left") == "4 pages in the shift of Mon 9 Nov, 09:00, 1 of 5 pages at night"
    assert {"true", "false, hatched", "neither, dotted", "shaded: shifts by night"} <= set(said(ax))
    assert any("shifts by the clock of Europe/Berlin" in text for text in said(ax))
    assert ax.get_ylim()[1] >= 4


def test_pages_of_which_each_is_judged_have_no_third_kind():
    assert "neither, dotted" not in said(pages_by_shift(new_axes(), shifts((1, 1, 0, 0)), zone="UTC"))


def test_no_page_says_so():
    for frame in (shifts(), shifts((0, 0, 0, 0))):
        assert (
            said(pages_by_shift(new_axes(), frame, zone="UTC"))[1] == "no alert of a rule that wakes someone is stored"
        )
