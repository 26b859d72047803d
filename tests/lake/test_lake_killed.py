"""The lake under stress: killed anywhere, two writers, a failing disk; one sees the old or the new, and it goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clean_command import COMMAND, clean
from killed_pull import ON_A_DISK, Mortals, damaged, fingerprint, look, mortals, pull_days, refused

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable
from cloudxai_analysis.lake.tables import open_lake

KILLED = -signal.SIGKILL
MOMENTS = 200
IN_A_ROW = 4


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a day and a part of the next; its only version."""
    path = tmp_path_factory.mktemp("killed") / "before"
    assert pull_days(str(path), 2, hours=34) == 1
    return path


@pytest.fixture(scope="module")
def old(before: Path) -> str:
    return look(str(before))


@pytest.fixture(scope="module")
def new(before: Path) -> str:
    """What three whole days look like that were pulled undisturbed."""
    path = before.with_name("undisturbed")
    pull_days(str(path), 3)
    return look(str(path))


@pytest.fixture
def path(before: Path, tmp_path: Path) -> Path:
    shutil.copytree(before, tmp_path / "lake")
    return tmp_path / "lake"


def comes_to(path: Path, old: str, new: str) -> None:
    """One more pull, undisturbed, gives what one pull would have given; the old version, if any, is as it was."""
    pull_days(str(path), 3)
    assert look(str(path)) == new
    assert not old or look(str(path), 1) == old
    assert not damaged(open_lake(path))
    assert not list(path.rglob("*.unfinished"))


COMMIT = "create_write_transaction"
STEPS = [
    ("c_call", "open", 8),
    ("c_call", "fsync", 5),
    ("c_call", "replace", 5),
    ("c_return", "replace", 5),
    ("call", "Lake.publish", 1),
    *((event, COMMIT, times) for times in (1, 2) for event in ("c_call", "c_return")),
]
FIRST_STEPS = [("c_return", "create_deltalake", 1), ("c_return", "create_deltalake", 2), *STEPS[-4:]]


@pytest.mark.parametrize(
    ("begun", "step"), [*((True, step) for step in STEPS), *((False, step) for step in FIRST_STEPS)]
)
def test_killed_at_a_step(
    run: Mortals, path: Path, tmp_path: Path, old: str, new: str, begun: bool, step: tuple[str, str, int]
) -> None:
    """Of the first pull, too; only after the last commit is it published."""
    path, nothing = (path, old) if begun else (tmp_path / "first", "")
    assert run("pull_days", path, 3, spoilt={"die_at": step}) == {"status": KILLED}
    assert look(str(path)) == (new if step == ("c_return", COMMIT, 2) else nothing)
    comes_to(path, nothing, new)


def test_killed_at_random_moments(before: Path, tmp_path: Path, old: str, new: str) -> None:
    """Several kills in a row on one lake, so that each meets what others left, and the last one comes to its end."""
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # shown where the test fails

    def chain(number: int) -> set[str]:
        chance, path, seen = np.random.default_rng([seed, number]), tmp_path / str(number), set()
        nothing = old if number % 5 else ""
        if nothing:
            shutil.copytree(before, path)
        for _ in range(IN_A_ROW):
            assert run("pull_days", path, 3, delay=chance.uniform(0.001, span))["status"] in (0, KILLED)
            found = look(str(path))
            assert found in (nothing, new)
            seen.add(found)
        comes_to(path, nothing, new)
        shutil.rmtree(path)
        return seen

    with mortals() as run:
        run("pull_days", tmp_path / "warm", 3)
        began = time.perf_counter()
        run("pull_days", tmp_path / "timed", 3)
        span = 1.1 * (time.perf_counter() - began)
        found = set().union(*map(chain, range(MOMENTS // IN_A_ROW)))
    assert {old, new} <= found


def begun(run: Mortals, path: Path, gate: Path) -> int:
    """A writer that holds the lock and stands at its gate."""
    writer = run.begin("pull_days", path, 3, gate=str(gate))
    until = time.monotonic() + 60
    while not gate.with_suffix(".reached").exists():
        assert time.monotonic() < until
        time.sleep(0.005)
    return writer


def test_a_second_writer_gives_up_or_waits(run: Mortals, path: Path, old: str, new: str, tmp_path: Path) -> None:
    writer = begun(run, path, tmp_path / "gate")
    with pytest.raises(LakeLocked, match="being written by another run") as caught:
        pull_days(str(path), 3, lock_seconds=0)
    assert (caught.value.exit_code, look(str(path))) == (7, old)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pull_days, str(path), 3, lock_seconds=60)
        (tmp_path / "gate").touch()
        assert run.end(writer) == {"result": 2, "status": 0}
        assert waiting.result() == 2
    assert look(str(path)) == new


def test_the_lock_of_a_dead_writer_is_free(run: Mortals, path: Path, old: str, new: str, tmp_path: Path) -> None:
    writer = begun(run, path, tmp_path / "gate")
    os.kill(writer, signal.SIGKILL)
    assert run.end(writer) == {"status": KILLED}
    assert pull_days(str(path), 3, lock_seconds=0) == 2
    comes_to(path, old, new)


def test_a_reader_beside_a_writer_reads_its_own_version(run: Mortals, path: Path) -> None:
    lake = open_lake(path)
    held = lake.snapshot()
    first = fingerprint(held)
    writer = run.begin("grow", path, 10)
    seen: dict[int, set[str]] = {}
    until = time.monotonic() + 120
    while lake.snapshot().version < 11 and time.monotonic() < until:
        snapshot = lake.snapshot()
        seen.setdefault(snapshot.version, set()).update((fingerprint(snapshot), fingerprint(held)))
    assert run.end(writer)["result"] == 11
    assert len(seen) > 1
    for version, words in seen.items():
        assert words == {first, look(str(path), version)}


@pytest.mark.parametrize(
    ("spoilt", "cause"),
    [
        pytest.param({"fail_at": ("fsync", 5)}, "Input/output error", id="a failing disk"),
        pytest.param({"fail_at": ("replace", 3)}, "Input/output error", id="a rename that fails"),
        pytest.param({"limit": ("FSIZE", 2_000)}, "File too large", id="a limit of file sizes"),
    ],
)
def test_a_file_that_cannot_be_written(run: Mortals, path: Path, old: str, new: str, spoilt: dict, cause: str) -> None:
    refused(run("pull_days", path, 3, spoilt=spoilt), cause)
    assert look(str(path)) == old
    comes_to(path, old, new)


@pytest.mark.parametrize("most", [9, 14, 20, 26])
def test_a_first_pull_that_may_open_too_few_files(run: Mortals, tmp_path: Path, new: str, most: int) -> None:
    refused(run("pull_days", tmp_path / "first", 3, spoilt={"limit": ("NOFILE", most)}), "too many open files")
    comes_to(tmp_path / "first", "", new)


def test_what_the_holder_of_the_lock_cannot_write_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeUnwritable, match=r"cannot be written: Not a directory \(.*file/lake\)"):
        pull_days(str(tmp_path / "file" / "lake"), 1)
    said = "Generic LocalFileSystem error\n \x1b[31m↳\x1b[0m No space left on device (os error 28)"
    with (
        pytest.raises(LakeUnwritable, match=r"No space left on device\. What was there before"),
        open_lake(tmp_path / "lake").locked(1),
    ):
        raise OSError(said)


class TestOnADisk:
    """A disk that is full or read-only: the old lake as it was, and all well once there is room."""

    pytestmark = pytest.mark.needs("unshare", "mount")

    def test_full_at_any_point_and_read_only(self, disk: Path, old: str, new: str) -> None:
        causes = set()
        with mortals([*ON_A_DISK, str(disk)]) as run:
            for kilobytes in (0, 24, *range(60, 140, 8)):
                path = disk / f"with-{kilobytes}"
                assert run("pull_days", path, 2, hours=34)["result"] == 1
                run("free", disk, kilobytes)
                met = run("pull_days", path, 3)
                if "result" in met:
                    break
                refused(met, "No space left on device")
                causes.add("a tile's file" if "parquet)" in met["said"] else "a commit")
                assert run("look", path)["result"] == old
                run("free", disk, -1)
                assert run("pull_days", path, 3)["result"] == 2
                assert (run("look", path)["result"], run("look", path, 1)["result"]) == (new, old)
            assert (causes, run("look", path)["result"]) == ({"a tile's file", "a commit"}, new)
            first = disk / "first"
            for kilobytes in (0, 40, 130, 140, 150, 160):
                run("free", disk, kilobytes)
                met = run("pull_days", first, 3)
                assert met.get("kind", "LakeUnwritable") == "LakeUnwritable"
                assert run("look", first)["result"] == (new if "result" in met else "")
            run("free", disk, -1)
            run("pull_days", disk / "read-only", 2, hours=34)
            run("remount", disk, "ro")
            for lake in (disk / "read-only", disk / "not-begun"):
                refused(run("pull_days", lake, 3), "Read-only file system")
            run("remount", disk, "rw")
            for lake in (first, disk / "read-only"):
                run("pull_days", lake, 3)
                assert run("look", lake)["result"] == new

    def test_the_command_says_one_line_and_goes_on_when_there_is_room(self, disk: Path) -> None:
        commands = """
        mount -t tmpfs -o size=3m none "$0"
        "$@" pull; echo "exit $?"
        mount -o remount,size=400m "$0"
        "$@" pull; echo "exit $?"
        "$@" lake verify; echo "exit $?"
        """
        done = subprocess.run(
            [*ON_A_DISK[:-1], commands, disk, *COMMAND],
            env=clean(CLOUDXAI_OUTPUTS=str(disk / "outputs")),
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
        assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 5", "exit 0", "exit 0"]
        (said,) = (line for line in done.stderr.splitlines() if line.startswith("cloudxai: "))
        assert "No space left on device" in said
        assert "Traceback" not in done.stderr
