"""Any changed byte is found: by the lines' own hashes, by the chain, by their spelling, and by published heads."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import COMPLETE, DEPLOY, EVERY_KIND, NOISE, OUTAGE

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ledger import Head, Ledger
from cloudxai_analysis.ledger.entries import checked
from cloudxai_analysis.ledger.ledger import lines_of, published_heads, read_lines

NOWHERE = Path("incidents.jsonl")
TEN = [checked(entry) for entry in EVERY_KIND[:10]]


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def unnoticed(content: bytes, whole: bytes) -> bool:
    """Whether a changed file reads as well as the whole one, with nothing said."""
    try:
        read_lines(content, NOWHERE)
    except LakeDamaged:
        return False
    return content != whole


def test_each_line_names_the_hash_of_the_line_before_and_carries_its_own(ledger):
    for entry in (OUTAGE, NOISE, COMPLETE):
        ledger.append(entry)
    lines = ledger.path.read_bytes().splitlines()
    read = [json.loads(line) for line in lines]
    digests = [hashlib.sha256(line).hexdigest() for line in lines]
    assert [line["previous"] for line in read] == ["", *digests[:2]]
    for line in read:
        own = line.pop("hash")
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        assert own == hashlib.sha256(text.encode()).hexdigest()
    assert ledger.head() == Head(3, digests[2])


@pytest.mark.parametrize(
    ("entries", "every"), [(10, False), pytest.param(3, True, marks=pytest.mark.slow)], ids=["some", "every value"]
)
def test_every_changed_byte_is_found(entries, every):
    whole = lines_of(TEN[:entries], "")
    for place, byte in enumerate(whole):
        some = {byte ^ 1, byte ^ 32, 10, 13, 0, 123, 255, (place * 37) % 256}
        for other in (set(range(256)) if every else some) - {byte}:
            changed = whole[:place] + bytes([other]) + whole[place + 1 :]
            assert not unnoticed(changed, whole), (place, other)


def test_every_removed_and_every_added_byte_is_found():
    whole = lines_of(TEN, "")
    for place in range(len(whole) + 1):
        if place < len(whole):
            assert not unnoticed(whole[:place] + whole[place + 1 :], whole), place
        for added in (b" ", b"\n", b"}", b"{", whole[place : place + 1] or b"\0"):
            assert not unnoticed(whole[:place] + added + whole[place:], whole), (place, added)


def test_swapped_removed_and_doubled_lines_are_found():
    whole = lines_of(TEN, "")
    lines = whole.splitlines(keepends=True)
    for first in range(len(lines)):
        for second in range(first + 1, len(lines)):
            swapped = [*lines]
            swapped[first], swapped[second] = lines[second], lines[first]
            assert not unnoticed(b"".join(swapped), whole)
        assert not unnoticed(b"".join([*lines[: first + 1], *lines[first:]]), whole)
        if first < len(lines) - 1:
            assert not unnoticed(b"".join(lines[:first] + lines[first + 1 :]), whole)


_times = st.integers(0, 10**9).map(lambda second: datetime.fromtimestamp(10**9 + second, UTC).isoformat())
_names = st.text(min_size=1, max_size=20)
_random_entries = st.one_of(
    st.builds(
        lambda name, start, text, by: {**OUTAGE, "id": name, "start": start, "end": None, "summary": text, "by": by},
        *(_names, _times, st.text(max_size=30), _names),
    ),
    st.builds(lambda name, fired: {**NOISE, "alertname": name, "fired_at": fired}, _names, _times),
    st.builds(
        lambda start, minutes, text: {
            **DEPLOY,
            "start": start,
            "end": (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat(),
            "summary": text,
        },
        *(_times, st.integers(1, 10_000), st.text(max_size=30)),
    ),
)


@given(entries=st.lists(_random_entries, min_size=1, max_size=8), data=st.data())
@settings(max_examples=200)
def test_random_entries_and_random_damage(entries, data):
    kept = [checked(entry) for entry in entries]
    whole = lines_of(kept, "")
    assert list(read_lines(whole, NOWHERE)[0]) == kept
    place = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 20))
    instead = data.draw(st.binary(max_size=20))
    changed = whole[:place] + instead + whole[place + length :]
    # A cut between two lines leaves a whole shorter ledger, which only those who knew the longer one can tell.
    if changed != whole and not (whole.startswith(changed) and changed[-1:] in (b"", b"\n")):
        assert not unnoticed(changed, whole)


def _without_second_line(text: bytes) -> bytes:
    first, _, third = text.splitlines(keepends=True)
    return first + third


DAMAGES = [
    (lambda text: text.replace(b"Database", b"Datavase"), "line 1: changed after it was written; its hash"),
    (lambda text: text.replace(b',"id"', b', "id"', 1), "line 1: changed after it was written; it is not spelled"),
    (lambda text: text.replace(b"\n", b"\r\n"), "line 1: changed after it was written; it is not spelled"),
    (_without_second_line, "line 2: does not follow"),
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
def test_damage_is_named_by_its_line_and_stops_writing(ledger, damage, message):
    for entry in (OUTAGE, NOISE, COMPLETE):
        ledger.append(entry)
    damaged = damage(ledger.path.read_bytes())
    ledger.path.write_bytes(damaged)
    for read in (ledger.entries, ledger.verify, ledger.incidents, lambda: ledger.append(DEPLOY)):
        with pytest.raises(LakeDamaged, match=message) as caught:
            read()
        assert str(ledger.path) in str(caught.value)
        assert len(str(caught.value)) < 1_000
    assert ledger.path.read_bytes() == damaged


def test_a_line_robbed_of_its_hash_is_found(ledger):
    ledger.seed([OUTAGE, NOISE])
    first, second = ledger.path.read_bytes().splitlines()
    data = json.loads(second)
    data.update(judgement="actionable")
    del data["hash"]
    forged = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    ledger.path.write_bytes(first + b"\n" + forged + b"\n")
    with pytest.raises(LakeDamaged, match="line 2: has no hash of its own"):
        ledger.entries()


def test_a_cut_tail_and_a_rewritten_whole_are_found_by_who_knew_better(ledger):
    ledger.seed([OUTAGE, NOISE])
    two = ledger.head()
    ledger.append(COMPLETE)
    two, three = ("an earlier head", two), ("report 2026-W46", ledger.head())
    ledger.append(DEPLOY)
    assert ledger.verify([("nobody", Head(0, "")), two, three]).entries == 4
    text = ledger.path.read_bytes()

    ledger.path.write_bytes(b"".join(text.splitlines(keepends=True)[:2]))
    assert ledger.verify([two]) == two[1]
    with pytest.raises(LakeDamaged, match=r"report 2026-W46 was made from 3 entries, of which 2 are left"):
        ledger.verify([two, three])

    ledger.path.unlink()
    ledger.seed([{**OUTAGE, "severity": "minor"}, NOISE, COMPLETE, DEPLOY])
    ledger.verify()
    with pytest.raises(LakeDamaged, match=r"made from 2 entries that were others"):
        ledger.verify([two, three])
    ledger.path.unlink()
    with pytest.raises(LakeDamaged, match="of which 0 are left"):
        ledger.verify([two])


def summary(folder, name, said):
    folder.joinpath(name).mkdir(parents=True)
    folder.joinpath(name, "summary.json").write_text(json.dumps(said))


def test_reports_know_heads(ledger, tmp_path):
    reports = tmp_path / "reports"
    ledger.seed([OUTAGE, NOISE])
    summary(reports, "2026-W45", {"ledger": ledger.provenance()})
    ledger.append(COMPLETE)
    summary(reports, ".published/2026-W46-0123456789ab-01234567", {"ledger": ledger.provenance()})
    (reports / "2026-W46").symlink_to(".published/2026-W46-0123456789ab-01234567")
    summary(reports, ".published/2026-W46-ba9876543210-76543210", {"ledger": {**ledger.provenance(), "head": "0" * 64}})
    summary(reports, "broken", {"ledger": 7})
    known, unreadable = published_heads(reports)
    assert [name for name, _ in known] == [
        "report 2026-W45",
        "report 2026-W46",
        "report 2026-W46 (an earlier edition)",
    ]
    assert unreadable == [reports / "broken" / "summary.json"]
    ledger.verify(known[:2])
    with pytest.raises(LakeDamaged, match=r"2026-W46 \(an earlier edition\) was made from 3 entries that were others"):
        ledger.verify(known)
    ledger.path.unlink()
    ledger.seed([{**OUTAGE, "severity": "low"}, NOISE, COMPLETE])
    with pytest.raises(LakeDamaged, match=r"2026-W45 was made from 2 entries that were others"):
        ledger.verify(known[:2])


def test_provenance_is_of_the_files_bytes(ledger):
    assert ledger.provenance() == {"entries": 0, "head": "", "sha256": hashlib.sha256(b"").hexdigest()}
    ledger.seed([OUTAGE, NOISE])
    text = ledger.path.read_bytes()
    last = hashlib.sha256(text.splitlines()[-1]).hexdigest()
    assert ledger.provenance() == {"entries": 2, "head": last, "sha256": hashlib.sha256(text).hexdigest()}
