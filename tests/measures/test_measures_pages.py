from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import pages

TIME = "datetime64[us, UTC]"
DAY = Window(datetime(2026, 11, 11, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC))


def judged(*rows):
    """One row per (alertname, fired_at, judgement)."""
    frame = pd.DataFrame(rows, columns=["alertname", "fired_at", "judgement"])
    frame["fired_at"] = pd.to_datetime(frame["fired_at"], utc=True).astype(TIME)
    return frame.astype({"alertname": "str", "judgement": "str"})


def shifts(found, window=DAY, zone="UTC", **more):
    frame = pages.pages_by_shift(found, window, paging=("Page",), zone=zone, **more)
    assert list(frame) == ["start", "end", "shift", "pages", "true_pages", "false_pages", "at_night"]
    return frame


def test_pages_of_a_day_by_hand():
    found = judged(
        *(("Page", "2026-11-11T07:59", "true"), ("Page", "2026-11-11T08:00", "false")),
        *(("Page", "2026-11-11T19:59", "unjudged"), ("Page", "2026-11-11T23:00", "false")),
        ("Ticket", "2026-11-11T12:00", "false"),
    )
    frame = shifts(found)
    assert frame["start"].dt.strftime("%dT%H:%M").tolist() == ["10T20:00", "11T08:00", "11T20:00"]
    assert frame[["shift", "pages", "true_pages", "false_pages", "at_night"]].values.tolist() == [
        ["20:00", 1, 1, 0, 1],
        ["08:00", 2, 0, 1, 0],
        ["20:00", 1, 0, 1, 1],
    ]


def test_a_shift_without_a_page_is_there():
    assert shifts(judged())["pages"].tolist() == [0, 0, 0]
    assert len(shifts(judged(), shift_hours=8, first_hour=6)) == 4
    whole = Window(datetime(2026, 11, 11, 8, tzinfo=UTC), datetime(2026, 11, 12, 8, tzinfo=UTC))
    assert shifts(judged(), window=whole)["start"].dt.hour.tolist() == [8, 20]


@pytest.mark.parametrize(
    ("day", "night_hours", "at"),
    [("2026-10-25", 13, "2026-10-25T06:30"), ("2026-03-29", 11, "2026-03-29T05:30")],
)
def test_shifts_go_by_the_clock_when_it_is_changed(day, night_hours, at):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    window = Window(start, start + (DAY.end - DAY.start))
    frame = shifts(judged(("Page", at, "true")), window=window, zone="Europe/Berlin")
    hours = ((frame["end"] - frame["start"]).dt.total_seconds() / 3600).tolist()
    # The night in which Berlin's clock is changed; the shift begins and ends at its hours all the same.
    assert hours[0] == night_hours
    assert frame["shift"].tolist()[:2] == ["20:00", "08:00"]
    assert frame["pages"].tolist()[0] == 1
    assert frame["end"].iloc[:-1].tolist() == frame["start"].iloc[1:].tolist()


def test_every_page_of_the_window_is_in_one_shift():
    times = pd.date_range(DAY.start, DAY.end, freq="7min", inclusive="left")
    found = judged(*[("Page", time, "true") for time in times])
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        assert shifts(found, zone=zone)["pages"].sum() == len(times)
