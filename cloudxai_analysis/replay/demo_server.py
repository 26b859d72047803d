"""A Prometheus of our own over the demo's samples, as long as a replay lasts, on the loopback.

The samples go in by remote write, in order of time, into one block that is never cut: ten times as
fast as by promtool, which parses text. Nothing of this is ever done to a server that is watched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cramjam
import numpy as np
import requests
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceUnreachable
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.own_server import own_server
from cloudxai_analysis.sources.series import SeriesBatch, Source

_SLICE_MS = 6 * 3_600_000  # of samples in one request
_BLOCK = "2400h"  # equal bounds as long as the demo keep all samples in one block, in any order
_OPTIONS = (
    "--storage.tsdb.retention.time=100y",
    f"--storage.tsdb.min-block-duration={_BLOCK}",
    f"--storage.tsdb.max-block-duration={_BLOCK}",
    "--web.enable-remote-write-receiver",
)
_NEEDED = (
    "Replay needs a server, because PromQL is evaluated by a server and never by code of ours: install Prometheus "
    "(Debian package prometheus), or give --source the URL of one."
)
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
_SAMPLE = np.dtype([("head", "u1", 3), ("value", "<f8"), ("tag", "u1"), ("time", "u1", 6)])


@contextmanager
def demo_server(source: Source, metrics: Iterable[str], window: Window) -> Iterator[str]:
    """The base URL of a Prometheus that holds the source's samples of these metrics in the window.

    Raises NeedsServer where none is installed, SourceUnreachable where it does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cloudxai-replay-") as folder,
        own_server(Path(folder), {"global": {}}, needed=_NEEDED, options=_OPTIONS) as url,
    ):
        _load(url, [source.read(metric, {}, window) for metric in metrics])
        yield url


def _load(url: str, batches: list[SeriesBatch]) -> None:
    """Send all samples, slice by slice, each slice with every series."""
    ends = [(int(batch.times.min()), int(batch.times.max())) for batch in batches if len(batch.times)]
    begins = range(min(first for first, _ in ends), max(last for _, last in ends) + 1, _SLICE_MS) if ends else ()
    with requests.Session() as session:
        session.trust_env = False
        for begin in begins:
            written = b"".join(_series(batch, begin, begin + _SLICE_MS) for batch in batches)
            packed = bytes(cramjam.snappy.compress_raw(written))
            answer = session.post(f"{url}/api/v1/write", data=packed, headers=_HEADERS, timeout=60)
            if answer.status_code not in (200, 204):
                said = " ".join(answer.text.split())[:200]
                raise SourceUnreachable(f"The Prometheus for the demo did not take its samples: {said}.")


def _series(batch: SeriesBatch, begin: int, end: int) -> bytes:
    """Series as remote write carries them: sorted labels (`Label`: name 1, value 2), and their samples of a slice."""
    written = []
    for labels, first, last in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True):
        low, high = first + np.searchsorted(batch.times[first:last], (begin, end))
        if low < high:
            pairs = sorted({**labels, "__name__": batch.metric}.items())
            head = b"".join(_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in pairs)
            written.append(_field(1, head + _samples(batch.times[low:high], batch.values[low:high])))
    return b"".join(written)


def _samples(times: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
    """Samples as remote write carries them (prometheus/prompb `Sample`: value 1, timestamp 2), all of one length."""
    rows = np.empty(len(times), dtype=_SAMPLE)
    rows["head"] = (0x12, 16, 0x09)
    rows["value"] = values
    rows["tag"] = 0x10
    for place in range(6):  # six groups of seven bits hold every time from 2005 to 2109
        rows["time"][:, place] = (times >> (7 * place)) & 0x7F | (0x80 if place < 5 else 0)
    return rows.tobytes()


def _field(number: int, content: bytes) -> bytes:
    """A field of protobuf that says its length, in groups of seven bits, before its content."""
    length, left = bytearray(), len(content)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([number << 3 | 2, *length, left]) + content
