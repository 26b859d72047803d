"""What is noted of a run: that it began, runs, was killed, or ended with which code; and that two never run at once."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clean_command import COMMAND, Done, clean, cloudxai


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Path]:
    """An environment whose server takes connections and says nothing, so that a run of it lasts."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        file = tmp_path / "cloudxai.toml"
        file.write_text(f'[environments.beta]\nsource = "http://127.0.0.1:{mute.getsockname()[1]}"\n')
        yield file


@contextmanager
def running(settings: Path) -> Iterator[subprocess.Popen[str]]:
    """A report under way, which has noted that it began."""
    words = [*COMMAND, "report", "--environment", "beta"]
    given, note = clean(CLOUDXAI_SETTINGS=str(settings)), settings.parent / "outputs" / "beta" / "runs" / "report.json"
    before = note.read_text() if note.exists() else ""
    with subprocess.Popen(words, env=given, cwd="/", stderr=subprocess.PIPE, text=True) as process:
        try:
            while not note.exists() or note.read_text() == before:
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.fixture
def given(settings: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """A function that gives a command of the environment that starts no kernel."""
    for name in [name for name in os.environ if name.startswith(("CLOUDXAI_", "PROMETHEUS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(settings))
    return lambda *words: command(*words, "--environment", "beta")


def status(given: Callable[..., Done]) -> str:
    done = given("status")
    assert done.code == 0, done.err
    (line,) = [line for line in done.out if line.startswith("Last report: ")] or [""]
    return line


def refused(settings: Path) -> subprocess.CompletedProcess[str]:
    """A report of a server that is gone, which ends with 3."""
    file = settings.with_name("gone.toml")
    file.write_text('[environments.beta]\nsource = "http://127.0.0.1:1"\n')
    done = cloudxai("report", "--environment", "beta", settings=file, CLOUDXAI_LIMITS__RETRIES="0")
    assert done.returncode == 3, done.stderr
    return done


AT = r"[A-Z][a-z]{2} \d+ [A-Z][a-z]{2}, \d\d:\d\d UTC"


def test_a_run_is_told_while_it_runs_after_it_was_killed_and_when_it_ended(
    settings: Path, given: Callable[..., Done]
) -> None:
    assert status(given) == ""
    with running(settings) as process:
        assert re.fullmatch(rf"Last report: began on {AT}, runs", status(given))
        second = cloudxai("report", "--environment", "beta", settings=settings, CLOUDXAI_LIMITS__LOCK_SECONDS="0")
        assert second.returncode == 7
        (line,) = second.stderr.splitlines()
        assert re.match(rf"cloudxai: `cloudxai report` runs already since {AT}, of environment beta; waited 0 s", line)
        # Another command of the environment may run.
        assert given("ledger", "list").code == 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert re.fullmatch(rf"Last report: began on {AT}, did not end", status(given))
    warned = rf"warning: The run of `cloudxai report` that began on {AT} did not end: it was killed, or the machine"
    assert re.match(warned, refused(settings).stderr.splitlines()[0])
    assert re.fullmatch(rf"Last report: began on {AT}, ended on {AT} with 3", status(given))
    assert "did not end" not in refused(settings).stderr


def test_a_run_that_a_scheduler_ends_has_ended(settings: Path, given: Callable[..., Done]) -> None:
    with running(settings) as process:
        process.terminate()
        assert process.wait(60) == 130
    assert re.fullmatch(rf"Last report: began on {AT}, ended on {AT} with 130", status(given))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.write_text("{"),
        lambda note: note.write_text('{"began": 7}'),
        lambda note: note.write_bytes(b"\xff\xfe"),
        lambda note: note.write_text("[" * 50_000),
        Path.mkdir,
        lambda note: note.symlink_to("absent"),
    ],
    ids=["torn", "other types", "no text", "deep", "a folder", "a link that leads nowhere"],
)
def test_a_note_that_cannot_be_read_is_told_and_ends_nothing(
    tmp_path: Path, outputs: Path, command: Callable, spoil: Callable[[Path], None]
) -> None:
    folder = outputs / "runs"
    folder.mkdir(parents=True)
    spoil(folder / "report.json")
    done = command("status")
    assert done.code == 0
    assert "Last report: its note cannot be read; the next run writes it anew" in done.out


def test_notes_are_their_owners_alone(settings: Path) -> None:
    before = os.umask(0)
    try:
        refused(settings)
    finally:
        os.umask(before)
    folder = settings.parent / "outputs" / "beta" / "runs"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "report.json": 0o600,
        "report.lock": 0o600,
    }
    note = json.loads((folder / "report.json").read_text())
    assert note["code"] == 3
    assert note["began"] <= note["ended"]
