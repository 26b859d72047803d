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


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


FIRST, LAST = datetime(1970, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
stretches = st.tuples(moments, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60)))
windows = stretches.map(lambda pair: Window(pair[0], pair[0] + pair[1]))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-W47", "2026-11-16", "2026-11-23"),
        ("2026-W01", "2025-12-29", "2026-01-05"),
        ("2026-W53", "2026-12-28", "2027-01-04"),
        ("2024-W09", "2024-02-26", "2024-03-04"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
    ],
)
def test_name_gives_its_half_open_window(name: str, start: str, end: str) -> None:
    window, moment = parse_window(name), timedelta(milliseconds=1)
    assert (window.start, window.end, window.name) == (utc(start), utc(end), name)
    edges = (window.start - moment, window.start, window.end - moment, window.end)
    assert [at in window for at in edges] == [False, True, True, False]
    assert str(window) == f"{name} ({start} 00:00 to {end} 00:00 UTC)"


def test_week_53_exists_in_long_years_only() -> None:
    for year in range(2000, 2051):
        if year in LONG_YEARS:
            assert parse_window(f"{year}-W53").end == parse_window(f"{year + 1}-W01").start
        else:
            with pytest.raises(UsageError, match=f"The ISO weeks of {year} are W01 to W52."):
                parse_window(f"{year}-W53")


@given(moments)
def test_week_is_the_one_that_the_standard_library_names(moment: datetime) -> None:
    week = week_of(moment)
    assert week.start == datetime.strptime(f"{moment:%G-W%V}-1", "%G-W%V-%u").replace(tzinfo=UTC)
    assert (week.name, week.duration, moment in week) == (f"{moment:%G-W%V}", WEEK, True)
    assert parse_window(week.name) == week


@pytest.mark.parametrize(
    "name",
    [
        *("", "2026", "2026-W5", "2026-W00", "2026-W60", "2026-00", "2026-13", "2026-Q0", "2026-Q5", "2026-11-15"),
        *("2026-w47", "W47", "last week", "2026-W47 ", "2026-W47\n", "../2026-W47", "0000-W01", "9999-W52", "9999-12"),
        "\uff12\uff10\uff12\uff16-W47",  # full-width digits, which int() would take
    ],
)
def test_wrong_name_is_refused_in_one_line_that_shows_it(name: str) -> None:
    with pytest.raises(UsageError, match="Invalid") as caught:
        parse_window(name)
    assert f"'{name}'" in str(caught.value)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (datetime(2026, 11, 16), datetime(2026, 11, 16), "is not in UTC"),  # noqa: DTZ001 - what is refused
        *((edge, edge, "is not in UTC") for edge in [datetime(2026, 11, 16, tzinfo=timezone(timedelta(hours=1)))]),
        (utc("2026-11-17"), utc("2026-11-16"), "ends before it starts"),
    ],
)
def test_edges_are_exact_and_not_out_of_utc_or_order(start: datetime, end: datetime, told: str) -> None:
    assert Window(utc("2286-11-20T17:46:40.001"), utc("2286-11-20T17:46:40.001")).start_ms == 10_000_000_000_001
    assert Window(utc("1969-12-31T23:59:59"), utc("1970-01-01")).start_ms == -1_000
    with pytest.raises(UsageError, match=told):
        Window(start, end)


@given(windows, windows)
def test_clip_lies_in_both_and_days_and_weeks_follow_each_other(window: Window, other: Window) -> None:
    part = window.clip(other)
    assert other.start <= part.start <= part.end <= other.end
    assert part.name == window.name
    if window.start < other.end and other.start < window.end:
        assert (part.start, part.end) == (max(window.start, other.start), min(window.end, other.end))
    else:
        assert part.duration == timedelta(0)
    days, weeks = list(window.days()), list(window.weeks())
    assert all(day.duration == DAY and day.name == f"{day.start:%Y-%m-%d}" for day in days)
    assert all(week == week_of(week.start) for week in weeks)
    for parts in (days, weeks):
        assert all(part.end == after.start for part, after in pairwise(parts))
        if window.duration:
            assert parts[0].start <= window.start < parts[0].end
            assert parts[-1].start < window.end <= parts[-1].end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-30", "2026-11-17"),  # a day beyond the window
        ("2026-11-16T09:00", "2026-11-16T09:00"),  # as far as there is anything
        ("2026-11-01", "2026-11-09"),
    ],
)
def test_what_begins_in_a_window_is_looked_for_up_to_a_day_beyond(now: str, end: str) -> None:
    window = parse_window("2026-W46").reach(2, utc(now))
    assert (window.start, window.end, window.name) == (utc("2026-10-26"), utc(end), "2026-W46")


@pytest.mark.parametrize(
    ("name", "before", "period"),
    [
        ("2026-W46", "2026-W45", "week"),
        ("2027-W01", "2026-W53", "week"),
        ("2026-03", "2026-02", "month"),
        ("2026-01", "2025-12", "month"),
        ("2026-Q4", "2026-Q3", "quarter"),
        ("2026-Q1", "2025-Q4", "quarter"),
    ],
)
def test_each_is_compared_with_its_like(name: str, before: str, period: str) -> None:
    window = parse_window(name)
    assert (window.before, window.period) == (parse_window(before), period)
    assert window.reach(5, window.end).start == min(window.before.start, window.start - 5 * WEEK)


@pytest.mark.parametrize(
    ("now", "last", "current"),
    [
        ("2026-11-18T12:00", "2026-W46", "2026-W47"),
        ("2026-11-16", "2026-W46", "2026-W46"),  # Monday 00:00: the new week holds nothing yet
        ("2026-11-16T00:00:01", "2026-W46", "2026-W47"),
        ("2027-01-06", "2026-W53", "2027-W01"),
    ],
)
def test_last_and_current_are_weeks_and_none_lies_in_the_future(now: str, last: str, current: str) -> None:
    assert named_window("last", utc(now)).name == last == last_whole_week(utc(now)).name
    assert named_window("current", utc(now)) == parse_window(current)
    with pytest.raises(UsageError, match=rf"2030-W48 .* lies in the future.*The last whole week is {last}"):
        named_window("2030-W48", utc(now))
