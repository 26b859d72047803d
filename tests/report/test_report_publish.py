"""Publishing: on a real file system, whoever opens the report sees the old one or the new one, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloudxai_analysis.report.publish import KEPT, building, mark_stale, publish, stale_file


def make(target: Path, content: str) -> None:
    """Build and publish a small report that says `content` everywhere."""
    with building(target) as folder:
        (folder / "data").mkdir()
        for name in ("summary.json", "weekly_report.html", "data/costs.csv"):
            (folder / name).write_text(content)
        publish(folder, target)


def shown(target: Path) -> set[str]:
    """What a reader who opens the folder once finds in its files."""
    folder = target.resolve(strict=True)
    return {(folder / name).read_text() for name in ("summary.json", "weekly_report.html", "data/costs.csv")}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_report_is_published_whole_and_nothing_is_left_over(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "2026-W46"
    make(target, "first")
    assert shown(target) == {"first"}
    assert names(target.parent) == [".published", "2026-W46"]
    assert not os.path.isabs(os.readlink(target)), "the folder may be moved or mounted elsewhere"


def test_a_build_that_fails_leaves_the_good_report(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    make(target, "first")
    with pytest.raises(FileNotFoundError), building(target) as folder:
        (folder / "data" / "costs.csv").write_text("second")
    assert shown(target) == {"first"}
    assert names(tmp_path) == [".published", "2026-W46"]


def test_the_newest_few_stay_and_other_weeks_are_untouched(tmp_path: Path) -> None:
    make(tmp_path / "2026-W45", "other")
    for number in range(KEPT + 3):
        make(tmp_path / "2026-W46", f"{number}")
    assert shown(tmp_path / "2026-W46") == {f"{KEPT + 2}"}
    kept = sorted((path / "summary.json").read_text() for path in (tmp_path / ".published").glob("2026-W46-*"))
    assert kept == ["2", "3", "4", "5"]
    assert shown(tmp_path / "2026-W45") == {"other"}


def test_a_reader_never_sees_a_mixture_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    make(target, "0")
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            folder = Path(os.readlink(target))
            seen.append({(tmp_path / folder / name).read_text() for name in ("summary.json", "weekly_report.html")})

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, KEPT + 1):
        make(target, f"{number}")
    stop.set()
    reader.join()
    assert seen
    assert all(len(contents) == 1 for contents in seen)


def test_what_a_killed_build_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    make(target, "first")
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom cloudxai_analysis.report.publish import building\n"
        "with building(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'summary.json').write_text('half')\n    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, target], stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        left = Path(builder.stdout.readline().strip())
        make(target, "second")
        assert left.is_dir(), "it is still being built"
        builder.send_signal(signal.SIGKILL)
    assert left.is_dir()
    make(target, "third")
    assert shown(target) == {"third"}
    assert names(tmp_path) == [".published", "2026-W46"]


@pytest.mark.parametrize("point", ["rename", "symlink", "replace"])
def test_killed_at_any_step_of_the_publication_the_report_is_whole(tmp_path: Path, point: str) -> None:
    target = tmp_path / "2026-W46"
    make(target, "first")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom cloudxai_analysis.report import publish as room\n"
        "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        "setattr(os, sys.argv[2], die)\n"
        "with room.building(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'data').mkdir()\n"
        "    for name in ('summary.json', 'weekly_report.html', 'data/costs.csv'):\n"
        "        (folder / name).write_text('second')\n"
        "    room.publish(folder, Path(sys.argv[1]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, target, point], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert shown(target) == {"first"}
    make(target, "third")
    assert shown(target) == {"third"}
    assert names(tmp_path) == [".published", "2026-W46"]


def test_a_folder_made_by_hand_is_kept_under_another_name(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    make(target, "first")
    assert shown(target) == {"first"}
    assert [path.read_text() for path in tmp_path.glob("2026-W46.*.old/notes.txt")] == ["mine"]


def test_stale_is_marked_beside_the_report_in_one_line_until_the_next(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    mark_stale(target, "nothing is published yet")
    assert names(tmp_path) == []
    make(target, "first")
    mark_stale(target, "Source http://host:9090 refused.\nStart it.")
    assert stale_file(target) == tmp_path / "2026-W46.stale"
    assert stale_file(target).read_text() == "Source http://host:9090 refused. Start it.\n"
    assert shown(target) == {"first"}
    make(target, "second")
    assert not stale_file(target).exists()


def test_two_at_once_both_publish_and_the_report_is_one_of_them(tmp_path: Path) -> None:
    target = tmp_path / "2026-W46"
    runs = [threading.Thread(target=make, args=(target, f"{number}")) for number in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert shown(target) in [{f"{number}"} for number in range(4)]
    assert names(tmp_path) == [".published", "2026-W46"]
