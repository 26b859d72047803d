"""Raw samples from VictoriaMetrics by its export: lines of JSON, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.http_api import (
    MOST_SAMPLES,
    WHOLE_ANSWERS,
    PrometheusSource,
    Stretch,
    asking,
    proves_its_end,
    seconds_text,
)
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch
from cloudxai_analysis.sources.series_parts import Decoded, assembled

ROWS_PER_LINE = 10_000
LONGEST_LINE = 16 * 1024 * 1024
PRECISION = (
    "VictoriaMetrics stores decimals of one scale for up to 8,192 samples: integers and short decimals are exact, "
    "other values within 1e-11 of the largest beside them (of themselves, where all are of one magnitude); -0 is 0"
)
# Releases differ: infinite values come bare, which is no JSON, or as words.
_BARE_INFINITY = re.compile(rb"([+-])Inf(?=[],])")


class VictoriaMetricsSource:
    """A VictoriaMetrics by `POST /api/v1/export`; `api` is its Prometheus API, for a second look."""

    def __init__(self, api: PrometheusSource) -> None:
        self._api = api

    @property
    def name(self) -> str:
        """The server's base URL without credentials."""
        return self._api.name

    def describe(self) -> dict[str, Any]:
        """Provenance; `precision` says what its storage does to values, and `warnings` is a living list."""
        return {
            **self._api.describe(),
            "kind": "victoria_metrics",
            "way": "export over POST /api/v1/export",
            "hides_markers": False,
            "precision": PRECISION,
        }

    def extent(self) -> Window | None:
        """None: a server's data goes on, and no endpoint says since when."""
        return None

    def offered(self) -> bool:
        """Whether the server answers to an export.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or not as one that exports.
        """
        probe = {"match[]": '{__name__="up"}', "start": "0", "end": "0.001", **WHOLE_ANSWERS}
        return self._api.session.receive("export", data=probe, read=lambda _, body: not list(body) or True)

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The raw samples of `metric` in `[window.start, window.end)` of series whose labels equal `matchers`.

        What it exports as `null` is a staleness marker: it drops every other NaN when it is written (in its source,
        `AddRows` of lib/storage). Source: VictoriaMetrics docs, 'How to export data in JSON line format'.

        Raises
        ------
        UsageError
            A matcher names no label.
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or answered wrongly or in part.
        """
        stretch = Stretch(metric, matchers, window, window.start_ms, window.end_ms)
        if stretch.start >= stretch.end:
            return SeriesBatch.of(metric, [])
        asked = {
            "match[]": stretch.selector,
            "start": seconds_text(stretch.start),
            "end": stretch.last,
            "max_rows_per_line": str(ROWS_PER_LINE),
            **WHOLE_ANSWERS,
        }
        with asking(str(stretch)):
            whole, batch = self._api.session.receive(
                "export", data=asked, read=lambda response, body: (proves_its_end(response), self._batch(body, stretch))
            )
        if not whole or not batch.samples:
            self._api.hold_against_count(batch, stretch)
        return batch

    def _batch(self, body: Iterator[bytes], stretch: Stretch) -> SeriesBatch:
        decoded, samples = [], 0
        for line in _lines(body):
            decoded.append(_decoded(line, stretch))
            samples += len(decoded[-1].times)
            if samples > MOST_SAMPLES:
                raise SourceAnswerError(f"sent more than {MOST_SAMPLES:,} samples. Narrow the matchers.")
        return assembled(decoded, stretch, leave_out={}, notes=self._api.notes)


def _lines(body: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a body that comes in pieces; the last one must end, too."""
    rest = b""
    for piece in body:
        *lines, rest = (rest + piece).split(b"\n") if b"\n" in piece else [rest + piece]
        yield from (line for line in lines if line)
        if len(rest) > LONGEST_LINE:
            raise SourceAnswerError(f"sent a line of more than {LONGEST_LINE:,} bytes. Look at what stands between.")
    if rest:
        raise _unread(rest)


def _decoded(line: bytes, stretch: Stretch) -> Decoded:
    try:
        labels, numbers, times = _fields(line)
        moments = np.array(times, dtype=np.int64)
        # null becomes NaN here, and the words of infinite values are what `float` reads.
        values = np.array(numbers, dtype=np.float64)
        if len(moments) != len(values) or moments.ndim != 1 or values.ndim != 1:
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise _unread(line) from None
    values.view(np.int64)[np.isnan(values)] = STALENESS_MARKER_BITS
    inside = (moments >= stretch.start) & (moments < stretch.end)
    return Decoded.of_series(labels, moments[inside], values[inside])


def _fields(line: bytes) -> tuple[dict[str, str], list[Any], list[int]]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        # Quotes inside a label are escaped: what stands behind the last bare one of `values` is numbers only.
        head, name, numbers = line.rpartition(b'"values":[')
        fields = orjson.loads(head + name + _BARE_INFINITY.sub(rb'"\1Inf"', numbers))
    return fields["metric"], fields["values"], fields["timestamps"]


def _unread(line: bytes) -> SourceAnswerError:
    began = one_line(line[:80].decode(errors="replace"))
    return SourceAnswerError(
        f"sent a line that is no export, or ended in the middle of one: '{began}'. "
        "The answer is not taken for whole: look at what stands between, and run again."
    )
