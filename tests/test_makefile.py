"""The Makefile: what it hands on, what it refuses, and what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOSTILE = ["$(touch harm)", "`touch harm`", '"; touch harm; "', "'; touch harm; '", "$(shell touch harm)", "$$HOME b"]


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A folder with the Makefile and, in place of the environment, a python that prints what it was asked."""
    folder = tmp_path / "with a space"
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (folder / "requirements").mkdir()
    for file in ("requirements/core.txt", "pyproject.toml", ".venv/pyvenv.cfg", ".venv/.core"):
        (folder / file).touch()
    shutil.copy(ROOT / "Makefile", folder)
    fake = binaries / "python"
    fake.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    return folder


def make(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # What an outer make hands down would change what this one does.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False)


def test_make_report_hands_values_on_as_they_are(workshop: Path) -> None:
    asked = ["-m", "cloudxai_analysis.cli", "report"]
    assert make(workshop, "report").stdout.split() == asked
    for value in HOSTILE:
        given = {"WEEK": value, "SOURCE": value, "ENVIRONMENT": value}
        words = [f"{key}={text}" for key, text in given.items()]
        for done in (make(workshop, "report", *words), make(workshop, "report", **given)):
            options = [f"--source={value}", f"--week={value}", f"--environment={value}"]
            assert done.stdout.split("\n")[:-1] == asked + options, done.stderr
    assert not (workshop / "harm").exists()


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("no-such-python", "'no-such-python' is not there. Install Python 3.11"),
        ("./old", "Python 3.9.1 cannot be used"),
    ],
)
def test_make_says_which_python_it_wants(workshop: Path, python: str, message: str) -> None:
    shutil.rmtree(workshop / ".venv")
    old = workshop / "old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = make(workshop, "venv", f"PYTHON={python}")
    assert done.returncode != 0
    assert message in done.stderr
    assert not (workshop / ".venv").exists()


def test_make_alone_lists_the_targets_and_continuous_integration_runs_the_tests() -> None:
    listed = re.findall(r"^  ([a-z]+) +\S", make(ROOT).stdout, re.MULTILINE)
    for_changes = ["check", "test", "notebooks", "soak", "bench", "evaluate", "lock", "clean"]
    assert listed == ["help", "report", "lab", *for_changes]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("exec make test")
