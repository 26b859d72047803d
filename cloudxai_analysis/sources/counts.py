"""How many samples and series a server says that it has: what is read is held against it, or not even begun."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, NamedTuple

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import TooManySamples
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, Steps, promql_range
from cloudxai_analysis.sources.series_parts import Stretch, too_many
from cloudxai_analysis.sources.session import ObservingSession

DAY_MS = 86_400_000
MOST_DAYS = 14  # counted by one query: a server gives up a long one


class Counted(NamedTuple):
    """What a stretch holds; series are counted only where there are more samples than series may be, else 0."""

    samples: int
    series: int


class Counts:
    """A server's counts, markers left out: a query for a run of days, where it is known what will be read."""

    def __init__(self, session: ObservingSession) -> None:
        self.session = session
        self._runs: dict[Stretch, list[Stretch]] = {}
        self._known: dict[Stretch, Counted] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The server's base URL."""
        return self.session.base

    def foresee(self, stretches: Iterable[Stretch]) -> None:
        """Take note of what will be read, so that days are counted together."""
        for run in _runs(stretches):
            self._runs.update(dict.fromkeys(run, run))

    def foreseen(self) -> list[list[Stretch]]:
        """The runs of days that are still to be counted together."""
        return list({id(run): run for run in self._runs.values()}.values())

    def before(self, stretch: Stretch) -> Counted:
        """What there is to be read; raises SourceAnswerError where it is more than may be, and what `count` does."""
        with self._lock:
            if run := self._runs.get(stretch):
                for one in run:
                    del self._runs[one]
                with suppress(SourceAnswerError):  # those not known are counted alone, and in smaller stretches
                    self._known.update(zip(run, self._of_days(run), strict=True))
            known = self._known.pop(stretch, None)
        return self._bounded(stretch, known or self._of(stretch))

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
                raise SourceAnswerError(f"{run[0]}: source {self.name} counted what is no number of samples.")
            counted = dict(zip(batch.times.tolist(), batch.values.tolist(), strict=True))
            found |= {one: int(counted.get(one.end - 1, 0)) for one in run}
        return [found[one] for one in stretches]

    def _of_days(self, run: list[Stretch]) -> list[Counted]:
        samples = self.by_day(run, "sum")
        many = max(samples) > self.session.limits.series
        return list(map(Counted, samples, self.by_day(run, "count") if many else [0] * len(run)))

    def _of(self, stretch: Stretch) -> Counted:
        samples = self.count(stretch)
        try:
            return Counted(samples, self._ask(stretch, "count") if samples > self.session.limits.series else 0)
        except TooManySamples:
            return Counted(samples, 0)  # reading ends where there are too many

    def _bounded(self, stretch: Stretch, counted: Counted) -> Counted:
        for limit, found in counted._asdict().items():
            if found > (most := getattr(self.session.limits, limit)):
                raise SourceAnswerError(
                    f"{stretch}: source {self.name} has {found:,} {limit}, more than {too_many(most, limit, limit)}"
                )
        return counted

    def _ask(self, stretch: Stretch, how: str) -> int:
        fields = {"query": _query(stretch, how), "time": stretch.edges["end"], "timeout": self.session.patience}

        def number(data: Any) -> int:
            return sum(int(float(one["value"][1])) for one in data["result"])

        return self.session.ask(str(stretch), "query", {**fields, **WHOLE_ANSWERS}, read=number)


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
