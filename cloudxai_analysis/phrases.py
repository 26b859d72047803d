"""Numbers as people say them, the same wherever they stand."""

from __future__ import annotations

import math
from datetime import datetime

NO_DATA = "no data"


def count(number: float, noun: str, plural: str = "") -> str:
    """'1 tenant', '12 tenants', '1,200 tenants'."""
    if _missing(number):
        return NO_DATA
    word = noun if round(number) == 1 else plural or f"{noun}s"
    return f"{number:,.0f} {word}"


def percent(share: float, digits: int = 1) -> str:
    """'99.9 %' of 0.999."""
    return NO_DATA if _missing(share) else f"{share * 100:.{digits}f} %"


def money(amount: float, currency: str) -> str:
    """'1,234 EUR', with two decimals under 100."""
    if _missing(amount):
        return NO_DATA
    return f"{amount:,.0f} {currency}" if abs(amount) >= 100 else f"{amount:,.2f} {currency}"


def signed(text: str, number: float) -> str:
    """`text` with a plus before it where `number` is above zero."""
    return f"+{text}" if number > 0 else text


def moment(time: datetime | None) -> str:
    """'Thu 12 Nov, 14:03 UTC'."""
    return NO_DATA if time is None or time != time else f"{time:%a} {time.day} {time:%b, %H:%M} UTC"


def _missing(number: float | None) -> bool:
    return number is None or math.isnan(number)
