"""Sessions with a server, and one way of reading samples from it, chosen without asking what the server offers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hostile_server import Handler, Hostile, matrix, vector

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.credentials import HttpConfig
from cloudxai_analysis.sources.range_selectors import SAMPLES_PER_ANSWER, RangeSelectors
from cloudxai_analysis.sources.remote_read import RemoteRead
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.sources.series_parts import Stretch
from cloudxai_analysis.sources.session import Credentials, ObservingSession
from cloudxai_analysis.sources.victoria_metrics import Export

START = datetime(2026, 11, 9, tzinfo=UTC)
START_MS = 1_794_182_400_000
WEEK = Window(START, START + timedelta(days=7), "the week")
QUICK = Limits(retries=1, request_timeout_seconds=5, connect_timeout_seconds=2, total_deadline_seconds=10)
Samples = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True)
class Reader:
    """A way of reading, and the range selectors on the same server that it counts by."""

    way: Any
    ranges: RangeSelectors

    @property
    def session(self) -> ObservingSession:
        """The session with the server."""
        return self.ranges.session

    @property
    def name(self) -> str:
        """The server's URL."""
        return self.ranges.session.base

    def read(self, metric: str, matchers: dict[str, str], window: Window) -> SeriesBatch:
        """The samples in the window."""
        return self.way.read(Stretch.of(metric, matchers, window))


def session_of(url: str, how: Limits = QUICK, **config: Any) -> ObservingSession:
    """A session with a server that is spoken to as `config` says."""
    return ObservingSession(url, limits=how, credentials=Credentials(HttpConfig.model_validate(config)))


def ask(session: ObservingSession) -> Any:
    """The document of one query."""
    return session.post(f"{session.base}/api/v1/query", data={"query": "up"}).json()


def reader(url: str, way: str, *, most: int = SAMPLES_PER_ANSWER, **limits: Any) -> Reader:
    """The reader of this way at a server; `most` samples are asked for in one answer of range selectors."""
    limited = Limits(**{"retries": 0, "total_deadline_seconds": 60, **limits})
    session = ObservingSession(url, limits=limited, credentials=Credentials())
    ranges = RangeSelectors(session, samples_per_answer=most)
    ways = {
        "range_selectors": lambda: ranges,
        "remote_read": lambda: RemoteRead(ranges),
        "export": lambda: Export(ranges),
    }
    return Reader(ways[way](), ranges)


def bits_of(batch: SeriesBatch) -> Samples:
    """Times and the bits of the values, by canonical labels."""
    bits, times = batch.values.view(np.uint64).tolist(), batch.times.tolist()
    return {
        canonical_labels(labels): list(zip(times[a:b], bits[a:b], strict=True))
        for labels, (a, b) in zip(batch.labels, itertools.pairwise(batch.offsets.tolist()), strict=True)
    }


def within(samples: Samples, window: Window) -> Samples:
    """What of the samples lies in the half-open window, one by one."""
    start, end = window.start_ms, window.end_ms
    kept = {labels: [(time, bits) for time, bits in pairs if start <= time < end] for labels, pairs in samples.items()}
    return {labels: pairs for labels, pairs in kept.items() if pairs}


BODIES = {
    "remote_read": "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
    "export": "application/stream+json",
    "range_selectors": "",
}


def serving(
    hostile: Hostile,
    way: str,
    body: bytes = b"",
    *,
    samples: Any = None,
    count: object = "0",
    known: Sequence[object] = (),
    content: str = "",
) -> Reader:
    """A reader of a server that gives, counts and knows what it is told to, whatever is true."""

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(body, Content_Type=content or BODIES[way])
        elif handler.path.endswith("/series"):
            handler.document({"status": "success", "data": list(known)})
        elif fields.get("query", "").startswith(("sum(count_over_time(", "count(count_over_time(")):
            handler.document(vector(str(count)) if count else vector())
        elif handler.path.endswith("/query"):
            handler.document(samples or matrix())
        else:
            handler.document({"status": "success", "data": {}})

    hostile.script = script
    return reader(hostile.url, way)


def moment(milliseconds: int) -> datetime:
    """So many milliseconds after the start."""
    return START + timedelta(milliseconds=milliseconds)
