"""A fortnight of the schedules' own command lines under set clocks, before a real Prometheus with planted samples."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import servers
import yaml
from clean_command import COMMAND, PROJECT, Done, clean, cloudxai, several
from cronsim import CronSim

from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2025, 11, 3, tzinfo=UTC)  # a Monday
MINUTES = 15 * 1440 + 180  # to Tuesday the 18th, 03:00
JOBS = PROJECT / "reference" / "schedules" / "kubernetes" / "cloudxai.yaml"
# By day of November: on the 6th and 7th nobody was there, in the night of the 9th the server was not; a run of the
# 12th was killed; on the 13th each start was doubled; on Monday the 17th the report was missed.
OFF, AWAY, KILLED, DOUBLED, LATE = (6, 7), 9, 12, 13, 17


def world() -> Iterator[SeriesBatch]:
    """One process with one tenant, a scrape a minute, on which nothing is wrong."""
    times = int(START.timestamp()) * 1000 + np.arange(MINUTES) * 60_000
    target = {"job": "cloudxai", "instance": "a:80"}
    values: list[tuple[str, dict[str, str], float]] = [
        ("up", {}, 1),
        ("scrape_duration_seconds", {}, 0.1),
        ("scrape_samples_scraped", {}, 20),
        ("readiness_state", {}, 1),
        ("readiness_transitions_total", {}, 4),
        ("tenant_label_rejections_total", {}, 0),
        ("process_start_time_seconds", {}, START.timestamp() - 3600),
        ("readiness_check_duration_seconds_bucket", {"le": "0.2"}, 9),
        ("readiness_check_duration_seconds_bucket", {"le": "+Inf"}, 9),
        ("readiness_check_duration_seconds_sum", {}, 1),
        ("readiness_check_duration_seconds_count", {}, 9),
        ("tenant_readiness_state", {"tenant": "acme"}, 1),
        ("tenant_readiness_transitions_total", {"tenant": "acme"}, 2),
        ("tenant_cost_estimate", {"tenant": "acme"}, 2),
    ]
    names: dict[str, list[Any]] = {}
    for name, own, value in values:
        names.setdefault(name, []).append(({**target, **own}, times, np.full(MINUTES, float(value))))
    for name, rows in names.items():
        yield SeriesBatch.of(name, rows)


def due(after: datetime, before: datetime) -> Iterator[tuple[datetime, list[str]]]:
    """When the cluster's schedule starts which command, in order."""
    found = []
    for job in (one["spec"] for one in yaml.safe_load(JOBS.read_text("utf-8"))["items"] if one["kind"] == "CronJob"):
        (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        times = CronSim(job["schedule"], after)
        while (moment := next(times)) < before:
            found.append((moment, container["args"]))
    return iter(sorted(found))


def under(clock: datetime, words: list[str]) -> list[str]:
    """The same command under a set clock."""
    return [*words, "--now", f"{clock:%Y-%m-%dT%H:%MZ}"]


@pytest.mark.server
@pytest.mark.notebook
def test_a_fortnight_with_all_that_goes_wrong_ends_as_if_somebody_had_been_there(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    outputs, settings = tmp_path / "outputs", tmp_path / "cloudxai.toml"
    settings.write_text(f'[environments.beta]\nsource = "{start_prometheus(world()).url}"\nhistory_weeks = 1\n')
    ended: list[tuple[int, str, Done]] = []

    def play(*planned: tuple[datetime, list[str]], source: str = "") -> None:
        more = ["--source", source] if source else []
        given = [[*under(clock, words), *more] for clock, words in planned]
        patience = {"CLOUDXAI_LIMITS__RETRIES": "0", "CLOUDXAI_LIMITS__NIGHTLY_RETRY_SECONDS": "0"}
        done = several(*given, outputs=outputs, CLOUDXAI_SETTINGS=str(settings), **patience)
        ended.extend((clock.day, words[0], one) for (clock, words), one in zip(planned, done, strict=True))

    whole = list(due(START + timedelta(days=1), START + timedelta(days=15)))
    planned = [one for one in whole if one[0].day not in OFF and (one[0].day, one[1][0]) != (LATE, "report")]
    # Made up for on Tuesday, as all schedules do.
    planned.append(
        (START + timedelta(days=15, hours=5, minutes=30), next(words for _, words in whole if words[0] == "report"))
    )
    play(*(one for one in planned if one[0].day < AWAY))
    play(*(one for one in planned if one[0].day == AWAY), source="http://127.0.0.1:1")
    play(*(one for one in planned if AWAY < one[0].day < KILLED))
    kill(under(*next(one for one in planned if one[0].day == KILLED)), settings, outputs)
    play(*(one for one in planned if KILLED <= one[0].day < DOUBLED))
    play(*(one for one in planned if one[0].day == DOUBLED), *(one for one in planned if one[0].day == DOUBLED))
    play(*(one for one in planned if one[0].day > DOUBLED))

    # Of a server without rules each night says just that, and ends with 1.
    codes = Counter((name, done.code) for _, name, done in ended)
    nights = 14 - len(OFF)
    said = "\n".join(f"{day} {name} {done.code} {done.err[-1:]} {done.out[-3:]}" for day, name, done in ended)
    assert codes == {
        ("monitor", 0): nights,
        ("monitor", 3): 1,
        ("nightly", 1): nights,
        ("nightly", 3): 1,
        ("report", 0): 2,
    }, said
    assert [day for day, _, done in ended if any("did not end" in line for line in done.err)] == [KILLED]
    ledger = [json.loads(line) for line in (outputs / "beta" / "ledger" / "incidents.jsonl").read_text().splitlines()]
    days = {entry["date"]: entry for entry in ledger if entry["kind"] == "day"}
    assert sorted(days) == [f"2025-11-{day:02}" for day in range(3, 17)]
    assert [day[-2:] for day in sorted(days) if days[day]["backfilled"]] == ["05", "06", "08"]
    assert {(entry["ready_minutes"], entry["partial"]) for entry in days.values()} == {(1440.0, False)}
    kept = {entry["date"]: bool(entry["away"]) for entry in ledger if entry["kind"] == "night"}
    ran = [day for day in range(4, 18) if day not in OFF]
    assert kept == {f"2025-11-{day:02}": day == AWAY for day in ran}
    # Once a day and once a night, however often they were started.
    assert Counter(entry["kind"] for entry in ledger) == {"day": 14, "night": len(ran)}
    assert cloudxai("ledger", "verify", "--environment", "beta", settings=settings).returncode == 0
    told = cloudxai("status", "--environment", "beta", settings=settings).stdout
    assert [week for week in ("2025-W45", "2025-W46") if f"Report {week}" in told] == ["2025-W45", "2025-W46"]
    last = [f"{line.split(':')[0]}, {line[-6:]}" for line in told.splitlines() if line.startswith("Last ")]
    assert last == ["Last monitor, with 0", "Last nightly, with 1", "Last report, with 0"]


def kill(words: list[str], settings: Path, outputs: Path) -> None:
    """The life of a run that is killed as soon as it has noted that it began."""
    given = clean(CLOUDXAI_SETTINGS=str(settings), CLOUDXAI_OUTPUTS=str(outputs))
    note = outputs / "beta" / "runs" / f"{words[0]}.json"
    before = note.read_text()
    with subprocess.Popen([*COMMAND, *words], env=given, cwd="/", stderr=subprocess.DEVNULL) as process:
        while note.read_text() == before:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
