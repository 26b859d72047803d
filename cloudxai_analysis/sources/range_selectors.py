"""Raw samples by range selectors, which every server answers, and its counts, by which any reading is a whole one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, Final

import numpy as np

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import TooManySamples
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, Steps, matrix, pairs_of, promql_range
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.sources.series_parts import Assembly, Stretch, evaluated, too_many
from cloudxai_analysis.sources.session import ObservingSession

DAY_MS = 86_400_000
MOST_DAYS = 14  # counted by one query: a server gives up a long one


class Counts:
    """A server's counts, markers left out: a query for a run of days, where it is known what will be read."""

    def __init__(self, session: ObservingSession) -> None:
        self.session = session
        self._runs: dict[Stretch, list[Stretch]] = {}
        self._known: dict[Stretch, tuple[int, int]] = {}
        self._lock = Lock()

    def foresee(self, stretches: Iterable[Stretch]) -> None:
        """Take note of what will be read, so that days are counted together."""
        for run in _runs(stretches):
            self._runs.update(dict.fromkeys(run, run))

    def foreseen(self) -> list[list[Stretch]]:
        """The runs of days that are still to be counted together."""
        return list({id(run): run for run in self._runs.values()}.values())

    def before(self, stretch: Stretch) -> int:
        """The samples to be read; raises SourceAnswerError where these or their series are too many, and as `count`.

        Series are counted only where there are more samples than series may be.
        """
        with self._lock:
            if run := self._runs.get(stretch):
                for one in run:
                    del self._runs[one]
                with suppress(SourceAnswerError):  # those not known are counted alone, and in smaller stretches
                    self._known.update(zip(run, self._of_days(run), strict=True))
            known = self._known.pop(stretch, None)
        counted = known or self._of(stretch)
        for limit, found in zip(("samples", "series"), counted, strict=True):
            if found > (most := getattr(self.session.limits, limit)):
                raise SourceAnswerError(
                    f"{stretch}: source {self.session.base} has {found:,} {limit}, more than "
                    f"{too_many(most, limit, limit)}"
                )
        return counted[0]

    def count(self, stretch: Stretch, *, cut: int = 0) -> int:
        """The samples in the stretch without its first `cut` milliseconds.

        Up to Prometheus 2 the sample of the millisecond before the stretch may be among them.
        """
        if stretch.end - stretch.start <= cut:  # PromQL has no range of no length
            return 0
        try:
            return self._ask(replace(stretch, start=stretch.start + cut), "sum")
        except TooManySamples:
            if stretch.end - stretch.start == 1:
                raise
            # No sample may be counted in both halves.
            return sum(self.count(half, cut=1) for half in stretch.parts(2))

    def by_day(self, stretches: Sequence[Stretch], how: str) -> list[int]:
        """The `sum` of samples in each stretch, or the `count` of series; raises what `promql_range` does."""
        found: dict[Stretch, int] = {}
        for run in _runs(stretches):
            steps = Steps(run[0].end - 1, DAY_MS, len(run))
            batch = promql_range(self, _query(run[0], how), steps)
            if len(batch) > 1 or not ((batch.values >= 0) & (batch.values < 2**53)).all():
                raise SourceAnswerError(f"{run[0]}: source {self.session.base} counted what is no number of samples.")
            counted = dict(zip(batch.times.tolist(), batch.values.tolist(), strict=True))
            found |= {one: int(counted.get(one.end - 1, 0)) for one in run}
        return [found[one] for one in stretches]

    def _of_days(self, run: list[Stretch]) -> list[tuple[int, int]]:
        samples = self.by_day(run, "sum")
        many = max(samples) > self.session.limits.series
        return list(zip(samples, self.by_day(run, "count") if many else [0] * len(run), strict=True))

    def _of(self, stretch: Stretch) -> tuple[int, int]:
        samples = self.count(stretch)
        try:
            return samples, self._ask(stretch, "count") if samples > self.session.limits.series else 0
        except TooManySamples:
            return samples, 0  # reading ends where there are too many

    def _ask(self, stretch: Stretch, how: str) -> int:
        def number(data: Any) -> int:
            return sum(int(float(one["value"][1])) for one in data["result"])

        return evaluated(self.session, stretch, _query(stretch, how), number)


def _query(stretch: Stretch, how: str) -> str:
    return f"{how}(count_over_time({stretch.range_selector}))"


def _runs(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Stretches of equal length that end a day apart, so many together as one query may count."""
    run: list[Stretch] = []
    for one in sorted(stretches, key=lambda one: (one.end - one.start, one.selector, one.end)):
        last = run[-1] if run else one
        follows = one.end - last.end == DAY_MS and replace(last, window=one.window, start=one.start, end=one.end) == one
        if run and not (follows and one.end - one.start == last.end - last.start and len(run) < MOST_DAYS):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


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
            counted = self.counts.count(stretch) if attempt else self.counts.before(stretch)
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
            evaluated(self.session, stretch, stretch.range_selector, lambda data: _take(data, stretch, assembly))
        except TooManySamples:
            if stretch.end - stretch.start == 1:
                raise
            for half in stretch.parts(2):
                self._collect(half, assembly)


def _take(data: Any, stretch: Stretch, assembly: Assembly) -> None:
    """Add the series of a matrix to the assembly; ValueError where it is none."""
    for item in matrix(data):
        times, values = pairs_of(item.get("values", []))
        inside = (times >= stretch.start) & (times < stretch.end)
        if np.any(np.diff(times[inside]) <= 0):
            raise ValueError
        assembly.histograms(len(item.get("histograms", [])))
        assembly.add(item["metric"], times[inside].astype(np.int64), values[inside])
