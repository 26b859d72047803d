"""Raw samples from VictoriaMetrics by its export: lines of JSON, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS
from cloudxai_analysis.sources.range_selectors import Garbled, RangeSelectors
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch
from cloudxai_analysis.sources.series_parts import Assembly, Stretch

LONGEST_LINE = 16 * 1024 * 1024
PRECISION = (
    "VictoriaMetrics stores decimals of one scale for up to 8,192 samples: integers and short decimals are exact, "
    "other values within 1e-11 of the largest beside them (of themselves, where all are of one magnitude); -0 is 0"
)
_OWN_DIGITS, _OWN_INTEGERS, _OF_THE_LARGEST = 2e-12, 4e-16, 2e-18
# Releases differ: infinite values come bare, which is no JSON, or as words.
_BARE_INFINITY = re.compile(rb"([+-])Inf(?=[],])")


class Export:
    """A VictoriaMetrics by `POST /api/v1/export`; `ranges` is its Prometheus API, which counts.

    What it exports as `null` is a staleness marker: it drops every other NaN when it is written (in
    its source, `AddRows` of lib/storage). Source: VictoriaMetrics docs, 'How to export data in JSON
    line format'.
    """

    way: Final = "export"

    def __init__(self, ranges: RangeSelectors) -> None:
        self._ranges = ranges

    def about(self) -> dict[str, Any]:
        """What the provenance says of this way; `precision` is what storage does to values."""
        way = "export over POST /api/v1/export"
        return {"kind": "victoria_metrics", "way": way, "hides_markers": False, "precision": PRECISION}

    def offered(self) -> bool:
        """Whether the server answers to an export; raises what `session.receive` does."""
        asked = {"match[]": '{__name__="up"}', "start": "0", "end": "0.001"}
        return self._receive("Asked whether it offers export", asked, lambda body: not list(body) or True)

    def read(self, stretch: Stretch) -> SeriesBatch:
        """The stretch's samples; raises what `session.receive` and `RangeSelectors.whole` do."""

        def assembly(body: Iterator[bytes]) -> Assembly:
            found = Assembly(stretch, self._ranges.session.limits)
            for line in _lines(body):
                found.add(*_decoded(line))
            return found

        asked = {"match[]": stretch.selector, **stretch.edges, "max_rows_per_line": "10000"}
        return self._ranges.whole(stretch, lambda _: self._receive(str(stretch), asked, assembly))

    def _receive(self, what: str, fields: dict[str, str], read: Any) -> Any:
        data = {**fields, **WHOLE_ANSWERS}
        return self._ranges.session.receive(what, "export", data=data, read=lambda _, body: read(body))


def needed_neighbour(values: NDArray[np.float64], stored: NDArray[np.float64]) -> NDArray[np.float64]:
    """How large a value of the same 8,192 samples must be for storage to make of values what is `stored`.

    0 where none must be: a value keeps twelve digits of its own, and an integer below 2^53 all of
    them. One scale for many leaves each eighteen digits of the largest. In its source:
    `positiveFloatToDecimalSlow` and `CalibrateScale` of lib/decimal.
    """
    whole = (values == np.floor(values)) & (np.abs(values) < 2.0**53)
    with np.errstate(invalid="ignore"):  # infinite minus infinite
        beyond = np.abs(values - stored) - np.where(whole, _OWN_INTEGERS, _OWN_DIGITS) * np.abs(values)
        return np.nan_to_num(np.maximum(beyond, 0) / _OF_THE_LARGEST, nan=np.inf, posinf=np.inf)


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


def _decoded(line: bytes) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    try:
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            # Quotes inside a label are escaped: behind the last bare one of `values` are numbers only.
            head, name, numbers = line.rpartition(b'"values":[')
            fields = orjson.loads(head + name + _BARE_INFINITY.sub(rb'"\1Inf"', numbers))
        times = np.array(fields["timestamps"], dtype=np.int64)
        # null becomes NaN here, and the words of infinite values are what `float` reads.
        values = np.array(fields["values"], dtype=np.float64)
        if len(times) != len(values) or times.ndim != 1 or values.ndim != 1:
            raise ValueError
        labels = dict(fields["metric"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise _unread(line) from None
    values.view(np.int64)[np.isnan(values)] = STALENESS_MARKER_BITS
    return labels, times, values


def _unread(line: bytes) -> Garbled:
    began = one_line(line[:80].decode(errors="replace"))
    return Garbled(
        f"sent a line that is no export, or ended in the middle of one: '{began}'. "
        "The answer is not taken for whole: look at what stands between, and run again."
    )
