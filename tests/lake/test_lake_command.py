"""`cloudxai lake`: what it says, and how it exits."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from killed_pull import age

from cloudxai_analysis.cli import main
from cloudxai_analysis.lake.lock import locked_lake
from cloudxai_analysis.lake.tables import open_lake

SETTINGS = "[environments.demo]\nhistory_weeks = 1\n"


@dataclass
class Done:
    """How a command ended, and what it said."""

    code: int
    out: list[str]
    err: list[str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs with the demo's first two weeks and the day after them: 240 tiles."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "cloudxai.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_SETTINGS", str(folder / "cloudxai.toml"))
        patch.setenv("CLOUDXAI_OUTPUTS", str(folder / "outputs"))
        with pytest.raises(SystemExit) as ended:
            main(["pull", "--week", "2026-W42"])
    assert ended.value.code == 0
    return folder


@pytest.fixture
def lake(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(first / "outputs", tmp_path / "outputs")
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(first / "cloudxai.toml"))
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("PROMETHEUS_URL", raising=False)
    return tmp_path / "outputs" / "demo" / "lake"


@pytest.fixture
def cloudxai(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*words: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["lake", *words])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Done(int(ended.value.code or 0), said.out.splitlines(), said.err.splitlines())

    return run


def spoil(lake: Path, kind: str, date: str, metric: str = "up") -> Path:
    (file,) = (lake / kind / date).glob(f"*-{metric}-*.parquet")
    file.write_bytes(file.read_bytes() + b"x")
    return file


def test_status(lake: Path, cloudxai: Callable[..., Done]) -> None:
    done = cloudxai("status")
    assert (done.code, done.err) == (0, [])
    assert done.out[0] == f"Lake {lake}: version 1"
    assert re.fullmatch(
        r"Newest: written 20\d\d-\d\d-\d\d \d\d:\d\d UTC, as of 2026-11-16 00:00 UTC, from demo://\?seed=1&scenario=beta",
        done.out[1],
    )
    assert re.fullmatch(
        r"Holds: 15 days \(2026-10-05 to 2026-10-19\), 16 metrics, [\d,]+ samples in 240 tiles", done.out[2]
    )
    assert re.fullmatch(r"Files of the newest version: 480 files, \d+\.\d MB", done.out[3])
    assert done.out[4:] == [
        "Files of older versions alone: 0 files, 0.0 MB",
        "Files that no version names: 0 files, 0.0 MB",
    ]


def test_status_of_what_lies_there_besides(lake: Path, cloudxai: Callable[..., Done]) -> None:
    day = lake / "samples" / "2026-10-06"
    (day / "notes.txt").write_text("mine")
    orphan = next(day.glob("*-up-*"))
    shutil.copy(orphan, orphan.with_name(f"1-{orphan.name.split('-', 1)[1]}"))
    orphan.with_suffix(".1.building").write_text("half")
    next((lake / "rollups" / "2026-10-07").glob("*-up-*")).unlink()
    summary = lake.parent / "reports" / "2026-W42" / "summary.json"
    summary.parent.mkdir(parents=True)
    summary.write_text(json.dumps({"provenance": {"lake": {"rollups": 1}}}))
    out = cloudxai("status").out
    assert "Lost: files of 1 tile; `cloudxai lake repair` brings them back" in out
    assert [line.split(",")[0] for line in out if line.startswith(("Files in", "Files that", "Foreign"))] == [
        "Files that no version names: 1 file",
        "Files in the making: 1 file",
        "Foreign files: 1 file",
    ]
    assert out[-1] == "Version 1 is named by 1 report: 2026-W42"
    summary.write_text("{")
    assert cloudxai("status").out[-1].startswith(f"Report {summary} cannot be read")


@pytest.mark.parametrize("words", [["status"], ["verify"], ["repair"], ["vacuum"]], ids=" ".join)
def test_an_empty_lake(lake: Path, cloudxai: Callable[..., Done], words: list[str]) -> None:
    shutil.rmtree(lake)
    done = cloudxai(*words)
    assert done.code == (0 if words == ["status"] else 2)
    assert " empty" in "".join([*done.out, *done.err])
    assert not lake.exists()


def test_verify_of_a_whole_lake_names_what_is_foreign(lake: Path, cloudxai: Callable[..., Done]) -> None:
    (lake / "notes\u202e.txt").write_text("mine")
    done = cloudxai("verify")
    assert (done.code, done.err) == (0, [])
    assert done.out == [
        f"foreign file, left alone: {lake / 'notes'}\ufffd.txt",
        "demo: 480 files of version 1 are what was written.",
    ]


def test_verify_names_each_damaged_file_and_repair_mends_them(lake: Path, cloudxai: Callable[..., Done]) -> None:
    damaged, gone = spoil(lake, "samples", "2026-10-06"), spoil(lake, "rollups", "2026-10-07", "readiness_state")
    gone.unlink()
    done = cloudxai("verify")
    assert done.code == 5
    assert [line.split(" begins")[0] for line in done.out] == [
        "up 2026-10-06 samples: damaged: its SHA-256",
        f"readiness_state 2026-10-07 rollups: missing: {gone}",
    ]
    assert done.out[0].endswith(f": {damaged}")
    assert done.err == [
        f"cloudxai: Lake {lake}: 2 of 480 files of version 1 are damaged or missing. "
        "`cloudxai lake repair` brings the newest version's back."
    ]
    done = cloudxai("repair")
    assert (done.code, done.err) == (0, [])
    assert done.out[2:] == [
        "readiness_state 2026-10-07: rolled up again from its samples",
        "up 2026-10-06: pulled again",
        "demo: repaired; the lake is at version 3.",
    ]
    assert cloudxai("verify", "--all-kept").out == ["demo: 480 files of versions 1 to 3 are what was written."]
    assert cloudxai("verify", "--version", "1").out == ["demo: 480 files of version 1 are what was written."]
    assert cloudxai("repair").out == ["demo: nothing to repair."]


def test_repair_leaves_what_the_source_no_longer_has(lake: Path, cloudxai: Callable[..., Done]) -> None:
    # A tile of a day before the demo begins, with samples that no source has: published by hand.
    log = lake / "rollups" / "_delta_log" / f"{1:020d}.json"
    before = log.read_bytes()
    plant(lake)
    spoil(lake, "samples", "2026-10-01")
    spoil(lake, "samples", "2026-10-06")
    done = cloudxai("repair")
    assert done.code == 5
    assert done.out[2:] == [
        "up 2026-10-06: pulled again",
        "up 2026-10-01: left as it is, since the source has 0 of the 24 samples that the lake held",
    ]
    assert done.err == [
        f"cloudxai: Lake {lake}: 1 tile could not be brought back; the others were. Restore their files from a copy, "
        "or take what the source still has with --accept-loss."
    ]
    assert cloudxai("verify").code == 5
    done = cloudxai("repair", "--accept-loss")
    assert (done.code, done.err) == (0, [])
    assert done.out[1:] == [
        "up 2026-10-01: pulled again with 0 of 24 samples; the loss was accepted",
        "demo: repaired; the lake is at version 4.",
    ]
    assert log.read_bytes() == before


def plant(lake: Path) -> None:
    """Publish a tile of a day before the demo begins: 24 samples of `up`."""
    from datetime import UTC, datetime, timedelta

    import numpy as np

    from cloudxai_analysis.ground.window import DAY, Window
    from cloudxai_analysis.lake.commit import publish
    from cloudxai_analysis.lake.tiles import write_tile
    from cloudxai_analysis.sources.series import SeriesBatch

    start = datetime(2026, 10, 1, tzinfo=UTC)
    day = Window(start, start + DAY, "2026-10-01")
    times = day.start_ms + np.arange(24, dtype=np.int64) * 3_600_000
    batch = SeriesBatch.of("up", [({"job": "cloudxai"}, times, np.ones(24))])
    opened = open_lake(lake)
    tile = write_tile(lake, batch, day, day.end + timedelta(hours=1), "tenant")
    publish(opened, [tile], opened.snapshot().provenance)


def test_repair_sets_a_damaged_newest_log_aside(lake: Path, cloudxai: Callable[..., Done]) -> None:
    plant(lake)
    log = lake / "rollups" / "_delta_log" / f"{2:020d}.json"
    log.write_bytes(b"")
    assert cloudxai("verify").code == 5
    done = cloudxai("repair")
    assert (done.code, done.err) == (0, [])
    assert done.out == [
        f"damaged log, set aside: {log}.set-aside-1",
        "Run `cloudxai pull`: it takes up the tiles of what was set aside, and asks for the rest.",
        "demo: no other file is damaged.",
    ]
    assert cloudxai("verify").out == ["demo: 480 files of version 1 are what was written."]


def test_vacuum(lake: Path, cloudxai: Callable[..., Done]) -> None:
    plant(lake)
    log = lake / "rollups" / "_delta_log" / f"{2:020d}.json"
    log.write_bytes(b"")
    cloudxai("repair")
    age(lake, 40)
    done = cloudxai("vacuum", "--dry-run")
    assert [line.split(":")[0] for line in done.out] == ["would be removed"] * 2 + ["demo"]
    assert cloudxai("vacuum", "--older-than", "41d").out == ["demo: 0 files, 0.0 MB, removed; kept: version 1."]
    done = cloudxai("vacuum")
    assert (done.code, done.out) == (0, ["demo: 2 files, 0.0 MB, removed; kept: version 1."])
    assert cloudxai("verify").code == 0


MISTAKES = [
    (["vacuum", "--older-than", "30"], "Invalid age '30'. Give days or hours, like 30d or 36h."),
    (["vacuum", "--older-than", "0h"], "An age under 1h is too young for a vacuum"),
    (["verify", "--version", "2"], "has no version 2. It has 1 to 1."),
    (["verify", "--version", "1", "--all-kept"], "Give --version or --all-kept, not both."),
    (["verify", "--environment", "demmo"], "Unknown environment 'demmo'. Did you mean 'demo'?"),
    (["mend"], "No such command 'mend'"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_are_one_line(lake: Path, cloudxai: Callable[..., Done], words: list[str], said: str) -> None:
    done = cloudxai(*words)
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert said in done.err[0]


@pytest.mark.parametrize("word", ["repair", "vacuum"])
def test_another_run_is_waited_for(
    lake: Path, cloudxai: Callable[..., Done], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDXAI_LIMITS__LOCK_SECONDS", "0")
    orphan = next((lake / "samples" / "2026-10-06").glob("*-up-*"))
    old = orphan.with_name(f"1-{orphan.name.split('-', 1)[1]}")
    shutil.copy(orphan, old)
    os.utime(old, (0, 0))
    with locked_lake(open_lake(lake), 0):
        done = cloudxai(word)
    assert (done.code, len(done.err)) == (7, 1)
    assert "being written by another run" in done.err[0]
    # Looking is free.
    with locked_lake(open_lake(lake), 0):
        assert cloudxai("verify").code == cloudxai("status").code == 0
