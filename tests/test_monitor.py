"""The daily monitor over a fortnight of set clocks, before a real Prometheus whose samples were planted.

Missed days, a night without a server, runs that are killed in the middle of a write, two at once: the log has each day
once, says what was planted, and its chain is whole.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import servers
from clean_command import COMMAND, Done, clean, cloudxai, run, several

from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2025, 11, 3, tzinfo=UTC)
DAYS, MINUTE = 14, 60_000
# By minute since the start: not ready on the 6th, refusals on the 7th, nothing scraped on the 13th from 0:00 to 3:00.
NOT_READY = (3 * 1440 + 600, 3 * 1440 + 619)
REFUSED = 4 * 1440 + 720
HOLE = (10 * 1440, 10 * 1440 + 180)
TARGET = {"job": "cloudxai", "instance": "a:80"}
# Ends itself by SIGKILL when the ledger's new file is to take its place, or just after it did.
_KILLED = """
import os, signal, sys
from cloudxai_analysis.cli import main
done = []
def look(event, given):
    if event == "os.rename" and str(given[1]).endswith("incidents.jsonl"):
        done.append(event)
        if sys.argv[1] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    elif event == "open" and done:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(look)
main(sys.argv[2:])
"""


def world(target: dict[str, str] = TARGET, **names: str) -> Iterator[SeriesBatch]:
    """Two tenants, a scrape a minute for the fortnight; `names` are other names, or '' of what is not exported."""
    minutes = np.arange(DAYS * 1440)
    minutes = minutes[(minutes < HOLE[0]) | (minutes >= HOLE[1])]
    times, first = (int(START.timestamp()) * 1000 + minutes * MINUTE), np.ones(len(minutes))
    ready = ~((minutes >= NOT_READY[0]) & (minutes < NOT_READY[1]))
    flips = (minutes >= NOT_READY[0]).astype(float) + (minutes >= NOT_READY[1])
    tenants = [{**target, "tenant": name} for name in ("007", "=cmd")]
    made = {
        "up": [(target, first)],
        "readiness_state": [(target, ready.astype(float))],
        "readiness_transitions_total": [(target, flips)],
        "tenant_label_rejections_total": [(target, 7.0 * (minutes >= REFUSED))],
        "tenant_readiness_state": [(labels, first) for labels in tenants],
        "tenant_cost_estimate": [(labels, (2.0 + number) * first) for number, labels in enumerate(tenants)],
        "process_start_time_seconds": [(target, first * (START.timestamp() - 3600))],
    }
    for metric, rows in made.items():
        if name := names.get(metric, metric):
            yield SeriesBatch.of(name, [(labels, times, values) for labels, values in rows])


@pytest.fixture
def beta(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the settings of an environment 'beta', and gives their file."""

    def written(source: str, *lines: str, settings: str = "") -> Path:
        file = tmp_path / "cloudxai.toml"
        own = "\n".join([f'source = "{source}"', "history_weeks = 1", *lines])
        file.write_text(f'{settings}\noutputs = "{tmp_path / "outputs"}"\n[environments.beta]\n{own}\n')
        return file

    return written


def words(now: str, *more: str) -> list[str]:
    return ["monitor", "--environment", "beta", "--now", f"2025-11-{now}", *more]


def observed(folder: Path) -> list[dict[str, Any]]:
    """Every line of the ledger that is a day, in the order written."""
    lines = (folder / "outputs" / "beta" / "ledger" / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "day"]


@pytest.mark.server
def test_a_fortnight_with_all_that_can_happen(
    start_prometheus: Callable[..., servers.Server], beta: Callable[..., Path], tmp_path: Path
) -> None:
    settings = beta(start_prometheus(world()).url)

    def runs(*given: list[str]) -> list[Done]:
        return several(*given, outputs=tmp_path / "outputs", CLOUDXAI_SETTINGS=str(settings))

    def dates() -> list[str]:
        return [entry["date"] for entry in observed(tmp_path)]

    # Two mornings; then nobody runs it on the 6th and the 7th.
    first, second, third = runs(words("04T06:00Z"), words("05T06:00Z"), words("08T06:00Z", "--note", "<b>back</b>"))
    assert [one.code for one in (first, second, third)] == [0, 0, 0], third.err
    assert first.out == [
        "2025-11-03  ready 1,440 of 1,440 min, 2 tenants, 0 refused, 120 EUR, coverage 100.0 %, "
        "alerts unknown — observed"
    ]
    assert [line[:10] + line[line.index(" — ") :] for line in third.out] == [
        "2025-11-05 — back-filled",
        "2025-11-06 — back-filled",
        "2025-11-07 — observed",
    ]
    # A night without a server leaves the file as it was, and is made up for.
    before = observed(tmp_path)
    away, again = runs(words("09T06:00Z", "--source", "http://127.0.0.1:1"), words("10T06:00Z"))
    assert (away.code, away.out, again.code) == (3, [], 0)
    assert observed(tmp_path)[: len(before)] == before
    assert dates() == [f"2025-11-{day:02}" for day in range(3, 10)]
    # Killed before and after the new file took its place: run again, the day is there once.
    for place, now in (("before", "11T06:00Z"), ("after", "12T06:00Z")):
        command = [sys.executable, "-c", _KILLED, place, *words(now)]
        assert run(*command, settings=settings).returncode == -signal.SIGKILL
        assert cloudxai("ledger", "verify", "--environment", "beta", settings=settings).returncode == 0
        assert cloudxai(*words(now), settings=settings).returncode == 0
    assert dates()[-2:] == ["2025-11-10", "2025-11-11"]
    # Two at once.
    command = [*COMMAND, *words("13T06:00Z")]
    both = [subprocess.Popen(command, env=clean(CLOUDXAI_SETTINGS=str(settings)), cwd="/") for _ in range(2)]
    codes = [one.wait(timeout=300) for one in both]
    assert 0 in codes
    assert set(codes) <= {0, 7}
    # A day that is not over, the same day over, one that was seen in part, and nothing new.
    young, over, part, same = runs(
        words("13T12:00Z", "--day", "2025-11-13"), words("14T06:00Z"), words("17T06:00Z"), words("17T09:00Z")
    )
    assert [one.code for one in (young, over, part, same)] == [0, 0, 0, 0]
    assert young.out[0].endswith("in part: it was not over at 2025-11-13 12:00 UTC")
    assert "observed again, in part: 87." in over.out[0]
    assert [line[:10] + line[line.index(" — ") :][:18] for line in same.out] == [
        "2025-11-13 — observed before",
        "2025-11-16 — observed before",
    ]

    counts = Counter(dates())
    assert counts == {f"2025-11-{day:02}": 2 if day == 13 else 1 for day in range(3, 17)}
    assert cloudxai("ledger", "verify", "--environment", "beta", settings=settings).returncode == 0
    log = {one.date.day: one for one in Ledger(tmp_path / "outputs" / "beta" / "ledger" / "incidents.jsonl").days()}
    assert [day for day, one in log.items() if one.backfilled] == [5, 6, 8, 14, 15]
    assert [day for day, one in log.items() if one.partial] == [13]
    assert {day: one.ready_minutes for day, one in log.items() if day != 13} == {
        day: 1421.0 if day == 6 else 1440.0 for day in log if day != 13
    }
    assert 1260 <= (log[13].ready_minutes or 0) <= 1262.5
    assert {day: one.rejections for day, one in log.items() if one.rejections} == {7: 7}
    assert {day: one.transitions for day, one in log.items() if one.transitions} == {6: 2}
    assert {(one.tenants_observed, one.tenants_held, one.cap) for one in log.values()} == {(2, 2, 100)}
    assert [(cost.amount, cost.currency) for cost in log[10].costs or ()] == [(120.0, "EUR")]
    assert log[7].notes == ("<b>back</b>",)
    # No alert was ever stored and no rule is loaded, so that nobody knows of alerts.
    assert {one.alerts_fired for one in log.values()} == {None}


@pytest.mark.server
def test_another_application_of_which_less_is_known(
    start_prometheus: Callable[..., servers.Server], beta: Callable[..., Path], tmp_path: Path
) -> None:
    """Another job, other names, no cost, no counter of refusals: what is not there is MISSING or unknown, never 0."""
    other = DEFAULT_CONTRACT.read_text().replace('jobs = ["cloudxai"]', 'jobs = ["shop"]')
    (tmp_path / "shop.toml").write_text(other.replace('"readiness_state"', '"shop_ready"'))
    without = dict.fromkeys(("tenant_cost_estimate", "tenant_label_rejections_total"), "")
    server = start_prometheus(world({"job": "shop", "instance": "b:80"}, readiness_state="shop_ready", **without))
    settings = beta(server.url, settings=f'contract = "{tmp_path / "shop.toml"}"')
    done = cloudxai(*words("05T06:00Z"), settings=settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "2025-11-04  ready 1,440 of 1,440 min, 2 tenants, refusals unknown, cost unknown, coverage 100.0 %, "
        "alerts unknown — observed"
    )
    day = Ledger(tmp_path / "outputs" / "beta" / "ledger" / "incidents.jsonl").days()[-1]
    assert (day.rejections, day.costs, day.cost_anomalies, day.alerts_fired) == (None, None, None, None)
    assert day.metrics is not None
    assert {name for name, found in day.metrics.items() if found == "MISSING"} == {
        *("tenant_cost_estimate", "tenant_label_rejections_total"),
        *("tenant_readiness_transitions_total", "readiness_check_duration_seconds"),
    }
    assert not day.partial
    # A day on which nothing was scraped says nothing of what the platform exports.
    later = cloudxai(*words("20T06:00Z", "--day", "2025-11-18"), settings=settings)
    assert later.stdout.splitlines() == [
        "2025-11-18  readiness unknown, tenants unknown, refusals unknown, cost unknown, coverage 0.0 %, "
        "alerts unknown — back-filled, in part: nothing of it was seen"
    ]
    empty = Ledger(tmp_path / "outputs" / "beta" / "ledger" / "incidents.jsonl").days()[-1]
    assert (empty.date, empty.status, empty.metrics) == (date(2025, 11, 18), "unknown", None)
    early = cloudxai(*words("20T06:00Z", "--day", "2025-10-01"), settings=settings)
    assert early.returncode == 4
    assert "has no sample of the CloudxAi contract" in early.stderr
    assert len(observed(tmp_path)) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["monitor", "--day", "2026-11-31"], "Invalid value for '--day': '2026-11-31' does not match"),
        (["monitor", "--day", "2030-01-01"], "Day 2030-01-01 has not begun: it is 2026-11-16 00:00 UTC"),
        (["monitor", "--now", "2026-11-12T06:00"], "Give a time with its zone"),
        (["report", "--now", "yesterday"], "Invalid --now 'yesterday'"),
        (["report", "--now", "2026-11-12T06:00Z", "--week", "2026-W47"], "in the future: it is 2026-11-12 06:00 UTC"),
    ],
)
def test_a_wrong_word_is_one_line(command: Callable[..., Done], outputs: Path, given: list[str], said: str) -> None:
    done = command(*given, "--source", "demo://")
    assert (done.code, done.out) == (2, [])
    assert said in done.line
    assert not (outputs / "ledger").exists()
