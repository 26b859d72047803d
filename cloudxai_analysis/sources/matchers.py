"""What is asked for, as PromQL that is safe for any text: selectors of series, and stretches of their samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.series import Labels

# Thanos and VictoriaMetrics give what they have unless told otherwise; Prometheus passes over words it does not know.
WHOLE_ANSWERS = {"partial_response": "false", "deny_partial_response": "1", "nocache": "1"}
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def quoted(text: str) -> str:
    """`text` as a string literal of PromQL, printable and on one line; UsageError where no UTF-8 can carry it.

    Source: Prometheus docs, Querying basics, 'String literals' (escapes as in Go).
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def selector(metric: str, matchers: Labels) -> str:
    """The series called `metric` whose labels equal `matchers`: `{__name__="up",job="cloudxai"}`.

    The name is a matcher too, because in that place any text can stand; an empty value asks for series without the
    label. Raises UsageError where a label's name cannot be one. Source: Prometheus docs, 'Instant vector selectors'.
    """
    for name in matchers:
        if not _LABEL_NAME.fullmatch(name) or name == "__name__":
            raise UsageError(
                f"Matcher {name!r} names no label. A label's name has letters, digits and '_', begins with no digit, "
                "and is not __name__; correct `matchers` in the settings."
            )
    pairs = {"__name__": metric, **dict(sorted(matchers.items()))}
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in pairs.items()) + "}"


@dataclass(frozen=True)
class Stretch:
    """A metric, its matchers and a stretch `[start, end)` of milliseconds; `window` is the one people asked for."""

    metric: str
    matchers: Labels
    window: Window
    start: int
    end: int

    @property
    def selector(self) -> str:
        """The series asked for, as PromQL."""
        return selector(self.metric, self.matchers)

    @property
    def range_selector(self) -> str:
        """The samples asked for, as PromQL to be evaluated at `last`.

        Up to Prometheus 2 a range holds both of its ends, since 3.0 the later one only (migration guide, 'Range
        selectors and lookback exclude samples coinciding with the left boundary'): this one is never too short.
        """
        return f"{self.selector}[{self.end - self.start}ms]"

    @property
    def edges(self) -> dict[str, str]:
        """The first and the last millisecond of the stretch, as seconds since the epoch."""
        return {"start": seconds_text(self.start), "end": seconds_text(self.end - 1)}

    def parts(self, count: int) -> Iterator[Stretch]:
        """The stretch cut into at most `count` parts of near equal length."""
        length = self.end - self.start
        edges = sorted({self.start + length * part // max(count, 1) for part in range(count + 1)})
        for start, end in pairwise(edges):
            yield replace(self, start=start, end=end)

    def __str__(self) -> str:
        return f"Asked for {one_line(self.selector)} in {self.window}"


def seconds_text(milliseconds: int) -> str:
    """Milliseconds since the epoch as seconds, exactly."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


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
