"""Numbers of a figure as words that are short enough for a title."""

from __future__ import annotations

import math

from cloudxai_analysis.figures.labels import one_line
from cloudxai_analysis.words.phrases import NO_DATA, money, signed


def duration(seconds: float) -> str:
    """'45 s', '50 min', '5.2 h', '3.1 days'."""
    if math.isnan(seconds):
        return NO_DATA
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} days"


def change_of(amount: float, currency: str) -> str:
    """'+12.30 EUR', '−1,200 EUR'."""
    return one_line(signed(money(amount, currency), amount))


def share_words(share: float) -> str:
    """'100 %', '99.9 %', '98.681 %': three decimals at most, and 100 % only where it is all."""
    if math.isnan(share):
        return NO_DATA
    text = f"{share * 100:.3f}".rstrip("0").rstrip(".")
    return "99.999 %" if text == "100" and share < 1 - 1e-9 else f"{text} %"
