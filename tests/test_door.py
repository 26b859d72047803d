"""The terminal's end of the command: streams that are closed or full, text that would steer, a log that cannot be."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from clean_command import COMMAND, clean

from cloudxai_analysis.ledger import Ledger

EVIL = "\x1b]0;evil\x07\x1b[31m\u202e\u2028\u0085red\r\u200f"
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shell(outputs: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line for the shell, in which `cloudxai` is the command; nothing of the caller's settings counts."""
    return subprocess.run(
        ["bash", "-c", f'cloudxai() {{ "$PYTHON" -m cloudxai_analysis.cli "$@"; }}\n{line}'],
        env=clean(**{"CLOUDXAI_OUTPUTS": str(outputs), "PYTHON": sys.executable, **more}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("command", "code"), [("status", 0), ("--help", 0), ("ledger export", 0), ("run absent", 2)])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("how", ["full", "closed"])
def test_a_stream_that_takes_nothing_is_told_and_hides_no_exit_code(
    tmp_path: Path, command: str, code: int, stream: str, how: str
) -> None:
    Ledger(tmp_path / "demo" / "ledger" / "incidents.jsonl").append(
        {"kind": "decision", "at": "2026-11-12T14:03Z", "summary": "stay", "by": "on-call"}
    )
    number = {"stdout": 1, "stderr": 2}[stream]
    done = shell(tmp_path, f"cloudxai {command} {number}>{'&-' if how == 'closed' else '/dev/full'}")
    lost = (stream, how) == ("stdout", "full") and not code
    assert done.returncode == (5 if lost else code)
    told = [line for line in done.stderr.splitlines() if line.startswith("cloudxai: ")]
    assert len(told) == (stream == "stdout" and bool(done.returncode)), done.stderr
    assert not lost or "Standard output cannot be written: No space left on device" in told[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cloudxai.log").exists()


def test_who_reads_no_further_is_no_failure_and_no_file_takes_a_closed_streams_place(tmp_path: Path) -> None:
    done = shell(tmp_path, "cloudxai status | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("0\n", "")
    entry = '{"kind": "decision", "at": "2026-11-12T14:03Z", "summary": "stay", "by": "on-call"}'
    done = shell(tmp_path, f"cloudxai ledger add '{entry}' <&- >&- 2>&- && cloudxai ledger export")
    assert json.loads(done.stdout)["summary"] == "stay"


PLACES: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a link": lambda log: log.symlink_to(log.with_name("elsewhere")),
    "a FIFO": os.mkfifo,
    "a full disk": lambda log: log.symlink_to("/dev/full"),
    "a file as outputs": lambda log: (log.parent.rmdir(), log.parent.write_text("")),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_line_comes_whatever_is_in_the_logs_place(tmp_path: Path, place: str) -> None:
    """An unexpected failure: the folder of runs is a file."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    PLACES[place](outputs / "cloudxai.log")
    if outputs.is_dir():
        (outputs / "runs").write_text("")
    done = shell(outputs, "cloudxai run weekly_report")
    told = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, len(told)) == (1, 1), done.stderr
    assert re.match(r"cloudxai: unexpected .* The traceback could not be kept in ", told[0])
    assert not (outputs / "elsewhere").exists()


def test_the_line_comes_where_the_working_folder_is_gone(tmp_path: Path) -> None:
    done = shell(
        tmp_path,
        "mkdir here; cd here; rmdir ../here; cloudxai status",
        CLOUDXAI_OUTPUTS="relative",
    )
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("cloudxai: ")


def on_a_terminal(outputs: Path, *arguments: str) -> str:
    """What a terminal gets of the command."""
    ours, theirs = pty.openpty()
    env, said = clean(CLOUDXAI_OUTPUTS=str(outputs)), b""
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        try:
            while piece := os.read(ours, 65_536):
                said += piece
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_foreign_text_steers_no_terminal_and_an_export_to_a_file_is_exact(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "demo" / "ledger" / "incidents.jsonl")
    ledger.append({"kind": "decision", "id": EVIL, "at": "2026-11-12T14:03Z", "summary": EVIL, "by": EVIL})
    cell = nbformat.v4.new_code_cell(
        f"week: str = 'x'  # {EVIL.replace(chr(13), '').replace(chr(133), '').replace(chr(0x2028), '')}",
        metadata={"tags": ["parameters"]},
    )
    notebook = tmp_path / f"a{EVIL}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
    rules = tmp_path / f"r{EVIL}.yml"
    rules.write_text(
        json.dumps(
            {"groups": [{"name": EVIL, "rules": [{"alert": EVIL, "expr": "up ==", "annotations": {"summary": EVIL}}]}]}
        )
    )
    commands = [
        ["ledger", "export"],
        ["ledger", "export", "--format", "csv"],
        ["ledger", "list"],
        ["ledger", "list", "--json"],
        ["params", str(notebook)],
        ["run", EVIL],
        ["explain", EVIL],
        ["status", "--environment", EVIL],
        [EVIL],
        *(["audit", str(rules), "--format", form] for form in ("text", "json", "sarif")),
        ["audit", str(rules), "--silences", EVIL],
    ]
    for command in commands:
        said = on_a_terminal(tmp_path, *command)
        assert said, command
        assert not STEERS.search(said), (command, said)
    for form, read in (("jsonl", lambda text: json.loads(text)["summary"]), ("csv", lambda text: text)):
        done = shell(tmp_path, f"cloudxai ledger export --format {form} >'{tmp_path}/export'")
        assert (done.returncode, EVIL in read((tmp_path / "export").read_bytes().decode())) == (0, True)
