"""After a power cut at any call, whatever the disk then lost, the suite has the old state or the new, never a third."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clean_command import Done
from crash_states import Disk, build, crash_states, record, tree_of
from killed_pull import LATER, START, Steady, contract, damaged, look
from written import COMPLETE, NOISE, OUTAGE

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import log_file, open_lake
from cloudxai_analysis.lake.tiles import KINDS
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.report.publish import building, mark_stale, publish, stale_file

pytestmark = pytest.mark.needs("strace")
HERE = Path(__file__).parent
RUN = "import sys; sys.path[:0] = sys.argv[1:3]; import test_crash_states as t; getattr(t, sys.argv[3])(*sys.argv[4:])"
States = Iterator[tuple[bool, Path]]


@pytest.fixture
def crashes(tmp_path: Path) -> Callable[..., States]:
    """A function that runs one of those below on `root`, and gives each state that a crash may leave of it, in turn."""

    def states(name: str, *words: object) -> States:
        root, state = tmp_path / "root", tmp_path / "state"
        root.mkdir(exist_ok=True)
        before, count = tree_of(root), 0
        calls = record([sys.executable, "-c", RUN, HERE, HERE.parent, name, root, *words], root)
        disk = Disk(before)
        for call in calls:
            disk.call(*call)
        assert next(disk.states()) == tree_of(root), "the calls that were seen do not lead to what is there"
        for done, tree in crash_states(before, calls):
            count += 1
            build(tree, state)
            yield done, state
            shutil.rmtree(state)
        print(f"{name}: {len(calls)} calls, {count} states")

    return states


# --- the lake ---


def pull_one(root: str, hours: str = "") -> None:
    """Pull one metric's first two days into the demo's lake, up to so many hours after the start."""
    one = contract().model_copy(update={"metrics": {"up": contract().metrics["up"]}})
    now = START + float(hours) * HOUR if hours else LATER
    pull(Steady(), open_lake(Path(root) / "demo" / "lake"), one, Window(START, START + 2 * DAY), now=now, concurrency=1)


def mended(command: Callable[..., Done], lake: Path, act: Callable[[str], Any], on: Path) -> tuple[Any, bool]:
    """What comes of an act, and whether it first found a log that was torn, which `cloudxai lake verify` set aside."""
    try:
        return act(str(on)), False
    except LakeDamaged as error:
        refused = str(error)
    assert "`cloudxai lake verify` sets aside" in refused
    said = command("lake", "verify")
    assert said.code == (5 if look(str(lake)) else 2)
    assert any(line.startswith("damaged log, set aside: ") for line in said.out)
    return act(str(on)), True


@pytest.mark.parametrize("begun", ["nothing", "a day", "a day, and the commit makes a checkpoint"])
@pytest.mark.usefixtures("outputs")
def test_a_pull(
    crashes: Callable[..., States],
    command: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: str,
) -> None:
    path, whole, old, told = tmp_path / "root" / "demo" / "lake", tmp_path / "whole", "", 0
    if begun != "nothing":
        pull_one(str(tmp_path / "root"), "20")
        pull_one(str(whole), "20")
        old = look(str(path))
    if begun.endswith("checkpoint"):
        for kind in KINDS:
            log, name = log_file(path / kind, 0), '"delta.enableExpiredLogCleanup"'
            log.write_text(log.read_text().replace(name, f'"delta.checkpointInterval":"3",{name}'))
    pull_one(str(whole))
    new = look(str(whole / "demo" / "lake"))
    for done, state in crashes("pull_one"):
        monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(state))
        lake = state / "demo" / "lake"
        found, torn = mended(command, lake, look, lake)
        assert found in ([new] if done else [old, new])
        _, torn_beside = mended(command, lake, pull_one, state)
        assert (look(str(lake)), damaged(open_lake(lake))) == (new, [])
        assert not (done and (torn or torn_beside))
        told += torn or torn_beside
    assert told


# --- the ledger ---


def append(path: str) -> None:
    """Add two entries to a ledger."""
    Ledger(Path(path) / "ledger" / "incidents.jsonl").append_all([NOISE, COMPLETE])


@pytest.mark.parametrize("begun", [False, True])
def test_an_append(crashes: Callable[..., States], tmp_path: Path, begun: bool) -> None:
    first = Ledger(tmp_path / "root" / "ledger" / "incidents.jsonl")
    if begun:
        first.append(OUTAGE)
    old = len(first.entries())
    for done, state in crashes("append"):
        ledger = Ledger(state / "ledger" / "incidents.jsonl")
        found = ledger.verify().entries
        assert found in ([old + 2] if done else [old, old + 2])
        ledger.append_all([NOISE, COMPLETE], unless_known=True)
        assert len(ledger.entries()) == old + 2
        assert [path.name for path in ledger.path.parent.iterdir() if path.suffix != ".lock"] == [ledger.path.name]


# --- a report ---


def report(root: str, content: str = "new") -> None:
    """Publish a small report that says `content` everywhere."""
    target = Path(root) / "reports" / "2026-W46"
    with building(target) as folder:
        (folder / "data").mkdir()
        (folder / "summary.json").write_text(content)
        (folder / "data" / "costs.csv").write_text(content)
        publish(folder, target)


def shown(target: Path) -> set[str]:
    """What a report says, if it is there."""
    return (
        {(target / name).read_text() for name in ("summary.json", "data/costs.csv")} if target.is_symlink() else set()
    )


@pytest.mark.parametrize("begun", [False, True])
def test_a_publication(crashes: Callable[..., States], tmp_path: Path, begun: bool) -> None:
    target = tmp_path / "root" / "reports" / "2026-W46"
    if begun:
        report(str(tmp_path / "root"), "old")
        mark_stale(target, "the source is away")
    old = shown(target)
    for done, state in crashes("report"):
        target = state / "reports" / "2026-W46"
        found, stale = shown(target), stale_file(target).exists()
        assert found in ([{"new"}] if done else [old, {"new"}])
        # An old report is never shown as a fresh one; a new one may be marked for the moment.
        assert stale if found == {"old"} else not (done and stale)
        report(str(state))
        assert shown(target) == {"new"}
        assert sorted(path.name for path in target.parent.iterdir()) == [".published", "2026-W46"]
