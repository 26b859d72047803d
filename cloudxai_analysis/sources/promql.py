"""PromQL, evaluated by the server and never by code of ours: at one moment, or at each step of a stretch of time."""

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
from cloudxai_analysis.sources.answers import TooManySamples, one_line
from cloudxai_analysis.sources.matchers import WHOLE_ANSWERS, seconds_text
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.session import ObservingSession, asking

MOST_STEPS = 11_000  # Prometheus refuses more points of one series in one answer
FIRST_STEPS = 1_000
POINTS_PER_ANSWER = 2_000_000
MOST_POINTS = 250_000_000  # of one expression: 4 GB in memory
# What Prometheus takes for a NaN that is no staleness marker; JSON says 'NaN' only, and Python's bits are others.
NORMAL_NAN_BITS = 0x7FF8000000000001
_NUMBERS = re.compile(r"[0-9+\-.eEInfNa]*")

_Found = dict[str, tuple[Labels, list[NDArray[np.int64]], list[NDArray[np.float64]]]]


class Asked(Protocol):
    """A source on a server that evaluates PromQL, however its samples are read."""

    session: ObservingSession

    @property
    def name(self) -> str:
        """The server's base URL."""


@dataclass(frozen=True)
class Steps:
    """Evaluation times: `first`, and every `step` after it, `count` in all; in milliseconds."""

    first: int
    step: int
    count: int

    @classmethod
    def within(cls, window: Window, step: int, *, phase: int = 0) -> Steps:
        """The times of the window that lie `phase` milliseconds after a whole multiple of `step`."""
        if step <= 0:
            raise UsageError(f"Step of {step} ms. Evaluations are at least a millisecond apart.")
        first = window.start_ms + (phase - window.start_ms) % step
        return cls(first, step, max(0, -(-(window.end_ms - first) // step)))

    @property
    def times(self) -> NDArray[np.int64]:
        """Each time."""
        return self.first + self.step * np.arange(self.count, dtype=np.int64)

    def part(self, begin: int, count: int) -> Steps:
        """`count` of the steps from the one numbered `begin`."""
        return Steps(self.first + begin * self.step, self.step, count)

    @property
    def last(self) -> int:
        """The last of the times."""
        return self.first + (self.count - 1) * self.step


def promql(source: Asked, expression: str, time: datetime) -> pd.DataFrame:
    """The values of a PromQL expression at one moment: a column for each label, "" where absent, and `value` (float64).

    A scalar is one row without labels. prometheus-api-client asks, over the source's own session, so its deadlines and
    refusals hold. Raises UsageError where the moment has no time zone or the expression gives ranges, histograms or a
    label called `value`; SourceUnreachable, SourceAnswerError, RefusedForSecurity as the session does.
    """
    from prometheus_api_client import PrometheusConnect

    if time.tzinfo is None:
        raise UsageError(f"Moment {time.isoformat()} has no time zone. Give times with tzinfo=UTC.")
    client = PrometheusConnect(url=source.name, session=source.session)
    asked = f"Asked for {one_line(expression)} at {time.isoformat()}"
    fields = {"time": time.isoformat(), "timeout": source.session.patience, **WHOLE_ANSWERS}
    with asking(asked):
        result = client.custom_query(expression, params=fields)
    return _frame(result, asked, source.name)


def _frame(result: list[Any], asked: str, name: str) -> pd.DataFrame:
    if len(result) == 2 and isinstance(result[1], str):
        result = [{"metric": {}, "value": result}]
    try:
        labels = [item["metric"] for item in result]
        if any("value" not in item or "value" in item["metric"] for item in result):
            raise UsageError(
                f"{asked}: it gives ranges, histograms or a label called 'value'. Use an expression with one number "
                "a series, and label_replace for the label; raw samples come from the source's `read`."
            )
        values = [float(item["value"][1]) for item in result]
    except (KeyError, IndexError, TypeError, ValueError):
        raise SourceAnswerError(f"{asked}: source {name} answered with values that are no numbers.") from None
    frame = pd.DataFrame(labels, index=range(len(values))).fillna("")
    return frame.reindex(columns=sorted(frame.columns)).assign(value=pd.Series(values, dtype="float64"))


def promql_range(source: Asked, expression: str, steps: Steps) -> SeriesBatch:
    """What a PromQL expression gives at each of the steps, by series: labels with any `__name__`, times, values.

    The server evaluates it (Prometheus docs, HTTP API, 'Range queries'), in answers of at most 11,000 steps and some
    two million points. Raises UsageError where it gives native histograms, and whatever `session.ask` does.
    """
    found: _Found = {}
    begin, width, points = 0, FIRST_STEPS, 0
    while begin < steps.count:
        part = steps.part(begin, min(width, steps.count - begin))
        try:
            got = _collect(source, expression, part, found)
        except TooManySamples:
            if part.count == 1:
                raise
            width = part.count // 2
            continue
        begin, points = begin + part.count, points + got
        if points > MOST_POINTS:
            raise SourceAnswerError(
                f"Asked for {one_line(expression)}: source {source.name} gives more than {MOST_POINTS:,} points. "
                "Narrow the expression or the window."
            )
        width = max(1, min(MOST_STEPS, POINTS_PER_ANSWER * part.count // max(got, 1), 11 * part.count))
    pieces = [
        (labels, np.concatenate(times), np.concatenate(values)) for _, (labels, times, values) in sorted(found.items())
    ]
    return SeriesBatch.of("", pieces)


def pairs_of(pairs: Sequence[Sequence[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in milliseconds, whole as far as they are numbers, and values of JSON's pairs; ValueError of what is none.

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


def _collect(source: Asked, expression: str, part: Steps, found: _Found) -> int:
    """Add the points of these steps to `found`, by label set; how many there were."""
    first, last = seconds_text(part.first), seconds_text(part.last)
    fields = {"query": expression, "start": first, "end": last, "step": seconds_text(part.step)}
    series = source.session.ask(
        f"Asked for {one_line(expression)} from {first} to {last}",
        "query_range",
        {**fields, "timeout": source.session.patience, **WHOLE_ANSWERS},
        read=lambda data: [_points(item, part) for item in matrix(data)],
    )
    for labels, times, values in series:
        _, moments, numbers = found.setdefault(canonical_labels(labels), (labels, [], []))
        moments.append(times)
        numbers.append(values)
    return sum(len(times) for _, times, _ in series)


def matrix(data: Any) -> list[Any]:
    """The series of an answer with ranges; ValueError where it is of another kind."""
    if data["resultType"] != "matrix":
        raise ValueError
    result: list[Any] = data["result"]
    return result


def _points(item: dict[str, Any], part: Steps) -> tuple[Labels, NDArray[np.int64], NDArray[np.float64]]:
    """One series; raises ValueError where it has other times than were asked for, or no proper labels."""
    if item.get("histograms"):
        raise UsageError("it gives native histograms. Use an expression with one number a series.")
    labels = item["metric"]
    times, values = pairs_of(item["values"])
    # A server that aligns start and end to its own steps would give other moments, and those are not the rule's.
    aligned = np.isin(times, part.times).all() and np.all(np.diff(times) > 0)
    if not aligned or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError
    return labels, times.astype(np.int64), values
