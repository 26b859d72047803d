"""PromQL over a stretch of time: the server evaluates an expression at each step, in pieces that stay small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import requests
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import TooManySamples, one_line
from cloudxai_analysis.sources.http_api import WHOLE_ANSWERS, asking, seconds_text
from cloudxai_analysis.sources.promql import Asked
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels

MOST_STEPS = 11_000  # Prometheus refuses more points of one series in one answer
FIRST_STEPS = 1_000
POINTS_PER_ANSWER = 2_000_000
MOST_POINTS = 250_000_000  # of one expression: 4 GB in memory

_Found = dict[str, tuple[Labels, list[NDArray[np.int64]], list[NDArray[np.float64]]]]


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


def promql_range(source: Asked, expression: str, steps: Steps) -> SeriesBatch:
    """What a PromQL expression gives at each of the steps, by series: labels with any `__name__`, times, values.

    The server evaluates it (Prometheus docs, HTTP API, 'Range queries'). A series has no point where the expression
    gave none for it. The steps are cut into answers that hold at most 11,000 of them and some two million points.

    Raises
    ------
    UsageError
        The expression gives native histograms.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, answered wrongly, in part or with a warning, or the expression is none.
    """
    found: _Found = {}
    begin, width, points = 0, min(FIRST_STEPS, max(steps.count, 1)), 0
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
        affordable = POINTS_PER_ANSWER * part.count // max(got, 1)
        width = max(1, min(MOST_STEPS, affordable, 11 * part.count))
    pieces = [(found[key][0], np.concatenate(found[key][1]), np.concatenate(found[key][2])) for key in sorted(found)]
    return SeriesBatch.of("", pieces)


def _collect(source: Asked, expression: str, part: Steps, found: _Found) -> int:
    """Add the points of these steps to `found`, by label set; how many there were."""
    fields = {
        "query": expression,
        "start": seconds_text(part.first),
        "end": seconds_text(part.last),
        "step": seconds_text(part.step),
        "timeout": source.session.patience,
        **WHOLE_ANSWERS,
    }
    asked = f"Asked for {one_line(expression)} from {seconds_text(part.first)} to {seconds_text(part.last)}"
    with asking(asked):
        result = source.session.receive("query_range", data=fields, read=_matrix)
        try:
            series = [_points(item, part) for item in result[0]]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            raise SourceAnswerError(
                f"source {source.name} answered with points that were not asked for. Check that the URL is a "
                "Prometheus' and not another API's."
            ) from None
    for labels, times, values in series:
        _, moments, numbers = found.setdefault(canonical_labels(labels), (labels, [], []))
        moments.append(times)
        numbers.append(values)
    return sum(len(times) for _, times, _ in series)


def _matrix(response: requests.Response, body: Iterator[bytes]) -> tuple[list[Any]]:
    """The series of a whole answer; in a tuple, since an empty answer is an answer."""
    del response
    try:
        document = orjson.loads(b"".join(body))
        status, data = document["status"], document.get("data")
    except (ValueError, TypeError, KeyError):
        raise SourceAnswerError(
            "answered HTTP 200 with something else than the JSON of Prometheus' API. Check the URL and its path; a "
            "login page or a proxy may stand before the server."
        ) from None
    if status != "success":
        raise SourceAnswerError(f"answered with status '{one_line(status)}'. Look at its log.")
    if warnings := document.get("warnings"):
        raise SourceAnswerError(
            f"answered with a warning, so the answer may be in part: '{one_line(warnings)}'. It is not taken for "
            "whole; run again when the server can answer in full."
        )
    if document.get("isPartial"):
        raise SourceAnswerError(
            "answered in part (isPartial), which is not taken for whole. Run again when all of its storage is up."
        )
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise SourceAnswerError("answered a range query without a matrix. Check that the URL is a Prometheus'.")
    return (data["result"],)


def _points(item: dict[str, Any], part: Steps) -> tuple[Labels, NDArray[np.int64], NDArray[np.float64]]:
    """One series; raises ValueError where it has other times than were asked for, or no proper labels."""
    if item.get("histograms"):
        raise UsageError("it gives native histograms. Use an expression with one number a series.")
    labels, pairs = item["metric"], item["values"]
    if not all(isinstance(value, str) for value in labels.values()):
        raise ValueError
    # Few decimals are doubles, but a thousand times the nearest one rounds to the very millisecond.
    times = np.rint(np.fromiter((pair[0] for pair in pairs), np.float64, len(pairs)) * 1000).astype(np.int64)
    values = np.fromiter((float(pair[1]) for pair in pairs), np.float64, len(pairs))
    # A server that aligns start and end to its own steps would give other moments, and those are not the rule's.
    if len(times) and (np.any((times - part.first) % part.step) or times[0] < part.first or times[-1] > part.last):
        raise ValueError
    if np.any(np.diff(times) <= 0):
        raise ValueError
    return labels, times, values
