"""A server of samples, read by the fastest of the ways that it offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Way as WayName
from cloudxai_analysis.sources.answers import Declined
from cloudxai_analysis.sources.catalogue import status
from cloudxai_analysis.sources.range_selectors import RangeSelectors
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.sources.series_parts import Stretch
from cloudxai_analysis.sources.session import ObservingSession

if TYPE_CHECKING:
    from cloudxai_analysis.sources.remote_read import RemoteRead
    from cloudxai_analysis.sources.victoria_metrics import Export


class ServerSource:
    """Prometheus, Mimir, Thanos, VictoriaMetrics, or what speaks their API; it is only ever read.

    Unless `way` settles it, the server is asked once what it offers: streamed remote read, else
    VictoriaMetrics' export, else range selectors, which all of them answer.
    """

    def __init__(self, session: ObservingSession, *, way: WayName = "auto", tenant: str | None = None) -> None:
        self.session = session
        self._tenant = tenant
        self._way = way
        self._ranges = RangeSelectors(session)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads in the way that was chosen here, and asks for itself what else it must know."""
        counts, way = self._ranges.counts, self._chosen[0].way
        return _opened_again, (self.session, way, self._tenant, counts.foreseen())

    @property
    def name(self) -> str:
        """The server's base URL without credentials."""
        return self.session.base

    def describe(self) -> dict[str, Any]:
        """Provenance; `chosen` says why samples are read in this way.

        Raises UsageError where the settings name a way that is not offered, and what the session
        does.
        """
        way, why = self._chosen
        version = status(self, "buildinfo").get("version", "unknown")
        described = {**way.about(), "source": self.name, "version": version, "chosen": why}
        return described if self._tenant is None else {**described, "tenant": self._tenant}

    def clock(self) -> datetime:
        """What time it is at the server, by its own `time()`; raises what the session does."""

        def moment(data: Any) -> datetime:
            # VictoriaMetrics gives a series where Prometheus gives a scalar.
            told = data["result"] if data["resultType"] == "scalar" else data["result"][0]["value"]
            return datetime.fromtimestamp(float(told[1]), UTC)

        return self.session.ask("Asked for its time", "query", {"query": "time()"}, read=moment)

    def extent(self) -> Window | None:
        """None: a server's data goes on, and no endpoint says since when."""
        return None

    def rules(self) -> list[AlertingRule] | None:
        """The alerting rules that are loaded; None where the server does not say or leaves them to others."""
        try:
            rules = loaded_rules(self)
        except SourceAnswerError:
            return None
        # A VictoriaMetrics that was told of no vmalert says that there are no rules.
        return rules or (None if self.exports else [])

    @cached_property
    def exports(self) -> bool:
        """Whether the server answers to VictoriaMetrics' export, which no other does."""
        return self._offered("export") is not None

    def counts(self, metric: str, matchers: Labels, days: Sequence[Window]) -> list[tuple[int, int]]:
        """Series and samples of `metric` on each day, as the server counts them, markers left out."""
        stretches = [Stretch.of(metric, matchers, day) for day in days]
        series, samples = (self._ranges.counts.by_day(stretches, how) for how in ("count", "sum"))
        return list(zip(series, samples, strict=True))

    def foresee(self, metric: str, matchers: Labels, windows: Iterable[Window]) -> None:
        """As `Foreseeing.foresee`."""
        self._ranges.counts.foresee([Stretch.of(metric, matchers, window) for window in windows])

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """As `Source.read`; UsageError where a matcher names no label; raises what `describe` does."""
        stretch = Stretch.of(metric, matchers, window)
        if not (stretch.selector and stretch.start < stretch.end):  # a selector refuses what names no label
            return SeriesBatch.of(metric, [])
        return self._chosen[0].read(stretch)

    @cached_property
    def _chosen(self) -> tuple[RemoteRead | Export | RangeSelectors, str]:
        told: list[str] = []
        for name in ("remote_read", "export") if self._way == "auto" else ():
            if found := self._offered(name):
                return found, "; ".join([*told, "the server offers it"])
            told.append(f"{name} is not offered")
        if told or self._way == "range_selectors":
            return self._ranges, "; ".join(told) or "the settings ask for it"
        if found := self._offered(self._way):
            return found, "the settings ask for it"
        raise UsageError(
            f'Source {self.name} does not offer `{self._way}`, which the settings ask for. Set `way` to "auto".'
        )

    def _offered(self, name: str) -> RemoteRead | Export | None:
        """The way of this name, where the server answers a question of that kind without samples."""
        from cloudxai_analysis.sources.remote_read import RemoteRead
        from cloudxai_analysis.sources.victoria_metrics import Export

        way = RemoteRead(self._ranges) if name == "remote_read" else Export(self._ranges)
        try:
            return way if way.offered() else None
        except Declined:
            return None


def _opened_again(
    session: ObservingSession, way: WayName, tenant: str | None, foreseen: list[list[Stretch]]
) -> ServerSource:
    source = ServerSource(session, way=way, tenant=tenant)
    for run in foreseen:
        source._ranges.counts.foresee(run)
    return source
