"""PromQL: selectors safe for any text, and expressions that the server evaluates, never our code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import MOST_VALUES, TooManySamples, one_line
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.session import MISSHAPEN, ObservingSession, asking

MOST_STEPS = 2_000  # asked for at once; Prometheus refuses more than 11,000
# Prometheus' bits of a NaN that is no staleness marker; JSON says 'NaN' only.
NORMAL_NAN_BITS = 0x7FF8000000000001
# Thanos and VictoriaMetrics give what they have unless told otherwise; Prometheus passes over it.
WHOLE_ANSWERS = {"partial_response": "false", "deny_partial_response": "1", "nocache": "1"}
_NOT_ONE_NUMBER = {"values", "histogram", "histograms"}
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NUMBERS = re.compile(r"[0-9+\-.eEInfNa]*")

_Series = tuple[Labels, NDArray[np.int64], NDArray[np.float64]]


class Asked(Protocol):
    """A source on a server that evaluates PromQL, however its samples are read."""

    session: ObservingSession


@dataclass(frozen=True)
class Steps:
    """Evaluation times: `first`, and every `step` after it, `count` in all; in milliseconds."""

    first: int
    step: int
    count: int

    @classmethod
    def within(cls, window: Window, step: int, *, phase: int = 0) -> Steps:
        """The window's times that lie `phase` milliseconds after a whole multiple of `step`."""
        if step <= 0:
            raise UsageError(f"Step of {step} ms. Evaluations are at least a millisecond apart.")
        first = window.start_ms + (phase - window.start_ms) % step
        return cls(first, step, max(0, -(-(window.end_ms - first) // step)))

    @property
    def times(self) -> NDArray[np.int64]:
        """Each time."""
        return self.first + self.step * np.arange(self.count, dtype=np.int64)


def quoted(text: str) -> str:
    """`text` as a string literal of PromQL, printable, on one line; UsageError where it is no UTF-8.

    Source: Prometheus docs, Querying basics, 'String literals' (escapes as in Go).
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def selector(metric: str, matchers: Labels) -> str:
    """The series called `metric` whose labels equal `matchers`: `{__name__="up",job="cloudxai"}`.

    The name is a matcher too, because in that place any text can stand. Raises UsageError where a
    label's name cannot be one. Source: Prometheus docs, 'Instant vector selectors'.
    """
    for name in matchers:
        if not LABEL_NAME.fullmatch(name) or name == "__name__":
            raise UsageError(
                f"Matcher {name!r} names no label. A label's name has letters, digits and '_', begins with no digit, "
                "and is not __name__; correct `matchers` in the settings."
            )
    pairs = {"__name__": metric, **dict(sorted(matchers.items()))}
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in pairs.items()) + "}"


def seconds_text(milliseconds: int) -> str:
    """Milliseconds since the epoch as seconds, exactly."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def promql(source: Asked, expression: str, time: datetime) -> pd.DataFrame:
    """What a PromQL expression gives at a moment: a column a label, "" where absent, and `value` (float64).

    A scalar is one row without labels. prometheus-api-client asks, over the source's own session,
    so its deadlines and refusals hold. Raises UsageError where the moment has no time zone or the
    expression gives ranges, histograms or a label called `value`; SourceUnreachable,
    SourceAnswerError, RefusedForSecurity as the session does.
    """
    from prometheus_api_client import PrometheusConnect

    if time.tzinfo is None:
        raise UsageError(f"Moment {time.isoformat()} has no time zone. Give times with tzinfo=UTC.")
    base, client = source.session.base, PrometheusConnect(url=source.session.base, session=source.session)
    asked = f"Asked for {one_line(expression)} at {time.isoformat()}"
    fields = {"time": time.isoformat(), "timeout": source.session.patience, **WHOLE_ANSWERS}
    try:
        with asking(asked):
            result = client.custom_query(expression, params=fields)
        if len(result) == 2 and isinstance(result[1], str):
            result = [{"metric": {}, "value": result}]
        if any(item.keys() & _NOT_ONE_NUMBER or "value" in item["metric"] for item in result):
            raise UsageError(
                f"{asked}: it gives ranges, histograms or a label called 'value'. Use an expression with one number "
                "a series, and label_replace for the label; raw samples come from the source's `read`."
            )
        labels, values = [texts_of(item["metric"]) for item in result], [float(item["value"][1]) for item in result]
    except MISSHAPEN:
        raise SourceAnswerError(f"{asked}: source {base} answered with values that are no numbers.") from None
    names = sorted(set().union(*labels))
    if len(names) > source.session.limits.labels or len(names) * len(labels) > MOST_VALUES:
        raise SourceAnswerError(
            f"{asked}: source {base} gave {len(labels):,} series with {len(names):,} different labels, more "
            "than a table may have. Leave labels out with `by`, or raise `limits.labels`."
        )
    columns = {name: [one.get(name, "") for one in labels] for name in names}
    return pd.DataFrame({**columns, "value": np.array(values, dtype=np.float64)}, index=range(len(values)))


def promql_range(source: Asked, expression: str, steps: Steps) -> SeriesBatch:
    """What a PromQL expression gives at each step, by series: labels with any `__name__`, times, values.

    The server evaluates it (Prometheus docs, HTTP API, 'Range queries'), fewer steps at once where
    it finds them too many. Raises UsageError where it gives native histograms, and whatever
    `session.ask` does.
    """
    found: dict[str, list[_Series]] = {}
    begin, width = 0, MOST_STEPS
    while begin < steps.count:
        part = Steps(steps.first + begin * steps.step, steps.step, min(width, steps.count - begin))
        try:
            series = _evaluated(source, expression, part)
        except TooManySamples:
            if part.count == 1:
                raise
            width = part.count // 2
            continue
        begin += part.count
        for one in series:
            found.setdefault(canonical_labels(one[0]), []).append(one)
    whole = (zip(*parts, strict=True) for _, parts in sorted(found.items()))
    series = [(labels[0], np.concatenate(times), np.concatenate(values)) for labels, times, values in whole]
    return SeriesBatch.of("", series)


def pairs_of(pairs: Sequence[Sequence[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whole milliseconds and values of JSON's pairs; ValueError of what is none.

    Source: Prometheus docs, HTTP API, 'Range vectors'.
    """
    texts = [text for _, text in pairs]
    if not _NUMBERS.fullmatch("".join(texts)):
        raise ValueError
    values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    values.view(np.int64)[np.isnan(values)] = NORMAL_NAN_BITS
    # Few decimals are doubles, but a thousand times the nearest one rounds to the very millisecond.
    times = np.rint(np.fromiter((seconds for seconds, _ in pairs), dtype=np.float64, count=len(pairs)) * 1000)
    return times, values


def matrix(data: Any) -> list[Any]:
    """The series of an answer with ranges; ValueError where it is of another kind."""
    if data["resultType"] != "matrix":
        raise ValueError
    result: list[Any] = data["result"]
    return result


def texts_of(labels: dict[str, Any]) -> dict[str, str]:
    """The labels of a series in an answer; ValueError where they are none."""
    if not all(isinstance(value, str) for value in labels.values()):
        raise ValueError
    return labels


def _evaluated(source: Asked, expression: str, part: Steps) -> list[_Series]:
    first, last = (seconds_text(part.first + number * part.step) for number in (0, part.count - 1))
    fields = {"query": expression, "start": first, "end": last, "step": seconds_text(part.step)}
    return source.session.ask(
        f"Asked for {one_line(expression)} from {first} to {last}",
        "query_range",
        {**fields, "timeout": source.session.patience, **WHOLE_ANSWERS},
        read=lambda data: [_points(item, part) for item in matrix(data)],
    )


def _points(item: dict[str, Any], part: Steps) -> _Series:
    """One series; ValueError where it has other times than were asked for, or no proper labels."""
    if item.get("histograms"):
        raise UsageError("it gives native histograms. Use an expression with one number a series.")
    times, values = pairs_of(item["values"])
    # A server that aligns start and end to its own steps would give other moments.
    aligned = np.isin(times, part.times).all() and np.all(np.diff(times) > 0)
    if not aligned:
        raise ValueError
    return texts_of(item["metric"]), times.astype(np.int64), values


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 0xD800 <= code < 0xE000:
        raise UsageError(f"Text with the lone surrogate U+{code:04X} is no UTF-8. Correct `matchers` in the settings.")
    # Prometheus takes a bare U+FFFD for broken UTF-8, and a bare line feed for a missing quote.
    if character.isprintable() and code != 0xFFFD:
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
