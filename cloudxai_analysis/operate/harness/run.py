"""A run: platforms are loaded as planned while a real Prometheus scrapes them, and the suite is held against it."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import SourceUnreachable, UsageError
from cloudxai_analysis.ground.files import make_folder, replace_whole, written
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.operate.harness.exporter import OPERATIONS
from cloudxai_analysis.operate.harness.load import PAIRS, loaded
from cloudxai_analysis.operate.harness.processes import (
    EVALUATION_SECONDS,
    SCRAPE_SECONDS,
    Platform,
    Server,
    allowed,
    platform_words,
    scraping,
)
from cloudxai_analysis.operate.harness.tenants import GENERATED, NAMED, Plan, Script, Turn, planned
from cloudxai_analysis.operate.harness.verdicts import judged
from cloudxai_analysis.platform.contract import Contract, Metric
from cloudxai_analysis.platform.settings import Environment, EnvironmentSettings
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.study.opening import ledger_of
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import several

_TICK = 0.02
_SETTLED = 2.5 * SCRAPE_SECONDS  # after which the last operation, or the end of a process, was scraped
_STARTS_WITHIN = 60.0
BY = "cloudxai harness"
FIELDS = {"I1": "within_cap", "I2": "only_at_cap", "I3": "counted_exactly"}
Progress = Callable[[int, int, str], None]
Alert = tuple[str, str, str, pd.Timestamp]  # alertname, tenant, instance, active since


def _silent(*_: Any) -> None:
    """No word of how far it is."""


class Fired:
    """Episodes told from one look at a server to the next, which lie less than an evaluation apart.

    The replicas of a pair may fire an evaluation apart: while one of them is pending, or fires, it is
    one alert, active since the first of them was.
    """

    def __init__(self) -> None:
        self.episodes: set[Alert] = set()
        self._pending: dict[Any, pd.Timestamp] = {}
        self._firing: dict[Any, set[pd.Timestamp]] = {}

    def look(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Note what is active now."""
        active: dict[str, dict[Any, set[pd.Timestamp]]] = {"pending": {}, "firing": {}}
        for alert in alerts:
            key = frozenset(item for item in alert["labels"].items() if item[0] != "replica")
            since = pd.Timestamp(alert["activeAt"]).floor("s")
            active.get(alert["state"], {}).setdefault(key, set()).add(since)
        pending = {key: min(self._pending.get(key, min(since)), *since) for key, since in active["pending"].items()}
        for key, since in active["firing"].items():
            if not since & self._firing.get(key, set()):
                waited = {places[key] for places in (self._pending, pending) if key in places}
                labels = dict(key)
                names = (labels["alertname"], labels.get("tenant", ""), labels.get("instance", ""))
                self.episodes.add((*names, min(since | waited)))
        self._pending, self._firing = pending, active["firing"]


@dataclass
class Record:
    """What the harness itself knows of a run: its platforms with all that they were asked, and alerts as they fired."""

    platforms: list[Platform] = field(default_factory=list)
    fired: Fired = field(default_factory=Fired)
    unanswered: int = 0


def scripted(
    settled: Environment,
    script: Script,
    *,
    minutes: float,
    cap: int,
    tenants: int,
    seed: int,
    hosts: Sequence[str] = (),
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Load platforms as scripted, and say what holds: verdicts, what agrees, and what was left out.

    Raises RefusedForSecurity (a target of the script is on a host that is not among `hosts`),
    UsageError (no Prometheus, or a contract without a guard), SourceUnreachable (a process did not
    start, or answered no more).
    """
    places = [allowed(target, hosts) for target in script.targets]
    began, contract = datetime.now(UTC), _watched(settled.contract, cap)
    plan = planned(script, seconds=60 * minutes, seed=seed, flood=tenants)
    progress(0, 2, f"{len(plan.operations):,} operations over {minutes:g} minutes")
    with tempfile.TemporaryDirectory(prefix="cloudxai-harness-") as name:
        folder = Path(name)
        with scraping(folder / "script", contract, rules=True) as server:
            record, window = _played(server, contract, script, plan, cap=cap, places=places)
            found = judged(record, _study(settled, contract, server, folder, window, replicas=script.replicas), cap=cap)
    told = {"seed": seed, "minutes": minutes, "cap": cap, "tenants": tenants, "fault": script.fault}
    left_out = _left_out(script, minutes, found)
    at = {"at": began.isoformat(timespec="seconds"), "ended": window.end.isoformat(timespec="seconds")}
    return {**at, **told, **found, "left_out": left_out}


def run_kept(settled: Environment, script: Script, *, pairs: int = PAIRS, **how: Any) -> dict[str, Any]:
    """What `scripted` finds, and how the load grows with the tenants; kept in the environment's folder and its ledger.

    Raises as `scripted` does, and where the result or the ledger cannot be written.
    """
    found = scripted(settled, script, **how)
    how.get("progress", _silent)(1, 2, f"growth up to {how['tenants']:,} tenants")
    with tempfile.TemporaryDirectory(prefix="cloudxai-harness-") as name:
        contract = _watched(settled.contract, how["cap"])
        found["growth"] = loaded(Path(name) / "load", contract, cap=how["cap"], most=how["tenants"], pairs=pairs)
    text = json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n"
    with written(f"The result {settled.harness}"):
        make_folder(settled.folder, mode=0o700)
        replace_whole(settled.harness, text)
    # What a source makes up is written first: it is so only where there is no ledger yet.
    ledger = ledger_of(settled, source_of(settled))
    ledger.append_all([*_entries(script, found, hashlib.sha256(text.encode()).hexdigest())])
    return found


def _entries(script: Script, found: Mapping[str, Any], result: str) -> Iterator[dict[str, Any]]:
    """What a run says in the ledger; of targets that run already, that what they showed was a drill."""
    verdicts = {row["invariant"]: row["status"] for row in found["verdicts"]}
    yield {
        "kind": "harness",
        "by": BY,
        "at": found["at"],
        **{field: verdicts[name] for name, field in FIELDS.items()},
        "differing": sum(not row["agrees"] for row in found["agreement"]),
        "most_tenants": found["tenants"],
        **{name: found[name] for name in ("cap", "seed", "fault")},
        "result": result,
    }
    if script.targets:
        yield {
            "kind": "drill",
            "by": BY,
            "start": found["at"],
            "end": found["ended"],
            "tenants": (f"{NAMED}*", f"{GENERATED}*"),
            "refused": found["counts"]["refused"],
            "summary": f"cloudxai harness, seed {found['seed']}, on {several(script.targets)}",
        }


def _watched(contract: Contract, cap: int) -> Contract:
    """The contract with the cap of this run, and with how far in its script each process was."""
    labels = ("job", *(label for label in contract.process_labels if label != "job"))
    steps = Metric(name=OPERATIONS, kind="counter", labels=labels, unit="operations", help="Of the harness.")
    update = {
        "metrics": {**contract.metrics, "operations": steps},
        "jobs": contract.jobs[:1],
        "tenant_cap": cap,
        "evaluation_interval_seconds": EVALUATION_SECONDS,
    }
    return contract.model_copy(update=update)


def _played(
    server: Server, contract: Contract, script: Script, plan: Plan, *, cap: int, places: Sequence[tuple[str, int]]
) -> tuple[Record, Window]:
    """Carry out the plan; what is known of it, and the window that holds it, from an hour's start on."""
    started = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    record = Record(unanswered=plan.unanswered)
    said = platform_words(contract, cap=cap, fault=script.fault)
    fleet = _Fleet(server, said, record, script.replicas)
    with ExitStack() as ended:
        ended.callback(fleet.end)
        for process in range(script.processes):
            there = Platform(places[process % len(places)]) if places else Platform.started(said)
            fleet.take(process, there)
        fleet.all_scraped()
        if places:
            _refuse_unfit(server, len(set(places)))
        _drive(fleet, plan)
        fleet.settle(_SETTLED)
        fleet.end()
        fleet.settle(_SETTLED)
    return record, Window(started, datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1), "run")


def _refuse_unfit(server: Server, targets: int) -> None:
    """Raise UsageError where targets that run already do not say how far they are, or were loaded before."""
    if server.number(f"count(count by (instance) ({OPERATIONS}))") < targets:
        raise UsageError(f"A target does not expose {OPERATIONS}, without which nobody knows what a scrape must show.")
    if server.number(f"max({OPERATIONS})") > 0:
        raise UsageError("A target was loaded before: what it holds is not known. Start it anew, and run again.")


class _Fleet:
    """The platforms that answer now, by process; `_scraped` says until when each address is."""

    def __init__(self, server: Server, said: dict[str, Any], record: Record, replicas: int) -> None:
        self.server, self.record, self._said, self._replicas = server, record, said, replicas
        self.current: dict[int, Platform] = {}
        self._replaced: dict[int, list[Platform]] = defaultdict(list)
        self._scraped: dict[str, float] = {}
        self._asked_alerts = 0.0

    def take(self, process: int, platform: Platform) -> None:
        """Have this platform answer for a process."""
        self.record.platforms.append(platform)
        self.current[process] = platform
        self._scrape({**self._scraped, platform.instance: math.inf})

    def load(self, due: Mapping[int, Sequence[Any]]) -> None:
        """Ask each process for its operations."""
        for process, some in due.items():
            self.current[process].load(some)

    def turn(self, process: int, turn: Turn) -> None:
        """Start or end a process; one that is gone for good is scraped in vain for a while."""
        if turn == "start":
            self.take(process, Platform.started(self._said, port=self.current[process].place[1]))
        elif turn == "start_elsewhere":
            self._replaced[process].append(self.current[process])
            self.take(process, Platform.started(self._said))
        elif turn == "kill":
            self.current[process].kill()
        else:
            for platform in self._replaced.pop(process, []):
                platform.kill()
                self._scraped[platform.instance] = time.monotonic() + _SETTLED

    def end(self) -> None:
        """End every process that was started here; each is scraped in vain after it."""
        for platform in self.record.platforms:
            platform.kill()

    def watch(self) -> None:
        """Note the alerts once a second, and let go of what was scraped in vain for long enough."""
        now = time.monotonic()
        if min(self._scraped.values()) < now:
            self._scrape({instance: until for instance, until in self._scraped.items() if until >= now})
        if now - self._asked_alerts > 1:
            self._asked_alerts = now
            self.record.fired.look(self.server.alerts())

    def settle(self, seconds: float) -> None:
        """Wait, and watch meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.watch()
            time.sleep(_TICK)

    def all_scraped(self) -> None:
        """Wait until each platform was scraped once; raises SourceUnreachable where that does not come."""
        until, wanted = time.monotonic() + _STARTS_WITHIN, len(self.current) * self._replicas
        while self.server.number("count(up == 1)") < wanted:
            if time.monotonic() > until:
                raise SourceUnreachable(
                    f"The harness' Prometheus did not scrape its {wanted} targets within {_STARTS_WITHIN:g} s. Run "
                    "again when the machine is less busy."
                )
            time.sleep(0.1)

    def _scrape(self, until: dict[str, float]) -> None:
        self._scraped = until
        self.server.scrape(until, replicas=self._replicas)


def _drive(fleet: _Fleet, plan: Plan) -> None:
    """Let everything happen in its order, at its second or as soon after it as the machine can."""
    began, place = time.monotonic(), 0
    while place < len(plan.steps):
        fleet.watch()
        due: dict[int, list[Any]] = {}
        while place < len(plan.steps) and plan.steps[place][0] <= time.monotonic() - began:
            _, process, step = plan.steps[place]
            place += 1
            if isinstance(step, list):
                due.setdefault(process, []).append(step)
            else:
                fleet.load(due)
                due = {}
                fleet.turn(process, step)
        fleet.load(due)
        time.sleep(_TICK)


def _study(
    settled: Environment, contract: Contract, server: Server, folder: Path, window: Window, *, replicas: int
) -> Study:
    """The study of the run, over a lake of its own, pulled as any platform's is."""
    labels = ("replica",) if replicas > 1 else ()
    own = EnvironmentSettings(source=server.url, replica_labels=labels, history_weeks=1)
    update = {"source": server.url, "outputs": folder, "contract": contract, "settings": own}
    lake = open_lake(folder / "lake")
    pull(server.source, lake, contract, window, replica_labels=labels, now=window.end)
    ledger = Ledger(folder / "ledger.jsonl")
    return Study(settled.model_copy(update=update), window, lake.snapshot(), ledger=ledger, now=window.end)


def _left_out(script: Script, minutes: float, found: dict[str, Any]) -> list[str]:
    """What this run cannot speak of, each as a sentence."""
    said = ["Only what was written down in the script happened: no network between the processes, no disk that fills."]
    if not found["counts"]["rules"]:
        said += ["The reference rules lie beside the repository, not in the installed package: no alert was compared."]
    if minutes < 10:
        told = "an alert that waits for two of them is seen to fire only once an outage lasts"
        said += [f"In {minutes:g} minutes {told}."]
    if script.targets:
        said += ["Its targets were not started here: no restart, no rollout, and their memory is not known."]
    return said
