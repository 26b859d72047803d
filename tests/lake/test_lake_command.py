"""`cloudxai lake`: what it says, and how it exits."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from clean_command import Done, several
from killed_pull import age

from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.tables import log_file, open_lake
from cloudxai_analysis.lake.tiles import write_tile
from cloudxai_analysis.sources.series import SeriesBatch

ONE_WEEK = '{"demo": {"source": "demo://", "history_weeks": 1}}'


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs with the demo's first two weeks and the day after them: 240 tiles."""
    outputs = tmp_path_factory.mktemp("command") / "outputs"
    (done,) = several(["pull", "--week", "2026-W42"], outputs=outputs, CLOUDXAI_ENVIRONMENTS=ONE_WEEK)
    assert done.code == 0, done
    return outputs


@pytest.fixture
def lake(first: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOUDXAI_ENVIRONMENTS", ONE_WEEK)
    shutil.copytree(first, outputs.parent)
    return outputs / "lake"


@pytest.fixture
def cloudxai(command: Callable[..., Done]) -> Callable[..., Done]:
    return lambda *words: command(*(() if words[0] == "pull" else ("lake",)), *words)


def spoil(lake: Path, kind: str, date: str, metric: str = "up") -> Path:
    (file,) = (lake / kind / date).glob(f"*-{metric}-*.parquet")
    file.write_bytes(file.read_bytes() + b"x")
    return file


def plant(lake: Path, hours: int, asked: int) -> None:
    """Publish so many samples of `up` on a day before the demo begins, which no source has."""
    start = datetime(2026, 10, 1, tzinfo=UTC)
    day = Window(start, start + DAY, "2026-10-01")
    times = day.start_ms + np.arange(hours, dtype=np.int64) * 3_600_000
    batch = SeriesBatch.of("up", [({"job": "cloudxai"}, times, np.ones(hours))])
    opened = open_lake(lake)
    opened.publish(write_tile(lake, batch, day, day.end + asked * HOUR, "tenant").files, opened.snapshot().provenance)


def test_status(lake: Path, cloudxai: Callable[..., Done]) -> None:
    done = cloudxai("status")
    assert (done.code, done.err) == (0, [])
    assert [re.sub(r"[\d,]+ samples|\d+\.\d MB", "#", line) for line in done.out] == [
        f"Lake {lake}: version 1",
        "As of 2026-11-16 00:00 UTC, from demo://?seed=1&scenario=beta",
        "Holds: 15 days (2026-10-05 to 2026-10-19), 16 metrics, # in 240 tiles",
        "Files of the newest version: 480 files, #",
        "Files of the others: 0 files, #",
    ]
    aside = next((lake / "samples" / "2026-10-06").glob("*-up-*"))
    aside.rename(aside.with_name(f"{aside.name}.set-aside-1"))
    summary = lake.parent / "reports" / "2026-W42" / "summary.json"
    summary.parent.mkdir(parents=True)
    summary.write_text(json.dumps({"provenance": {"lake": {"rollups": 1}}}))
    out = cloudxai("status").out
    assert "Lost: files of 1 tile; the next `cloudxai pull --environment demo` asks for them again" in out
    counted = [line.split(",")[0] for line in out if line.startswith("Files")]
    assert counted == ["Files of the newest version: 479 files", "Files of the others: 1 file"]
    assert out[-2:] == [f"Set aside: {aside}.set-aside-1", "Version 1 is named by report 2026-W42"]
    summary.write_text("{")
    assert cloudxai("status").out[-1].startswith(f"Report {summary} cannot be read")


def test_verify_sets_each_damaged_file_aside_and_a_pull_brings_them_back(
    lake: Path, cloudxai: Callable[..., Done]
) -> None:
    assert cloudxai("verify").out == ["demo: 480 files of version 1 are what was written."]
    damaged, gone = spoil(lake, "samples", "2026-10-06"), spoil(lake, "rollups", "2026-10-07", "readiness_state")
    gone.unlink()
    done = cloudxai("verify")
    assert done.code == 5
    assert [re.sub("begins with .*: ", "", line) for line in done.out] == [
        f"up 2026-10-06 samples: damaged: its SHA-256 {damaged}.set-aside-1",
        f"readiness_state 2026-10-07 rollups: missing: {gone}",
    ]
    assert done.err == [
        f"cloudxai: Lake {lake}: 2 of 480 files of version 1 are damaged or missing. `cloudxai pull --environment "
        "demo` brings back what the source still has, for the newest version; what it no longer has is named, and "
        "stays aside."
    ]
    assert cloudxai("pull", "--week", "2026-W42").code == 0
    assert cloudxai("verify").out == ["demo: 480 files of version 2 are what was written."]
    assert cloudxai("verify", "--version", "1").out == ["demo: 480 files of version 1 are what was written."]
    log = log_file(lake / "rollups", 2)
    log.write_bytes(b"")
    done = cloudxai("verify")
    # With it goes that of its samples, which nothing published needs any more.
    assert (done.code, len(done.out), done.out[-1]) == (5, 2, f"damaged log, set aside: {log}.set-aside-1")
    assert "0 of 480 files of version 1 are damaged or missing" in done.err[0]
    assert cloudxai("verify").code == 0


def test_what_the_source_no_longer_has_is_named(lake: Path, cloudxai: Callable[..., Done]) -> None:
    plant(lake, 24, 1)
    aside = f"{spoil(lake, 'samples', '2026-10-01')}.set-aside-1"
    assert cloudxai("verify").code == 5
    done = cloudxai("pull", "--week", "2026-W42")
    assert done.code == 0
    assert done.err[-1] == (
        "warning: up on 2026-10-01: 0 of 24 samples; the others were lost, and the source no longer has them"
    )
    assert (cloudxai("verify").code, Path(aside).exists()) == (0, True)
    out = cloudxai("status").out
    assert {"Lost: samples of up on 2026-10-01; 0 of 24 are left", f"Set aside: {aside}"} <= set(out)


def test_vacuum(lake: Path, cloudxai: Callable[..., Done]) -> None:
    plant(lake, 24, 1)
    plant(lake, 0, 2)
    age(lake, 40)
    done = cloudxai("vacuum", "--dry-run")
    assert [line.split(":")[0] for line in done.out] == ["would be removed"] * 2 + ["demo"]
    assert cloudxai("vacuum", "--older-than", "41d").out == ["demo: 0 files, 0.0 MB, removed."]
    done = cloudxai("vacuum")
    assert (done.code, done.out) == (0, ["demo: 2 files, 0.0 MB, removed."])
    assert cloudxai("verify").code == 0


def test_mistakes_are_one_line_and_another_run_is_waited_for(
    lake: Path, cloudxai: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, said in {
        "vacuum --older-than 30": "Invalid age '30'. Give days or hours, like 30d or 36h.",
        "vacuum --older-than 0h": "An age under 1h is too young for a vacuum",
        "verify --version 2": "has no version 2. It has 1 to 1.",
        "verify --environment demmo": "Unknown environment 'demmo'. Did you mean 'demo'?",
        "mend": "No such command 'mend'",
    }.items():
        done = cloudxai(*words.split())
        assert (done.code, done.out, len(done.err)) == (2, [], 1)
        assert said in done.err[0]
    monkeypatch.setenv("CLOUDXAI_LIMITS__LOCK_SECONDS", "0")
    with open_lake(lake).locked(0):
        # Looking is free.
        assert cloudxai("verify").code == cloudxai("status").code == 0
        spoil(lake, "samples", "2026-10-06")
        for word in ("vacuum", "verify"):
            done = cloudxai(word)
            assert (word, done.code, done.err) == (word, 7, done.err)
            assert "being written by another run" in done.err[0]
    shutil.rmtree(lake)
    for word, code in (("status", 0), ("verify", 2), ("vacuum", 2)):
        done = cloudxai(word)
        assert (done.code, " empty" in "".join([*done.out, *done.err]), lake.exists()) == (code, True, False)


@pytest.mark.parametrize("words", [["status"], ["verify"], ["vacuum"], ["pull"]], ids=lambda words: words[0])
def test_too_few_files_that_may_be_open_are_no_damage(lake: Path, words: list[str]) -> None:
    """Under any such limit a command ends well or in one line, and sets nothing aside."""
    before = {path for path in lake.rglob("*") if path.is_file()}
    command = [sys.executable, "-m", "cloudxai_analysis.cli", *(words if words == ["pull"] else ["lake", *words])]
    for most in (10, 14, 20):
        done = subprocess.run(
            ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 5), done
        assert (done.returncode == 0) or (done.stderr.startswith("cloudxai: ") and len(done.stderr.splitlines()) == 1)
        assert "panic" not in done.stderr
    assert before <= {path for path in lake.rglob("*") if path.is_file()}
