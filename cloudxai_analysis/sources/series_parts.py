"""One reading: what is asked for, and the parts of series that come, put together to one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, seconds_text, selector
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.session import ObservingSession, T

DOUBLES_LEFT_OUT = "samples stood beside another one of the same time with another value; the first was kept."
HISTOGRAMS_LEFT_OUT = "native histogram samples were left out; only classic ones are read."
MOST_PARTS = 2_000_000  # pieces of series in one read: 1 GB of objects


@dataclass(frozen=True)
class Stretch:
    """A metric, its matchers and milliseconds `[start, end)`; `window` is the one people asked for."""

    metric: str
    matchers: Labels = field(hash=False)
    window: Window
    start: int
    end: int

    @classmethod
    def of(cls, metric: str, matchers: Labels, window: Window) -> Stretch:
        """All of a window."""
        return cls(metric, matchers, window, window.start_ms, window.end_ms)

    @property
    def selector(self) -> str:
        """The series asked for, as PromQL."""
        return selector(self.metric, self.matchers)

    @property
    def range_selector(self) -> str:
        """The samples asked for, as PromQL to be evaluated at the stretch's last millisecond.

        Up to Prometheus 2 a range holds both of its ends, since 3.0 the later one only (migration
        guide, 'Range selectors and lookback exclude samples coinciding with the left boundary'):
        this one is never too short.
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


def evaluated(session: ObservingSession, stretch: Stretch, query: str, read: Callable[[Any], T]) -> T:
    """What `read` makes of a query at the stretch's last millisecond; raises what `session.ask` does."""
    fields = {"query": query, "time": stretch.edges["end"], "timeout": session.patience, **WHOLE_ANSWERS}
    return session.ask(str(stretch), "query", fields, read=read)


def too_many(most: int, what: str, limit: str) -> str:
    """How a limit of the settings is said, and what is to be done."""
    return f"{most:,} {what}. Narrow the matchers, or raise `limits.{limit}`."


class Assembly:
    """A batch in the making: no more than may be held, and nothing that was not asked for.

    Labels of `leave_out` are dropped where they have just that value; `own` says, by canonical
    label sets, which series have such a label themselves. `given` counts samples and histograms,
    markers left out, and `left_out` those that are in no batch, by the words for it.
    """

    def __init__(
        self,
        stretch: Stretch,
        limits: Limits,
        *,
        leave_out: Labels = MappingProxyType({}),
        own: Mapping[str, Labels] = MappingProxyType({}),
    ) -> None:
        self.given = 0
        self.left_out: Counter[str] = Counter()
        self._stretch, self._limits = stretch, limits
        self._leave_out, self._own = leave_out.items(), own
        self._parts = self._samples = self._text = 0
        self._series: dict[str, tuple[Labels, list[NDArray[np.int64]], list[NDArray[np.float64]]]] = {}

    def reserve(self, samples: int, pieces: int = 1) -> None:
        """Raise SourceAnswerError where so many more samples in so many pieces are more than may be held."""
        self._parts += pieces
        if self._parts > MOST_PARTS:
            raise SourceAnswerError(f"sent more than {MOST_PARTS:,} pieces of series. Narrow the matchers.")
        self._within("samples", self._samples + samples, "samples")

    def _within(self, limit: str, found: int, what: str) -> None:
        most = getattr(self._limits, limit)
        if found > most:
            raise SourceAnswerError(f"sent more than {too_many(most, what, limit)}")

    def add(self, labels: Mapping[str, Any], times: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take the samples of a series, named by its labels, that lie in the stretch."""
        self.reserve(len(times))
        self._within("labels", len(labels), "labels of one series")
        inside = (times >= self._stretch.start) & (times < self._stretch.end)
        if not inside.all():
            times, values = times[inside], values[inside]
        if not len(times):
            return
        self._samples += len(times)
        self.given += int(np.count_nonzero(values.view(np.int64) != STALENESS_MARKER_BITS))
        own = self._asked_labels(labels)
        canonical = canonical_labels(own)
        if canonical not in self._series:
            self._text += len(canonical)
            self._within("text_bytes", self._text, "bytes of labels")
            self._within("series", len(self._series) + 1, "series")
        _, all_times, all_values = self._series.setdefault(canonical, (own, [], []))
        all_times.append(times)
        all_values.append(values)

    def histograms(self, count: int) -> None:
        """Count samples of native histograms."""
        self.given += count
        self.left_out[HISTOGRAMS_LEFT_OUT] += count

    def batch(self) -> SeriesBatch:
        """The series in the order in which they came; of samples with one time the first is kept."""
        merged = [(labels, *self._merged(times, values)) for labels, times, values in self._series.values()]
        return SeriesBatch.of(self._stretch.metric, merged, +self.left_out)

    def _asked_labels(self, given: Mapping[str, Any]) -> Labels:
        asked = {"__name__": self._stretch.metric, **self._stretch.matchers}
        try:
            foreign = any(given.get(name, "") != text for name, text in asked.items())
            if foreign or not all(isinstance(value, str) for value in given.values()):
                raise ValueError
            labels = {name: value for name, value in given.items() if name != "__name__"}
            canonical = canonical_labels(labels)
            canonical.encode()  # half a surrogate pair could not be written anywhere
        except ValueError:
            raise SourceAnswerError(
                f"sent a series that is not one of {self._stretch.selector}, or whose labels cannot be read. "
                "Nothing was taken; look at the proxy or the adapter between it and this suite."
            ) from None
        kept = {name: value for name, value in labels.items() if (name, value) not in self._leave_out}
        return self._own.get(canonical, kept)

    def _merged(
        self, all_times: list[NDArray[np.int64]], all_values: list[NDArray[np.float64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        times, values = np.concatenate(all_times), np.concatenate(all_values)
        if np.all(np.diff(times) > 0):
            return times, values
        order = np.argsort(times, kind="stable")
        times, bits = times[order], values.view(np.int64)[order]
        kept, place = np.unique(times, return_inverse=True)
        first = np.searchsorted(times, kept)
        self.left_out[DOUBLES_LEFT_OUT] += int(np.count_nonzero(bits != bits[first][place]))
        return kept, bits[first].view(np.float64)
