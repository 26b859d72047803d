"""Raw samples from Prometheus' HTTP API: range selectors, asked for in stretches that stay small."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import CloudxaiError, SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import NoSuchEndpoint, TooManySamples, one_line
from cloudxai_analysis.sources.matchers import selector
from cloudxai_analysis.sources.notes import Notes
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.session import ObservingSession

SAMPLES_PER_ANSWER = 500_000
MOST_SAMPLES = 500_000_000  # of one metric in one window: 8 GB in memory
# What Prometheus takes for a NaN that is no staleness marker; JSON says 'NaN' only, and Python's bits are others.
NORMAL_NAN_BITS = 0x7FF8000000000001
# Thanos and VictoriaMetrics give what they have unless told otherwise; Prometheus passes over words it does not know.
WHOLE_ANSWERS = {"partial_response": "false", "deny_partial_response": "1", "nocache": "1"}
HISTOGRAMS_LEFT_OUT = "native histogram samples were left out; only classic ones are read."
_NUMBER_CHARACTERS = frozenset("0123456789+-.eEInfNa")
_log = logging.getLogger(__name__)

_Series = tuple[Labels, NDArray[np.int64], NDArray[np.float64]]


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
    def last(self) -> str:
        """The last millisecond of the stretch, as seconds since the epoch."""
        return seconds_text(self.end - 1)

    def parts(self, count: int) -> Iterator[Stretch]:
        """The stretch cut into at most `count` parts of near equal length."""
        length = self.end - self.start
        edges = sorted({self.start + length * part // count for part in range(count + 1)})
        for start, end in pairwise(edges):
            yield replace(self, start=start, end=end)

    def __str__(self) -> str:
        return f"Asked for {one_line(self.selector)} in {self.window}"


class PrometheusSource:
    """A Prometheus, or what speaks its HTTP API; it is only ever read.

    No answer is asked for that holds more than about `samples_per_answer`: that bounds memory here and there.
    """

    def __init__(self, session: ObservingSession, *, samples_per_answer: int = SAMPLES_PER_ANSWER) -> None:
        self.session = session
        self._samples_per_answer = samples_per_answer
        self.notes = Notes()

    @property
    def name(self) -> str:
        """The server's base URL without credentials."""
        return self.session.base

    def describe(self) -> dict[str, Any]:
        """Provenance; `warnings` is a living list: what later reads find stands in it, too.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or is no Prometheus.
        """
        return {
            "kind": "prometheus",
            "source": self.name,
            "version": self.version,
            "way": "range selectors over POST /api/v1/query",
            "hides_markers": True,
            "warnings": self.notes.lines,
        }

    def extent(self) -> Window | None:
        """None: a server's data goes on, and no endpoint says since when."""
        return None

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The raw samples of `metric` in `[window.start, window.end)` of series whose labels equal `matchers`.

        Source: Prometheus docs, HTTP API, 'Instant queries' with a range selector. Staleness markers are not shown by
        it, and native histograms are left out with a warning in `describe()`.

        Raises
        ------
        UsageError
            A matcher names no label.
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or answered wrongly or in part.
        """
        whole = Stretch(metric, matchers, window, window.start_ms, window.end_ms)
        found: dict[str, list[_Series]] = {}
        if whole.start < whole.end:
            for stretch, count in self._small(whole):
                expected = count or (self.second_look(whole) if stretch == whole else 0)
                if expected:
                    self._collect(stretch, expected, found)
        return SeriesBatch.of(metric, [_joined(found[key]) for key in sorted(found)])

    def _small(self, stretch: Stretch) -> Iterator[tuple[Stretch, int]]:
        """Parts of the stretch, in order, each with its number of samples, none too many for one answer."""
        length = stretch.end - stretch.start
        try:
            count = self.count(stretch)
        except TooManySamples:
            if length == 1:
                raise
            parts = 2
        else:
            parts = min(-(-count // self._samples_per_answer), length)
            if parts <= 1:
                yield stretch, count
                return
        for part in stretch.parts(parts):
            yield from self._small(part)

    def count(self, stretch: Stretch) -> int:
        """How many samples the server counts in the stretch, staleness markers left out."""
        query = f"sum(count_over_time({stretch.range_selector}))"
        data = self._ask(stretch, "query", {"query": query, "time": stretch.last})
        with _well_formed(stretch, self.name):
            count = sum(int(float(item["value"][1])) for item in data["result"])
        if count > MOST_SAMPLES:
            raise SourceAnswerError(
                f"{stretch}: source {self.name} has {count:,} samples, more than {MOST_SAMPLES:,}. Narrow the matchers."
            )
        return count

    def second_look(self, stretch: Stretch) -> int:
        """The number of samples once more: emptiness is believed only after the index and a second count agree."""
        about = {"match[]": stretch.selector}
        edges = {"start": seconds_text(stretch.start), "end": stretch.last}
        if self._ask(stretch, "series", {**about, **edges}):
            return self.count(stretch)
        known = bool(self._ask(stretch, "series", {**about, "limit": "1"}))
        why = "known, but not in this window (retention, or not exported then)" if known else "not known to the source"
        _log.info("%s: no sample; the series is %s.", stretch, why)
        return 0

    def label_sets(self, stretch: Stretch, selectors: Sequence[str]) -> list[Labels]:
        """The label sets, without the name, of the stretch's series that any of the selectors matches."""
        edges = {"start": seconds_text(stretch.start), "end": stretch.last}
        data = self._ask(stretch, "series", {"match[]": list(selectors), **edges})
        with _well_formed(stretch, self.name):
            return [{name: value for name, value in item.items() if name != "__name__"} for item in data]

    def hold_against_count(self, batch: SeriesBatch, stretch: Stretch, *, besides: int = 0) -> None:
        """Refuse what another way of reading gave where the server counts more; `besides` samples were left out.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server counts more, or could not be asked.
        """
        counted = self.count(stretch) if batch.samples else self.second_look(stretch)
        markers = int(np.count_nonzero(batch.values.view(np.int64) == STALENESS_MARKER_BITS))
        if batch.samples - markers + besides < counted:
            raise SourceAnswerError(
                f"{stretch}: source {self.name} counted {counted:,} samples and gave {batch.samples:,}. "
                "A partial answer is not taken for a whole one: run again."
            )

    def _collect(self, stretch: Stretch, expected: int, found: dict[str, list[_Series]]) -> None:
        """Add the stretch's samples to `found`, by label set; what the server counted must all be there."""
        got = 0
        for part, data in self._matrices(stretch):
            with _well_formed(stretch, self.name):
                if data["resultType"] != "matrix":
                    raise ValueError
                for item in data["result"]:
                    labels = asked_labels(item["metric"], part)
                    pairs, histograms = item.get("values", []), len(item.get("histograms", []))
                    times, values = _samples(pairs, part)
                    found.setdefault(canonical_labels(labels), []).append((labels, times, values))
                    got += len(pairs) + histograms
                    self.notes.add(stretch.metric, histograms, HISTOGRAMS_LEFT_OUT)
        if got < expected:
            raise SourceAnswerError(
                f"{stretch}: source {self.name} counted {expected:,} samples and then gave {got:,}. "
                "A partial answer is not taken for a whole one: run again."
            )

    def _matrices(self, stretch: Stretch) -> Iterator[tuple[Stretch, dict[str, Any]]]:
        try:
            data = self._ask(stretch, "query", {"query": stretch.range_selector, "time": stretch.last})
        except TooManySamples:
            if stretch.end - stretch.start == 1:
                raise
            for half in stretch.parts(2):
                yield from self._matrices(half)
        else:
            yield stretch, data

    def _ask(self, stretch: Stretch, endpoint: str, fields: Mapping[str, str | list[str]]) -> Any:
        url = f"{self.name}/api/v1/{endpoint}"
        with asking(str(stretch)):
            asked = {**fields, **WHOLE_ANSWERS, "timeout": self.session.patience}
            document = self.session.post(url, data=asked).json()
            if infos := document.get("infos"):
                raise SourceAnswerError(
                    f"Source {self.name} answered with a remark that raw samples should not need: "
                    f"'{one_line(infos)}'. Look at the metric's type there."
                )
        return document.get("data")

    @cached_property
    def version(self) -> str:
        """What the server says of its version, or 'unknown'."""
        try:
            with asking("Asked for its version"):
                build = self.session.get(f"{self.name}/api/v1/status/buildinfo").json()
        except NoSuchEndpoint:
            return "unknown"
        data = build.get("data")
        return one_line(data.get("version") or "unknown") if isinstance(data, dict) else "unknown"


def proves_its_end(response: requests.Response) -> bool:
    """Whether the framing of an answer shows that its body is whole; a connection that simply closes does not."""
    headers = response.headers
    return "Content-Length" in headers or headers.get("Transfer-Encoding", "").lower() == "chunked"


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Put what was asked before every error of ours that is raised inside."""
    try:
        yield
    except CloudxaiError as error:
        raise type(error)(f"{what}: {error}") from None


@contextmanager
def _well_formed(stretch: Stretch, name: str) -> Iterator[None]:
    """Turn what reading a document of the wrong shape raises into an error of ours."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise SourceAnswerError(
            f"{stretch}: source {name} answered with JSON that is not what Prometheus gives for it. "
            "Check that the URL is a Prometheus' and not another API's."
        ) from None


def seconds_text(milliseconds: int) -> str:
    """Milliseconds since the epoch as seconds, exactly."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def asked_labels(given: dict[str, str], asked: Stretch) -> Labels:
    """The labels of an answered series without its name; raises ValueError where it is not one that was asked for."""
    labels = dict(given)
    foreign = labels.pop("__name__", None) != asked.metric or any(
        labels.get(name, "") != value for name, value in asked.matchers.items()
    )
    if foreign or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError
    canonical_labels(labels).encode()  # half a surrogate pair in JSON could not be written anywhere
    return labels


def _samples(pairs: list[list[Any]], asked: Stretch) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times and values of the pairs in the stretch, exactly; raises ValueError where they are none, or out of order."""
    texts = [text for _, text in pairs]
    if not _NUMBER_CHARACTERS.issuperset("".join(texts)):
        raise ValueError
    values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    values.view(np.int64)[np.isnan(values)] = NORMAL_NAN_BITS
    # Few decimals are doubles, but a thousand times the nearest one rounds to the very millisecond.
    times = np.rint(np.fromiter((seconds for seconds, _ in pairs), dtype=np.float64, count=len(pairs)) * 1000)
    inside = (times >= asked.start) & (times < asked.end)
    kept = times[inside].astype(np.int64)
    if np.any(np.diff(kept) <= 0):
        raise ValueError
    return kept, values[inside]


def _joined(pieces: list[_Series]) -> _Series:
    return pieces[0][0], np.concatenate([times for _, times, _ in pieces]), np.concatenate([v for _, _, v in pieces])
