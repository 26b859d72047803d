"""Writes to a ledger in processes that end, or meet a full disk, at a byte of one's choice.

The program imports everything once and forks a child for each order. The kernel lets no file of the child grow beyond
`limit` bytes: at that byte it ends the child by a signal ('die'), as a power cut would, or refuses the write ('full').
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ledger import Ledger


def _child(order: dict[str, Any], sink: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if order["how"] == "die" else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], resource.RLIM_INFINITY))
    try:
        Ledger(Path(order["path"])).append_all(order["entries"])
    except CloudxaiError as error:
        os.write(sink, json.dumps([type(error).__name__, str(error)]).encode())


def _serve() -> None:
    for line in sys.stdin:
        source, sink = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                _child(json.loads(line), sink)
            finally:
                os._exit(0)
        os.close(sink)
        with os.fdopen(source, "rb") as said:
            error = json.loads(said.read() or b"null")
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), error]), flush=True)


class MortalWriter:
    """The running program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, path: Path, entries: list[dict[str, Any]], *, how: str, limit: int) -> tuple[int, Any]:
        """How the child ended (0, or minus its signal), and the kind and words of the error that it met."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"path": str(path), "entries": entries, "how": how, "limit": limit}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status, error = json.loads(self._process.stdout.readline())
        return status, error


@contextmanager
def mortal_writer() -> Iterator[MortalWriter]:
    """The program, until the end of the block."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        yield MortalWriter(run)
        assert run.stdin is not None
        run.stdin.close()


if __name__ == "__main__":
    _serve()
