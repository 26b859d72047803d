import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.errors import LakeDamaged, LakeLocked, UsageError
from cloudxai_analysis.ledger import Incident, Label, Ledger

WRITTEN = "2026-11-10T12:00:00+00:00"
OUTAGE = {
    "kind": "incident",
    "id": "INC-1",
    "start": "2026-11-10T10:00:00+00:00",
    "end": "2026-11-10T10:20:00+00:00",
    "scope": "global",
    "alerts": ["ServiceNotReady"],
    "severity": "major",
    "summary": "Database fail-over",
    "source": "pager",
    "by": "ada",
    "written_at": WRITTEN,
}
NOISE = {
    "kind": "label",
    "alertname": "ReadinessLatencyHigh",
    "tenant": "",
    "fired_at": "2026-11-10T02:00:00+00:00",
    "judgement": "noise",
    "by": "ada",
    "written_at": WRITTEN,
}
COMPLETE = {
    "kind": "complete",
    "start": "2026-11-09T00:00:00+00:00",
    "end": "2026-11-16T00:00:00+00:00",
    "by": "ada",
    "written_at": WRITTEN,
}
DEPLOY = {
    "kind": "deploy",
    "start": "2026-11-09T09:00:00+00:00",
    "end": "2026-11-09T09:30:00+00:00",
    "tenant": None,
    "summary": "v1.0-rc",
    "by": "ci",
    "written_at": WRITTEN,
}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def test_a_missing_file_is_an_empty_ledger_with_the_right_types(ledger):
    assert ledger.entries() == []
    incidents = ledger.incidents()
    assert list(incidents) == ["id", "start", "end", "tenant", "alerts", "severity", "summary", "source"]
    assert str(incidents["start"].dtype) == "datetime64[us, UTC]"
    assert str(incidents["tenant"].dtype) == "str"
    assert str(ledger.labels()["fired_at"].dtype) == "datetime64[us, UTC]"
    assert list(ledger.complete()) == ["start", "end", "by"]
    assert ledger.provenance() == {"entries": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    assert not ledger.path.exists()


def test_entries_come_back_as_frames(ledger):
    for entry in (OUTAGE, NOISE, COMPLETE, DEPLOY):
        ledger.append(entry)
    incident = ledger.incidents().iloc[0]
    assert incident["id"] == "INC-1"
    assert incident["start"] == pd.Timestamp("2026-11-10 10:00", tz="UTC")
    assert incident["tenant"] == ""
    assert incident["alerts"] == ("ServiceNotReady",)
    label = ledger.labels().iloc[0]
    assert (label["alertname"], label["judgement"], label["by"]) == ("ReadinessLatencyHigh", "noise", "ada")
    assert ledger.complete().iloc[0]["end"] == pd.Timestamp("2026-11-16", tz="UTC")
    assert ledger.stretches()[["kind", "tenant", "summary"]].values.tolist() == [["deploy", "", "v1.0-rc"]]


def test_times_are_kept_in_utc(ledger):
    zone = timezone(timedelta(hours=1))
    kept = ledger.append({**NOISE, "fired_at": datetime(2026, 11, 10, 3, 0, tzinfo=zone)})
    assert isinstance(kept, Label)
    assert kept.fired_at == datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
    assert json.loads(ledger.path.read_text())["fired_at"] == "2026-11-10T02:00:00Z"


def test_the_last_entry_of_an_incident_counts(ledger):
    ledger.append({**OUTAGE, "end": None})
    assert ledger.incidents()["end"].isna().all()
    ledger.append(OUTAGE)
    assert ledger.incidents()["end"].tolist() == [pd.Timestamp("2026-11-10 10:20", tz="UTC")]
    assert len(ledger.entries()) == 2


def test_incidents_are_sorted_by_start(ledger):
    ledger.append(OUTAGE)
    ledger.append({**OUTAGE, "id": "INC-0", "start": "2026-11-09T10:00:00Z", "scope": "tenant", "tenant": "acme"})
    assert ledger.incidents()["id"].tolist() == ["INC-0", "INC-1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "accident"}, "accident"),
        ({"severty": "low"}, r"incident\.severty"),
        ({"start": "2026-11-10T10:00:00"}, r"incident\.start.*timezone"),
        ({"end": "2026-11-10T09:00:00Z"}, "is not after start"),
        ({"scope": "tenant"}, "scope 'tenant' does not fit tenant ''"),
        ({"scope": "global", "tenant": "acme"}, "scope 'global' does not fit tenant 'acme'"),
        ({"by": ""}, r"incident\.by"),
        ({"id": None}, r"incident\.id"),
    ],
)
def test_wrong_entries_are_refused_and_nothing_is_written(ledger, change, message):
    with pytest.raises(UsageError, match=message) as caught:
        ledger.append({**OUTAGE, **change})
    assert "\n" not in str(caught.value)
    assert not ledger.path.exists()


def test_each_line_names_the_hash_of_the_line_before(ledger):
    for entry in (OUTAGE, NOISE, COMPLETE):
        ledger.append(entry)
    lines = ledger.path.read_bytes().splitlines()
    chain = [json.loads(line)["previous"] for line in lines]
    assert chain == ["", hashlib.sha256(lines[0]).hexdigest(), hashlib.sha256(lines[1]).hexdigest()]


def _without_second_line(text: bytes) -> bytes:
    first, _, third = text.splitlines(keepends=True)
    return first + third


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace(b"Database", b"Datavase"), "line 2: does not follow"),
        (_without_second_line, "line 2: does not follow"),
        (lambda text: b"\x00\xff\n" + text, "line 1: not JSON"),
        (lambda text: text + b"[]\n", "line 4: not a JSON object"),
        (lambda text: text + b"{}\n", "line 4: no valid entry"),
        (lambda text: text + b"[" * 100_000 + b"\n", "line 4: not JSON"),
        (lambda text: text + b"\n", "line 4: not JSON"),
    ],
)
def test_damage_is_named_by_its_line_and_stops_writing(ledger, damage, message):
    for entry in (OUTAGE, NOISE, COMPLETE):
        ledger.append(entry)
    damaged = damage(ledger.path.read_bytes())
    ledger.path.write_bytes(damaged)
    with pytest.raises(LakeDamaged, match=message) as caught:
        ledger.entries()
    assert str(ledger.path) in str(caught.value)
    with pytest.raises(LakeDamaged, match=message):
        ledger.append(DEPLOY)
    assert ledger.path.read_bytes() == damaged


@given(cut=st.integers(0, 400))
@settings(max_examples=60, deadline=None)  # each example writes and syncs two files
def test_an_append_cut_off_anywhere_is_old_state_or_new_and_can_be_repeated(tmp_path_factory, cut):
    ledger = Ledger(tmp_path_factory.mktemp("cut") / "incidents.jsonl")
    ledger.seed([OUTAGE])
    before = ledger.path.read_bytes()
    ledger.append(NOISE)
    after = ledger.path.read_bytes()
    ledger.path.write_bytes(after[: len(before) + cut])
    assert len(ledger.entries()) in (1, 2)
    if len(ledger.entries()) == 1:
        ledger.append(NOISE)
        assert ledger.path.read_bytes() == after
    ledger.append(COMPLETE)
    assert len(ledger.entries()) == 3


def test_the_file_is_private_under_any_umask(ledger):
    old = os.umask(0)
    try:
        ledger.append(OUTAGE)
    finally:
        os.umask(old)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_many_writers_lose_nothing(ledger):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.append({**OUTAGE, "id": f"INC-{n}"}), range(24)))
    assert {entry.id for entry in ledger.entries()} == {f"INC-{n}" for n in range(24)}


def test_a_second_writer_is_told_that_the_ledger_is_locked(ledger):
    ledger.append(OUTAGE)
    with FileLock(f"{ledger.path}.lock"), pytest.raises(LakeLocked, match="another run"):
        Ledger(ledger.path, lock_seconds=0.05).append(NOISE)
    assert len(ledger.entries()) == 1


def test_seed_writes_once_and_never_over_what_people_wrote(ledger):
    assert ledger.seed([OUTAGE, NOISE]) is True
    first = ledger.provenance()
    assert first["entries"] == 2
    assert ledger.seed([COMPLETE]) is False
    assert ledger.provenance() == first
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in ledger.path.parent.iterdir() if path.suffix != ".lock") == ["incidents.jsonl"]


def test_seed_equals_the_same_entries_appended(ledger, tmp_path):
    other = Ledger(tmp_path / "other.jsonl")
    ledger.seed([OUTAGE, NOISE, COMPLETE, DEPLOY])
    for entry in (OUTAGE, NOISE, COMPLETE, DEPLOY):
        other.append(entry)
    assert ledger.provenance() == other.provenance()


def test_a_wrong_seed_writes_nothing(ledger):
    with pytest.raises(UsageError, match="incident"):
        ledger.seed([OUTAGE, {**OUTAGE, "id": ""}])
    assert not ledger.path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "ledger").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="cannot be written"):
        Ledger(tmp_path / "ledger" / "incidents.jsonl").append(OUTAGE)


HOSTILE = '<script>alert(1)</script>\n=cmd|"/c calc"!A1\u2028\x00 ’'


def test_hostile_text_stays_its_own_text(ledger):
    ledger.append({**OUTAGE, "summary": HOSTILE})
    assert ledger.incidents()["summary"].tolist() == [HOSTILE]
    assert ledger.path.read_bytes().count(b"\n") == 1


@given(text=st.text(max_size=50))
@settings(max_examples=50, deadline=None)  # each example writes and syncs a file
def test_any_text_comes_back(tmp_path_factory, text):
    ledger = Ledger(tmp_path_factory.mktemp("text") / "incidents.jsonl")
    ledger.append({**OUTAGE, "summary": text, "scope": None, "tenant": text})
    kept = ledger.entries()[0]
    assert isinstance(kept, Incident)
    assert (kept.summary, kept.tenant) == (text, text)
