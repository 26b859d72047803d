"""The lake on a disk that is full or read-only: one line, the old lake as it was, and all well once there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed_pull import Mortals, look, mortals, pull_days

pytestmark = [pytest.mark.needs("unshare", "mount"), pytest.mark.slow]
# A disk of its own in memory, which nobody outside of the process sees, and which goes with it.
ON_A_DISK = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m none "$0" && exec "$@"']


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the disk is mounted."""
    folder = tmp_path_factory.mktemp("disk")
    tried = subprocess.run([*ON_A_DISK, folder, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"mounting is not permitted here: {tried.stderr.strip()}")
    return folder


@pytest.fixture(scope="module")
def run(disk: Path) -> Iterator[Mortals]:
    """Pulls that see the disk."""
    with mortals([*ON_A_DISK, str(disk)]) as program:
        yield program


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What a lake looks like before and after the pull that meets the full disk."""
    path = tmp_path_factory.mktemp("undisturbed") / "lake"
    pull_days(str(path), 2, hours=34)
    pull_days(str(path), 3)
    return look(str(path), 1), look(str(path))


def test_full_at_any_point(run: Mortals, disk: Path, old_and_new: tuple[str, str]) -> None:
    causes = set()
    old, new = old_and_new
    for kilobytes in (0, 24, *range(60, 140, 4)):
        path = disk / f"with-{kilobytes}"
        assert run("pull_days", path, 2, hours=34)["result"] == 1
        run("free", disk, kilobytes)
        met = run("pull_days", path, 3)
        if "result" in met:
            break
        assert (met["kind"], met["code"], met["status"]) == ("LakeUnwritable", 5, 0)
        assert "No space left on device" in met["said"]
        assert not {"\n", "\x1b"} & set(met["said"])
        causes.add("a tile's file" if "parquet)" in met["said"] else "a commit")
        assert run("look", path)["result"] == old
        run("free", disk, -1)
        assert run("pull_days", path, 3)["result"] == 2
        assert (run("look", path)["result"], run("look", path, 1)["result"]) == (new, old)
    assert causes == {"a tile's file", "a commit"}
    assert run("look", path)["result"] == new


def test_a_first_pull_onto_a_full_disk(run: Mortals, disk: Path, old_and_new: tuple[str, str]) -> None:
    path = disk / "first"
    for kilobytes in (0, 40, 130, 140, 150, 160):
        run("free", disk, kilobytes)
        met = run("pull_days", path, 3)
        assert met.get("kind", "LakeUnwritable") == "LakeUnwritable"
        assert run("look", path)["result"] == (old_and_new[1] if "result" in met else "")
    run("free", disk, -1)
    run("pull_days", path, 3)
    assert run("look", path)["result"] == old_and_new[1]


def test_read_only(run: Mortals, disk: Path, old_and_new: tuple[str, str]) -> None:
    path = disk / "read-only"
    run("free", disk, -1)
    run("pull_days", path, 2, hours=34)
    run("remount", disk, "ro")
    for lake in (path, disk / "not-begun"):
        met = run("pull_days", lake, 3)
        assert (met["kind"], met["code"]) == ("LakeUnwritable", 5)
        assert "Read-only file system" in met["said"]
    assert run("look", path)["result"] == old_and_new[0]
    run("remount", disk, "rw")
    run("pull_days", path, 3)
    assert run("look", path)["result"] == old_and_new[1]


COMMANDS = """
mount -t tmpfs -o size=3m none "$0"
"$@" pull; echo "exit $?"
mount -o remount,size=400m "$0"
"$@" pull; echo "exit $?"
"$@" lake verify; echo "exit $?"
"""


def test_the_command_says_one_line_and_goes_on_when_there_is_room(disk: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CLOUDXAI_", "PROMETHEUS_"))}
    done = subprocess.run(
        [*ON_A_DISK[:-1], COMMANDS, disk, sys.executable, "-m", "cloudxai_analysis.cli"],
        env={**clean, "CLOUDXAI_OUTPUTS": str(disk / "outputs")},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 5", "exit 0", "exit 0"]
    said = [line for line in done.stderr.splitlines() if line.startswith("cloudxai: ")]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert "Traceback" not in done.stderr
