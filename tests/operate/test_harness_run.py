"""The harness with a real Prometheus: a burst over the cap, a rollout, restarts, broken guards, a killed run."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from clean_command import COMMAND, clean, cloudxai

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.operate.harness.processes import Platform, platform_words
from cloudxai_analysis.operate.harness.run import Fired, run_kept, scripted
from cloudxai_analysis.operate.harness.tenants import Script
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Settings, resolve_environment

pytestmark = pytest.mark.server

# Two guards of 20; 30 named tenants, 240 generated names tried twice.
SCRIPT = """\
tenants = 30
processes = 2
replicas = 2
events = [
    {kind = "flapping", at = 0.1, until = 0.4, tenants = 2, times = 3},
    {kind = "outage", at = 0.15, until = 0.5},
    {kind = "cost", at = 0.2, until = 0.4, tenants = 2, factor = 5.0},
    {kind = "rollout", at = 0.3, seconds = 2},
    {kind = "burst", at = 0.5, until = 0.9, names = 240, attempts = 2},
    {kind = "restart", at = 0.7, seconds = 2},
]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The outputs of one run of the command, and how it ended."""
    folder = tmp_path_factory.mktemp("harness")
    (folder / "script.toml").write_text(SCRIPT, encoding="utf-8")
    words = ["--minutes", "0.7", "--cap", "20", "--tenants", "60", "--script", str(folder / "script.toml")]
    outputs = folder / "outputs"
    return outputs / "demo", cloudxai("harness", *words, "--fail-on", "unknown", outputs=outputs)


def test_every_promise_holds_and_every_number_is_exactly_what_the_harness_knows(run: tuple[Path, Any]) -> None:
    folder, done = run
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "harness.json").read_text(encoding="utf-8"))
    assert [(row["invariant"], row["status"]) for row in found["verdicts"]] == [
        ("I1", "pass"),
        ("I2", "pass"),
        ("I3", "pass"),
    ]
    assert [row for row in found["agreement"] if not row["agrees"]] == []
    counts = found["counts"]
    # The rollout replaced two processes, and one was killed and came back.
    assert counts["processes"] == 5
    assert counts["refused"] > 300
    assert counts["attempts"] == counts["admitted"] + counts["refused"]
    assert counts["unanswered"] > 0
    known = {row["what"]: row["known"] for row in found["agreement"]}
    assert known["restarts"] == 1
    assert known["alert episodes, by their start"] > 0
    assert known["tenant outages, by their start"] > 3
    assert found["growth"]["most_tried"] == {"guarded": 60, "unguarded": 60}


def test_what_is_printed_names_the_verdicts_and_the_ledger_has_them(run: tuple[Path, Any]) -> None:
    folder, done = run
    lines = done.stdout.splitlines()
    assert [line[:8] for line in lines[:3]] == ["I1 pass:", "I2 pass:", "I3 pass:"]
    assert any(line.startswith("Two equal arms differ by") for line in lines)
    ledger = Ledger(folder / "ledger" / "incidents.jsonl")
    assert ledger.verify().entries > 1  # those of the demo stand before it
    entry: Any = ledger.entries()[-1]
    assert (entry.kind, entry.within_cap, entry.only_at_cap, entry.counted_exactly) == ("harness", *3 * ("pass",))
    assert (entry.cap, entry.most_tenants, entry.seed, entry.differing, entry.fault) == (20, 60, 1, 0, "")
    assert entry.result == hashlib.sha256((folder / "harness.json").read_bytes()).hexdigest()


@pytest.mark.parametrize(("fault", "broken"), [("leaky", {"I1"}), ("early", {"I2"}), ("uncounted", {"I3"})])
def test_a_broken_guard_is_found_by_the_promise_that_it_breaks(fault: Any, broken: set[str]) -> None:
    """Whichever it breaks, its refusals are no longer the attempts over the cap, so that I3 breaks with it."""
    burst = {"kind": "burst", "at": 0.2, "until": 0.8, "names": 60}
    script = Script.model_validate({"tenants": 10, "events": [burst], "fault": fault})
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    found = scripted(settled, script, minutes=0.15, cap=20, tenants=60, seed=1)
    assert {row["invariant"] for row in found["verdicts"] if row["status"] == "fail"} == broken | {"I3"}


def test_a_platform_that_runs_already_is_loaded_once_and_that_was_a_drill(tmp_path: Path) -> None:
    """What it holds from an earlier run is not known, so that it is refused the second time."""
    settled = resolve_environment(Settings.model_construct(outputs=tmp_path), source=DEMO_SOURCE, name="demo")
    there = Platform.started(platform_words(settled.contract, cap=5))
    burst = {"kind": "burst", "at": 0, "until": 1, "names": 20}
    script = Script.model_validate({"tenants": 3, "events": [burst], "targets": [f"http://{there.instance}"]})
    given: Any = {"minutes": 0.1, "cap": 5, "tenants": 20, "seed": 1, "hosts": ["127.0.0.1"]}
    try:
        found = run_kept(settled, script, pairs=5, **given)
        assert {row["status"] for row in found["verdicts"]} == {"pass"}
        assert found["counts"]["refused"] == 18
        assert found["counts"]["refused_after_the_last_scrape"] == 0
        with pytest.raises(UsageError, match="was loaded before"):
            scripted(settled, script, **given)
    finally:
        there.kill()
    run, drill = (dict(one) for one in Ledger(settled.ledger).entries()[-2:])
    assert (run["kind"], drill["kind"], drill["refused"]) == ("harness", "drill", 18)
    assert (drill["tenants"], f"{drill['start']:%F %T}") == (("shop-*", "req-*"), f"{run['at']:%F %T}")
    assert drill["end"] - drill["start"] > timedelta(seconds=6)


def test_another_applications_contract_needs_no_other_harness() -> None:
    """Another job and tenant label, processes told apart by their pod, and no cost."""
    contract = load_contract()
    metrics = {role: one for role, one in contract.metrics.items() if role not in ("cost", "readiness_check")}
    named = {
        role: one.model_copy(
            update={"labels": tuple({"tenant": "customer", "instance": "pod"}.get(n, n) for n in one.labels)}
        )
        for role, one in metrics.items()
    }
    own = {"metrics": named, "jobs": ("shop",), "tenant_label": "customer", "process_labels": ("job", "pod")}
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    other = settled.model_copy(update={"contract": contract.model_copy(update=own)})
    burst = {"kind": "burst", "at": 0.2, "until": 0.8, "names": 60}
    restart = {"kind": "restart", "at": 0.5, "seconds": 1}
    script = Script.model_validate({"tenants": 10, "processes": 2, "events": [burst, restart]})
    found = scripted(other, script, minutes=0.2, cap=10, tenants=60, seed=1)
    assert {row["status"] for row in found["verdicts"]} == {"pass"}
    assert [row for row in found["agreement"] if not row["agrees"]] == []
    assert found["counts"]["refused"] > 10


def test_nothing_is_left_running_where_a_run_is_killed(tmp_path: Path) -> None:
    command = [*COMMAND, "harness", "--minutes", "1"]
    run = subprocess.Popen(
        command, env=clean(CLOUDXAI_OUTPUTS=str(tmp_path), TMPDIR=str(tmp_path)), stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(started := psutil.Process(run.pid).children(recursive=True)) < 4:
            time.sleep(0.2)
        assert {"prometheus"} <= {one.name() for one in started}
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    gone, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    assert len(gone) >= 4


def test_replicas_that_fire_an_evaluation_apart_are_one_episode() -> None:
    def alert(at: str, replica: str, state: str = "firing") -> dict[str, Any]:
        labels = {"alertname": "Refused", "instance": "one:80", "replica": replica}
        return {"state": state, "activeAt": f"2026-11-09T12:00:{at}Z", "labels": labels}

    looks = {
        "": [alert("05.2", "a", "pending"), alert("10.2", "b", "pending")],
        "05": [alert("10.2", "b")],  # the other has been pending for longer, and is so no more
        "05 again": [alert("05.2", "a"), alert("10.2", "b")],
        "still": [alert("05.2", "a")],
        "over": [],
        "05 40": [alert("40.2", "b")],
    }
    fired, seen = Fired(), []
    for look in looks.values():
        fired.look(look)
        seen.append(" ".join(sorted(f"{since:%S}" for *_, since in fired.episodes)))
    assert seen == ["", "05", "05", "05", "05", "05 40"]
