"""The harness without a server: guard, exposition, script, targets that are refused, and its own truth by hand."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import prometheus_client as client
import pytest
from clean_command import cloudxai

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.operate.harness.exporter import BUCKETS, OPERATIONS, Guard, Platform, number
from cloudxai_analysis.operate.harness.processes import Platform as Loaded
from cloudxai_analysis.operate.harness.processes import allowed, platform_words
from cloudxai_analysis.operate.harness.run import Record
from cloudxai_analysis.operate.harness.tenants import DEFAULT_SCRIPT, Script, planned, read_script
from cloudxai_analysis.operate.harness.verdicts import truth
from cloudxai_analysis.platform.contract import load_contract

CONTRACT = load_contract()
HOSTILE = ('a"b', "back\\slash", "two\nlines", "ünïcode ’", "{x=1}", "#", " ")


@pytest.mark.parametrize(
    ("fault", "admitted", "counted"),
    [
        ("", "aba", 12),
        # The tenth attempt over the cap comes in, and is held from then on.
        ("leaky", "abat", 11),
        ("early", "aa", 13),
        ("uncounted", "aba", 6),
    ],
)
def test_a_guard_admits_up_to_its_cap_and_counts_the_rest(fault: Any, admitted: str, counted: int) -> None:
    """Two places; a, b and a again, then twelve others, each once."""
    guard = Guard(2, fault)
    assert "".join(who for who in "abaklmnopqrstuv" if guard.admits(who)) == admitted
    assert guard.counted == counted


def test_a_platform_answers_as_its_guard_does() -> None:
    platform = Platform(**platform_words(CONTRACT, cap=1))
    asked = [["try", "a", 1.0, 1], ["try", "b", 1.0, 1], ["cost", "b", 2.0], ["ready", "a", 0], ["check", 0.1]]
    assert platform.load(asked) == [200, 429, 404, 200, 200]
    shown = platform.exposed().decode().splitlines()
    assert {'tenant_readiness_state{tenant="a"} 0.0', "tenant_label_rejections_total 1.0"} <= {*shown}
    assert {f"{OPERATIONS} 5.0", 'tenant_readiness_transitions_total{tenant="a"} 1.0'} <= {*shown}
    assert not [line for line in shown if '"b"' in line]


class Rendered:
    """The same platform by the client library."""

    def __init__(self, began: float) -> None:
        self.registry, self.metrics = client.CollectorRegistry(), {}
        for role, metric in CONTRACT.metrics.items():
            if role in platform_words(CONTRACT, cap=1)["metrics"]:
                labels = ["tenant"] if "tenant" in metric.labels else []
                kinds = {"gauge": client.Gauge, "counter": client.Counter, "histogram": client.Histogram}
                more = {"buckets": BUCKETS} if metric.kind == "histogram" else {}
                made = kinds[metric.kind](metric.name, metric.help, labels, registry=self.registry, **more)
                self.metrics[role] = made
        said = "Operations of the harness that were carried out."
        self.metrics["operations"] = client.Counter(OPERATIONS, said, registry=self.registry)
        self.metrics["readiness"].set(1)
        self.metrics["process_start"].set(began)

    def admit(self, tenant: str, cost: float) -> None:
        self.metrics["tenant_readiness"].labels(tenant).set(1)
        self.metrics["tenant_transitions"].labels(tenant)
        self.metrics["cost"].labels(tenant).set(cost)


def test_what_is_exposed_is_byte_for_byte_what_the_client_library_renders() -> None:
    client.disable_created_metrics()
    began = 1_795_910_400.25
    ours, theirs = Platform(**platform_words(CONTRACT, cap=9), began=began), Rendered(began)
    assert ours.exposed() == client.generate_latest(theirs.registry)
    asked: list[list[Any]] = [["try", name, 1e6 * at + 0.1, 1] for at, name in enumerate([*HOSTILE, "b", "c", "d"])]
    asked += [["ready", "b", 0], ["cost", "c", 123456789.5], ["ready", "", 0], ["check", 0.03], ["check", 7.0]]
    ours.load(asked)
    for at, name in enumerate([*HOSTILE, "b", "c"]):
        theirs.admit(name, 1e6 * at + 0.1)
    theirs.metrics["rejections"].inc()
    for metric in (theirs.metrics["tenant_readiness"].labels("b"), theirs.metrics["readiness"]):
        metric.set(0)
    theirs.metrics["tenant_transitions"].labels("b").inc()
    theirs.metrics["readiness_transitions"].inc()
    theirs.metrics["cost"].labels("c").set(123456789.5)
    for seconds in (0.03, 7.0):
        theirs.metrics["readiness_check"].observe(seconds)
    theirs.metrics["operations"].inc(len(asked))
    assert ours.exposed() == client.generate_latest(theirs.registry)


@pytest.mark.parametrize("value", [0, 1, -1, 0.1, 1e6, 1234567, 1e16, 1e300, -1e9, 5e-324, float("inf"), float("nan")])
def test_a_value_is_written_as_the_client_library_writes_it(value: float) -> None:
    assert number(value) == client.utils.floatToGoString(value)


def script(**given: Any) -> Script:
    return Script.model_validate(given)


def test_the_same_seed_gives_the_same_operations_and_the_shipped_script_can_be_read() -> None:
    shipped = read_script(DEFAULT_SCRIPT)
    first, again, other = (planned(shipped, seconds=600, seed=seed, flood=500).steps for seed in (1, 1, 2))
    assert first == again != other
    assert {step for _, _, step in first if isinstance(step, str)} == {"start", "start_elsewhere", "kill", "leave"}


def test_what_is_asked_of_a_killed_process_is_lost_and_its_tenants_come_back_to_the_next() -> None:
    """Ten seconds: 2 tenants at once; killed from 2.5 to 4.5 s; one try a second by a burst from 0 to 10 s."""
    burst = {"kind": "burst", "at": 0, "until": 1, "names": 10}
    restart = {"kind": "restart", "at": 0.25, "seconds": 2}
    plan = planned(script(tenants=2, events=[burst, restart]), seconds=10, seed=1, flood=0)
    tried = [(at, step[1][:4]) for at, _, step in plan.steps if isinstance(step, list) and step[0] == "try"]
    assert [at for at, who in tried if who == "req-"] == [0, 1, 2, 5, 6, 7, 8, 9]
    assert [at for at, who in tried if who == "shop"] == [0, 0.25, 4.5, 5.25]
    # Two names, and two checks of readiness.
    assert plan.unanswered == 4
    assert [(at, step) for at, _, step in plan.steps if isinstance(step, str)] == [(2.5, "kill"), (4.5, "start")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenants = -1", "key 'tenants'"),
        ("tenant = 1", "key 'tenant'"),
        ("[[events]]\nkind = 'flood'\nat = 0", r"row 1 of \[\[events\]\], key 'kind': Input should be 'arrivals'"),
        ("[[events]]\nkind = 'cost'\nat = 0\nuntil = 1", "row 1 .*: cost needs 'factor'"),
        ("[[events]]\nkind = 'restart'\nat = 0\ntenants = 1", "restart has no 'tenants'"),
        ("[[events]]\nkind = 'burst'\nat = 0\nuntil = 1\nnams = 2", "key 'nams': .* Did you mean 'names'"),
        ("[[events]]\nkind = 'burst'\nat = 0.5\nuntil = 0.4", "'until' lies after 'at'"),
        ("targets = ['http://x']\n[[events]]\nkind = 'restart'\nat = 0.5", "did not start is not restarted"),
        ("fault = 'other'", "key 'fault'"),
        ("tenants = ", "cannot be read"),
    ],
)
def test_a_wrong_script_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "script.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read_script(file)
    assert "\n" not in str(caught.value)


LOOPBACK = ("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("http://192.0.2.1:9090", RefusedForSecurity),
        ("http://prod.example", RefusedForSecurity),
        ("http://127.0.0.1.example:80", RefusedForSecurity),
        ("http://127.0.0.1@prod.example", UsageError),
        ("https://127.0.0.1", UsageError),
        ("http://127.0.0.1/else?where", UsageError),
        ("127.0.0.1:80", UsageError),
        ("http://[::1", UsageError),
        ("http://127.0.0.1:99999", UsageError),
    ],
)
def test_only_hosts_on_the_list_are_loaded(target: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        allowed(target, LOOPBACK)


def test_a_host_on_the_list_is() -> None:
    assert allowed("http://127.0.0.1:8080", LOOPBACK) == ("127.0.0.1", 8080)


def test_a_target_elsewhere_is_exit_8_before_a_byte_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "script.toml"
    with socket.create_server(("127.0.0.2", 0)) as listening:
        listening.settimeout(0.2)
        file.write_text(f"targets = ['http://127.0.0.2:{listening.getsockname()[1]}']\n", encoding="utf-8")
        done = cloudxai("harness", "--script", str(file), outputs=tmp_path / "outputs")
        with pytest.raises(TimeoutError):
            listening.accept()
    assert done.returncode == 8, done.stderr
    assert "127.0.0.2" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


BEGAN = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)


def moment(second: float) -> pd.Timestamp:
    return pd.Timestamp(BEGAN + timedelta(seconds=second))


def process(began: float, operations: list[Any], port: int = 1) -> Loaded:
    made = Loaded(("127.0.0.1", port))
    made.began, made.operations = BEGAN + timedelta(seconds=began), operations
    return made


def test_the_truth_of_a_restart_by_hand() -> None:
    """Cap 2. Before it: a, b, c refused, a not ready; then, unscraped, d refused. After it: c, a, d refused.

    Scraped at 1 s (nothing yet), 2 s (four operations), the marker at 4 s, and at 6 s (three). Costs per hour: a 3600,
    b 7200, c 36, d 36; the last scrape holds for five minutes.
    """
    tries = {who: ["try", who, cost, 1] for who, cost in {"a": 3600.0, "b": 7200.0, "c": 36.0, "d": 36.0}.items()}
    first = process(0, [tries["a"], tries["b"], tries["c"], ["ready", "a", 0], tries["d"]])
    second = process(5, [tries["c"], tries["a"], tries["d"]])
    rows = [(1, 0.0), (2, 4.0), (4, float("nan")), (6, 3.0)]
    scrapes = pd.DataFrame([(moment(at), value, "127.0.0.1:1") for at, value in rows])
    found = truth(Record([first, second]), scrapes.set_axis(["time", "value", "instance"], axis=1), cap=2)
    assert dict(found.refused) == {"127.0.0.1:1": 2}
    assert (found.unscraped, found.refused_in_all, found.attempts) == (1, 3, 7)
    assert found.tenants == {"a", "b", "c"}
    assert found.over == {"c", "d"}
    assert dict(found.most) == {"127.0.0.1:1": 2}
    assert found.costs == pytest.approx({"a": 2 + 300, "b": 4, "c": 3})
    assert found.outages == {("a", moment(2))}
