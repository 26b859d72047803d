"""A Prometheus of our own, on the loopback, which ends with the block that uses it, or with this process."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from cloudxai_analysis.ground.errors import SourceUnreachable, UsageError

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
