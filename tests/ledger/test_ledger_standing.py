"""Which entries count: corrections, withdrawals, and proposals that a person decides on."""

import pandas as pd
import pytest
from written import (
    ATTESTATION,
    COMPLETE,
    CONFIRMATION,
    DECISION,
    DEPLOY,
    EVERY_KIND,
    MAINTENANCE,
    NOISE,
    OBSERVATION,
    OUTAGE,
    PROPOSAL,
    REJECTION,
    WITHDRAWAL,
    WRITTEN,
)

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import Entry

TIME = "datetime64[us, UTC]"


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "incidents.jsonl")


def at(text):
    return pd.Timestamp(f"2026-11-{text}", tz="UTC")


def states(ledger):
    return ledger.proposals().set_index("id")["state"].to_dict()


def test_a_missing_file_is_an_empty_ledger_with_the_right_types(ledger):
    assert ledger.entries() == []
    trouble = ["id", "start", "end", "tenant", "alerts", "severity", "summary", "source"]
    assert list(ledger.incidents()) == [*trouble, "acknowledged_at"]
    assert list(ledger.proposals()) == [*trouble, "evidence", "state", "decided_by"]
    assert list(ledger.complete()) == ["start", "end", "by"]
    assert list(ledger.labels()) == ["alertname", "tenant", "fired_at", "judgement", "by", "written_at"]
    assert list(ledger.stretches()) == ["kind", "start", "end", "tenant", "summary"]
    assert str(ledger.incidents()["acknowledged_at"].dtype) == str(ledger.proposals()["start"].dtype) == TIME
    assert str(ledger.incidents()["tenant"].dtype) == "str"
    assert str(ledger.labels()["fired_at"].dtype) == TIME
    assert not ledger.path.exists()


def test_entries_come_back_as_frames(ledger):
    ledger.append_all([{**OUTAGE, "acknowledged_at": "2026-11-10T10:02:00Z"}, *EVERY_KIND[1:10]])
    outage, confirmed = ledger.incidents().to_dict("records")
    assert (outage["id"], outage["start"], outage["tenant"]) == ("INC-1", at("10 10:00"), "")
    assert (outage["alerts"], outage["acknowledged_at"]) == (("ServiceNotReady",), at("10 10:02"))
    assert (confirmed["id"], confirmed["tenant"], confirmed["end"]) == ("dip-1", "acme", at("11 08:09"))
    assert pd.isna(confirmed["acknowledged_at"])
    label = ledger.labels().iloc[0]
    assert (label["alertname"], label["judgement"], label["by"]) == ("ReadinessLatencyHigh", "noise", "ada")
    assert ledger.complete().iloc[0]["end"] == at("16")
    assert ledger.stretches()[["kind", "tenant", "summary"]].values.tolist() == [
        ["deploy", "", "v1.0-rc"],
        ["maintenance", "acme", "disk"],
    ]


def test_the_last_entry_of_an_incident_counts(ledger):
    ledger.append({**OUTAGE, "end": None})
    assert ledger.incidents()["end"].isna().all()
    ledger.append(OUTAGE)
    assert ledger.incidents()["end"].tolist() == [at("10 10:20")]
    assert len(ledger.entries()) == 2
    assert ledger.standing().replaced() == {0: 1}


def test_incidents_are_sorted_by_start(ledger):
    ledger.append(OUTAGE)
    ledger.append({**OUTAGE, "id": "INC-0", "start": "2026-11-09T10:00:00Z", "scope": "tenant", "tenant": "acme"})
    assert ledger.incidents()["id"].tolist() == ["INC-0", "INC-1"]


def test_the_last_label_of_an_episode_counts(ledger):
    ledger.append_all([NOISE, {**NOISE, "tenant": "acme"}, {**NOISE, "judgement": "actionable", "by": "bob"}])
    assert ledger.labels()[["tenant", "judgement", "by"]].values.tolist() == [
        ["acme", "noise", "ada"],
        ["", "actionable", "bob"],
    ]


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        (COMPLETE, {"end": "2026-11-13T00:00:00Z"}),
        (DEPLOY, {"summary": "v1.0-rc2"}),
        (MAINTENANCE, {"tenant": ""}),
        (OBSERVATION, {"summary": "latency was fine"}),
        (DECISION, {"reason": "none"}),
        (ATTESTATION, {"role": "director"}),
    ],
)
def test_what_has_no_id_of_its_own_is_corrected_under_the_one_it_was_given(ledger, entry, change):
    kept = ledger.append(entry)
    ledger.append({**entry, **change, "id": kept.id})
    assert [one.id for one in ledger.standing().counting(Entry)] == [kept.id]
    ledger.append({**WITHDRAWAL, "entry": kept.id})
    assert [one.kind for one in ledger.standing().counting(Entry)] == ["withdrawal"]
    assert ledger.standing().replaced() == {0: 2, 1: 2}


def test_what_was_withdrawn_comes_back_when_it_is_written_again(ledger):
    ledger.append_all([OUTAGE, NOISE, WITHDRAWAL])
    assert ledger.incidents().empty
    with pytest.raises(UsageError, match="there is no entry 'INC-1' to withdraw"):
        ledger.append(WITHDRAWAL)
    ledger.append(OUTAGE)
    assert len(ledger.incidents()) == 1
    ledger.append(WITHDRAWAL)
    assert ledger.incidents().empty


def test_a_proposal_is_no_truth_before_a_person_confirms_it(ledger):
    ledger.append_all([PROPOSAL, {**PROPOSAL, "id": "dip-2", "start": "2026-11-11T07:00:00Z"}])
    assert states(ledger) == {"dip-2": "open", "dip-1": "open"}
    assert ledger.incidents().empty
    assert ledger.complete().empty
    ledger.append({**CONFIRMATION, "proposals": ["dip-1", "dip-2"]})
    assert ledger.incidents()["id"].tolist() == ["dip-2", "dip-1"]
    assert ledger.proposals()[["state", "decided_by"]].values.tolist() == [["confirmed", "ada"]] * 2
    ledger.append({**REJECTION, "proposals": ["dip-2"], "by": "bob"})
    assert ledger.incidents()["id"].tolist() == ["dip-1"]
    assert ledger.proposals()["decided_by"].tolist() == ["bob", "ada"]
    proposal = ledger.proposals().iloc[1]
    assert (proposal["evidence"], proposal["source"]) == ("ready 0.2 of 1 for 9 min", "readiness dips")


def test_the_last_decision_on_a_proposal_counts(ledger):
    ledger.append_all([PROPOSAL, CONFIRMATION, REJECTION, CONFIRMATION])
    assert states(ledger) == {"dip-1": "confirmed"}
    rejection = ledger.append(REJECTION)
    assert states(ledger) == {"dip-1": "rejected"}
    ledger.append({**WITHDRAWAL, "entry": rejection.id})
    assert states(ledger) == {"dip-1": "confirmed"}


def test_a_job_that_proposes_again_changes_nothing_that_was_decided(ledger):
    longer = {**PROPOSAL, "end": "2026-11-11T08:30:00Z"}
    ledger.append_all([PROPOSAL, longer])
    assert ledger.proposals()["end"].tolist() == [at("11 08:30")]
    ledger.append_all([CONFIRMATION, {**PROPOSAL, "end": "2026-11-11T09:30:00Z"}])
    assert ledger.incidents()["end"].tolist() == [at("11 08:30")]
    ledger.append_all([REJECTION, {**PROPOSAL, "end": "2026-11-11T10:30:00Z"}])
    assert states(ledger) == {"dip-1": "rejected"}
    assert ledger.incidents().empty


def test_a_proposal_made_again_by_its_job_is_known(ledger):
    unnamed = {key: value for key, value in PROPOSAL.items() if key != "id"}
    later = {**unnamed, "written_at": "2026-11-18T12:00:00Z"}
    first = ledger.append_all([unnamed], unless_known=True)[0]
    assert ledger.append_all([later], unless_known=True) == []
    ledger.append({**REJECTION, "proposals": [first.id]})
    assert ledger.append_all([later], unless_known=True) == []
    assert states(ledger) == {first.id: "rejected"}


def test_an_incident_under_a_proposals_id_confirms_it_with_changes(ledger):
    ledger.append(PROPOSAL)
    changed = {**OUTAGE, "id": "dip-1", "start": "2026-11-11T07:55:00Z", "end": None, "alerts": []}
    ledger.append(changed)
    assert ledger.incidents()[["id", "start"]].values.tolist() == [["dip-1", at("11 07:55")]]
    assert ledger.proposals()[["state", "decided_by"]].values.tolist() == [["confirmed", "ada"]]
    ledger.append({**PROPOSAL, "end": "2026-11-11T10:30:00Z"})
    assert ledger.incidents()["start"].tolist() == [at("11 07:55")]
    ledger.append(REJECTION)
    assert ledger.incidents().empty
    ledger.append({**WITHDRAWAL, "entry": "dip-1"})
    assert ledger.proposals().empty


def test_a_correction_of_a_confirmation_opens_what_it_no_longer_names(ledger):
    ledger.append_all([PROPOSAL, {**PROPOSAL, "id": "dip-2"}])
    both = ledger.append({**CONFIRMATION, "proposals": ["dip-1", "dip-2"]})
    ledger.append({**CONFIRMATION, "id": both.id})
    assert states(ledger) == {"dip-1": "confirmed", "dip-2": "open"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**CONFIRMATION, "proposals": ["dip-9"]}, "there is no proposal 'dip-9'"),
        ({**CONFIRMATION, "proposals": ["INC-1"]}, "there is no proposal 'INC-1'"),
        ({**CONFIRMATION, "proposals": []}, r"confirmation\.proposals"),
        ({**CONFIRMATION, "by": "job"}, "'dip-1' was proposed by 'job'; a confirmation is by somebody else's name"),
        ({**REJECTION, "by": "job"}, "a rejection is by somebody else's name"),
        ({**PROPOSAL, "id": "INC-1"}, "'INC-1' is an id of the kind incident, and not of proposal"),
        ({**COMPLETE, "id": "INC-1"}, "'INC-1' is an id of the kind incident"),
        ({**WITHDRAWAL, "entry": "INC-9"}, "there is no entry 'INC-9' to withdraw"),
    ],
)
def test_what_does_not_fit_is_refused(ledger, entry, message):
    ledger.append_all([OUTAGE, PROPOSAL])
    before = ledger.path.read_bytes()
    with pytest.raises(UsageError, match=message):
        ledger.append(entry)
    assert ledger.path.read_bytes() == before


def test_what_was_written_when_says_nothing_of_what_it_is(ledger):
    ledger.append({**OUTAGE, "written_at": "2020-01-01T00:00:00Z"})
    ledger.append({**OUTAGE, "severity": "minor", "written_at": "2019-01-01T00:00:00Z"})
    assert ledger.incidents()["severity"].tolist() == ["minor"]
    assert WRITTEN not in ledger.path.read_text()
