"""The harness' own processes, on the loopback: platforms and a Prometheus; they end with the run, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import psutil
import yaml

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceUnreachable, UsageError
from cloudxai_analysis.operate.harness import exporter
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.own_server import own_server
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.server import ServerSource

SCRAPE_SECONDS, EVALUATION_SECONDS = 1, 5
_RULES = Path(__file__).resolve().parents[3] / "reference" / "rules"


class Platform:
    """One process of the platform: its address, all that it was asked in order, and what it answered."""

    def __init__(
        self, place: tuple[str, int], process: subprocess.Popen[str] | None = None, began: datetime | None = None
    ) -> None:
        self.place, self._process = place, process
        self.instance = f"{place[0]}:{place[1]}"
        self.began = began or datetime.now(UTC)
        self.operations: list[Sequence[Any]] = []
        self.statuses: list[int] = []
        self._connection = HTTPConnection(*place, timeout=60)

    @classmethod
    def started(cls, said: Mapping[str, Any], *, port: int = 0) -> Platform:
        """One that is started here, at a free port or at this one; raises SourceUnreachable where it does not."""
        # Before it answers: its first scrape must not be taken for one of the process before it.
        began, command = datetime.now(UTC), [sys.executable, "-m", exporter.__name__]
        process = subprocess.Popen(  # noqa: S603 - our own words only
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        stdin.write(json.dumps({**said, "port": port}) + "\n")
        stdin.flush()
        answered = stdout.readline().strip()
        if not answered.isdecimal():
            process.kill()
            process.wait()
            raise SourceUnreachable("A platform of the harness did not start; its reason stands above. Run again.")
        return cls(("127.0.0.1", int(answered)), process, began)

    def load(self, operations: Sequence[Sequence[Any]]) -> None:
        """Ask for some operations; raises SourceUnreachable where they are not answered as the door promises."""
        body = json.dumps(operations)
        try:
            self._connection.request("POST", "/load", body, {"Content-Type": "application/json"})
            statuses = json.loads(self._connection.getresponse().read())["statuses"]
            if len(statuses) != len(operations):
                raise ValueError
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            raise SourceUnreachable(
                f"Platform {self.instance} did not answer a load of {len(operations)} operations ({said}). Run again; "
                "a target that the harness did not start needs its door `POST /load`."
            ) from None
        self.operations += operations
        self.statuses += statuses

    def exposed_bytes(self) -> int:
        """How large its answer to a scrape is."""
        self._connection.request("GET", "/metrics")
        return len(self._connection.getresponse().read())

    @property
    def memory_bytes(self) -> int:
        """What it holds of the machine's memory; 0 of one that was not started here."""
        return psutil.Process(self._process.pid).memory_info().rss if self._process else 0

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._connection.close()
        if self._process:
            self._process.kill()
            self._process.communicate()


def platform_words(contract: Contract, *, cap: int | None, fault: str = "") -> dict[str, Any]:
    """What a platform is told of itself: the contract's metrics that a process exposes, its tenant label, its guard.

    Raises UsageError where the contract lacks what the guard is seen by.
    """
    for role in ("tenant_readiness", "rejections"):
        contract[role]
    own = ("up", "scrape_duration", "scrape_samples", "alerts", "cost_rolling", "cost_billing")
    told = {role: (one.name, one.kind, one.help) for role, one in contract.metrics.items() if role not in own}
    return {"metrics": told, "label": contract.tenant_label, "cap": cap, "fault": fault}


def allowed(target: str, hosts: Iterable[str]) -> tuple[str, int]:
    """Host and port of a target that may be loaded.

    Raises UsageError (it is no such URL), RefusedForSecurity (its host is not on the list).
    """
    try:
        parts = urlsplit(target)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port = "", 0
    if not host or parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.username is not None:
        raise UsageError("A target of the script is no plain http://host:port. Nothing was sent.")
    if host not in tuple(hosts):
        raise RefusedForSecurity(
            f"Target {host}:{port} is not loaded: its host is not in `load_hosts` of the settings, and nothing was "
            "sent to it. The harness loads what it starts itself, unless you allow more."
        )
    return host, port


class Server:
    """A Prometheus that scrapes platforms each second; each of `labels` holds a platform's address."""

    def __init__(self, url: str, folder: Path, job: str, labels: Sequence[str]) -> None:
        self.url, self._folder, self._job, self._labels = url, folder, job, labels
        self.source = cast(ServerSource, open_source(url, limits=Limits(), settings=EnvironmentSettings()))

    def scrape(self, instances: Iterable[str], *, replicas: int = 1) -> None:
        """Scrape these addresses from now on, each so many times over, and no others."""
        more = [{"replica": "abcd"[number]} for number in range(replicas)] if replicas > 1 else [{}]
        groups = [
            {"targets": [one], "labels": {"job": self._job, **dict.fromkeys(self._labels, one), **replica}}
            for one in instances
            for replica in more
        ]
        unfinished = self._folder / ".targets"
        unfinished.write_text(json.dumps(groups), encoding="utf-8")
        unfinished.replace(self._folder / "targets.json")

    def number(self, query: str) -> float:
        """What an instant query gives; 0 where it gives nothing."""

        def first(data: Any) -> float:
            return float(data["result"][0]["value"][1]) if data["result"] else 0.0

        return self.source.session.ask("Asked the harness' Prometheus", "query", {"query": query}, read=first)

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that it knows now."""
        return self.source.session.ask("Asked for alerts", "alerts", read=lambda data: list(data["alerts"]))

    def memory_bytes(self) -> float:
        """What it holds of the machine's memory, as it says itself."""
        return self._own("process_resident_memory_bytes")

    def series(self) -> float:
        """How many series it holds in memory."""
        return self._own("prometheus_tsdb_head_series")

    def _own(self, name: str) -> float:
        place = urlsplit(self.url)
        with closing(HTTPConnection(str(place.hostname), place.port, timeout=60)) as connection:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), float("nan"))


@contextmanager
def scraping(folder: Path, contract: Contract, *, rules: bool = False) -> Iterator[Server]:
    """A Prometheus of our own, with the reference rules where asked for; raises as `own_server` does."""
    folder.mkdir(parents=True)
    (folder / "targets.json").write_text("[]", encoding="utf-8")
    found = {"files": ["targets.json"], "refresh_interval": "1s"}
    config = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{EVALUATION_SECONDS}s"},
        "rule_files": [str(file) for file in _rules(folder)] if rules else [],
        "scrape_configs": [{"job_name": "harness", "file_sd_configs": [found]}],
    }
    needed = "The harness needs Prometheus, which scrapes its platforms (Debian package prometheus)."
    with own_server(folder, config, needed=needed) as url:
        labels = [label for label in contract.process_labels if label not in ("job", "instance")]
        server = Server(url, folder, contract.jobs[0], labels)
        with closing(server.source.session):
            yield server


def _rules(folder: Path) -> Iterator[Path]:
    """Copies of the reference rules that are evaluated as often as the harness needs."""
    for file in sorted(_RULES.glob("*.rules.yml")):
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        for group in said["groups"]:
            group["interval"] = f"{EVALUATION_SECONDS}s"
        copy = folder / file.name
        copy.write_text(json.dumps(said), encoding="utf-8")
        yield copy
