"""A Dask scheduler and its workers as processes on the loopback, ended with the block."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import free_port

_QUIET = ["--no-dashboard"]


class DaskCluster:
    """Processes by name; `word` is what `--executor` is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = f"127.0.0.1:{free_port()}"
        self.word = f"dask://{self.place}"
        self.running: dict[str, subprocess.Popen] = {}

    def begin(self, name: str, *command: str, before: tuple[str, ...] = (), **variables: str) -> None:
        """A scheduler or worker, and what it says in `NAME.log`."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [*before, sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:], *_QUIET],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables,
            )

    def scheduler(self, **variables: str) -> None:
        """The scheduler, once it listens."""
        host, port = self.place.split(":")
        self.begin("scheduler", "dask_scheduler", "--host", host, "--port", port, **variables)
        self.said("scheduler", b"Scheduler at")

    def worker(self, name: str, *, before: tuple[str, ...] = (), **variables: str) -> None:
        """A worker without a nanny, once it is registered: killed, it stays so."""
        options = ("--no-nanny", "--nthreads", "1", "--name", name)
        self.begin(name, "dask_worker", f"tcp://{self.place}", *options, before=before, **variables)
        self.said(name, b"Registered to")

    def said(self, name: str, words: bytes) -> None:
        """Wait until a process has said it."""
        until = time.monotonic() + 120
        while words not in (self.folder / f"{name}.log").read_bytes():
            assert time.monotonic() < until, (self.folder / f"{name}.log").read_text()
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        process = self.running.pop(name)
        process.kill()
        process.wait()


@contextmanager
def dask_cluster(folder: Path, *workers: str) -> Iterator[DaskCluster]:
    """A scheduler with these workers."""
    cluster = DaskCluster(folder)
    try:
        cluster.scheduler()
        for name in workers:
            cluster.worker(name)
        yield cluster
    finally:
        for name in list(cluster.running):
            cluster.kill(name)
