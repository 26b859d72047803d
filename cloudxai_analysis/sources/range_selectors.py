"""Raw samples by range selectors, which every server answers; and what makes any reading a whole one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import TooManySamples
from cloudxai_analysis.sources.counts import Counts
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, matrix, pairs_of
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.sources.series_parts import Assembly, Stretch
from cloudxai_analysis.sources.session import ObservingSession

SAMPLES_PER_ANSWER = 500_000


class Garbled(SourceAnswerError):
    """An answer that ended in something else: it is asked for anew."""


class RangeSelectors:
    """Instant queries with a range selector (Prometheus docs, HTTP API), which show no markers.

    About `samples_per_answer` are asked for at once: that bounds memory here and there.
    """

    way: Final = "range_selectors"

    def __init__(self, session: ObservingSession, *, samples_per_answer: int = SAMPLES_PER_ANSWER) -> None:
        self.session = session
        self.counts = Counts(session)
        self._samples_per_answer = samples_per_answer

    def about(self) -> dict[str, Any]:
        """What the provenance says of this way."""
        return {"kind": "prometheus", "way": "range selectors over POST /api/v1/query", "hides_markers": True}

    def read(self, stretch: Stretch) -> SeriesBatch:
        """The stretch's samples; raises what `session.ask` and `whole` do."""

        def assembly(counted: int) -> Assembly:
            found = Assembly(stretch, self.session.limits)
            for part in stretch.parts(-(-counted // self._samples_per_answer)):
                self._collect(part, found)
            return found

        return self.whole(stretch, assembly)

    def label_sets(self, stretch: Stretch, selectors: Sequence[str]) -> list[Labels]:
        """The label sets, without the name, of the stretch's series that a selector matches."""
        return self.session.ask(
            str(stretch),
            "series",
            {"match[]": list(selectors), **stretch.edges, **WHOLE_ANSWERS},
            read=lambda data: [{name: item[name] for name in item if name != "__name__"} for item in data],
        )

    def whole(self, stretch: Stretch, read: Callable[[int], Assembly]) -> SeriesBatch:
        """The batch of what `read` gives, once that is no less than what the server counts.

        What is less or ends garbled is asked for anew, count and all, up to `limits.retries` times:
        while Prometheus 2.42 compacts blocks, it counts for some seconds a sample that no way of
        reading gives, or looks for chunks in a block that is gone. Emptiness is believed only after
        the index and a second count agree. Raises SourceAnswerError where it stays so.
        """
        for attempt in range(self.session.limits.retries + 1):
            if attempt:
                time.sleep(2 ** (attempt - 1))
            counted = self.counts.count(stretch) if attempt else self.counts.before(stretch).samples
            try:
                assembly = read(counted)
            except Garbled:
                if attempt == self.session.limits.retries:
                    raise
                continue
            if not assembly.given and not counted and self.label_sets(stretch, [stretch.selector]):
                counted = self.counts.count(stretch)
            if assembly.given < counted:
                counted = self.counts.count(stretch, cut=1)
            if assembly.given >= counted:
                return assembly.batch()
        raise SourceAnswerError(
            f"{stretch}: source {self.session.base} counted {counted:,} samples and gave {assembly.given:,}. "
            "A partial answer is not taken for a whole one: run again."
        )

    def _collect(self, stretch: Stretch, assembly: Assembly) -> None:
        try:
            self._ask(stretch, stretch.range_selector, lambda data: _take(data, stretch, assembly))
        except TooManySamples:
            if stretch.end - stretch.start == 1:
                raise
            for half in stretch.parts(2):
                self._collect(half, assembly)

    def _ask(self, stretch: Stretch, query: str, read: Any) -> Any:
        fields = {"query": query, "time": stretch.edges["end"], "timeout": self.session.patience, **WHOLE_ANSWERS}
        return self.session.ask(str(stretch), "query", fields, read=read)


def _take(data: Any, stretch: Stretch, assembly: Assembly) -> None:
    """Add the series of a matrix to the assembly; ValueError where it is none."""
    for item in matrix(data):
        times, values = pairs_of(item.get("values", []))
        inside = (times >= stretch.start) & (times < stretch.end)
        if np.any(np.diff(times[inside]) <= 0):
            raise ValueError
        assembly.histograms(len(item.get("histograms", [])))
        assembly.add(item["metric"], times[inside].astype(np.int64), values[inside])
