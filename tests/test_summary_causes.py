"""Which finding leads, and which are one cause: by harm to customers, not by the place in a list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_platform import demo_of, demo_study_of, event

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.cards.words import by_harm, causes, grave
from cloudxai_analysis.checks import Check
from cloudxai_analysis.ground.window import parse_window


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def found(
    key: str, status: Any = "warn", since: datetime | None = None, *spans: tuple[str, datetime, datetime]
) -> Check:
    events = tuple({"kind": key, "place": place, "start": start, "end": end} for place, start, end in spans)
    return Check(key, "readiness", status, f"{key} found.", since=since, events=events, action=f"Mend {key}.", size=key)


OUTAGE = found("outages", "warn", at(12, 10), ("global", at(12, 10), at(12, 11)))
NAMES = found("identifiers", "warn", at(10, 9), ("req-", at(10, 9), at(10, 19)))
REFUSALS = found("rejections", "warn", at(10, 10), ("a:80", at(10, 10), at(10, 19)))


@pytest.mark.parametrize(
    ("severity", "tenant", "day", "share", "leads"),
    [
        ("", "", 12, 0.19, False),
        ("", "", 12, 0.2, True),
        ("critical", "", 12, 0.0, True),
        ("Critical", "", 12, 0.0, True),
        ("minor", "", 12, 0.0, False),
        ("critical", "acme", 12, 0.0, False),
        ("critical", "", 11, 0.0, False),
    ],
)
def test_what_people_call_critical_and_a_fifth_of_the_budget_leads(
    severity: str, tenant: str, day: int, share: float, leads: bool
) -> None:
    row = {"severity": severity, "tenant": tenant, "start": at(day, 9), "end": at(day, 12)}
    written = pd.DataFrame([row] if severity else [], columns=list(row))
    written = written.astype({"severity": "str", **dict.fromkeys(("start", "end"), "datetime64[us, UTC]")})
    assert grave([OUTAGE, REFUSALS], written, budget_share=share) == ["outages"] * leads


def test_findings_rank_by_harm_and_those_of_one_cause_are_one_with_one_action() -> None:
    checks = [found("churn"), found("headroom", "unknown"), OUTAGE, found("semantics", "fail"), REFUSALS]
    assert [check.key for check in by_harm(checks)] == ["semantics", "rejections", "outages", "churn", "headroom"]
    assert by_harm(checks, grave=["outages"])[0] is OUTAGE
    churn, headroom = found("churn", "warn", at(10)), found("headroom", "warn", at(10, 10))
    (one,) = causes(by_harm([churn, headroom, REFUSALS, NAMES]))
    assert (one.head.key, one.told.key) == ("identifiers", "rejections")
    assert {check.key for check in one.checks} == {"churn", "headroom", "rejections", "identifiers"}
    # The objective and its budget are of the outage.
    budget = [found("availability", "fail", at(1)), OUTAGE, found("burn", "warn", at(12, 10))]
    (one,) = causes(by_harm(budget, grave=["outages"]))
    assert (one.head.key, one.told.key) == ("outages", "outages")
    # What began at another time is a cause of its own.
    for since, together in ((at(9), False), (at(10), True), (at(11, 18), True), (at(12), False)):
        assert (len(causes([NAMES, found("headroom", "warn", since)])) == 1) == together


def test_a_critical_outage_leads_over_few_labels_left_and_no_action_asks_for_what_is_done(tmp_path: Path) -> None:
    """36 of the month's 43 minutes, critical in the ledger, beside 11 labels left and nobody refused."""
    names = event("burst", "11-10T09:00", 10, per_minute=4, stem="req-")
    source = demo_of(names, event("readiness_incident", "11-12T10:00", 36), seed=7)
    summary = summarise(demo_study_of(source, tmp_path, parse_window("2026-W46")))
    assert summary["headline"].startswith(
        "Warning: the platform was not ready for 36 minutes from Thu 12 Nov, 10:00 UTC; "
    )
    assert summary["checks"][0]["key"] == "outages"
    asked = {item["check"]: item["text"] for item in summary["considerations"]}
    assert len(asked) <= 4
    # The incident is in the ledger, the burn is over, and the full cap is the names' doing.
    assert asked["outages"] == "Decide what keeps outage INC-001 of Thu 12 Nov from happening again."
    assert "req-" in asked["identifiers"]
    assert not {"burn", "headroom"} & set(asked)
