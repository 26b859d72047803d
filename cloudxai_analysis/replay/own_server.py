"""A Prometheus of our own on the loopback, which ends with the block that uses it, or with this process.

The demo's samples go into one by remote write, in order of time, into one block that is never cut:
ten times as fast as by promtool, which parses text. Nothing of this is ever done to a server that
is watched.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import requests
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceUnreachable, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.series import SeriesBatch, Source

SERVER = "prometheus"
_READY_SECONDS = 60.0
# The shell ends the server once its standard input ends, which it does with whoever holds the other side.
_KEEPER = (
    'exec 3<&0; "$@" 3<&- </dev/null & kept=$!; { read -r _ <&3; kill -9 $kept; } & '
    "wait $kept; code=$?; kill $! 2>/dev/null; exit $code"
)


class NeedsServer(UsageError):
    """Nothing is installed that could evaluate PromQL, or scrape."""


@contextmanager
def own_server(folder: Path, config: Mapping[str, Any], *, needed: str, options: Sequence[str] = ()) -> Iterator[str]:
    """The base URL of a Prometheus that runs in a folder with this configuration.

    Raises NeedsServer where none is installed, which says what it is `needed` for;
    SourceUnreachable where it does not start.
    """
    if shutil.which(SERVER) is None:
        raise NeedsServer(needed)
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        SERVER,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *options,
    ]
    with (folder / "log").open("wb") as log:
        kept = subprocess.Popen(  # noqa: S603 - our own words only
            ["/bin/sh", "-c", _KEEPER, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    try:
        _wait(kept, f"http://{address}", folder / "log")
        yield f"http://{address}"
    finally:
        kept.communicate()  # which ends its standard input


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/-/ready", timeout=5).status_code == 200:
                return
        time.sleep(0.03)
    said = " ".join(log.read_text(encoding="utf-8", errors="replace").split()[-40:])
    raise SourceUnreachable(f"A Prometheus of our own did not start: {said}. Try `{SERVER} --version`.")


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
    for labels, times, values in batch:
        low, high = np.searchsorted(times, (begin, end))
        if low < high:
            pairs = sorted({**labels, "__name__": batch.metric}.items())
            head = b"".join(_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in pairs)
            written.append(_field(1, head + _samples(times[low:high], values[low:high])))
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
