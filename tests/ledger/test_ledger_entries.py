"""What an entry must hold, and the id by which others speak of it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import ATTESTATION, COMPLETE, EVERY_KIND, NOISE, OBSERVATION, OUTAGE, PROPOSAL

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Incident, Label, Ledger
from cloudxai_analysis.ledger.entries import KINDS, checked


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def test_every_kind_comes_back_as_it_was_written(ledger):
    for entry in EVERY_KIND:
        ledger.append(entry)
    assert [entry.kind for entry in ledger.entries()] == [entry["kind"] for entry in EVERY_KIND]
    assert {entry["kind"] for entry in EVERY_KIND} == set(KINDS)
    assert Ledger(ledger.path).entries() == [checked(entry) for entry in EVERY_KIND]


def test_times_are_kept_in_utc(ledger):
    zone = timezone(timedelta(hours=1))
    kept = ledger.append({**NOISE, "fired_at": datetime(2026, 11, 10, 3, 0, tzinfo=zone)})
    assert isinstance(kept, Label)
    assert kept.fired_at == datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
    assert json.loads(ledger.path.read_text())["fired_at"] == "2026-11-10T02:00:00Z"


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        (OUTAGE, {"kind": "accident"}, "accident"),
        (OUTAGE, {"severty": "low"}, r"incident\.severty"),
        (OUTAGE, {"start": "2026-11-10T10:00:00"}, r"incident\.start.*timezone"),
        (OUTAGE, {"start": 1_794_304_800}, r"incident\.start.*a number is no time"),
        (OUTAGE, {"start": "1794304800"}, r"incident\.start.*a number is no time"),
        (OUTAGE, {"start": "0001-01-01T00:00:00+14:00"}, r"incident\.start.*out of range"),
        (OUTAGE, {"end": "2026-11-10T09:00:00Z"}, "is not after start"),
        (OUTAGE, {"acknowledged_at": "2026-11-10T09:59:59Z"}, "acknowledged_at .* is before start"),
        (OUTAGE, {"scope": "tenant"}, "scope 'tenant' does not fit tenant ''"),
        (OUTAGE, {"scope": "global", "tenant": "acme"}, "scope 'global' does not fit tenant 'acme'"),
        (OUTAGE, {"by": ""}, r"incident\.by"),
        (OUTAGE, {"id": None}, r"incident\.id"),
        (OUTAGE, {"\ud800" * 500: 1}, "unicode"),
        (OUTAGE, {"x" * 5_000: 1}, "Extra inputs"),
        (PROPOSAL, {"end": "2026-11-11T08:00:00Z"}, "is not after start"),
        (OBSERVATION, {"link": "javascript:alert(1)"}, "a link begins with https"),
        (ATTESTATION, {"link": ""}, r"attestation\.link"),
        (ATTESTATION, {"role": ""}, r"attestation\.role"),
        (ATTESTATION, {"date": 20261113}, "a number is no time"),
    ],
)
def test_wrong_entries_are_refused_and_nothing_is_written(ledger, entry, change, message):
    with pytest.raises(UsageError, match=message) as caught:
        ledger.append({**entry, **change})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not ledger.path.exists()


def test_an_id_is_made_of_what_tells_one_thing_from_another():
    made = checked(COMPLETE).id
    assert made.startswith("complete-")
    assert checked({**COMPLETE, "written_at": "2026-12-01T00:00:00Z"}).id == made
    assert checked({**COMPLETE, "end": "2026-11-16T00:00:01Z"}).id != made
    assert checked({**NOISE, "judgement": "actionable", "by": "bob"}).id == checked(NOISE).id
    assert checked({**NOISE, "tenant": "acme"}).id != checked(NOISE).id
    assert checked({**COMPLETE, "id": "mine"}).id == "mine"


HOSTILE = '<script>alert(1)</script>\n=cmd|"/c calc"!A1\u2028\x00 ’'


def test_hostile_text_stays_its_own_text(ledger):
    ledger.append({**OUTAGE, "summary": HOSTILE})
    assert ledger.incidents()["summary"].tolist() == [HOSTILE]
    assert ledger.path.read_bytes().count(b"\n") == 1


@given(text=st.text(max_size=50))
@settings(max_examples=50)
def test_any_text_comes_back(tmp_path_factory, text):
    ledger = Ledger(tmp_path_factory.mktemp("text") / "incidents.jsonl")
    ledger.append({**OUTAGE, "summary": text, "scope": None, "tenant": text})
    kept = Ledger(ledger.path).entries()[0]
    assert isinstance(kept, Incident)
    assert (kept.summary, kept.tenant) == (text, text)


def test_a_frames_times_and_missing_values(ledger):
    frame = pd.DataFrame([{**PROPOSAL, "end": None}, {**PROPOSAL, "id": "dip-2"}])
    frame["start"] = pd.to_datetime(frame["start"]) + pd.Timedelta(123_456_789, "ns")
    frame["end"] = pd.to_datetime(frame["end"]).dt.tz_convert("Europe/Berlin")
    frame["severity"] = float("nan")
    kept = ledger.append_all(frame.to_dict("records"))
    assert kept == Ledger(ledger.path).entries()
    assert ledger.append_all(frame.to_dict("records"), unless_known=True) == []
    assert ledger.proposals()["end"].isna().tolist() == [True, False]
    assert ledger.proposals()["start"][0] == pd.Timestamp("2026-11-11 08:00:00.123456Z")
    assert ledger.proposals()["severity"].tolist() == ["", ""]
