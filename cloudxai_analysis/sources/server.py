"""A server of samples, read by the fastest of the ways that it offers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Limits, Way
from cloudxai_analysis.sources.answers import Declined
from cloudxai_analysis.sources.http_api import PrometheusSource, asking
from cloudxai_analysis.sources.matchers import selector
from cloudxai_analysis.sources.promql_range import Steps, promql_range
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.sources.series import Labels, SeriesBatch, Source
from cloudxai_analysis.sources.session import ObservingSession

_DAY_MS = 86_400_000


class Offered(Source, Protocol):
    """A way of reading that a server may or may not offer."""

    def offered(self) -> bool:
        """Whether the server answers to it."""


class ServerSource:
    """Prometheus, Mimir, Thanos, VictoriaMetrics, or what speaks their API; it is only ever read.

    The server is asked once what it offers: streamed remote read, else VictoriaMetrics' export, else range selectors,
    with which every one of them answers. `way` settles it instead.
    """

    def __init__(
        self, session: ObservingSession, *, limits: Limits, way: Way = "auto", tenant: str | None = None
    ) -> None:
        self.session = session
        self._tenant = tenant
        self._limits = limits
        self._way = way

    @property
    def name(self) -> str:
        """The server's base URL without credentials."""
        return self.session.base

    @property
    def received(self) -> int:
        """Bytes of all bodies so far."""
        return self.session.received

    def describe(self) -> dict[str, Any]:
        """Provenance; `warnings` is a living list, `chosen` says why samples are read in this way, `tenant` whose.

        Raises
        ------
        UsageError
            The settings name a way that the server does not offer.
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or is none of samples.
        """
        source, why = self._chosen
        described = {**source.describe(), "chosen": why}
        return described if self._tenant is None else {**described, "tenant": self._tenant}

    def extent(self) -> Window | None:
        """None: a server's data goes on, and no endpoint says since when."""
        return None

    def rules(self) -> list[AlertingRule] | None:
        """The alerting rules that the server has loaded; None where it does not say, or leaves rules to others.

        Raises
        ------
        SourceUnreachable, RefusedForSecurity
            The server did not answer.
        """
        try:
            rules = loaded_rules(self)
        except SourceAnswerError:
            return None
        # A VictoriaMetrics evaluates nothing, and says that there are no rules unless it was told of a vmalert.
        return rules or (None if self.exports else [])

    @cached_property
    def exports(self) -> bool:
        """Whether the server answers to VictoriaMetrics' export, which no other does."""
        return self._offered("export", PrometheusSource(self.session)) is not None

    def counts(self, metric: str, matchers: Labels, days: Sequence[Window]) -> list[tuple[int, int]]:
        """Series and samples of `metric` on each of the days, as the server counts them, staleness markers left out.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or would not count so many.
        """
        ends = [day.end_ms for day in days]
        first, last = min(ends), max(ends)
        # A range holds its left end before Prometheus 3.0, and not since: a millisecond less counts no sample twice.
        steps = Steps(first - 1, _DAY_MS, (last - first) // _DAY_MS + 1)
        over = f"count_over_time({selector(metric, matchers)}[{_DAY_MS - 1}ms])"
        found = [promql_range(self, f"{how}({over})", steps) for how in ("count", "sum")]
        series, samples = (dict(zip(batch.times.tolist(), batch.values.tolist(), strict=True)) for batch in found)
        return [(round(series.get(end - 1, 0)), round(samples.get(end - 1, 0))) for end in ends]

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The raw samples of `metric` in `[window.start, window.end)` of series whose labels equal `matchers`.

        Raises
        ------
        UsageError
            A matcher names no label; the settings name a way that the server does not offer.
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or answered wrongly or in part.
        """
        return self._chosen[0].read(metric, matchers, window)

    @cached_property
    def _chosen(self) -> tuple[Source, str]:
        api = PrometheusSource(self.session)
        passed_over: list[str] = []
        for way in ("remote_read", "export"):
            if self._way not in ("auto", way):
                continue
            if found := self._offered(way, api):
                why = (
                    "the settings ask for it" if self._way == way else "; ".join([*passed_over, "the server offers it"])
                )
                return found, why
            passed_over.append(f"{way} is not offered")
        if self._way in ("remote_read", "export"):
            raise UsageError(
                f'Source {self.name} does not offer `{self._way}`, which the settings ask for. Set `way` to "auto".'
            )
        return api, "the settings ask for it" if self._way == "range_selectors" else "; ".join(passed_over)

    def _offered(self, way: str, api: PrometheusSource) -> Source | None:
        """The source that reads in this way, where the server answers a question of that kind without samples."""
        source = self._remote_read(api) if way == "remote_read" else self._export(api)
        with asking(f"Asked whether it offers {way}"):
            try:
                return source if source.offered() else None
            except Declined:
                return None

    def _remote_read(self, api: PrometheusSource) -> Offered:
        from cloudxai_analysis.sources.remote_read import RemoteReadSource

        limits = self._limits
        return RemoteReadSource(api, largest_frame=limits.frame_bytes, largest_answer=limits.response_bytes)

    def _export(self, api: PrometheusSource) -> Offered:
        from cloudxai_analysis.sources.victoria_metrics import VictoriaMetricsSource

        return VictoriaMetricsSource(api)
