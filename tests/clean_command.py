"""Commands in processes of their own, in `/` as cron runs them, with no setting but those named; and how one ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit

PROJECT = Path(__file__).parent.parent
_SEVERAL = """
import contextlib, io, json, sys
from cloudxai_analysis.cli import main
for words in json.loads(sys.argv[1]):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
    for stream in (out, err):
        stream.flush()
    print(json.dumps([code, *(stream.buffer.getvalue().decode() for stream in (out, err))]))
"""
COMMAND = (sys.executable, "-m", "cloudxai_analysis.cli")


@dataclass(frozen=True)
class Done:
    """How a command of this process ended, and the lines that it said."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def line(self) -> str:
        """What was said of a mistake: one line."""
        (said,) = (line for line in self.err if line.startswith("cloudxai: "))
        return said


def clean(**environment: str) -> dict[str, str]:
    """The environment without whatever settings it holds, and with these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CLOUDXAI_", "PROMETHEUS_"))}
    return {**kept, "PYTHONPATH": str(PROJECT), **environment}


def run(
    *command: str, settings: Path | None = None, limit: int = RLIM_INFINITY, cwd: Path = Path("/"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """What a command says and how it ends; no file that it writes grows over `limit` bytes."""
    named = {"CLOUDXAI_SETTINGS": str(settings)} if settings else {}
    return subprocess.run(
        command,
        env=clean(**named, **environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (limit, limit)),
    )


def cloudxai(
    *words: str, settings: Path | None = None, outputs: Path | None = None, **how: str
) -> subprocess.CompletedProcess[str]:
    """The suite's own command, with its outputs in a folder of the test."""
    named = {"CLOUDXAI_OUTPUTS": str(outputs)} if outputs else {}
    return run(*COMMAND, *words, settings=settings, **named, **how)


def several(*commands: Sequence[str], outputs: Path, cwd: Path = Path("/"), **environment: str) -> list[Done]:
    """How commands end that are given one after the other, in one process beside this one."""
    given = json.dumps([list(words) for words in commands])
    told = run(sys.executable, "-c", _SEVERAL, given, cwd=cwd, CLOUDXAI_OUTPUTS=str(outputs), **environment)
    assert (told.returncode, told.stderr) == (0, ""), told.stderr
    ended = (json.loads(line) for line in told.stdout.splitlines())
    done = [Done(code, out.split("\n")[:-1], err.split("\n")[:-1]) for code, out, err in ended]
    assert not [one for one in done if "Traceback" in "".join(one.err)]
    return done
