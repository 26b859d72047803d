"""Which finding leads, and which are one cause: by harm to customers, not by the place in a list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.cards.words import by_harm, causes, grave
from cloudxai_analysis.checks import Check
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import checked_scenario


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def found(
    key: str, status: Any = "warn", since: datetime | None = None, *spans: tuple[str, datetime, datetime]
) -> Check:
    events = tuple({"kind": key, "place": place, "start": start, "end": end} for place, start, end in spans)
    return Check(key, "readiness", status, f"{key} found.", since=since, events=events, action=f"Mend {key}.", size=key)


def incidents(*rows: tuple[str, str, datetime, datetime]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["severity", "tenant", "start", "end"])
    return frame.astype({"start": "datetime64[us, UTC]", "end": "datetime64[us, UTC]"})


OUTAGE = found("outages", "warn", at(12, 10), ("global", at(12, 10), at(12, 11)))
NAMES = found("identifiers", "warn", at(10, 9), ("req-", at(10, 9), at(10, 19)))
REFUSALS = found("rejections", "warn", at(10, 10), ("a:80", at(10, 10), at(10, 19)))
CRITICAL = incidents(("critical", "", at(12, 9), at(12, 12)))


@pytest.mark.parametrize(
    ("written", "share", "leads"),
    [
        (incidents(), 0.19, []),
        (incidents(), 0.2, ["outages"]),
        (CRITICAL, 0.0, ["outages"]),
        (incidents(("Critical", "", at(12, 9), at(12, 12))), 0.0, ["outages"]),
        (incidents(("minor", "", at(12, 9), at(12, 12))), 0.0, []),
        (incidents(("critical", "acme", at(12, 9), at(12, 12))), 0.0, []),
        (incidents(("critical", "", at(11, 9), at(11, 12))), 0.0, []),
    ],
)
def test_what_people_call_critical_and_a_fifth_of_the_budget_leads(
    written: pd.DataFrame, share: float, leads: list[str]
) -> None:
    assert grave([OUTAGE, REFUSALS], written, budget_share=share) == leads


def test_without_a_grave_one_a_failure_leads_then_what_customers_felt() -> None:
    checks = [found("churn"), found("headroom", "unknown"), OUTAGE, found("semantics", "fail"), REFUSALS]
    assert [check.key for check in by_harm(checks)] == ["semantics", "rejections", "outages", "churn", "headroom"]
    assert by_harm(checks, grave=["outages"])[0] is OUTAGE


def test_what_generated_names_made_is_one_cause_with_one_action() -> None:
    churn, headroom = found("churn", "warn", at(10)), found("headroom", "warn", at(10, 10))
    (one,) = causes([churn, headroom, REFUSALS, NAMES])
    assert (one.head.key, one.told.key) == ("identifiers", "rejections")
    assert {check.key for check in one.checks} == {"churn", "headroom", "rejections", "identifiers"}


@pytest.mark.parametrize(("since", "together"), [(at(9), False), (at(10), True), (at(11, 18), True), (at(12), False)])
def test_what_began_at_another_time_is_a_cause_of_its_own(since: datetime, together: bool) -> None:
    found_causes = causes([NAMES, found("headroom", "warn", since)])
    assert (len(found_causes) == 1) == together


def test_the_objective_and_its_budget_are_of_the_outage() -> None:
    (one,) = causes(
        [found("availability", "fail", at(1)), OUTAGE, found("burn", "warn", at(12, 10))], grave=["outages"]
    )
    assert (one.head.key, one.told.key) == ("outages", "outages")


@pytest.fixture(scope="module")
def outage_and_names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    events = [
        {"kind": "burst", "at": at(10, 9), "minutes": 10, "per_minute": 4, "stem": "req-"},
        {"kind": "readiness_incident", "at": at(12, 10), "minutes": 36},
    ]
    scenario = checked_scenario({"name": "outage-and-names", "events": events}, "this test")
    return summarise(evaluate.study_of(DemoSource(7, scenario), tmp_path_factory.mktemp("study")))


def test_a_critical_outage_leads_over_few_labels_left(outage_and_names: dict[str, Any]) -> None:
    """36 of the month's 43 minutes, critical in the ledger, beside 11 labels left and nobody refused."""
    assert outage_and_names["headline"] == (
        "2026-W46: warning – The platform was not ready for 36 minutes from Thu 12 Nov, 10:00 UTC"
    )
    assert outage_and_names["checks"][0]["key"] == "outages"


def test_no_action_asks_for_what_is_done(outage_and_names: dict[str, Any]) -> None:
    asked = {item["check"]: item["text"] for item in outage_and_names["considerations"]}
    assert len(asked) <= 4
    # The incident is in the ledger, the burn is over, and the full cap is the names' doing.
    assert asked["outages"] == "Decide what keeps INC-001 from happening again."
    assert "req-" in asked["identifiers"]
    assert not {"burn", "headroom"} & set(asked)
