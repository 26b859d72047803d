"""What an entry must hold, and which entries count: corrections, withdrawals, proposals that a person decides on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
import written
from hypothesis import given, settings
from hypothesis import strategies as st
from written import (
    ATTESTATION,
    COMPLETE,
    CONFIRMATION,
    DECISION,
    EVERY_KIND,
    MAINTENANCE,
    NOISE,
    OBSERVATION,
    OUTAGE,
    PROPOSAL,
    REJECTION,
    WITHDRAWAL,
)

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import COURSE, Entry, checked

TIME = "datetime64[us, UTC]"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(f"2026-11-{text}", tz="UTC")


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
        (OUTAGE, {"mitigated_at": "2026-11-10T09:59:59Z"}, "mitigated_at .* is before start"),
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
        ({**CONFIRMATION, "proposals": ["dip-9"]}, {}, "there is no proposal 'dip-9'"),
        ({**CONFIRMATION, "proposals": ["INC-1"]}, {}, "there is no proposal 'INC-1'"),
        ({**CONFIRMATION, "proposals": []}, {}, r"confirmation\.proposals"),
        (CONFIRMATION, {"by": "job"}, "'dip-1' was proposed by 'job'; a confirmation is by somebody else's name"),
        (REJECTION, {"by": "job"}, "a rejection is by somebody else's name"),
        (PROPOSAL, {"id": "INC-1"}, "'INC-1' is an id of the kind incident, and not of proposal"),
        (COMPLETE, {"id": "INC-1"}, "'INC-1' is an id of the kind incident"),
        (WITHDRAWAL, {"entry": "INC-9"}, "there is no entry 'INC-9' to withdraw"),
    ],
)
def test_wrong_entries_are_refused_and_nothing_is_written(
    ledger: Ledger, entry: dict, change: dict, message: str
) -> None:
    ledger.append_all([OUTAGE, PROPOSAL])
    before = ledger.path.read_bytes()
    with pytest.raises(UsageError, match=message) as caught:
        ledger.append({**entry, **change})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert ledger.path.read_bytes() == before


def test_an_id_is_made_of_what_tells_one_thing_from_another(ledger: Ledger) -> None:
    made = str(checked(COMPLETE).id)
    assert made.startswith("complete-")
    assert checked({**COMPLETE, "written_at": "2026-12-01T00:00:00Z"}).id == made
    assert checked({**COMPLETE, "end": "2026-11-16T00:00:01Z"}).id != made
    assert checked({**NOISE, "judgement": "actionable", "by": "bob"}).id == checked(NOISE).id
    assert checked({**NOISE, "tenant": "acme"}).id != checked(NOISE).id
    assert checked({**COMPLETE, "id": "mine"}).id == "mine"
    # A job that proposes the same again is known, and what was decided stays.
    unnamed = {key: value for key, value in PROPOSAL.items() if key != "id"}
    first = ledger.append_all([unnamed], unless_known=True)[0]
    ledger.append({**REJECTION, "proposals": [first.id]})
    assert ledger.append_all([{**unnamed, "written_at": "2026-11-18T12:00:00Z"}], unless_known=True) == []
    assert ledger.proposals()["state"].tolist() == ["rejected"]


HOSTILE = '<script>alert(1)</script>\n=cmd|"/c calc"!A1\u2028\x00 ’'


@given(text=st.text(max_size=50) | st.just(HOSTILE))
@settings(max_examples=40)
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("text") / "incidents.jsonl")
    ledger.append({**OUTAGE, "summary": text, "scope": None, "tenant": text})
    found = Ledger(ledger.path).incidents()
    assert found[["summary", "tenant"]].values.tolist() == [[text, text]]
    assert ledger.path.read_bytes().count(b"\n") == 1


def test_times_are_kept_in_utc_and_a_frames_missing_values_are_not_given(ledger: Ledger) -> None:
    zone = timezone(timedelta(hours=1))
    kept = ledger.append({**NOISE, "fired_at": datetime(2026, 11, 10, 3, 0, tzinfo=zone)})
    assert kept.time == datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
    assert json.loads(ledger.path.read_text())["fired_at"] == "2026-11-10T02:00:00Z"
    frame = pd.DataFrame([{**PROPOSAL, "end": None}, {**PROPOSAL, "id": "dip-2"}])
    frame["start"] = pd.to_datetime(frame["start"]) + pd.Timedelta(123_456_789, "ns")
    frame["end"] = pd.to_datetime(frame["end"]).dt.tz_convert("Europe/Berlin")
    frame["severity"] = float("nan")
    found = ledger.append_all(frame.to_dict("records"))
    assert found == Ledger(ledger.path).entries()[1:]
    assert ledger.append_all(frame.to_dict("records"), unless_known=True) == []
    assert ledger.proposals()["end"].isna().tolist() == [True, False]
    assert ledger.proposals()["start"][0] == pd.Timestamp("2026-11-11 08:00:00.123456Z")
    assert ledger.proposals()["severity"].tolist() == ["", ""]


def test_entries_come_back_as_frames_whose_types_an_empty_ledger_has(ledger: Ledger) -> None:
    trouble = ["id", "start", "end", "tenant", "alerts", "severity", "summary", "source"]
    reads = {
        "incidents": [*trouble, "acknowledged_at", *COURSE],
        "proposals": [*trouble, "evidence", "state", "decided_by"],
        "labels": ["alertname", "tenant", "fired_at", "judgement", "by", "written_at"],
        "complete": ["start", "end", "by"],
        "stretches": ["kind", "start", "end", "tenant", "summary"],
    }
    empty = {name: getattr(ledger, name)() for name in reads}
    assert {name: list(frame) for name, frame in empty.items()} == reads
    assert (str(empty["incidents"]["acknowledged_at"].dtype), str(empty["labels"]["tenant"].dtype)) == (TIME, "str")
    assert not ledger.path.exists()
    ledger.append_all([{**OUTAGE, "acknowledged_at": "2026-11-10T10:02:00Z"}, *EVERY_KIND[1:10]])
    assert all(getattr(ledger, name)().dtypes.equals(frame.dtypes) for name, frame in empty.items())
    outage, confirmed = ledger.incidents().to_dict("records")
    assert (outage["id"], outage["start"], outage["tenant"]) == ("INC-1", at("10 10:00"), "")
    assert (outage["alerts"], outage["acknowledged_at"]) == (("ServiceNotReady",), at("10 10:02"))
    assert (confirmed["id"], confirmed["tenant"], confirmed["end"]) == ("dip-1", "acme", at("11 08:09"))
    assert pd.isna(confirmed["acknowledged_at"])
    # The evidence of a proposal that was confirmed is the incident's; what nobody said is missing.
    assert (confirmed["evidence"], pd.isna(confirmed["root_cause"])) == ("ready 0.2 of 1 for 9 min", True)
    label = ledger.labels().iloc[0]
    assert (label["alertname"], label["judgement"], label["by"]) == ("ReadinessLatencyHigh", "noise", "ada")
    assert ledger.complete().iloc[0]["end"] == at("16")
    planned = ledger.stretches()[["kind", "tenant", "summary"]].values.tolist()
    assert planned == [["deploy", "", "v1.0-rc"], ["maintenance", "acme", "disk"]]


def test_the_course_of_an_incident_is_kept_and_what_nobody_said_leaves_no_trace(ledger: Ledger) -> None:
    course = written.COURSE
    assert course.keys() == set(COURSE)
    ledger.append_all([{**OUTAGE, **course}, {**OUTAGE, "id": "INC-2", "trigger": "", "follow_ups": []}])
    told, untold = ledger.incidents()[list(COURSE)].to_dict("records")
    assert told == {**course, "mitigated_at": at("10 10:15"), "follow_ups": ("alert on it", "a;b")}
    assert pd.isna(list(untold.values())).all()
    assert not {*COURSE} & {*json.loads(ledger.path.read_text().splitlines()[1])}


def test_the_last_entry_of_one_id_counts_whenever_it_says_it_was_written(ledger: Ledger) -> None:
    ledger.append({**OUTAGE, "end": None, "written_at": "2020-01-01T00:00:00Z"})
    assert ledger.incidents()["end"].isna().all()
    ledger.append({**OUTAGE, "written_at": "2019-01-01T00:00:00Z"})
    assert ledger.incidents()["end"].tolist() == [at("10 10:20")]
    assert ledger.standing().replaced() == {0: 1}
    ledger.append({**OUTAGE, "id": "INC-0", "start": "2026-11-09T10:00:00Z"})
    assert ledger.incidents()["id"].tolist() == ["INC-0", "INC-1"]
    ledger.append_all([NOISE, {**NOISE, "tenant": "acme"}, {**NOISE, "judgement": "actionable", "by": "bob"}])
    labels = ledger.labels()[["tenant", "judgement", "by"]].values.tolist()
    assert labels == [["acme", "noise", "ada"], ["", "actionable", "bob"]]


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        (COMPLETE, {"end": "2026-11-13T00:00:00Z"}),
        (MAINTENANCE, {"tenant": ""}),
        (OBSERVATION, {"summary": "latency was fine"}),
        (DECISION, {"reason": "none"}),
        (ATTESTATION, {"role": "director"}),
    ],
)
def test_what_has_no_id_of_its_own_is_corrected_under_the_one_it_was_given(
    ledger: Ledger, entry: dict, change: dict
) -> None:
    kept = ledger.append(entry)
    ledger.append({**entry, **change, "id": kept.id})
    assert [one.id for one in ledger.standing().counting(Entry)] == [kept.id]
    ledger.append({**WITHDRAWAL, "entry": kept.id})
    assert [one.kind for one in ledger.standing().counting(Entry)] == ["withdrawal"]
    assert ledger.standing().replaced() == {0: 2, 1: 2}


def test_what_was_withdrawn_comes_back_when_it_is_written_again(ledger: Ledger) -> None:
    ledger.append_all([OUTAGE, NOISE, WITHDRAWAL])
    assert ledger.incidents().empty
    with pytest.raises(UsageError, match="there is no entry 'INC-1' to withdraw"):
        ledger.append(WITHDRAWAL)
    ledger.append(OUTAGE)
    assert len(ledger.incidents()) == 1
    ledger.append(WITHDRAWAL)
    assert ledger.incidents().empty


SECOND = {**PROPOSAL, "id": "dip-2"}
BOTH = {**CONFIRMATION, "id": "word", "proposals": ["dip-1", "dip-2"]}
NO_WORD = {**REJECTION, "id": "no"}
LONGER = {**PROPOSAL, "end": "2026-11-11T08:30:00Z"}
LATER = {**PROPOSAL, "end": "2026-11-11T10:30:00Z"}
CHANGED = {**OUTAGE, "id": "dip-1", "start": "2026-11-11T07:55:00Z", "end": None, "alerts": []}
STORIES = {
    "no truth before a person confirms it": ([PROPOSAL, SECOND], {"dip-1": "open", "dip-2": "open"}, []),
    "confirmed": ([PROPOSAL, SECOND, BOTH], {"dip-1": "confirmed", "dip-2": "confirmed"}, ["08:09", "08:09"]),
    "one of them rejected by another": (
        [PROPOSAL, SECOND, BOTH, {**REJECTION, "proposals": ["dip-2"], "by": "bob"}],
        {"dip-1": "confirmed", "dip-2": "rejected"},
        ["08:09"],
    ),
    "the last decision counts": ([PROPOSAL, CONFIRMATION, REJECTION, CONFIRMATION], {"dip-1": "confirmed"}, ["08:09"]),
    "a decision withdrawn": (
        [PROPOSAL, CONFIRMATION, NO_WORD, {**WITHDRAWAL, "entry": "no"}],
        {"dip-1": "confirmed"},
        ["08:09"],
    ),
    "proposed again before": ([PROPOSAL, LONGER, CONFIRMATION], {"dip-1": "confirmed"}, ["08:30"]),
    "proposed again after": ([PROPOSAL, CONFIRMATION, LATER], {"dip-1": "confirmed"}, ["08:09"]),
    "proposed again after a no": ([PROPOSAL, REJECTION, LATER], {"dip-1": "rejected"}, []),
    "confirmed with changes": ([PROPOSAL, CHANGED, LATER], {"dip-1": "confirmed"}, [None]),
    "changed, and rejected": ([PROPOSAL, CHANGED, REJECTION], {"dip-1": "rejected"}, []),
    "withdrawn": ([PROPOSAL, CHANGED, {**WITHDRAWAL, "entry": "dip-1"}], {}, []),
    "a correction of the decision": (
        [PROPOSAL, SECOND, BOTH, {**BOTH, "proposals": ["dip-1"]}],
        {"dip-1": "confirmed", "dip-2": "open"},
        ["08:09"],
    ),
}


@pytest.mark.parametrize(("entries", "states", "ends"), STORIES.values(), ids=STORIES)
def test_what_becomes_of_proposals(ledger: Ledger, entries: list, states: dict, ends: list) -> None:
    for entry in entries:
        ledger.append(entry)
    proposals, incidents = ledger.proposals(), ledger.incidents()
    assert proposals.set_index("id")["state"].to_dict() == states
    assert [None if pd.isna(end) else f"{end:%H:%M}" for end in incidents["end"]] == ends
    deciders = {"open": "", "confirmed": "ada", "rejected": entries[-1]["by"] if "bob" in str(entries) else "ada"}
    assert proposals["decided_by"].tolist() == [deciders[state] for state in proposals["state"]]
    if CHANGED in entries and ends:
        assert incidents["start"].tolist() == [at("11 07:55")]
    assert ledger.complete().empty
