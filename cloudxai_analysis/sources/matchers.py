"""Selectors of PromQL made from metric names and labels, safe for any text."""

from __future__ import annotations

import re

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.series import Labels

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def quoted(text: str) -> str:
    """`text` as a string literal of PromQL, printable and on one line.

    Source: Prometheus docs, Querying basics, 'String literals' (escapes as in Go).

    Raises
    ------
    UsageError
        The text holds half of a surrogate pair, which no UTF-8 can carry.
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def selector(metric: str, matchers: Labels) -> str:
    """The series called `metric` whose labels equal `matchers`: `{__name__="up",job="cloudxai"}`.

    The name is a matcher too, because in that place any text can stand; an empty value asks for series without the
    label. Source: Prometheus docs, Querying basics, 'Instant vector selectors'.

    Raises
    ------
    UsageError
        A label's name cannot be one, or is `__name__`; a text cannot be written in UTF-8.
    """
    for name in matchers:
        if not _LABEL_NAME.fullmatch(name) or name == "__name__":
            raise UsageError(
                f"Matcher {name!r} names no label. A label's name has letters, digits and '_', begins with no digit, "
                "and is not __name__; correct `matchers` in the settings."
            )
    pairs = {"__name__": metric, **dict(sorted(matchers.items()))}
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in pairs.items()) + "}"


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 0xD800 <= code < 0xE000:
        raise UsageError(f"Text with the lone surrogate U+{code:04X} is no UTF-8. Correct `matchers` in the settings.")
    # Prometheus' lexer takes a bare U+FFFD for broken UTF-8, and a bare line feed for a missing quote.
    if character.isprintable() and code != 0xFFFD:
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
