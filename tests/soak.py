"""A month of a platform, pulled day by day through faults that a seed draws; in the end nothing is lost or doubled.

`python tests/soak.py --seed 7 --runs 100` says what each run met. The same seed meets the same faults, with the same
outcomes, which its word stands for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import killed_pull
import numpy as np
import servers
from filelock import FileLock
from hostile_server import Handler, Hostile, hostile_server
from killed_pull import START, Mortals, contract, mortals
from readers import Samples, bits_of, session_of, within

from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.files import written
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.lake.tiles import checked
from cloudxai_analysis.lake.upkeep import set_aside, set_aside_torn
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.report.publish import building, publish
from cloudxai_analysis.sources import remote_read  # noqa: F401  # its compiled code is loaded before the first fork
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.sources.session import POSTED

DAYS = 30
MONTH = Window(START, START + DAYS * DAY)
TOKEN = "s0ak-canary-b5f1c7"
HOSTILE = ["007", "true", "../x", 'a"b\\c\n', "=1+1", "<script>", "é" * 200, "ACME", "acme"]
LIMITS = Limits(retries=1, request_timeout_seconds=120, connect_timeout_seconds=60, total_deadline_seconds=300)
MEMORY = "/dev/shm"  # noqa: S108
LABELS = ["job", "instance", "tenant"]
CODES = (3, 4, 5, 7, 8)
PAGES = ("summary.json", "page.html")


def platform() -> Iterator[SeriesBatch]:
    """Three metrics of two instances; on the tenth and twentieth day a rollout replaces one: counters begin anew."""
    starts = [START, START + 10 * DAY, START + 20 * DAY, MONTH.end]
    for name in contract().series_names():
        parts = []
        for stage, (start, end) in enumerate(pairwise(starts)):
            times = np.arange(Window(start, end).start_ms, Window(start, end).end_ms, 1_800_000, dtype=np.int64)
            for number, tenant in enumerate(HOSTILE if "rejections" in name else [""]):
                labels = {"job": "cloudxai", "instance": f"v{stage}:8080", **({"tenant": tenant} if tenant else {})}
                values = np.arange(len(times)) * (number + 1.5) if "rejections" in name else np.ones(len(times))
                parts.append((labels, times, values))
        yield SeriesBatch.of(name, parts)


TRUTH = {batch.metric: bits_of(batch) for batch in platform()}


# --- faults of the source: each answers in the place of the server ---


@dataclass(frozen=True)
class Answer:
    """What the server really said."""

    status: int
    content: str
    body: bytes

    def give(self, handler: Handler, body: bytes | None = None, **headers: str) -> None:
        """Send it, or another body."""
        handler.say(self.body if body is None else body, self.status, Content_Type=self.content, **headers)


def _cut(handler: Handler, answer: Answer) -> None:
    answer.give(handler, answer.body[: len(answer.body) // 2], Content_Length=str(len(answer.body)))
    handler.close_connection = True


def _reset(handler: Handler, _: Answer) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    raise ConnectionResetError


def _flipped(handler: Handler, answer: Answer) -> None:
    body = bytearray(answer.body or b"\0")
    body[len(body) // 2] ^= 1
    answer.give(handler, bytes(body))


def _counting(handler: Handler, answer: Answer, more: int) -> None:
    document = json.loads(answer.body)
    for one in document["data"]["result"]:
        for pair in one.get("values") or [one["value"]]:
            pair[1] = str(max(int(pair[1]) + more, 0))
    answer.give(handler, json.dumps(document).encode())


def _warned(handler: Handler, answer: Answer) -> None:
    answer.give(handler, json.dumps({**json.loads(answer.body), "warnings": ["a store was away"]}).encode())


# Of each fault whom it hits: any answer, one to a read, one that counts.
SOURCE: dict[str, tuple[str, Callable[[Handler, Answer], None]]] = {
    "cut short": ("any", _cut),
    "ended properly in the middle": ("read", lambda to, answer: answer.give(to, answer.body[: len(answer.body) // 2])),
    "reset": ("any", _reset),
    "429": ("any", lambda to, _: to.say(b"slow down", 429, Retry_After="0")),
    "429 until nonsense": ("any", lambda to, _: to.say(b"slow down", 429, Retry_After="soon")),
    "500": ("any", lambda to, _: to.say(b"oops", 500)),
    "503": ("any", lambda to, _: to.say(b"compacting", 503)),
    "a login page": ("any", lambda to, _: to.say(b"<html>log in</html>", Content_Type="text/html")),
    "a redirect": ("any", lambda to, _: to.say(b"", 302, Location="http://127.0.0.1:1/")),
    "401": ("any", lambda to, _: to.say(b"who are you", 401)),
    "a flipped bit": ("read", _flipped),
    "an empty answer": ("read", lambda to, answer: answer.give(to, b"")),
    "an error after the frames": ("read", lambda to, answer: answer.give(to, answer.body + b"error: lost a block")),
    "frames twice": ("read", lambda to, answer: answer.give(to, answer.body * 2)),
    "counts too much": ("count", lambda to, answer: _counting(to, answer, 5)),
    "counts too little": ("count", lambda to, answer: _counting(to, answer, -5)),
    "counts nothing": ("count", lambda to, answer: _counting(to, answer, -(10**9))),
    "a part, with a warning": ("count", _warned),
    "repeats the credentials": ("any", lambda to, answer: answer.give(to, answer.body + TOKEN.encode())),
}


@dataclass
class Proxy:
    """What stands before the server: passes requests on, and spoils some answers while a fault is armed."""

    hostile: Hostile
    server: str
    fault: str = ""
    spared: int = 0
    left: int = 0
    reached: int = 0

    def arm(self, fault: str, spared: int, times: int) -> None:
        """Let the answers after so many that are spared meet a fault, so many times."""
        self.fault, self.spared, self.left, self.reached = fault, spared, times, 0

    def __call__(self, handler: Handler, fields: Mapping[str, str]) -> None:
        """One request."""
        answer = self._ask(handler)
        counts = fields.get("query", "").startswith(("sum(count_over_time", "count(count_over_time"))
        kinds = {"any", "read" if handler.path.endswith("/read") else "count" if counts else ""}
        if self.fault and answer.status == 200 and SOURCE[self.fault][0] in kinds:
            self.spared -= 1
            if self.spared < 0 < self.left:
                self.left -= 1
                self.reached += 1
                SOURCE[self.fault][1](handler, answer)
                return
        answer.give(handler)

    def _ask(self, handler: Handler) -> Answer:
        sent = {name: value for name, value in handler.headers.items() if name.startswith(("Content-", "Accept", "X-"))}
        with closing(HTTPConnection(self.server.removeprefix("http://"))) as there:
            there.request(handler.command, handler.path, handler.body, sent)
            answer = there.getresponse()
            return Answer(answer.status, answer.getheader("Content-Type", ""), answer.read())


# --- faults of the process, as `killed_pull` spoils a child, and of the lake, done to it between two pulls ---

_EDGES = ("c_call", "c_return")
STEPS = [*((edge, call, times) for edge in _EDGES for call in ("fsync", "replace") for times in (1, 3, 8))]
STEPS += [(edge, "create_write_transaction", times) for edge in _EDGES for times in (1, 2)]
PROCESS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "killed at a step": lambda chance: {"die_at": chance.choice(STEPS)},
    "killed at a byte": lambda chance: {"cut_at": [chance.randrange(200, 6_000)]},
    "a full disk": lambda chance: {"limit": ("FSIZE", chance.randrange(200, 6_000))},
    "a failing disk": lambda chance: {"fail_at": (chance.choice(["fsync", "replace"]), chance.randrange(1, 12))},
    "too few files": lambda chance: {"limit": ("NOFILE", chance.randrange(8, 24))},
}


def _flip(path: Path, chance: Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _tear(path: Path, chance: Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


LAKE: dict[str, Callable[[Path, Random], object]] = {
    "a flipped bit in a tile": _flip,
    "a torn tile": _tear,
    "a lost tile": lambda path, _: path.unlink(),
    "a foreign file": lambda path, _: path.with_name("notes.txt").write_text("mine"),
    "a torn newest log": _tear,
}
OTHERS = ("a clock that is behind", "a second writer")
# A writer of one small file needs fewer files than a pull.
BESIDE = ("soak_note", "soak_publish")
WRITER = {**PROCESS, "too few files": lambda chance: {"limit": ("NOFILE", chance.randrange(3, 7))}}
ALL = {*SOURCE, *PROCESS, *LAKE, *OTHERS, *(f"{order}: {fault}" for order in BESIDE for fault in PROCESS)}


# --- what a child does; each goes on where another was interrupted ---


def soak_pull(folder: str, url: str, hours: float, lock_seconds: float = 10) -> int:
    """Pull the month up to so many hours after its start; the version."""
    source = ServerSource(session_of(url, LIMITS, authorization={"credentials": TOKEN}))
    now, lake = START + hours * HOUR, open_lake(Path(folder) / "lake")
    window = Window(START, min(MONTH.end, now))
    return pull(source, lake, contract(), window, now=now, concurrency=1, lock_seconds=lock_seconds).version


def soak_look(folder: str) -> str:
    """One word for the samples of the lake and for what it tells of lost ones, or '' while it is empty."""
    lake = open_lake(Path(folder) / "lake")
    if not lake.exists:
        return ""
    snapshot = lake.snapshot()
    told = [*snapshot.warnings(MONTH), *map(str, snapshot.shrunk)]
    return word({name: _series(snapshot, name) for name in contract().series_names()}) + "".join(told)


def _series(snapshot: Snapshot, name: str) -> Samples:
    frame = snapshot.samples(name, MONTH, LABELS, markers=True)
    times, bits = frame["time"].astype("int64").to_numpy() // 1_000, frame["value"].to_numpy().view(np.uint64)
    return {
        canonical_labels({label: text for label, text in zip(LABELS, found, strict=True) if text}): [
            *zip(times[rows].tolist(), bits[rows].tolist(), strict=True)
        ]
        for found, rows in frame.groupby(LABELS, observed=True).indices.items()
    }


def word(samples: Mapping[str, Samples]) -> str:
    """One word for all samples: those of each metric and series, bit for bit."""
    return hashlib.sha256(json.dumps(samples, sort_keys=True).encode()).hexdigest()[:12]


def soak_verify(folder: str) -> int:
    """What `cloudxai lake verify` does: set aside what is torn or damaged; how much was."""
    lake = open_lake(Path(folder) / "lake")
    spoilt = len(set_aside_torn(lake, []))
    for file in lake.snapshot().files if lake.exists else ():
        fault = checked(path := file.path(lake.path))[1]
        spoilt += bool(fault)
        if fault and fault != "missing":
            set_aside(path)
    return spoilt


def soak_note(folder: str, day: int) -> int:
    """Write a day's entry into the ledger, unless it is there; how many there are."""
    ledger, at = Ledger(Path(folder) / "ledger" / "incidents.jsonl"), f"{START + day * DAY:%Y-%m-%dT%H:%M:%SZ}"
    said = f"day {day} {HOSTILE[day % len(HOSTILE)]}"
    entry = {"kind": "observation", "by": "job", "at": at, "summary": said, "written_at": at}
    ledger.append_all([entry], unless_known=True)
    return ledger.verify().entries


def page(day: int) -> str:
    """What a report of a day says, a few pages long."""
    return f"{day}\n" * 2_000


def soak_publish(folder: str, day: int) -> int:
    """Publish a report of a day, each file of which says it."""
    target = Path(folder) / "reports" / "latest"
    with written("The report"), building(target) as unfinished:
        for name in PAGES:
            (unfinished / name).write_text(page(day))
        publish(unfinished, target)
    return day


killed_pull.ORDERS |= {one.__name__: one for one in (soak_pull, soak_look, soak_verify, soak_note, soak_publish)}


# --- a run ---


@dataclass
class Soak:
    """One run in a folder, of a seed: what it met, in order, and what was wrong."""

    folder: Path
    seed: int
    child: Mortals
    proxy: Proxy
    days: int = DAYS
    events: list[tuple[Any, ...]] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=lambda: {""})
    seen: tuple[str, Any] = ("did", "")

    def run(self) -> Soak:
        """Meet every day, then pull once more in peace, and hold all that is there against what should be."""
        chance = Random(self.seed)  # noqa: S311
        for day in range(self.days):
            self._spoil_lake(chance)
            self._pull(chance, 24 * day + chance.randrange(1, 25))
            self._beside(chance, day)
        self.proxy.fault = ""
        self._do("soak_verify")
        assert self._do("soak_pull", self.proxy.hostile.url, 24.0 * (self.days + 1))[0] == "did"
        self._is("the lake", self._do("soak_look")[1], expected(24.0 * (self.days + 1)))
        self._is("the ledger", self._do("soak_note", self.days - 1)[1], self.days)
        self._is("the report", self._report(), {page(self.days - 1)})
        self._is("what is left half-made", [*self.folder.rglob("*.unfinished"), *self.folder.rglob(".building-*")], [])
        holding = [path for path in self.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        self._is("files that hold the secret", holding, [])
        asked = {(one.method, one.path.rpartition("/")[2]) for one in self.proxy.hostile.seen}
        self._is("requests that write", [one for one in asked if one[0] != "GET" and one[1] not in POSTED], [])
        return self

    @property
    def word(self) -> str:
        """What stands for the run: every fault and every outcome."""
        return hashlib.sha256(json.dumps(self.events).encode()).hexdigest()[:12]

    def _do(self, order: str, *words: Any, spoilt: Any = None, **how: Any) -> tuple[str, Any]:
        """How an order ended: it did, and what; or it was refused, with what exit code; or it was killed."""
        met: dict[str, Any] = {"status": 0}
        if spoilt:
            met = self.child(order, self.folder, *words, spoilt=spoilt, **how)
        else:
            try:
                met |= {"result": killed_pull.ORDERS[order](str(self.folder), *words, **how)}
            except CloudxaiError as error:
                met |= {"said": str(error), "code": error.exit_code}
        if "result" in met:
            return "did", met["result"]
        if met["status"]:
            return "killed", met["status"]
        self._is("a message that shows the secret", TOKEN in met["said"], False)
        self._is(f"an error that is none of ours ({met})", met["code"] in CODES, True)
        return "refused", met["code"]

    def _is(self, what: str, found: Any, wanted: Any) -> None:
        assert found == wanted, f"seed {self.seed}, after {self.events[-3:]}: {what}: {found}, not {wanted}"

    def _met(self, fault: str, *outcome: Any, reached: bool = True) -> None:
        self.events.append((fault, *outcome))
        self.reached[fault] += reached

    def _spoil_lake(self, chance: Random) -> None:
        fault = chance.choice([*LAKE, *[""] * len(LAKE)])
        place = "rollups/_delta_log/*.json" if fault == "a torn newest log" else "*/[0-9]*/*.parquet"
        if not fault or not (files := sorted((self.folder / "lake").glob(place))):
            return
        LAKE[fault](files[-1] if fault == "a torn newest log" else chance.choice(files), chance)
        how, found = self._do("soak_look")
        self._is("a damaged lake gives", how == "refused" or found in self.words, True)
        self._met(fault, how, self._do("soak_verify"))
        self.seen = self._do("soak_look")

    def _pull(self, chance: Random, hours: int) -> None:
        if not self.faults:  # each comes once before any comes again
            self.faults = [*SOURCE, *PROCESS, *OTHERS]
            chance.shuffle(self.faults)
        fault, before, how = self.faults.pop(), self.seen, {}
        self.proxy.arm(fault if fault in SOURCE else "", chance.randrange(3), chance.choice([1, 1, 2, 100]))
        if fault == "a clock that is behind":
            hours = max(hours - 40, 1)
        with ExitStack() as held:
            if fault == "a second writer":
                (self.folder / "lake").mkdir(exist_ok=True)
                held.enter_context(FileLock(self.folder / "lake" / ".lock"))
                how = {"lock_seconds": 0}
            spoilt = PROCESS[fault](chance) if fault in PROCESS else None
            outcome = self._do("soak_pull", self.proxy.hostile.url, float(hours), spoilt=spoilt, **how)
        self.proxy.fault = ""
        self.seen = after = self._do("soak_look")
        whole = {expected(hours), *self.words} if outcome[0] != "refused" else {before[1]}
        # Under a clock that is behind, tiles are taken up that an interrupted pull left, and that reach further.
        if before[0] == after[0] == "did" and fault != "a clock that is behind":
            self._is(f"after {fault} {outcome} the lake", after[1] in whole, True)
        if after[0] == "did":
            self.words.add(after[1])
        self._met(
            fault, spoilt, outcome, after, reached=bool(self.proxy.reached or fault in OTHERS or outcome[0] != "did")
        )

    def _beside(self, chance: Random, day: int) -> None:
        """A day's entry and report, each perhaps killed or short of room at first."""
        for order in BESIDE:
            fault = chance.choice([*PROCESS, *[""] * len(PROCESS)])
            if fault:
                outcome = self._do(order, day, spoilt=WRITER[fault](chance))
                reports = [set(), {page(day - 1)}, {page(day)}]
                self._is("the report is another", self._report() in (reports[1:] if day else reports), True)
                self._met(f"{order}: {fault}", outcome, reached=outcome[0] != "did")
            self._is(order, self._do(order, day), ("did", day + (order == "soak_note")))

    def _report(self) -> set[str]:
        target = self.folder / "reports" / "latest"
        return {(target / name).read_text() for name in PAGES} if target.is_symlink() else set()


@cache
def expected(hours: float) -> str:
    """The word for what the platform had up to so many hours after the start, whoever read it."""
    until = Window(START, min(MONTH.end, START + hours * HOUR))
    return word({name: within(samples, until) for name, samples in TRUTH.items()})


@contextmanager
def soaking() -> Iterator[Callable[..., Soak]]:
    """A function that makes a run of a seed, all on one platform in a real Prometheus."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        servers.load_openmetrics(Path(folder), platform())
        server = running.enter_context(servers.prometheus(Path(folder)))
        proxy = Proxy(running.enter_context(hostile_server()), server.url)
        proxy.hostile.script = proxy
        child = running.enter_context(mortals(program=[__file__, "serve"]))

        def soak(seed: int, days: int = DAYS) -> Soak:
            proxy.hostile.seen.clear()
            # In memory, where there is such a place: nothing here asks how a disk loses what was not synced.
            with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as place:
                return Soak(Path(place), seed, child, proxy, days).run()

        yield soak


def main() -> None:
    """Run the seeds that are asked for; stop at the first that fails."""
    asked = argparse.ArgumentParser(description="Pull a month through faults that a seed draws.")
    asked.add_argument("--seed", type=int, default=1, help="the first")
    asked.add_argument("--runs", type=int, default=10, help="how many, each of the next seed")
    given, reached = asked.parse_args(), Counter[str]()
    with soaking() as soak:
        for seed in range(given.seed, given.seed + given.runs):
            done = soak(seed)
            reached += done.reached
            print(f"seed {seed}: {len(done.events)} faults, nothing lost or doubled, word {done.word}", flush=True)
    for fault in sorted(ALL):
        print(f"{reached[fault]:7,} {fault}")


if __name__ == "__main__":
    killed_pull.serve() if sys.argv[1:] == ["serve"] else main()
