"""Half-open UTC windows with names: weeks, months and quarters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cloudxai_analysis.ground.errors import UsageError

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"([0-9]{4})-(?:W([0-9]{2})|Q([0-9])|([0-9]{2}))")
_FORMS = "'2026-W47' (an ISO week), '2026-11' (a month) or '2026-Q4' (a quarter); 'last' and 'current' are weeks, too"


@dataclass(frozen=True, order=True)
class Window:
    """A half-open stretch of time, `[start, end)`, in UTC; `name` is what people call it."""

    start: datetime
    end: datetime
    name: str = ""

    def __post_init__(self) -> None:
        for edge in (self.start, self.end):
            if edge.tzinfo is None or edge.utcoffset() != timedelta(0):
                raise UsageError(f"Window edge {edge.isoformat()} is not in UTC. Give times with tzinfo=UTC.")
        if self.end < self.start:
            raise UsageError(f"Window ends before it starts: [{self.start.isoformat()}, {self.end.isoformat()}).")

    @property
    def start_ms(self) -> int:
        """Start in milliseconds since the epoch."""
        return (self.start - _EPOCH) // timedelta(milliseconds=1)

    @property
    def end_ms(self) -> int:
        """End (excluded) in milliseconds since the epoch."""
        return (self.end - _EPOCH) // timedelta(milliseconds=1)

    @property
    def duration(self) -> timedelta:
        """Length of the window."""
        return self.end - self.start

    def __str__(self) -> str:
        span = f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        return f"{self.name} ({span})" if self.name else span

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def clip(self, other: Window) -> Window:
        """The part of this window that lies in `other`, under this window's name; empty at an edge if none does."""
        start = min(max(self.start, other.start), other.end)
        return Window(start, max(start, min(self.end, other.end)), self.name)

    def days(self) -> Iterator[Window]:
        """The UTC days that this window touches, whole, in order, named '2026-11-15'."""
        day = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        while day < self.end:
            yield Window(day, day + DAY, f"{day:%Y-%m-%d}")
            day += DAY

    def weeks(self) -> Iterator[Window]:
        """The ISO weeks that this window touches, whole, in order."""
        week = week_of(self.start)
        while week.start < self.end:
            yield week
            week = week_of(week.end)

    @property
    def period(self) -> str:
        """'month' or 'quarter', as the name says, else 'week'."""
        match = _NAME.fullmatch(self.name)
        return "quarter" if match and match[3] else "month" if match and match[4] else "week"

    @property
    def before(self) -> Window:
        """What it is compared with: the month or the quarter before one, else the same a week earlier."""
        last = self.start - HOUR
        if self.period == "month":
            return month_of(self.start)
        if self.period == "quarter":
            return parse_window(f"{last:%Y}-Q{(last.month + 2) // 3}")
        start = self.start - WEEK
        return Window(start, self.end - WEEK, week_of(start).name if _NAME.fullmatch(self.name) else "")

    def reach(self, weeks: int, now: datetime) -> Window:
        """This window with so many weeks and the one before it, and up to a day after it, as far as `now`.

        What begins in a window may end after it, and is told whole.
        """
        return Window(
            min(self.start - weeks * WEEK, self.before.start), max(self.start, min(self.end + DAY, now)), self.name
        )

    def with_history(self, weeks: int) -> Window:
        """This window preceded by that many weeks."""
        return Window(self.start - weeks * WEEK, self.end, self.name)


def week_of(moment: datetime) -> Window:
    """The ISO week that holds `moment`."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return _week(year, week)


def month_of(end: datetime) -> Window:
    """The calendar month, UTC, that holds the last moment before `end`."""
    return parse_window(f"{(end - timedelta(milliseconds=1)).astimezone(UTC):%Y-%m}")


def last_whole_week(now: datetime) -> Window:
    """The last ISO week that had ended at `now`."""
    return week_of(week_of(now).start - HOUR)


def parse_window(name: str) -> Window:
    """The window called '2026-W47', '2026-11' or '2026-Q4'.

    Raises UsageError (the name is none of these forms, or names a week or month that does not
    exist, as '2026-W60').
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UsageError(f"Invalid window '{name}'. A window is named like {_FORMS}.")
    year, week, quarter, month = (int(part or 0) for part in match.groups())
    try:
        if match[2]:
            return _week(year, week)
        first, count = (3 * quarter - 2, 3) if match[3] else (month, 1)
        after = first - 1 + count
        return Window(midnight(date(year, first, 1)), midnight(date(year + after // 12, after % 12 + 1, 1)), name)
    except (ValueError, OverflowError):
        if not match[2]:
            raise UsageError(f"Invalid window '{name}'. A window is named like {_FORMS}.") from None
        last = date(year, 12, 28).isocalendar().week if 1 <= year <= 9998 else 52
        raise UsageError(f"Invalid week '{name}'. The ISO weeks of {year} are W01 to W{last}.") from None


def named_window(name: str, now: datetime) -> Window:
    """The window called `name`, where 'last' is the last whole ISO week before `now` and 'current' the one under way.

    Raises UsageError (the name is none, or the window begins after `now`).
    """
    if name == "last":
        return last_whole_week(now)
    if name == "current":
        return week_of(now - timedelta(milliseconds=1))
    window = parse_window(name)
    if window.start >= now:
        raise UsageError(
            f"Window {window} lies in the future: it is {now:%Y-%m-%d %H:%M} UTC at the source. "
            f"The last whole week is {last_whole_week(now).name}."
        )
    return window


def _week(year: int, week: int) -> Window:
    start = midnight(date.fromisocalendar(year, week, 1))
    return Window(start, start + WEEK, f"{year:04d}-W{week:02d}")


def midnight(day: date) -> datetime:
    """When a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
