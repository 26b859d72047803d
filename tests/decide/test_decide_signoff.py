"""The sign-off: all six criteria met, one broken at a time, and evidence that the clock alone makes stale."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from signed_off import DAY, END, PROJECT, WEEK, attestation, day, entries, harness, label, night, study_with

from cloudxai_analysis.decide.signoff import CRITERIA, Risk, Signoff
from cloudxai_analysis.ledger.entries import checked

OPEN = {"kind": "incident", "id": "INC-1", "by": "ada", "start": "2026-11-15T23:00Z"}
Broken = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def of(signoff: Signoff) -> list[str]:
    return signoff.criteria["status"].tolist()


def without(**fields: Any) -> Broken:
    """The entries without those of which all of this is true."""
    return lambda known: [one for one in known if not all(one.get(name) == value for name, value in fields.items())]


def more(*added: dict[str, Any]) -> Broken:
    return lambda known: [*known, *added]


def test_with_all_evidence_the_most_that_is_said_is_that_it_is_complete(tmp_path: Path) -> None:
    signoff = Signoff(study_with(tmp_path, *entries()))
    assert of(signoff) == ["met"] * 6, signoff.criteria["missing"].tolist()
    assert signoff.headline == "Evidence complete, awaiting sign-off."
    since = [None if time is None else f"{time:%m-%d %H}" for time in signoff.criteria["since"]]
    # The 14th of 14 days ended on the 16th; the 7th of 8 nights was on the 14th; 12 pages were true by the 16th.
    assert since == ["11-16 00", "11-14 02", "11-16 00", "11-10 12", "11-06 00", "11-07 00"]
    assert signoff.evidence["number"].value_counts().sort_index().tolist() == [15, 8, 2, 1, 2, 3]


ONE_BROKEN: list[tuple[str, Broken, int, str, str]] = [
    ("a day missed", without(kind="day", date="2026-11-10"), 1, "not known", "9 more covered days (5 of 14; the day"),
    ("a day seen in part", more(day(8, partial=True, why="half")), 1, "not met", "7 more covered days (7 of 14; the"),
    ("a refusal", more(day(15, rejections=4)), 1, "not met", "4 requests refused on 2026-11-15"),
    (
        "an open incident",
        more({**OPEN, "alerts": ["TenantLabelCardinalityExceeded"]}),
        1,
        "not met",
        "open: INC-1",
    ),
    ("an open incident of no alert", more(OPEN), 1, "not known", "open, and of no named alert: INC-1"),
    ("no day", without(kind="day"), 1, "not known", "14 covered days; no day was observed"),
    (
        "a night missed",
        without(kind="night", date="2026-11-12"),
        2,
        "not met",
        "4 more green nights (the night of 2026-",
    ),
    (
        "a night failed",
        more(night(14, "fail")),
        2,
        "not met",
        "6 more green nights (the night of 2026-11-14 had x fail",
    ),
    ("a night unknown", more(night(15, "unknown")), 2, "not met", "7 more green nights (the night of 2026-11-15 had x"),
    ("no night", without(kind="night"), 2, "not known", "7 green nights; no night is known"),
    ("a false page", more(label(3, "noise")), 3, "not met", "more alert groups, all true, for an upper end of 25 % at"),
    ("no page judged", without(kind="label"), 3, "not known", "12 more alert groups, all true"),
    ("a promise broken", more(harness(13, only_at_cap="fail")), 4, "not met", "a run that shows I2"),
    ("a promise unknown", more(harness(13, within_cap="unknown")), 4, "not known", "a run that can tell I1"),
    (
        "too small a load",
        more(harness(13, most_tenants=100)),
        4,
        "not known",
        "more than 100 tenants, which is the cap",
    ),
    ("numbers that differ", more(harness(13, differing=2)), 4, "not known", "of the last one 2 numbers differ"),
    ("no run", without(kind="harness"), 4, "not known", "a run of `cloudxai harness`"),
    (
        "only a run of a broken guard",
        lambda known: [{**one, "fault": "leaky"} if one["kind"] == "harness" else one for one in known],
        4,
        "not known",
        "a run of",
    ),
    ("no guide", without(attests=["migration-guide"]), 5, "not met", "an attestation of 'migration-guide'"),
    ("no owners", without(attests=["owners"]), 6, "not met", "an attestation of 'owners'"),
    (
        "owners of tomorrow",
        lambda known: [*without(attests=["owners"])(known), attestation("owners", 17)],
        6,
        "not met",
        "an attestation of 'owners'",
    ),
]


@pytest.mark.parametrize(
    ("what", "broken", "number", "status", "missing"), ONE_BROKEN, ids=[row[0] for row in ONE_BROKEN]
)
def test_one_criterion_broken_turns_just_that_one(
    tmp_path: Path, what: str, broken: Broken, number: int, status: str, missing: str
) -> None:
    signoff = Signoff(study_with(tmp_path, *broken(entries())))
    expected = ["met"] * 6
    expected[number - 1] = status
    assert of(signoff) == expected, signoff.criteria["missing"].tolist()
    assert missing in signoff.criteria["missing"][number - 1]
    assert "Not ready for sign-off: 5 of 6 criteria met" in signoff.headline


def test_routing_is_known_by_its_files(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    found = []
    for text in (
        "route: {receiver: nobody}\nreceivers: [{name: pager, webhook_configs: [{url: 'http://a'}]}]\n",
        "groups: []\n",
    ):
        file.write_text(text, encoding="utf-8")
        study = study_with(tmp_path, *entries(), rules=file)
        found.append(Signoff(study).criteria.loc[2, ["status", "missing"]].tolist())
        study.ledger.path.unlink()
    assert found[0][0] == "not met"
    assert "routing/undefined-receiver" in found[0][1]
    assert found[1] == ["not known", "routing that can be audited: the files in `rules` of the environment hold none"]
    assert Signoff(study_with(tmp_path, *entries(), rules=None)).criteria.loc[2, "missing"] == (
        "routing that can be audited: the settings name no `rules` for the environment"
    )


# Hours after the end of the study: which criteria are met by then. Of the days 36 h, of the night of the 15th at 02:00
# 36 h, of the pages 192 h, of the run on the 10th at 12:00 720 h, of what was attested on the 5th and 6th 2160 h.
CLOCK = {0: "111111", 13: "111111", 14: "101111", 35: "101111", 36: "001111", 191: "001111", 192: "000111"}
CLOCK |= {587: "000111", 588: "000011", 1895: "000011", 1896: "000001", 1919: "000001", 1920: "000000"}


def test_stale_evidence_is_not_known_by_the_clock_alone(tmp_path: Path) -> None:
    study = study_with(tmp_path, *entries())
    for hours, met in CLOCK.items():
        signoff = Signoff(study, at=END + timedelta(hours=hours))
        assert of(signoff) == ["met" if one == "1" else "not known" for one in met], hours
        stale = signoff.criteria[signoff.criteria["status"] == "not known"]
        assert all("it says nothing any more" in text for text in stale["missing"])
        assert (stale["since"] == stale["fresh_until"]).all()


def test_an_incident_that_is_open_does_not_become_less_so(tmp_path: Path) -> None:
    study = study_with(tmp_path, *entries(), {**OPEN, "alerts": ["TenantLabelCardinalityExceeded"]})
    assert {of(Signoff(study, at=END + timedelta(hours=hours)))[0] for hours in CLOCK} == {"not met"}


def test_a_renewed_attestation_is_as_old_as_its_first_and_a_slip_of_the_pen_is_told(tmp_path: Path) -> None:
    renewed = attestation("owners", 15)
    study = study_with(tmp_path, *entries(), renewed, attestation("owner", 15))
    signoff = Signoff(study, at=END + 80 * DAY)
    own = signoff.parts.set_index("part").loc["owners"]
    assert (own["status"], f"{own['since']:%m-%d}", f"{own['newest']:%m-%d}") == ("met", "11-06", "11-15")
    assert signoff.notes.startswith("Attested, and asked for by no criterion: owner. What can be attested is called")
    assert signoff.summary["notes"] == signoff.notes


def test_every_row_of_the_table_has_a_reason_a_page_and_a_number() -> None:
    assert len(CRITERIA) == 6
    assert all((PROJECT / criterion.runbook).is_file() for criterion in CRITERIA)
    with pytest.raises(ValidationError, match=r"the study has no number 'cost\.gain'"):
        Risk(risk="x", likelihood="low", impact="low", owner="x", figure="cost.gain", says="{{ value }}")


def test_risks_stand_beside_the_studys_own_numbers_and_unknown_ones_say_so(tmp_path: Path) -> None:
    risks = Signoff(study_with(tmp_path, *entries())).risks
    assert "not known" in risks["now"].tolist()
    assert "up to 24 % of pages false, at the upper end of 28 days" in risks["now"].tolist()


def test_an_attestation_says_what_it_is_of() -> None:
    assert checked(attestation("owners", 5)).model_dump()["attests"] == ("owners",)
    assert WEEK.end == END == datetime(2026, 11, 16, tzinfo=UTC)
