"""Killed at any byte, a full disk at any byte, two writers: the ledger reads as before, or with the whole new entry."""

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock
from mortal_writer import mortal_writer
from written import COMPLETE, DEPLOY, NOISE, OUTAGE

from cloudxai_analysis.ground.errors import LakeLocked, LakeUnwritable, UsageError
from cloudxai_analysis.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


@pytest.fixture(scope="module")
def write():
    with mortal_writer() as program:
        yield program


@pytest.fixture
def before(ledger):
    """The bytes of a ledger with one entry."""
    ledger.append(OUTAGE)
    return ledger.path.read_bytes()


def after(ledger, entries):
    """What undisturbed writing of these comes to."""
    other = Ledger(ledger.path.with_name("undisturbed.jsonl"))
    other.seed([OUTAGE])
    other.append_all(entries)
    return other.path.read_bytes()


def killed_or_full(write, ledger, entries, how, limit):
    """A write that dies, or meets a full disk, where the file that it writes has so many bytes."""
    status, error = write(ledger.path, entries, how=how, limit=limit)
    if how == "die":
        assert (status, error) == (-signal.SIGXFSZ, None)
    else:
        assert (status, error[0]) == (0, "LakeUnwritable")
        assert "cannot be written: File too large" in error[1]
        assert "What was there before stays" in error[1]


@pytest.mark.parametrize("how", ["die", "full"])
@pytest.mark.parametrize(("entries", "step"), [([NOISE], 1), ([NOISE, COMPLETE], 3)], ids=["one", "several"])
def test_killed_or_full_at_each_byte_of_an_append(ledger, before, write, how, entries, step):
    whole = after(ledger, entries)
    for limit in range(0, len(whole), step):
        killed_or_full(write, ledger, entries, how, limit)
        assert ledger.path.read_bytes() == before
        assert ledger.verify().entries == 1
    assert write(ledger.path, entries, how=how, limit=len(whole)) == (0, None)
    assert ledger.path.read_bytes() == whole
    left = {path.name for path in ledger.path.parent.iterdir() if path.suffix != ".lock"}
    assert left == {"incidents.jsonl", "undisturbed.jsonl"}


WRITER = """
import sys
from cloudxai_analysis.ledger import Ledger
entry = {"kind": "observation", "at": "2026-11-10T10:00Z", "by": sys.argv[2]}
for number in range(12):
    entries = [{**entry, "summary": f"{sys.argv[2]} {number} {part}"} for part in range(1 + number % 3)]
    Ledger(sys.argv[1], lock_seconds=60).append_all(entries)
"""


def test_writers_in_several_processes_lose_nothing(ledger):
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(ledger.path), name]) for name in ("ada", "bob")]
    seen = 0
    while any(process.poll() is None for process in running):
        # A reader beside them sees whole entries, and ever more of them.
        entries = Ledger(ledger.path).entries()
        assert len(entries) >= seen
        seen = len(entries)
    assert [process.wait() for process in running] == [0, 0]
    found = sorted(entry.summary for entry in ledger.entries())
    assert found == sorted(
        f"{name} {n} {part}" for name in ("ada", "bob") for n in range(12) for part in range(1 + n % 3)
    )
    assert ledger.verify().entries == len(found)


def test_many_threads_lose_nothing(ledger):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.append({**OUTAGE, "id": f"INC-{n}"}), range(24)))
    assert {entry.id for entry in ledger.entries()} == {f"INC-{n}" for n in range(24)}


def test_a_second_writer_is_told_that_the_ledger_is_locked(ledger):
    ledger.append(OUTAGE)
    with FileLock(f"{ledger.path}.lock"), pytest.raises(LakeLocked, match="another run"):
        Ledger(ledger.path, lock_seconds=0.05).append(NOISE)
    assert len(ledger.entries()) == 1


def test_one_wrong_entry_of_several_and_none_is_written(ledger, before):
    with pytest.raises(UsageError, match="label"):
        ledger.append_all([COMPLETE, {**NOISE, "judgement": "maybe"}])
    with pytest.raises(UsageError, match="there is no proposal 'dip-1'"):
        ledger.append_all([COMPLETE, {"kind": "confirmation", "proposals": ["dip-1"], "by": "ada"}])
    assert ledger.append_all([]) == []
    assert ledger.path.read_bytes() == before


def test_what_is_known_is_left_out(ledger, before):
    again = {**OUTAGE, "by": "bob", "written_at": "2026-12-01T00:00:00Z"}
    assert [entry.kind for entry in ledger.append_all([again, NOISE, NOISE], unless_known=True)] == ["label"]
    assert ledger.append_all([again], unless_known=True) == []
    assert len(ledger.append_all([again])) == 1


def test_seed_writes_once_and_never_over_what_people_wrote(ledger):
    assert ledger.seed([OUTAGE, NOISE]) is True
    first = ledger.provenance()
    assert first["entries"] == 2
    assert ledger.seed([COMPLETE]) is False
    assert ledger.provenance() == first
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in ledger.path.parent.iterdir() if path.suffix != ".lock") == ["incidents.jsonl"]


def test_seed_equals_the_same_entries_appended_one_by_one_or_together(ledger, tmp_path):
    entries = [OUTAGE, NOISE, COMPLETE, DEPLOY]
    one_by_one, together = Ledger(tmp_path / "one.jsonl"), Ledger(tmp_path / "all.jsonl")
    ledger.seed(entries)
    for entry in entries:
        one_by_one.append(entry)
    together.append_all(entries)
    assert ledger.path.read_bytes() == one_by_one.path.read_bytes() == together.path.read_bytes()


def test_a_wrong_seed_writes_nothing(ledger):
    with pytest.raises(UsageError, match="incident"):
        ledger.seed([OUTAGE, {**OUTAGE, "id": ""}])
    assert not ledger.path.exists()


def test_the_file_is_private_under_any_umask(ledger):
    old = os.umask(0)
    try:
        ledger.append(OUTAGE)
        assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
        ledger.append_all([NOISE, COMPLETE])
    finally:
        os.umask(old)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_a_link_to_a_ledger_elsewhere_stays_a_link(ledger, tmp_path):
    real = tmp_path / "elsewhere.jsonl"
    Ledger(real).append(OUTAGE)
    ledger.path.parent.mkdir()
    ledger.path.symlink_to(real)
    ledger.append(NOISE)
    ledger.append_all([COMPLETE, DEPLOY])
    assert ledger.path.is_symlink()
    assert len(Ledger(real).entries()) == 4


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "ledger").write_text("a file where the folder should be")
    with pytest.raises(LakeUnwritable, match="cannot be written"):
        Ledger(tmp_path / "ledger" / "incidents.jsonl").append(OUTAGE)


ON_A_DISK = """
mount -t tmpfs -o size=64k none "$0"
exec "$@" "$0"
"""
FILLED = """
import json, os, subprocess, sys
from pathlib import Path
from cloudxai_analysis.ground.errors import LakeUnwritable
from cloudxai_analysis.ledger import Ledger
disk = Path(sys.argv[1])
path = disk / "ledger" / "incidents.jsonl"
entry = {"kind": "observation", "at": "2026-11-10T10:00Z", "by": "ada"}
met, number = [], 0
for batch in (1, 2):
    while True:
        before = path.read_bytes() if path.exists() else b""
        try:
            kept = Ledger(path).append_all([{**entry, "summary": f"{number} {part}" * 40} for part in range(batch)])
            number += 1
        except LakeUnwritable as error:
            assert path.read_bytes() == before
            Ledger(path).verify()
            met.append(str(error))
            break
subprocess.run(["mount", "-o", "remount,size=1m,ro", disk], check=True)
for entries in ([{**entry, "summary": "one"}], [{**entry, "summary": "one"}, {**entry, "summary": "two"}]):
    try:
        Ledger(path).append_all(entries)
    except LakeUnwritable as error:
        met.append(str(error))
assert path.read_bytes() == before
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
Ledger(path).append({**entry, "summary": "room again"})
print(json.dumps([met, number, Ledger(path).head().entries]))
"""


@pytest.mark.slow
@pytest.mark.needs("unshare", "mount")
def test_a_disk_that_is_full_or_read_only(tmp_path):
    words = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        ON_A_DISK,
        str(tmp_path),
        sys.executable,
        "-c",
        FILLED,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "mount" in done.stderr and "Traceback" not in done.stderr:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    assert not done.stderr
    met, written, entries = json.loads(done.stdout)
    assert ["No space left on device" in said for said in met] == [True, True, False, False]
    assert ["Read-only file system" in said for said in met] == [False, False, True, True]
    assert entries == written + 1 > 20
