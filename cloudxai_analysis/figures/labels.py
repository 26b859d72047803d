"""Label values made fit to be shown: whatever they are, one short line of visible text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from cloudxai_analysis.words.phrases import NO_DATA, money, signed

MOST = 26  # characters of a label in a list
_JOINERS = "\u200c\u200d"  # invisible, but letters and emoji are joined by them
# Unassigned, private, surrogate, control, format, and the two kinds of line ends: they hide or reorder others.
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_MANY_MARKS = re.compile(f"({_MARK}{{2}}){_MARK}+")
_LETTER = 0.64  # of the font's size, a letter's width on average
_WIDTHS = dict.fromkeys("iljtfrI.,:;'|!()[]/ -", 0.38) | dict.fromkeys("mwMW@%…—", 0.95)


def one_line(text: str) -> str:
    """`text` without line breaks and doubled spaces."""
    return " ".join(text.split())


def visible(text: str) -> str:
    """`text` on one line; what is invisible or reorders its neighbours becomes a replacement character."""
    line = one_line(text)
    if line.isascii() and line.isprintable():
        return line
    kept = (c if c in _JOINERS or unicodedata.category(c) not in _UNSEEN else "\ufffd" for c in line)
    return _MANY_MARKS.sub(r"\1", "".join(kept))


def shortened(label: str, most: int = MOST) -> str:
    """`label` made visible, and shortened in the middle to about `most` letters' width; '(none)' where it is empty.

    Text from right to left is isolated, so that it leaves the order of what stands beside it alone.
    """
    whole = text = visible(label) or "(none)"
    letters = most
    while len(text) > most or text_width(text, 1.0) > most * _LETTER:
        letters -= 1
        tail = letters // 2
        text = f"{whole[: letters - tail]}…{whole[len(whole) - tail :]}"
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"\u2068{text}\u2069"
    return text


def without_port(instances: Iterable[str], *, most: int = MOST) -> dict[str, str]:
    """Each instance with the name to show: without the port, where all have the same one."""
    names = sorted(set(instances))
    same = len({name.rpartition(":")[2] for name in names}) == 1 and all(name.rpartition(":")[0] for name in names)
    return {name: shortened(name.rpartition(":")[0] if same else name, most) for name in names}


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how many points wide `text` is in DejaVu Sans, the widest of the usual sans-serif fonts."""
    return sum(map(_width, text)) * size * (1.12 if bold else 1.0)


def _width(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return _WIDTHS.get(character) or (0.69 if character.isupper() else 0.62)


def change_of(amount: float, currency: str) -> str:
    """'+12.30 EUR', '−1,200 EUR'."""
    return one_line(signed(money(amount, currency), amount))


def share_words(share: float) -> str:
    """'100 %', '99.9 %', '98.681 %': three decimals at most, and 100 % only where it is all."""
    if math.isnan(share):
        return NO_DATA
    text = f"{share * 100:.3f}".rstrip("0").rstrip(".")
    return "99.999 %" if text == "100" and share < 1 - 1e-9 else f"{text} %"
