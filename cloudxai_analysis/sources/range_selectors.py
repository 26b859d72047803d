"""Raw samples by range selectors, which every server answers, in stretches that stay small; and counts of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import TooManySamples
from cloudxai_analysis.sources.matchers import WHOLE_ANSWERS, Stretch
from cloudxai_analysis.sources.promql import pairs_of
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch
from cloudxai_analysis.sources.series_parts import MOST_SAMPLES, Decoded, Notes, assembled
from cloudxai_analysis.sources.session import ObservingSession

SAMPLES_PER_ANSWER = 500_000
HISTOGRAMS_LEFT_OUT = "native histogram samples were left out; only classic ones are read."


class RangeSelectors:
    """Instant queries with a range selector (Prometheus docs, HTTP API, 'Instant queries').

    Staleness markers are not shown by them. No answer is asked for that holds more than about `samples_per_answer`:
    that bounds memory here and there.
    """

    def __init__(self, session: ObservingSession, *, samples_per_answer: int = SAMPLES_PER_ANSWER) -> None:
        self.session = session
        self.notes = Notes()
        self._samples_per_answer = samples_per_answer

    def about(self) -> dict[str, Any]:
        """What the provenance says of this way."""
        return {"kind": "prometheus", "way": "range selectors over POST /api/v1/query", "hides_markers": True}

    def read(self, stretch: Stretch) -> SeriesBatch:
        """The stretch's samples; raises what `session.ask` does, and where fewer come than the server counted."""
        found: list[Decoded] = []
        for part, count in self._small(stretch):
            expected = count or (self.second_look(part) if part == stretch else 0)
            if expected:
                self._collect(part, expected, found)
        return assembled(found, stretch, notes=self.notes)

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
        if stretch.end <= stretch.start:  # PromQL has no range of no length
            return 0
        query = f"sum(count_over_time({stretch.range_selector}))"
        count: int = self._ask(
            stretch, query, lambda data: sum(int(float(item["value"][1])) for item in data["result"])
        )
        if count > MOST_SAMPLES:
            raise SourceAnswerError(
                f"{stretch}: source {self.session.base} has {count:,} samples, more than {MOST_SAMPLES:,}. Narrow the "
                "matchers."
            )
        return count

    def second_look(self, stretch: Stretch) -> int:
        """The number of samples once more: emptiness is believed only after the index and a second count agree."""
        return self.count(stretch) if self.label_sets(stretch, [stretch.selector]) else 0

    def label_sets(self, stretch: Stretch, selectors: Sequence[str]) -> list[Labels]:
        """The label sets, without the name, of the stretch's series that any of the selectors matches."""
        return self.session.ask(
            str(stretch),
            "series",
            {"match[]": list(selectors), **stretch.edges, **WHOLE_ANSWERS},
            read=lambda data: [{name: item[name] for name in item if name != "__name__"} for item in data],
        )

    def hold_against_count(self, batch: SeriesBatch, stretch: Stretch, *, besides: int = 0) -> None:
        """Refuse what another way of reading gave where the server counts more; `besides` samples were left out.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server counts more, or could not be asked.
        """
        counted = self.count(stretch) if batch.samples else self.second_look(stretch)
        markers = int(np.count_nonzero(batch.values.view(np.int64) == STALENESS_MARKER_BITS))
        given = batch.samples - markers + besides
        if given < counted and stretch.end - stretch.start > 1:
            # Up to Prometheus 2 a sample of the millisecond before was counted, too; this range leaves it out.
            counted = self.count(replace(stretch, start=stretch.start + 1))
        self._refuse_fewer(stretch, counted, given)

    def _refuse_fewer(self, stretch: Stretch, counted: int, given: int) -> None:
        if given < counted:
            raise SourceAnswerError(
                f"{stretch}: source {self.session.base} counted {counted:,} samples and gave {given:,}. "
                "A partial answer is not taken for a whole one: run again."
            )

    def _collect(self, stretch: Stretch, expected: int, found: list[Decoded]) -> None:
        """Add the stretch's samples to `found`; what the server counted must all be there."""
        got = 0
        for part, series in self._answers(stretch):
            for one, samples, histograms in series:
                found.append(one)
                got += samples + histograms
                self.notes.add(part.metric, histograms, HISTOGRAMS_LEFT_OUT)
        self._refuse_fewer(stretch, expected, got)

    def _answers(self, stretch: Stretch) -> Iterator[tuple[Stretch, list[tuple[Decoded, int, int]]]]:
        try:
            yield stretch, self._ask(stretch, stretch.range_selector, lambda data: _series(data, stretch))
        except TooManySamples:
            if stretch.end - stretch.start == 1:
                raise
            for half in stretch.parts(2):
                yield from self._answers(half)

    def _ask(self, stretch: Stretch, query: str, read: Any) -> Any:
        fields = {"query": query, "time": stretch.edges["end"], "timeout": self.session.patience, **WHOLE_ANSWERS}
        return self.session.ask(str(stretch), "query", fields, read=read)


def _series(data: Any, stretch: Stretch) -> list[tuple[Decoded, int, int]]:
    """Series of a matrix, with how many samples and histograms came; ValueError where it was not asked for."""
    if data["resultType"] != "matrix":
        raise ValueError
    found = []
    for item in data["result"]:
        stretch.asked_labels(item["metric"])
        pairs = item.get("values", [])
        times, values = pairs_of(pairs)
        inside = (times >= stretch.start) & (times < stretch.end)
        kept = times[inside].astype(np.int64)
        if np.any(np.diff(kept) <= 0):
            raise ValueError
        decoded = Decoded.of_series(item["metric"], kept, values[inside])
        found.append((decoded, len(pairs), len(item.get("histograms", []))))
    return found
