"""The lake under stress: killed anywhere, two writers, a reader beside a writer; one sees the old or the new."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from killed_pull import Mortals, damaged, fingerprint, look, mortals, pull_days

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable
from cloudxai_analysis.lake.tables import Lake, open_lake

KILLED = -signal.SIGKILL
MOMENTS = 200
IN_A_ROW = 4


@pytest.fixture(scope="module")
def run() -> Iterator[Mortals]:
    with mortals() as program:
        yield program


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


def whole(lake: Lake) -> bool:
    """Whether every file is what was written, and nothing half-written is left."""
    return not damaged(lake) and not list(lake.path.rglob("*.unfinished"))


def comes_to(path: Path, old: str, new: str) -> None:
    """One more pull, undisturbed, gives what one pull would have given; the old version is as it was."""
    pull_days(str(path), 3)
    assert (look(str(path)), look(str(path), 1)) == (new, old)
    assert whole(open_lake(path))


STEPS = [
    pytest.param("c_call", "open", 8, False, id="before a tile's write"),
    pytest.param("c_call", "fsync", 5, False, id="in a tile's write"),
    pytest.param("c_call", "replace", 5, False, id="between write and rename"),
    pytest.param("c_return", "replace", 5, False, id="after a tile's write"),
    pytest.param("call", "Lake.publish", 1, False, id="after the last tile"),
    pytest.param("c_call", "create_write_transaction", 1, False, id="before the samples' commit"),
    pytest.param("c_return", "create_write_transaction", 1, False, id="after the samples' commit"),
    pytest.param("c_call", "create_write_transaction", 2, False, id="before the rollups' commit"),
    pytest.param("c_return", "create_write_transaction", 2, True, id="after the rollups' commit"),
]


@pytest.mark.parametrize(("event", "name", "times", "published"), STEPS)
def test_killed_at_a_step(
    run: Mortals, path: Path, old: str, new: str, event: str, name: str, times: int, published: bool
) -> None:
    assert run("pull_days", path, 3, spoilt={"die_at": (event, name, times)}) == {"status": KILLED}
    assert look(str(path)) == (new if published else old)
    assert look(str(path), 1) == old
    comes_to(path, old, new)


FIRST_STEPS = [
    *(("c_return", "create_deltalake", times) for times in (1, 2)),
    *((event, "create_write_transaction", times) for event in ("c_call", "c_return") for times in (1, 2)),
]


@pytest.mark.parametrize(("event", "name", "times"), FIRST_STEPS)
def test_killed_at_a_step_of_the_first_pull(
    run: Mortals, tmp_path: Path, new: str, event: str, name: str, times: int
) -> None:
    path = tmp_path / "lake"
    assert run("pull_days", path, 3, spoilt={"die_at": (event, name, times)}) == {"status": KILLED}
    published = (event, name, times) == ("c_return", "create_write_transaction", 2)
    assert look(str(path)) == (new if published else "")
    pull_days(str(path), 3)
    assert look(str(path)) == new
    assert whole(open_lake(path))


@pytest.mark.slow
def test_killed_at_random_moments(before: Path, tmp_path: Path, old: str, new: str) -> None:
    """Several kills in a row on one lake, so that each meets what others left, and the last one comes to its end."""
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # shown where the test fails

    def chain(number: int) -> set[str]:
        chance, path, seen = np.random.default_rng([seed, number]), tmp_path / str(number), set()
        if number % 5:
            shutil.copytree(before, path)
        nothing = old if number % 5 else ""
        for _ in range(IN_A_ROW):
            life = run("pull_days", path, 3, delay=chance.uniform(0.001, span))
            assert life["status"] in (0, KILLED)
            found = look(str(path))
            assert found in (nothing, new)
            seen.add(found)
            assert nothing == "" or look(str(path), 1) == old
        if nothing:
            comes_to(path, old, new)
        else:
            pull_days(str(path), 3)
            assert look(str(path)) == new
        shutil.rmtree(path)
        return seen

    with mortals() as run:
        run("pull_days", tmp_path / "warm", 3)
        began = time.perf_counter()
        run("pull_days", tmp_path / "timed", 3)
        span = 1.1 * (time.perf_counter() - began)
        found = set().union(*map(chain, range(MOMENTS // IN_A_ROW)))
    assert {old, new} <= found


def test_a_second_writer_gives_up_or_waits(run: Mortals, path: Path, old: str, new: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    writer = run.begin("pull_days", path, 3, gate=str(gate))
    reached(gate)
    with pytest.raises(LakeLocked, match="being written by another run") as caught:
        pull_days(str(path), 3, lock_seconds=0)
    assert caught.value.exit_code == 7
    assert look(str(path)) == old
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pull_days, str(path), 3, lock_seconds=60)
        gate.touch()
        assert run.end(writer) == {"result": 2, "status": 0}
        assert waiting.result() == 2
    assert look(str(path)) == new


def test_the_lock_of_a_dead_writer_is_free(run: Mortals, path: Path, old: str, new: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    writer = run.begin("pull_days", path, 3, gate=str(gate))
    reached(gate)
    os.kill(writer, signal.SIGKILL)
    assert run.end(writer) == {"status": KILLED}
    assert pull_days(str(path), 3, lock_seconds=0) == 2
    comes_to(path, old, new)


def reached(gate: Path) -> None:
    """Wait until a writer holds the lock and stands at its gate."""
    until = time.monotonic() + 60
    while not gate.with_suffix(".reached").exists():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.slow
def test_a_reader_beside_a_writer_reads_its_own_version(run: Mortals, path: Path) -> None:
    lake = open_lake(path)
    held = lake.snapshot()
    first = fingerprint(held)
    writer = run.begin("grow", path, 20)
    seen: dict[int, set[str]] = {}
    until = time.monotonic() + 120
    while lake.snapshot().version < 21 and time.monotonic() < until:
        snapshot = lake.snapshot()
        seen.setdefault(snapshot.version, set()).update((fingerprint(snapshot), fingerprint(held)))
    assert run.end(writer)["result"] == 21
    assert len(seen) > 1
    for version, words in seen.items():
        assert words == {first, look(str(path), version)}
    # The hours that each pull added are there, so the versions did differ.
    assert len({look(str(path), version) for version in range(1, 22)}) == 21


FULL = [
    pytest.param({"fail_at": ("fsync", 5)}, "Input/output error", id="a failing disk"),
    pytest.param({"fail_at": ("replace", 3)}, "Input/output error", id="a rename that fails"),
    pytest.param({"limit": ("FSIZE", 2_000)}, "File too large", id="a limit of file sizes"),
]


@pytest.mark.parametrize(("spoilt", "cause"), FULL)
def test_a_file_that_cannot_be_written(run: Mortals, path: Path, old: str, new: str, spoilt: dict, cause: str) -> None:
    met = run("pull_days", path, 3, spoilt=spoilt)
    assert (met["kind"], met["code"]) == ("LakeUnwritable", 5)
    assert cause in met["said"]
    assert "\n" not in met["said"]
    assert look(str(path)) == old
    comes_to(path, old, new)


def test_what_the_holder_of_the_lock_cannot_write_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeUnwritable, match=r"cannot be written: Not a directory \(.*file/lake\)"):
        pull_days(str(tmp_path / "file" / "lake"), 1)
    lake = open_lake(tmp_path / "lake")
    with (
        pytest.raises(LakeUnwritable, match=r"No space left on device\. What was there before"),
        lake.locked(1),
    ):
        raise OSError("Generic LocalFileSystem error\n \x1b[31m↳\x1b[0m No space left on device (os error 28)")
    with pytest.raises(LakeUnwritable, match=r"written: LocalFileSystem is broken\. What"), lake.locked(1):
        raise OSError("LocalFileSystem\n \x1b[31mis broken\x1b[0m")
