"""Windows: names, edges, days and weeks, held against the calendar of the standard library and published tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, WEEK, Window, last_whole_week, named_window, parse_window, week_of

# Years with a week 53 from 2000 to 2050, as published with ISO 8601's calendar.
LONG_YEARS = {2004, 2009, 2015, 2020, 2026, 2032, 2037, 2043, 2048}


def utc(year: int, month: int, day: int, *time: int) -> datetime:
    return datetime(year, month, day, *time, tzinfo=UTC)


FIRST, LAST = (utc(year, 1, 1).replace(tzinfo=None) for year in (1970, 2200))
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
stretches = st.tuples(moments, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60)))
windows = stretches.map(lambda pair: Window(pair[0], pair[0] + pair[1]))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-W47", utc(2026, 11, 16), utc(2026, 11, 23)),
        ("2026-W01", utc(2025, 12, 29), utc(2026, 1, 5)),
        ("2026-W53", utc(2026, 12, 28), utc(2027, 1, 4)),
        ("2027-W01", utc(2027, 1, 4), utc(2027, 1, 11)),
        ("2024-W09", utc(2024, 2, 26), utc(2024, 3, 4)),
        ("2026-11", utc(2026, 11, 1), utc(2026, 12, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2024-02", utc(2024, 2, 1), utc(2024, 3, 1)),
        ("2026-Q1", utc(2026, 1, 1), utc(2026, 4, 1)),
        ("2026-Q4", utc(2026, 10, 1), utc(2027, 1, 1)),
    ],
)
def test_name_gives_its_window(name: str, start: datetime, end: datetime) -> None:
    window = parse_window(name)
    assert (window.start, window.end, window.name) == (start, end, name)


@pytest.mark.parametrize("year", range(2000, 2051))
def test_week_53_exists_in_long_years_only(year: int) -> None:
    if year in LONG_YEARS:
        assert parse_window(f"{year}-W53").end == parse_window(f"{year + 1}-W01").start
    else:
        with pytest.raises(UsageError, match=f"The ISO weeks of {year} are W01 to W52."):
            parse_window(f"{year}-W53")


@given(moments)
def test_week_is_the_one_that_the_standard_library_names(moment: datetime) -> None:
    week = week_of(moment)
    assert week.start == datetime.strptime(f"{moment:%G-W%V}-1", "%G-W%V-%u").replace(tzinfo=UTC)
    assert week.name == f"{moment:%G-W%V}"
    assert moment in week
    assert week.duration == WEEK
    assert parse_window(week.name) == week


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2026",
        "2026-W5",
        "2026-W00",
        "2026-W60",
        "2026-00",
        "2026-13",
        "2026-Q0",
        "2026-Q5",
        "2026-11-15",
        "2026-w47",
        "W47",
        "last week",
        "2026-W47 ",
        "2026-W47\n",
        "../2026-W47",
        "0000-W01",
        "9999-W52",
        "9999-12",
        "\uff12\uff10\uff12\uff16-W47",  # full-width digits, which int() would take
    ],
)
def test_wrong_name_is_refused_in_one_line_that_shows_it(name: str) -> None:
    with pytest.raises(UsageError, match="Invalid") as caught:
        parse_window(name)
    assert f"'{name}'" in str(caught.value)


def test_refusal_says_which_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"'2026-W47' \(an ISO week\), '2026-11' \(a month\) or '2026-Q4'"):
        parse_window("lst")


def test_start_belongs_to_the_window_and_end_does_not() -> None:
    week = parse_window("2026-W47")
    assert week.start in week
    assert week.end not in week
    assert week.end - timedelta(milliseconds=1) in week
    assert week.start - timedelta(milliseconds=1) not in week


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        (utc(1970, 1, 1), 0),
        (utc(2001, 9, 9, 1, 46, 40), 1_000_000_000_000),
        (utc(2033, 5, 18, 3, 33, 20), 2_000_000_000_000),
        (utc(2286, 11, 20, 17, 46, 40) + timedelta(milliseconds=1), 10_000_000_000_001),
        (utc(1969, 12, 31, 23, 59, 59), -1_000),
    ],
)
def test_milliseconds_are_exact(moment: datetime, milliseconds: int) -> None:
    assert Window(moment, moment).start_ms == milliseconds
    assert Window(moment, moment).end_ms == milliseconds


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
def test_edges_that_are_not_utc_are_refused(zone: timezone | None) -> None:
    edge = utc(2026, 11, 16).replace(tzinfo=zone)
    with pytest.raises(UsageError, match="is not in UTC"):
        Window(edge, edge)


def test_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(UsageError, match="ends before it starts"):
        Window(utc(2026, 11, 17), utc(2026, 11, 16))


@given(windows, windows)
def test_clip_lies_in_both_windows(window: Window, other: Window) -> None:
    part = window.clip(other)
    assert other.start <= part.start <= part.end <= other.end
    assert part.name == window.name
    if window.start < other.end and other.start < window.end:
        assert part.start == max(window.start, other.start)
        assert part.end == min(window.end, other.end)
    else:
        assert part.duration == timedelta(0)


@given(windows)
def test_days_follow_each_other_and_cover_the_window(window: Window) -> None:
    days = list(window.days())
    assert all(day.duration == DAY and day.name == f"{day.start:%Y-%m-%d}" for day in days)
    assert all(day.end == after.start for day, after in pairwise(days))
    if window.duration:
        assert days[0].start <= window.start < days[0].end
        assert days[-1].start < window.end <= days[-1].end


@given(windows)
def test_weeks_follow_each_other_and_cover_the_window(window: Window) -> None:
    weeks = list(window.weeks())
    assert all(week == week_of(week.start) for week in weeks)
    assert all(week.end == after.start for week, after in pairwise(weeks))
    if window.duration:
        assert weeks[0].start <= window.start < weeks[0].end
        assert weeks[-1].start < window.end <= weeks[-1].end


def test_history_is_put_before_the_window() -> None:
    window = parse_window("2026-W02").with_history(5)
    assert (window.start, window.end, window.name) == (utc(2025, 12, 1), utc(2026, 1, 12), "2026-W02")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (utc(2026, 11, 30), utc(2026, 11, 17)),  # a day beyond the window
        (utc(2026, 11, 16, 9), utc(2026, 11, 16, 9)),  # as far as there is anything
        (utc(2026, 11, 11), utc(2026, 11, 11)),
        (utc(2026, 11, 1), utc(2026, 11, 9)),
    ],
)
def test_what_begins_in_a_window_is_looked_for_up_to_a_day_beyond(now: datetime, end: datetime) -> None:
    window = parse_window("2026-W46").reach(2, now)
    assert (window.start, window.end, window.name) == (utc(2026, 10, 26), end, "2026-W46")


@pytest.mark.parametrize(
    ("now", "last", "current"),
    [
        (utc(2026, 11, 18, 12), "2026-W46", "2026-W47"),
        (utc(2026, 11, 16), "2026-W46", "2026-W46"),  # Monday 00:00: the new week holds nothing yet
        (utc(2026, 11, 16, 0, 0, 1), "2026-W46", "2026-W47"),
        (utc(2026, 11, 15, 23, 59, 59), "2026-W45", "2026-W46"),
        (utc(2027, 1, 6), "2026-W53", "2027-W01"),
    ],
)
def test_last_and_current_are_weeks(now: datetime, last: str, current: str) -> None:
    assert named_window("last", now).name == last == last_whole_week(now).name
    assert named_window("current", now).name == current


def test_window_under_way_may_be_named_and_a_later_one_not() -> None:
    now = utc(2026, 11, 18)
    assert named_window("2026-W47", now) == parse_window("2026-W47")
    with pytest.raises(UsageError, match=r"2026-W48 .* lies in the future.*The last whole week is 2026-W46"):
        named_window("2026-W48", now)


def test_window_shows_its_name_and_its_edges() -> None:
    window = parse_window("2026-W47")
    assert str(window) == "2026-W47 (2026-11-16 00:00 to 2026-11-23 00:00 UTC)"
    assert str(Window(window.start, window.end)) == "2026-11-16 00:00 to 2026-11-23 00:00 UTC"
