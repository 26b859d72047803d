"""Text that may hold anybody's names, as HTML: escaped, and kept from reordering what stands beside it."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_REORDERING = frozenset({"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"})
_UNIT = re.compile(r"(\d) (?=(?:%|[A-Z]{3}\b|h\b|min\b|ms\b|s\b))")
_NAME = re.compile(r"(?=.{4,24}$)[\w.]+(?:[-:][\w.]+)+\W?")
# No HTML document may hold these: C0 and C1 controls, and halves of surrogate pairs, which are no characters at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def said(text: object) -> Markup:
    """A sentence: a number stays on its unit's line, and a word that could reorder its neighbours is isolated."""
    return Markup("").join(_word(word) for word in re.split(r"(\s+)", _UNIT.sub("\\1\u00a0", str(text))))


def named(text: object) -> Markup:
    """A name or a table's cell, exactly as it is, isolated from what stands beside it."""
    return Markup("<bdi>{}</bdi>").format(str(text))


def readable(page: str) -> str:
    """`page` with a replacement character for each one that no HTML document may hold."""
    return _NO_TEXT.sub("\ufffd", page)


def _word(word: str) -> Markup:
    if not word.isascii() and any(unicodedata.bidirectional(letter) in _REORDERING for letter in word):
        return named(word)
    if _NAME.fullmatch(word):
        return Markup('<span class="whole">{}</span>').format(word)
    return escape(word)
