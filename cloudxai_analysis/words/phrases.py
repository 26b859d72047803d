"""Numbers as people say them, the same wherever they stand."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime

NO_DATA = "no data"
LONGEST_NAME = 60
_MOST_KNOWN = 20
_LARGEST = 1e15  # from here on the digits of a float are no longer those of the number


def count(number: float, noun: str, plural: str = "") -> str:
    """'1 tenant', '12 tenants', '1,200 tenants'."""
    if _missing(number):
        return NO_DATA
    return f"{_digits(number)} {noun if abs(number - 1) < 0.5 else plural or f'{noun}s'}"


def span(seconds: float) -> str:
    """'19 minutes', '3.5 hours', '10 days': how long something was seen or lasted."""
    if _missing(seconds):
        return NO_DATA
    if seconds < 90 * 60:
        return count(seconds, "second") if seconds < 60 else count(seconds / 60, "minute")
    number, unit = (seconds / 3600, "hour") if seconds < 48 * 3600 else (seconds / 86_400, "day")
    said = f"{number:,.1f}".removesuffix(".0")
    return f"{said} {unit if said == '1' else f'{unit}s'}"


def apart(labels: float, generated: float) -> str:
    """'110 tenants (57 real, 53 generated)'; without generated names '57 tenants'."""
    parts = f" ({labels - generated:,.0f} real, {generated:,.0f} generated)" if generated else ""
    return count(labels, "tenant") + parts


def between(least: float, most: float) -> str:
    """'at least 1, at most 12', 'at least 1, at most unknown', or 'how many is unknown'."""
    if not least and _missing(most):
        return "how many is unknown"
    return f"at least {least:,.0f}, at most {'unknown' if _missing(most) else f'{most:,.0f}'}"


def percent(share: float, digits: int = 1) -> str:
    """'99.9 %' of 0.999; a share under 1 is never rounded to '100 %', nor one that is not 0 to '0 %'."""
    if _missing(share):
        return NO_DATA
    least = 10.0**-digits
    if 1 - least / 200 <= share < 1:
        return f"over {100 - least:.{digits}f} %"
    if 0 < abs(share) < least / 200:
        return f"under {least:.{digits}f} %"
    return f"{_digits(share * 100, digits)} %"


def money(amount: float, currency: str) -> str:
    """'1,234 EUR', with two decimals under 100."""
    if _missing(amount):
        return NO_DATA
    return f"{_digits(amount, 0 if abs(amount) >= 100 else 2)} {currency}"


def monies(amounts: Mapping[str, float]) -> str:
    """'1,234 EUR and 56.00 USD': amounts of several currencies are never added up."""
    return " and ".join(money(float(amount), str(currency)) for currency, amount in amounts.items()) or NO_DATA


def signed(text: str, number: float) -> str:
    """`text`, of a number, with its sign before it: a plus above zero, a minus sign below; 'under 0.1 %' has none."""
    if text.startswith("under"):
        return text
    return f"+{text}" if number > 0 else text.replace("-", "−", 1)


def rise(relative: float, digits: int = 1) -> str:
    """'+12.0 %', '−3.0 %': a change as a part of what was before; twice as much is '+100 %', for it is no share."""
    if 0.99 < relative < 1:
        return f"+{_digits(relative * 100, digits)} %"
    return signed(percent(relative, digits), relative)


def moment(time: datetime | None) -> str:
    """'Thu 12 Nov, 14:03 UTC'."""
    # A missing time of a frame is a datetime, too, and has no year.
    return NO_DATA if time is None or time.year != time.year else f"{day(time)}, {time:%H:%M} UTC"


def day(time: datetime) -> str:
    """'Thu 12 Nov'."""
    return f"{time:%a} {time.day} {time:%b}"


def short(name: str) -> str:
    """A name on one line and short enough for a headline."""
    line = " ".join(str(name).split()) or "a tenant without a name"
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def several(names: Iterable[str], *, most: int = 3) -> str:
    """The first of some names, each once, and how many more there are: 'a, b, c and 2 more'."""
    found = list(dict.fromkeys(short(name) for name in names))
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def plain(text: str) -> str:
    """`text` for a terminal: what would steer it, turn the text round, or is no UTF-8, becomes a replacement."""
    return "".join("\ufffd" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") else sign for sign in text)


def number(value: float, digits: int = 0) -> str:
    """'1,200' or '14.4': a bare number with as many digits after the point."""
    return f"{value:,.{digits}f}"


def _digits(number: float, digits: int = 0) -> str:
    """'1,234.50'; of what no table can hold its magnitude, '1e+308', or 'infinite'."""
    if math.isinf(number):
        return "infinite" if number > 0 else "-infinite"
    return f"{number:,.{digits}f}" if abs(number) < _LARGEST else f"{number:.0e}"


def _missing(number: float | None) -> bool:
    return number is None or math.isnan(number)


def near_miss(word: str, known: list[str], *, most: int = 1) -> str:
    """' Did you mean 'x'?' where known words are near, at most so many, else the known ones as far as they are few."""
    if near := difflib.get_close_matches(word, known, n=most):
        return f" Did you mean {' or '.join(map(repr, near))}?"
    rest = ", …" if len(known) > _MOST_KNOWN else ""
    return f" Known: {', '.join(known[:_MOST_KNOWN])}{rest}." if known else ""
