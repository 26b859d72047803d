"""Real servers for tests, on the loopback: started here, ended here, and loaded with samples that are known."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch

TOOLS = ("prometheus", "promtool")
BLOCK_HOURS = 24
READY_SECONDS = 60.0
_MARKERS_UNWRITABLE = "A staleness marker has no form in OpenMetrics; plant it by remote write."


class ServerFailed(RuntimeError):
    """A server or tool that a test needs is missing, ended early or was not ready in time."""


@dataclass(frozen=True)
class Server:
    """A server that runs: its base URL, and the folder that holds its data and its log."""

    url: str
    folder: Path

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def tools_may_be_missing() -> bool:
    """Whether a missing tool only leaves tests out; in continuous integration it is an error."""
    return os.environ.get("CI") != "true"


@contextmanager
def prometheus(folder: Path, *, config: str = "global: {}\n", options: Sequence[str] = ()) -> Iterator[Server]:
    """A Prometheus over the blocks in `folder/data`; nothing is ever deleted or compacted there."""
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        # Equal bounds switch compaction off, which would otherwise work beside the tests.
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
        *options,
    ]
    with _running(folder, command, "--web.listen-address={}") as server:
        yield server


@contextmanager
def victoria_metrics(folder: Path, *, options: Sequence[str] = ()) -> Iterator[Server]:
    """A single-node VictoriaMetrics that keeps what it is given."""
    command = [
        "victoria-metrics",
        f"--storageDataPath={folder / 'data'}",
        "--retentionPeriod=100y",
        "--loggerTimezone=UTC",
        *options,
    ]
    with _running(folder, command, "--httpListenAddr={}") as server:
        yield server


def load_openmetrics(folder: Path, batches: Iterable[SeriesBatch], *, block_hours: int = BLOCK_HOURS) -> int:
    """Put samples into `folder/data` as blocks of a Prometheus that is not running, and say how many.

    promtool parses a whole file again for each of its blocks, so each block gets a file of its own.
    """
    given = list(batches)
    work = folder / "openmetrics"
    work.mkdir(parents=True)
    (folder / "data").mkdir(exist_ok=True)
    edges = _block_edges(given, block_hours * 3_600_000)
    with ThreadPoolExecutor(2) as pool:
        sizes = list(pool.map(lambda edge: _load_block(folder, given, edge, block_hours), edges))
    shutil.rmtree(work)
    return sum(sizes)


def _block_edges(batches: list[SeriesBatch], block: int) -> list[tuple[int, int]]:
    starts = {int(start) for batch in batches for start in np.unique(batch.times // block * block)}
    return [(start, start + block) for start in sorted(starts)]


def _load_block(folder: Path, batches: list[SeriesBatch], edge: tuple[int, int], block_hours: int) -> int:
    file, made = folder / "openmetrics" / f"{edge[0]}.txt", folder / "openmetrics" / f"{edge[0]}.blocks"
    with file.open("w", encoding="utf-8") as text:
        size = sum(_write(text.write, batch, edge) for batch in batches)
        text.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    command += [f"--max-block-duration={block_hours}h", str(file), str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"promtool refused {file.name}: {done.stderr or done.stdout}")
    for block in made.iterdir():
        block.rename(folder / "data" / block.name)
    file.unlink()
    return size


def _write(write: Callable[[str], object], batch: SeriesBatch, edge: tuple[int, int]) -> int:
    size = 0
    for labels, first, last in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True):
        low, high = first + np.searchsorted(batch.times[first:last], edge)
        values = batch.values[low:high]
        if np.any(values.view(np.int64) == STALENESS_MARKER_BITS):
            raise ValueError(_MARKERS_UNWRITABLE)
        name = _series_name(batch.metric, labels)
        moments = _moments(batch.times[low:high].tobytes())
        write("".join([f"{name} {value!r} {moment}\n" for value, moment in zip(values.tolist(), moments, strict=True)]))
        size += len(values)
    return size


def _series_name(metric: str, labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{metric}{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@lru_cache(maxsize=8)  # most series of a scrape share their times
def _moments(times: bytes) -> list[str]:
    # promtool cuts the thousandfold of the seconds to a whole number; the digit after the milliseconds keeps the
    # double from falling just below it.
    return [f"{time // 1000}.{time % 1000:03d}4" for time in np.frombuffer(times, dtype=np.int64).tolist()]


@contextmanager
def _running(folder: Path, command: list[str], listen: str) -> Iterator[Server]:
    address = f"127.0.0.1:{free_port()}"
    (folder / "data").mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        try:
            process = subprocess.Popen([*command, listen.format(address)], stdout=log, stderr=log, cwd=folder)
        except FileNotFoundError:
            raise ServerFailed(f"{command[0]} is not installed (Debian package of the same name).") from None
    try:
        server = Server(f"http://{address}", folder)
        _wait_until_ready(process, server, address)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], server: Server, address: str) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ServerFailed(f"{server.url} ended with {process.returncode}: {server.log[-2000:]}")
        if _ready(address):
            return
        time.sleep(0.05)
    raise ServerFailed(f"{server.url} was not ready within {READY_SECONDS:g} s: {server.log[-2000:]}")


def _ready(address: str) -> bool:
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def series(labels: Labels, times: Sequence[int], values: Sequence[float]) -> tuple[Labels, NDArray[np.int64], NDArray]:
    """One series as `SeriesBatch.of` takes it, from plain lists."""
    return labels, np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)
