"""Publishing: on a real file system, whoever opens the report sees the old one or the new one, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudxai_analysis.report.publish import KEPT, building, mark_stale, publish, stale_file

FILES = ("summary.json", "weekly_report.html", "data/costs.csv")
# As `make` below, in a process that sleeps before, or is killed at a step of, the publication.
BUILD = """
import os, signal, sys, time
from pathlib import Path
from cloudxai_analysis.report import publish as room
target, point = Path(sys.argv[1]), sys.argv[2]
if point: setattr(os, point, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
with room.building(target) as folder:
    (folder / "data").mkdir()
    for name in ("summary.json", "weekly_report.html", "data/costs.csv"): (folder / name).write_text("second")
    print(folder, flush=True)
    time.sleep(0 if point else 60)
    room.publish(folder, target)
"""


def make(target: Path, content: str) -> None:
    """Build and publish a small report that says `content` everywhere."""
    with building(target) as folder:
        (folder / "data").mkdir()
        for name in FILES:
            (folder / name).write_text(content)
        publish(folder, target)


def shown(target: Path) -> set[str]:
    """What a reader who opens the folder once finds in its files."""
    folder = target.resolve(strict=True)
    return {(folder / name).read_text() for name in FILES}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a first report is published."""
    make(tmp_path / "2026-W46", "first")
    return tmp_path / "2026-W46"


def test_a_report_is_published_whole_and_a_build_that_fails_leaves_it(target: Path) -> None:
    with pytest.raises(FileNotFoundError), building(target) as folder:
        (folder / "data" / "costs.csv").write_text("second")
    assert shown(target) == {"first"}
    assert names(target.parent) == [".published", "2026-W46"]
    assert not os.path.isabs(os.readlink(target)), "the folder may be moved or mounted elsewhere"


def test_a_reader_never_sees_a_mixture_or_nothing(target: Path) -> None:
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            folder = target.parent / os.readlink(target)
            seen.append({(folder / name).read_text() for name in FILES})

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(KEPT):
        make(target, f"{number}")
    stop.set()
    reader.join()
    assert seen
    assert all(len(contents) == 1 for contents in seen)


def test_what_a_killed_build_left_is_cleared_by_the_next(target: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", BUILD, target, ""], stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        left = Path(builder.stdout.readline().strip())
        make(target, "second")
        assert left.is_dir(), "it is still being built"
        builder.send_signal(signal.SIGKILL)
    assert left.is_dir()
    make(target, "third")
    assert shown(target) == {"third"}
    assert names(target.parent) == [".published", "2026-W46"]


def test_killed_at_any_step_of_the_publication_the_report_is_whole(target: Path) -> None:
    for point in ("rename", "symlink", "replace"):
        ended = subprocess.run([sys.executable, "-c", BUILD, target, point], check=False, stdout=subprocess.DEVNULL)
        assert ended.returncode == -signal.SIGKILL
        assert shown(target) == {"first"}
        make(target, "third")
        assert shown(target) == {"third"}
        assert names(target.parent) == [".published", "2026-W46"]
        make(target, "first")


def test_the_newest_few_stay_and_other_weeks_and_folders_made_by_hand_are_untouched(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    make(tmp_path / "2026-W45", "other")
    for number in range(KEPT + 3):
        make(target, f"{number}")
    kept = sorted((path / "summary.json").read_text() for path in (tmp_path / ".published").glob("2026-W46-*"))
    assert kept == ["2", "3", "4", "5"]
    assert (shown(target), shown(tmp_path / "2026-W45")) == ({"5"}, {"other"})
    assert [path.read_text() for path in tmp_path.glob("2026-W46.*.old/notes.txt")] == ["mine"]


def test_stale_is_marked_beside_the_report_in_one_line_until_the_next(target: Path) -> None:
    mark_stale(target.with_name("2026-W45"), "nothing is published yet")
    assert names(target.parent) == [".published", "2026-W46"]
    mark_stale(target, "Source http://host:9090 refused.\nStart it.")
    assert stale_file(target).read_text() == "Source http://host:9090 refused. Start it.\n"
    assert (stale_file(target).name, shown(target)) == ("2026-W46.stale", {"first"})
    make(target, "second")
    assert not stale_file(target).exists()


def test_several_at_once_all_publish_and_the_report_is_one_of_them(target: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: make(target, f"{number}"), range(4)))
    assert shown(target) in [{f"{number}"} for number in range(4)]
    assert names(target.parent) == [".published", "2026-W46"]
