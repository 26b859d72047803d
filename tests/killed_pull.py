"""Pulls, and appends to a ledger, in processes that may die: a program that forks a child for each order; its handle.

The program imports everything and opens nothing, so that a child is there at once, and deltalake, which does not
survive a fork, has not been used before it. A child runs one of the functions of `ORDERS`; what it returns, or the
error that it met, comes back as JSON, and so does the signal that ended it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake import kernels
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.tiles import checked
from cloudxai_analysis.lake.upkeep import published_versions, vacuum
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.contract import Contract, load_contract
from cloudxai_analysis.sources.series import Labels, SeriesBatch

START = datetime(2026, 10, 5, tzinfo=UTC)
LATER = START + 30 * DAY
ROLES = ("up", "readiness", "rejections")
TENANTS = ("007", "a")


class Steady:
    """A source whose samples follow from their times: two series a metric, a sample an hour; some days have none.

    With `gate`, its reads wait until that file is there, after having said so by a file beside it.
    """

    name = "steady://"

    def __init__(self, *, gate: str = "", since: datetime = START) -> None:
        self.asked: list[tuple[str, str]] = []
        self._gate = Path(gate) if gate else None
        self._since = since

    def describe(self) -> dict[str, Any]:
        return {"source": self.name}

    def extent(self) -> Window | None:
        return None

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        del matchers
        self.asked.append((metric, f"{window.start:%Y-%m-%d}"))
        if self._gate:
            self._gate.with_suffix(".reached").touch()
            while not self._gate.exists():
                time.sleep(0.002)
        first = max(window.start_ms, Window(self._since, self._since).start_ms)
        times = np.arange(first, window.end_ms, 3_600_000, dtype=np.int64)
        values = np.cumsum(times % 7_000_003) / 3.0
        parts = [({"tenant": name}, times, values + number) for number, name in enumerate(TENANTS)]
        return SeriesBatch.of(metric, [] if metric == "readiness_state" and window.start.day % 2 else parts)


def contract() -> Contract:
    """Three metrics of the contract."""
    whole = load_contract()
    return whole.model_copy(update={"metrics": {role: whole.metrics[role] for role in ROLES}})


def pull_days(
    path: str, days: float, *, hours: float = 0, gate: str = "", lock_seconds: float = 10, executor: str = "threads"
) -> int:
    """Pull so many days from the start, as of `hours` after their end or, where 0, of long after; the version."""
    window = Window(START, START + days * DAY)
    now = window.start + hours * HOUR if hours else LATER
    source, lake = Steady(gate=gate), open_lake(Path(path))
    return pull(source, lake, contract(), window, now=now, lock_seconds=lock_seconds, executor=executor).version


def fingerprint(snapshot: Snapshot) -> str:
    """One word for all that a version gives its readers."""
    frames = [snapshot.tiles().sort_values(["metric", "date"])]
    for name in contract().series_names():
        window = Window(START, START + 5 * DAY)
        frames += [snapshot.samples(name, window, ["tenant"], markers=True), snapshot.hours(name, window, ["tenant"])]
    return hashlib.sha256("".join(frame.to_csv(index=False) for frame in frames).encode()).hexdigest()[:12]


def look(path: str, version: int = 0) -> str:
    """The fingerprint of a lake's version, or '' while it is empty."""
    lake = open_lake(Path(path))
    return fingerprint(lake.snapshot(version or None)) if version or lake.exists else ""


def age(path: Path, days: float) -> None:
    """Make all that versions gave up look as if they had done so that many days earlier."""
    for log in path.rglob("_delta_log/*.json"):
        moved = re.sub(
            r'("deletionTimestamp":)(\d+)', lambda at: f"{at[1]}{int(at[2]) - int(days * 86_400_000)}", log.read_text()
        )
        log.write_text(moved)


def damaged(lake: Lake) -> list[tuple[str, str, str]]:
    """The files of the newest version that are not what was written: table, metric, day."""
    snapshot = lake.snapshot()
    return [(file.kind, *file.tile) for file in snapshot.files if checked(file.path(lake.path))[1]]


def grow(path: str, times: int) -> int:
    """Pull the same growing days again and again, an hour later each time; the version."""
    return [pull_days(path, 3, hours=35 + number) for number in range(times)][-1]


def tidy(path: str, reports: str) -> int:
    """Vacuum a lake; how many files were removed."""
    return len(vacuum(open_lake(Path(path)), published_versions(Path(reports)), older_than=30 * DAY))


def append(path: str, entries: list[dict[str, Any]]) -> int:
    """Write to a ledger; how many entries were new."""
    return len(Ledger(Path(path)).append_all(entries))


def held(path: str) -> dict[str, Any]:
    """What a ledger holds, once each line was found to be as it was written."""
    return {**Ledger(Path(path)).provenance(), "verified": Ledger(Path(path)).verify().entries}


def free(path: str, kilobytes: int) -> None:
    """Leave so much room on the disk of `path`, by a file that fills the rest; -1 takes the file away."""
    ballast = Path(path) / "ballast"
    ballast.unlink(missing_ok=True)
    if kilobytes >= 0:
        disk = os.statvfs(path)
        ballast.write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - kilobytes * 1024))


def remount(path: str, how: str) -> None:
    """Mount the disk of `path` again, read-only ('ro') or not ('rw')."""
    subprocess.run(["mount", "-o", f"remount,{how}", path], check=True)


ORDERS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (pull_days, look, grow, tidy, append, held, free, remount)
}


def _die_at(event: str, name: str, times: int) -> None:
    """End this process, as a power cut would, at the n-th call of, or return from, a function of the system's.

    Python's functions go by their qualified name; those of `os` and of deltalake, which are no Python, by their own.
    """
    left = [times]

    def watch(frame: Any, kind: str, called: Any) -> None:
        found = getattr(called, "__name__", "") if kind.startswith("c_") else frame.f_code.co_qualname
        # Strings have a `replace`, too.
        if kind == event and found == name and not (hasattr(os, name) and called is not getattr(os, name)):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(watch)
    sys.setprofile(watch)


def _fail_at(name: str, times: int) -> None:
    """Let the n-th call of a function of `os` meet a failing disk."""
    left, real = [times], getattr(os, name)

    def failing(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*args, **kwargs)

    setattr(os, name, failing)


def _limit(name: str, number: int) -> None:
    """Let files get no longer than so many bytes (`FSIZE`), or only so many be open (`NOFILE`)."""
    kind = getattr(resource, f"RLIMIT_{name}")
    resource.setrlimit(kind, (number, resource.getrlimit(kind)[1]))


def _cut_at(byte: int) -> None:
    """End this process, as a power cut would, at this byte of a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit("FSIZE", byte)


SPOILS: dict[str, Callable[..., None]] = {
    function.__name__.removeprefix("_"): function for function in (_die_at, _fail_at, _limit, _cut_at)
}


def _child(order: dict[str, Any], sink: int) -> None:
    try:
        for name, given in order.get("spoilt", {}).items():
            SPOILS[name](*given)
        answer = {"result": ORDERS[order["do"]](*order["args"], **order["options"])}
    except CloudxaiError as error:
        answer = {"code": error.exit_code, "said": str(error), "kind": type(error).__name__}
    except BaseException as error:
        answer = {"code": 1, "said": str(error), "kind": type(error).__name__}
    sys.setprofile(None)
    os.write(sink, json.dumps(answer).encode())


def serve() -> None:
    """Fork a child for each order that comes as a line of JSON."""
    # numba's compiled code is loaded before the first fork, not by each child.
    assert kernels.roll_up_groups
    running: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            pid = order["reap"]
        else:
            source, sink = os.pipe()
            pid = os.fork()
            if not pid:
                try:
                    _child(order, sink)
                finally:
                    os._exit(0)
            os.close(sink)
            running[pid] = source
        if order.get("wait", True):
            if delay := order.get("delay"):
                time.sleep(delay)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with os.fdopen(running.pop(pid), "rb") as said:
                answer = json.loads(said.read() or b"{}")
            answer["status"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


class Mortals:
    """The running program: each call is one child's life."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, do: str, *args: Any, delay: float = 0, spoilt: Any = None, **options: Any) -> dict[str, Any]:
        """What a child returned (`result`), or its error (`code`, `kind`, `said`); with how it ended (`status`)."""
        return self._order(do, args, options, spoilt=spoilt or {}, delay=delay)

    def begin(self, do: str, *args: Any, **options: Any) -> int:
        """Let a child begin, and go on; its process id."""
        return int(self._order(do, args, options, wait=False)["pid"])

    def _order(self, do: str, args: Sequence[Any], options: dict[str, Any], **how: Any) -> dict[str, Any]:
        words = [str(arg) if isinstance(arg, Path) else arg for arg in args]
        return self._ask({"do": do, "args": words, "options": options, **how})

    def end(self, pid: int) -> dict[str, Any]:
        """Wait for a child that was begun; what came of it."""
        return self._ask({"reap": pid})

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


# A disk of its own in memory, which nobody outside of the process sees, and which goes with it.
ON_A_DISK = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m none "$0" && exec "$@"']


def refused(met: dict[str, Any], cause: str) -> None:
    """Whether a child met one line with the system's own word, and exit code 5."""
    assert (met.get("kind"), met.get("code"), met["status"]) == ("LakeUnwritable", 5, 0), met
    assert cause in met["said"]
    assert not {"\n", "\x1b"} & set(met["said"])


@contextmanager
def mortals(before: Sequence[str] = (), *, program: Sequence[str] = (__file__,)) -> Iterator[Mortals]:
    """The program, or another that serves further orders, run by the words in `before` if there are any."""
    command = [*before, sys.executable, *program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortals(process)
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    serve()
