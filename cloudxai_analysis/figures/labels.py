"""Label values made fit to be shown: whatever a tenant calls itself, it stays one short line of visible text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

ELLIPSIS = "…"
REPLACEMENT = "\ufffd"
MOST = 26  # characters of a label in a list
# Invisible characters that join letters or emoji; the others of their kind reorder or hide what stands beside them.
_JOINERS = "\u200c\u200d"
# Unassigned, private, surrogate, control, format, and the two kinds of line ends.
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
_NARROW = "iljtfrI.,:;'|!()[]/ -"
_WIDE = "mwMW@%…—"


def visible(text: str) -> str:
    """`text` on one line, with a replacement character for each one that would be invisible or reorder its neighbours."""
    spaced = " ".join(text.split())
    if spaced.isascii() and spaced.isprintable():
        return spaced
    kept = (c if c in _JOINERS or unicodedata.category(c) not in _UNSEEN else REPLACEMENT for c in spaced)
    return "".join(kept)


def shortened(label: str, most: int = MOST) -> str:
    """`label` made visible, and shortened in the middle to `most` characters; '(none)' where it is empty."""
    text = visible(label)
    if not text:
        return "(none)"
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}{ELLIPSIS}{text[-tail:]}"


def without_port(instances: Iterable[str]) -> dict[str, str]:
    """Each instance with the name to show: without the port, where all have the same one."""
    names = sorted(set(instances))
    ports = {name.rpartition(":")[2] for name in names}
    same = len(ports) == 1 and all(name.rpartition(":")[0] for name in names)
    return {name: shortened(name.rpartition(":")[0] if same else name) for name in names}


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how many points wide `text` is in DejaVu Sans, the widest of the usual sans-serif fonts."""
    return sum(_width(character) for character in text) * size * (1.12 if bold else 1.0)


def _width(character: str) -> float:
    if character in _NARROW:
        return 0.38
    if character in _WIDE:
        return 0.95
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.69 if character.isupper() else 0.62
