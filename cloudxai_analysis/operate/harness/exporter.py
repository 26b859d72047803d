"""A small platform as a process of its own: a guard, what it exposes, and a door by which it is loaded.

`GET /metrics` is for a Prometheus; `POST /load` takes a JSON list of operations and answers with an
HTTP status for each. What it is comes as one line of JSON on standard input, and it ends when that
input does: with whoever started it, even if that was killed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

OPERATIONS = "harness_operations_total"  # how far in its script a process was at a scrape
Fault = Literal["", "leaky", "early", "uncounted"]
ADMITTED, REFUSED, UNKNOWN = 200, 429, 404
REASON = "label_cardinality_limit"
BUCKETS = (0.05, 0.1, 0.2, 0.5, math.inf)


class Guard:
    """Admits up to `cap` distinct tenants (all where it is None), and counts whom it refuses.

    A `fault` breaks a promise of it: 'leaky' admits every tenth tenant over the cap, 'early'
    refuses while one place is left, 'uncounted' counts every second refusal only.
    """

    def __init__(self, cap: int | None, fault: Fault = "") -> None:
        self.held: set[str] = set()
        self._most = math.inf if cap is None else cap - (fault == "early")
        self._fault = fault
        self._over = 0

    @property
    def counted(self) -> int:
        """What its counter of refusals says."""
        if self._fault == "leaky":
            return self._over - self._over // 10
        return self._over // 2 if self._fault == "uncounted" else self._over

    def admits(self, tenant: str) -> bool:
        """Whether a request of this tenant is let in."""
        if tenant in self.held:
            return True
        if len(self.held) >= self._most:
            self._over += 1
            if self._fault != "leaky" or self._over % 10:
                return False
        self.held.add(tenant)
        return True


class Family:
    """One metric as it is exposed, each line rendered when its value is set and not when it is scraped."""

    def __init__(self, name: str, kind: str, help_text: str, label: str = "") -> None:
        said = help_text.replace("\\", r"\\").replace("\n", r"\n")
        self._name, self._label = name, label
        self._lines = {"": f"# HELP {name} {said}\n# TYPE {name} {kind}\n".encode()}
        self._whole: bytes | None = None

    def put(self, value: float, tenant: str = "") -> None:
        """Set the value, of a tenant where one is named."""
        self.line(f"{tenant}\0", f'{{{self._label}="{_escaped(tenant)}"}}' if tenant else "", value)

    def line(self, key: str, after: str, value: float) -> None:
        """Set a line of which `after` follows the metric's name."""
        self._lines[key] = f"{self._name}{after} {number(value)}\n".encode()
        self._whole = None

    def rendered(self) -> bytes:
        """All its lines."""
        if self._whole is None:
            self._whole = b"".join(self._lines.values())
        return self._whole


def number(value: float) -> str:
    """A value as the client library of Python writes it: exponents sooner than Python's own."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    said = repr(float(value))
    dot = said.find(".")
    if value > 0 and dot > 6:
        return f"{f'{said[0]}.{said[1:dot]}{said[dot + 1 :]}'.rstrip('0.')}e+{dot - 1:02d}"
    return said


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Platform:
    """Tenants behind a guard, and what is exposed of them.

    `metrics` are name, kind and help by their roles in the contract; roles that it has not are not
    exposed. Operations are ['try', tenant, cost, ready], ['cost', tenant, amount], ['ready', tenant
    or '' for all, 0 or 1] and ['check', seconds].
    """

    def __init__(
        self,
        metrics: Mapping[str, Sequence[str]],
        label: str,
        *,
        cap: int | None,
        fault: Fault = "",
        began: float = 0.0,
    ) -> None:
        self.guard = Guard(cap, fault)
        self.operations = 0
        self._families = {role: Family(name, kind, said, label) for role, (name, kind, said) in metrics.items()}
        self._values: dict[tuple[str, str], float] = {}
        self._checks: list[float] = [0] * len(BUCKETS)
        for role in ("readiness_transitions", "rejections"):
            self._put(role, 0)
        self._put("readiness", 1)
        self._put("process_start", began)
        self._check(None)
        self._families["operations"] = Family(OPERATIONS, "counter", "Operations of the harness that were carried out.")
        self._put("operations", 0)

    def load(self, operations: Iterable[Sequence[Any]]) -> list[int]:
        """Carry out some operations; the status of each."""
        statuses = [getattr(self, f"_{kind}")(*given) for kind, *given in operations]
        self.operations += len(statuses)
        self._put("operations", self.operations)
        return statuses

    def exposed(self) -> bytes:
        """What a scrape gets."""
        return b"".join(family.rendered() for family in self._families.values())

    def _put(self, role: str, value: float, tenant: str = "") -> None:
        self._values[role, tenant] = value
        if role in self._families:
            self._families[role].put(value, tenant)

    def _try(self, tenant: str, cost: float, ready: int = 1) -> int:
        known = tenant in self.guard.held
        if not self.guard.admits(tenant):
            self._put("rejections", self.guard.counted)
            return REFUSED
        if not known:
            self._put("rejections", self.guard.counted)
            for role, value in (("tenant_readiness", ready), ("tenant_transitions", 0), ("cost", cost)):
                self._put(role, value, tenant)
        return ADMITTED

    def _cost(self, tenant: str, amount: float) -> int:
        if tenant not in self.guard.held:
            return UNKNOWN
        self._put("cost", amount, tenant)
        return ADMITTED

    def _ready(self, tenant: str, ready: int) -> int:
        if tenant and tenant not in self.guard.held:
            return UNKNOWN
        state, flips = ("tenant_readiness", "tenant_transitions") if tenant else ("readiness", "readiness_transitions")
        if self._values[state, tenant] != ready:
            self._put(flips, self._values[flips, tenant] + 1, tenant)
            self._put(state, ready, tenant)
        return ADMITTED

    def _check(self, seconds: float | None) -> int:
        """Observe the duration of one readiness check."""
        family = self._families.get("readiness_check")
        total = self._values.get(("seconds", ""), 0.0) + (seconds or 0.0)
        self._values["seconds", ""] = total
        for place, bound in enumerate(BUCKETS):
            self._checks[place] += seconds is not None and seconds <= bound
            if family:
                family.line(f"b{place}", f'_bucket{{le="{number(bound)}"}}', self._checks[place])
        if family:
            family.line("count", "_count", self._checks[-1])
            family.line("sum", "_sum", total)
        return ADMITTED


class _Door(BaseHTTPRequestHandler):
    """The two doors of a platform; its server holds the platform and a lock."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        """What a scrape gets."""
        with self.server.one_at_a_time:
            body = self.server.platform.exposed() if self.path == "/metrics" else b""
        self._answer(body, 200 if body else 404)

    def do_POST(self) -> None:
        """Load it."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.one_at_a_time:
            statuses = self.server.platform.load(given)
        self._answer(json.dumps({"statuses": statuses, "reason": REASON}).encode(), 200)

    def _answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: who loads it keeps what was asked."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, platform: Platform) -> None:
        self.platform, self.one_at_a_time = platform, threading.Lock()
        super().__init__(("127.0.0.1", port), _Door)


def main() -> None:
    """Serve until standard input ends; the first line of it says what, and the first line written the port."""
    said = json.loads(sys.stdin.readline())
    port = said.pop("port")
    server = _Server(port, Platform(**said, began=time.time()))
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
