"""The ledger: any changed byte is found; killed or full at any byte, it reads as before or with all that is new."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from killed_pull import ON_A_DISK, Mortals, mortals, refused
from written import COMPLETE, DEPLOY, EVERY_KIND, NOISE, OBSERVATION, OUTAGE

from cloudxai_analysis.ground.errors import LakeDamaged, LakeLocked, LakeUnwritable, RefusedForSecurity, UsageError
from cloudxai_analysis.ledger import Head, Ledger
from cloudxai_analysis.ledger.entries import checked
from cloudxai_analysis.ledger.ledger import lines_of, published_heads, read_lines

NOWHERE = Path("incidents.jsonl")
TEN = [checked(entry) for entry in EVERY_KIND[:10]]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def unnoticed(content: bytes, whole: bytes) -> bool:
    """Whether a changed file reads as well as the whole one, with nothing said."""
    try:
        read_lines(content, NOWHERE)
    except LakeDamaged:
        return False
    return content != whole


def test_each_line_names_the_hash_of_the_line_before_and_carries_its_own(ledger: Ledger) -> None:
    assert ledger.provenance() == {"entries": 0, "head": "", "sha256": hashlib.sha256(b"").hexdigest()}
    for entry in (OUTAGE, NOISE, COMPLETE):
        ledger.append(entry)
    text = ledger.path.read_bytes()
    read = [json.loads(line) for line in text.splitlines()]
    digests = [hashlib.sha256(line).hexdigest() for line in text.splitlines()]
    assert [line["previous"] for line in read] == ["", *digests[:2]]
    for line in read:
        own = line.pop("hash")
        assert own == hashlib.sha256(json.dumps(line, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert ledger.head() == Head(3, digests[2])
    assert ledger.provenance() == {"entries": 3, "head": digests[2], "sha256": hashlib.sha256(text).hexdigest()}


def test_every_changed_byte_is_found() -> None:
    whole = lines_of(TEN[:5], "")
    lines = whole.splitlines(keepends=True)
    for place, byte in enumerate(whole):
        for other in {byte ^ 1, byte ^ 32, 10, 0, (place * 37) % 256} - {byte}:
            assert not unnoticed(whole[:place] + bytes([other]) + whole[place + 1 :], whole), (place, other)
        assert not unnoticed(whole[:place] + whole[place + 1 :], whole), place
        for added in (b" ", b"\n", b"}", whole[place : place + 1]):
            assert not unnoticed(whole[:place] + added + whole[place:], whole), (place, added)
    for first in range(len(lines) - 1):
        swapped = [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]]
        doubled, removed = [*lines[: first + 1], *lines[first:]], lines[:first] + lines[first + 1 :]
        assert not any(unnoticed(b"".join(changed), whole) for changed in (swapped, doubled, removed))


def _forged(text: bytes) -> bytes:
    first, second, _ = text.splitlines(keepends=True)
    data = {key: value for key, value in json.loads(second).items() if key != "hash"}
    return first + json.dumps(data, sort_keys=True, separators=(",", ":")).encode() + b"\n"


DAMAGES = [
    (lambda text: text.replace(b"Database", b"Datavase"), "line 1: changed after it was written; its hash"),
    (lambda text: text.replace(b',"id"', b', "id"', 1), "line 1: changed after it was written; it is not spelled"),
    (lambda text: text.replace(b"\n", b"\r\n"), "line 1: changed after it was written; it is not spelled"),
    (lambda text: b"".join(text.splitlines(keepends=True)[::2]), "line 2: does not follow"),
    (_forged, "line 2: has no hash of its own"),
    (lambda text: b"\x00\xff\n" + text, "line 1: not JSON"),
    (lambda text: text + b"[]\n", "line 4: not a JSON object"),
    (lambda text: text + b"{}\n", "line 4: has no hash of its own"),
    (lambda text: text + lines_of([TEN[0]], "0" * 64), "line 4: does not follow"),
    (lambda text: text + b"[" * 100_000 + b"\n", "line 4: not JSON"),
    (lambda text: text + b'{"a":' * 900 + b"1" + b"}" * 900 + b"\n", "line 4: "),
    (lambda text: text + b"\n", "line 4: not JSON"),
    (lambda text: text[:700] + b"\n" + text[700:], "line 2: not JSON"),
    (lambda text: text[:-1] + b"\0", "line 3: cut off before its end"),
    (lambda text: text[:-1], "line 3: cut off before its end"),
    (lambda text: text + b'{"by":"ad', "line 4: cut off before its end"),
    (lambda text: text + b"\0" * 4096, "line 4: cut off before its end"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damage_is_named_by_its_line_and_stops_writing(ledger: Ledger, damage, message: str) -> None:
    ledger.append_all([OUTAGE, NOISE, COMPLETE])
    damaged = damage(ledger.path.read_bytes())
    ledger.path.write_bytes(damaged)
    for read in (ledger.entries, ledger.verify, ledger.incidents, lambda: ledger.append(DEPLOY)):
        with pytest.raises(LakeDamaged, match=message) as caught:
            read()
        assert str(ledger.path) in str(caught.value)
        assert len(str(caught.value)) < 1_000
    assert ledger.path.read_bytes() == damaged


def test_a_cut_tail_and_a_rewritten_whole_are_found_by_who_knew_better(ledger: Ledger, tmp_path: Path) -> None:
    reports = tmp_path / "reports"

    def published(name: str, said: object) -> None:
        (reports / name).mkdir(parents=True)
        (reports / name / "summary.json").write_text(json.dumps({"ledger": said}))

    ledger.append_all([OUTAGE, NOISE])
    published("2026-W45", ledger.provenance())
    ledger.append(COMPLETE)
    published(".published/2026-W46-0123456789ab", ledger.provenance())
    (reports / "2026-W46").symlink_to(".published/2026-W46-0123456789ab")
    published(".published/2026-W46-ba9876543210", {**ledger.provenance(), "head": "0" * 64})
    published("broken", 7)
    known, unreadable = published_heads(reports)
    edition = "report 2026-W46 (an earlier edition)"
    assert [name for name, _ in known] == ["report 2026-W45", "report 2026-W46", edition]
    assert unreadable == [reports / "broken" / "summary.json"]
    with pytest.raises(LakeDamaged, match=r"2026-W46 \(an earlier edition\) was made from 3 entries that were others"):
        ledger.verify(known)
    ledger.append(DEPLOY)
    assert ledger.verify([("nobody", Head(0, "")), *known[:2]]).entries == 4

    ledger.path.write_bytes(b"".join(ledger.path.read_bytes().splitlines(keepends=True)[:2]))
    assert ledger.verify(known[:1]) == known[0][1]
    with pytest.raises(LakeDamaged, match=r"report 2026-W46 was made from 3 entries, of which 2 are left"):
        ledger.verify(known[:2])

    ledger.path.unlink()
    ledger.seed([{**OUTAGE, "severity": "minor"}, NOISE, COMPLETE, DEPLOY])
    ledger.verify()
    with pytest.raises(LakeDamaged, match=r"made from 2 entries that were others"):
        ledger.verify(known[:2])


@pytest.mark.parametrize("how", ["die", "full"])
@pytest.mark.parametrize(("entries", "step"), [([NOISE], 3), ([NOISE, COMPLETE], 9)], ids=["one", "several"])
def test_killed_or_full_at_each_byte_of_an_append(
    ledger: Ledger, run: Mortals, how: str, entries: list, step: int
) -> None:
    ledger.append(OUTAGE)
    before = ledger.path.read_bytes()
    other = Ledger(ledger.path.with_name("undisturbed.jsonl"))
    other.append_all([OUTAGE, *entries])
    whole = other.path.read_bytes()
    for limit in range(0, len(whole), step):
        spoilt = {"cut_at": [limit]} if how == "die" else {"limit": ("FSIZE", limit)}
        met = run("append", ledger.path, entries, spoilt=spoilt)
        if how == "die":
            assert met == {"status": -signal.SIGXFSZ}
        else:
            refused(met, "cannot be written: File too large")
            assert "What was there before stays" in met["said"]
        assert ledger.path.read_bytes() == before
    spoilt = {"limit": ("FSIZE", len(whole))}
    assert run("append", ledger.path, entries, spoilt=spoilt) == {"result": len(entries), "status": 0}
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


def test_writers_in_several_processes_and_threads_lose_nothing(ledger: Ledger) -> None:
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(ledger.path), name]) for name in ("ada", "bob")]
    seen = 0
    while any(process.poll() is None for process in running):
        # A reader beside them sees whole entries, and ever more of them.
        entries = Ledger(ledger.path).entries()
        assert len(entries) >= seen
        seen = len(entries)
    assert [process.wait() for process in running] == [0, 0]
    written = [f"{name} {n} {part}" for name in ("ada", "bob") for n in range(12) for part in range(1 + n % 3)]
    assert sorted(entry.model_dump()["summary"] for entry in ledger.entries()) == sorted(written)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.append({**OUTAGE, "id": f"INC-{n}"}), range(24)))
    assert {entry.id for entry in ledger.entries()} >= {f"INC-{n}" for n in range(24)}
    assert ledger.verify().entries == len(written) + 24


def test_what_is_refused_is_not_written(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="incident"):
        ledger.seed([OUTAGE, {**OUTAGE, "id": ""}])
    assert not ledger.path.exists()
    ledger.append(OUTAGE)
    before = ledger.path.read_bytes()
    with FileLock(f"{ledger.path}.lock"), pytest.raises(LakeLocked, match="another run"):
        Ledger(ledger.path, lock_seconds=0.05).append(NOISE)
    with pytest.raises(UsageError, match="label"):
        ledger.append_all([COMPLETE, {**NOISE, "judgement": "maybe"}])
    with pytest.raises(UsageError, match="there is no proposal 'dip-1'"):
        ledger.append_all([COMPLETE, {"kind": "confirmation", "proposals": ["dip-1"], "by": "ada"}])
    again = {**OUTAGE, "by": "bob", "written_at": "2026-12-01T00:00:00Z"}
    assert ledger.append_all([]) == ledger.append_all([again], unless_known=True) == []
    assert ledger.path.read_bytes() == before
    assert [entry.kind for entry in ledger.append_all([again, NOISE, NOISE], unless_known=True)] == ["label"]
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(LakeUnwritable, match="cannot be written"):
        Ledger(tmp_path / "file" / "incidents.jsonl").append(OUTAGE)


def test_seed_writes_once_what_the_same_entries_one_by_one_come_to(ledger: Ledger, tmp_path: Path) -> None:
    entries, other = [OUTAGE, NOISE, COMPLETE, DEPLOY], Ledger(tmp_path / "one.jsonl")
    before = os.umask(0)
    try:
        assert ledger.seed(entries) is True
        for entry in entries:
            other.append(entry)
    finally:
        os.umask(before)
    assert ledger.path.read_bytes() == other.path.read_bytes()
    assert {stat.S_IMODE(one.path.stat().st_mode) for one in (ledger, other)} == {0o600}
    assert ledger.seed([COMPLETE]) is False
    assert ledger.path.read_bytes() == other.path.read_bytes()


def test_a_link_to_a_ledger_elsewhere_stays_a_link_and_one_of_a_lock_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.jsonl"
    Ledger(real).append(OUTAGE)
    ledger.path.parent.mkdir()
    ledger.path.symlink_to(real)
    ledger.append_all([COMPLETE, DEPLOY])
    assert ledger.path.is_symlink()
    assert len(Ledger(real).entries()) == 3
    lock = Path(f"{ledger.path}.lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "lock")
    with pytest.raises(RefusedForSecurity, match="is a link, which is not followed"):
        ledger.append(NOISE)
    assert not (tmp_path / "lock").exists()


@pytest.mark.needs("unshare", "mount")
def test_a_disk_that_is_full_or_read_only(disk: Path) -> None:
    path, written = disk / "ledger" / "incidents.jsonl", 0

    def entries(many: int) -> list[dict]:
        return [{**OBSERVATION, "summary": f"{written} {part} " * 100} for part in range(many)]

    with mortals([*ON_A_DISK, str(disk)]) as run:
        for many in (1, 2):
            run("free", disk, 24)
            while "result" in (met := run("append", path, entries(many))):
                written += many
                before = run("held", path)["result"]
            refused(met, "No space left on device")
            assert (run("held", path)["result"], before["verified"]) == (before, written)
            run("free", disk, -1)
            assert run("append", path, entries(many)) == {"result": many, "status": 0}
            written += many
        before = run("held", path)
        run("remount", disk, "ro")
        refused(run("append", path, entries(2)), "Read-only file system")
        assert run("held", path) == before
        run("remount", disk, "rw")
        assert (run("append", path, entries(2))["result"], run("held", path)["result"]["entries"]) == (2, written + 2)
