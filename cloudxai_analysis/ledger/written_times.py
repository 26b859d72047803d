"""Times as people write them in a log; what may mean two moments is refused, and never guessed at."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

from dateutil.parser import parse

from cloudxai_analysis.ledger.exchange import in_zone
from cloudxai_analysis.words.phrases import short

DAY, CLOCK = r"\d{4}-\d\d-\d\d", r"\d{1,2}:\d\d(?::\d\d)?"
_DASH = r"\s*(?:–|—|-|→|\bto\b|\buntil\b)\s*"
# A day and its clock, or a clock and the one that it goes on to.
WHEN = re.compile(
    rf"(?<![\w:-])(?:({DAY})(?:[T ,]+({CLOCK}))?|({CLOCK})(?={_DASH}{CLOCK}))"
    rf"(?:{_DASH}((?:{DAY}[T ])?{CLOCK}))?\s*(Z|UTC|[+-]\d\d:\d\d)?(?!\w|:\d)"
)
_PARTED = re.compile(r"\s*[–—→]\s*|\s+(?:-|to|until)\s+|(?<=:\d\d)-(?=\d?\d:\d\d)")
_ZONE = re.compile(r"\s*\(?(?:(?<=\d)|\b)(Z|UTC|[+-]\d\d:?\d\d)\)?\s*$")
_ADVICE = "give it like 2026-11-12 14:03 UTC"
_SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)")
_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600}
# Two moments that share nothing: what a text leaves out, its moment takes from them.
_ONE, _OTHER = datetime(2000, 1, 1, 0, 0), datetime(2004, 2, 2, 1, 1)  # noqa: DTZ001


def parted(text: str) -> tuple[str, str]:
    """Begin and end of a period, '' for one that has none; a zone behind the end is that of both."""
    first, *last = _PARTED.split(text, maxsplit=1)
    zone = _ZONE.search(last[0]) if last else None
    return first + (f" {zone[1]}" if zone and not _ZONE.search(first) else ""), "".join(last)


def moment(text: str, zone: tzinfo | None, *, day: str = "", after: datetime | None = None) -> datetime:
    """The moment that people wrote; a clock alone is on `day`, or the first time `after` a moment, in its zone.

    Raises ValueError (it is no moment, or may be two).
    """
    words = re.sub(r"[(),]", " ", text)
    if re.search(r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b", words):
        raise ValueError(f"'{short(text)}' may be two days; {_ADVICE}")
    first, second = (_parsed(words, one) for one in (_ONE, _OTHER))
    if (first.hour, first.minute) != (second.hour, second.minute):
        raise ValueError(f"'{short(text)}' has no clock; {_ADVICE}")
    alone = (first.date(), second.date()) == (_ONE.date(), _OTHER.date())
    if alone and after is None and not day:
        raise ValueError(f"'{short(text)}' is of no day; {_ADVICE}")
    if alone:
        on = after or _parsed(day, _ONE)
        first = second = datetime.combine(on.date(), first.timetz())
    if first != second:
        raise ValueError(f"'{short(text)}' is no whole date; {_ADVICE}")
    found: datetime = in_zone(first.isoformat(), after.tzinfo if alone and after else zone)
    return found + timedelta(days=1) if alone and after and found < after else found


def lasting(text: str) -> timedelta:
    """How long '19 min' or '1 h 20 min' is; raises ValueError (it is no duration)."""
    parts = [(float(size.replace(",", ".")), unit.rstrip("s") or "s") for size, unit in _SIZE.findall(text.lower())]
    if not parts or re.sub(r"[\s~,]|and|about", "", _SIZE.sub("", text.lower())):
        raise ValueError(f"'{short(text)}' is no duration; give it like 19 min or 1 h 20 min")
    if unknown := {unit for _, unit in parts} - _SECONDS.keys():
        raise ValueError(f"'{short(text)}' is no duration: '{min(unknown)}' is no unit; give it like 1 h 20 min")
    try:
        return timedelta(seconds=sum(size * _SECONDS[unit] for size, unit in parts))
    except OverflowError:
        raise ValueError(f"'{short(text)}' is longer than all time; give it like 1 h 20 min") from None


def _parsed(text: str, default: datetime) -> datetime:
    try:
        if len(text) <= 80:
            return parse(text, default=default, dayfirst="." in text, tzinfos=_offset)
    except (ValueError, ArithmeticError, TypeError, IndexError, AttributeError):
        pass  # of a text that is no time, the parser raises all of these
    raise ValueError(f"'{short(text)}' is no time; {_ADVICE}")


def _offset(name: str | None, seconds: int | None) -> timezone | None:
    """UTC, or the offset that is written, if one is; the letters of any other zone name more than one."""
    if name is None and seconds is None:
        return None
    if name not in (None, "UTC", "GMT", "Z", "z"):
        raise ValueError(name)
    return timezone(timedelta(seconds=seconds or 0))
