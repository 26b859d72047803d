"""Sentences of the report on platforms that are not the demo: none says more than the telemetry shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from small_platform import Written, study_of

from cloudxai_analysis.cards import alerts, cardinality, cost, drivers, readiness, telemetry
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W47")
SATURDAY, MIDWEEK = datetime(2026, 11, 21, 9, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC)
FORTNIGHT = WEEK.start - timedelta(weeks=1)
OWN = {"job": "cloudxai", "instance": "api-0:80"}
PAGE = {"alertname": "TenantReadinessBreach", "alertstate": "firing", "severity": "page"}


def line(labels: dict[str, str], start: datetime, end: datetime, value: float = 1.0, low: tuple[int, int] = (0, 0)):
    """A sample a minute; 0 from one minute after the start to another."""
    times = np.arange(start.timestamp() * 1000, end.timestamp() * 1000, 60_000, dtype=np.int64)
    values = np.full(len(times), value)
    values[slice(*low)] = 0.0
    return labels, times, values


def platform(start: datetime = FORTNIGHT, end: datetime = WEEK.end, **more: list[Written]) -> dict[str, list[Written]]:
    return {"up": [line(OWN, start, end)], "readiness_state": [line(OWN, start, end)], **more}


def tenants(start: datetime, end: datetime) -> dict[str, list[Written]]:
    lines = [line(OWN | {"tenant": name}, start, end) for name in ("acme", "bolt")]
    return {"tenant_readiness_state": lines, "tenant_cost_estimate": lines}


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three hours of a Saturday, with costs of 2 x 3 EUR and a page that nobody judged."""
    end = SATURDAY + timedelta(hours=3)
    fired = line(PAGE | {"tenant": "acme"}, SATURDAY, SATURDAY + timedelta(minutes=5))
    series = platform(SATURDAY, end, **tenants(SATURDAY, end), ALERTS=[fired])
    return study_of(series, tmp_path_factory.mktemp("young"), WEEK, now=end)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        # "12 new tenants" and "54 of all came" were said of what was there when the telemetry begins.
        (cardinality.tenant_sets, "2 tenants; which are new is unknown, as telemetry begins in 2026-W47."),
        (drivers.metrics, "which of them are new is unknown, as the telemetry begins in 2026-W47"),
        # "2026-11 cost 0.00 EUR so far" stood beside 6 EUR of the week.
        (cost.by_week, "The tenants cost 6.00 EUR in 2026-W47"),
        (cost.month, "What 2026-11 cost is unknown: none of its days is covered."),
        (cost.by_tenant, "2 tenants caused all of the cost."),
        (alerts.response, "No incident of the ledger in the 3 hours seen"),
        (alerts.near_misses, "The ledger holds no incident of the 3 hours seen"),
        (readiness.error_budget, "0 seconds of the 30-day error budget of 43 minutes are used."),
    ],
)
def test_three_hours_say_what_three_hours_show(young: Study, card, said: str) -> None:
    assert said in card(young).heading


def test_numbers_of_three_hours_are_not_numbers_of_a_week(young: Study) -> None:
    numbers = summarise(young)["numbers"]
    assert [numbers[f"cardinality.tenants_{name}"] for name in ("new", "returning", "lost")] == [None] * 3
    assert set(cardinality.tenant_sets(young).table["set"]) == {"unknown"}
    assert readiness.error_budget(young).note == "3 hours of the 30 days were seen."
    assert {tile["median4"] for tile in summarise(young)["tiles"]} == {None}


def test_tenants_that_first_come_in_mid_week_are_new_and_stop_no_report(tmp_path: Path) -> None:
    study = study_of(platform(**tenants(MIDWEEK, WEEK.end)), tmp_path, WEEK)
    assert cardinality.tenant_sets(study).heading == "2 new tenants, 0 returning, 0 lost."
    assert drivers.cohorts(study).heading == "Of 2 tenants that came in these weeks, 0 are gone again."


def test_metrics_of_tenants_without_the_label_are_a_finding_and_leave_no_headroom(tmp_path: Path) -> None:
    names = ("tenant_readiness_state", "tenant_cost_estimate", "process_start_time_seconds")
    study = study_of(platform(**{key: [line(OWN, FORTNIGHT, WEEK.end)] for key in names}), tmp_path, WEEK)
    found = judge.check(study, "labels")
    assert (found.status, found.finding) == (
        "warn",
        "No series of tenant_cost_estimate and 1 more metric has the label 'tenant' in 2026-W47: they are no tenant's, "
        "and in no number.",
    )
    # "100 tenant labels of 100 left" passed.
    assert judge.check(study, "headroom").status == "unknown"
    assert cost.by_tenant(study).heading == "No tenant's cost estimate was seen in 2026-W47."
    assert cardinality.tenants(study).heading == "No tenant was seen in 2026-W47."


def test_what_a_foreign_job_exports_is_in_no_inventory_and_banners_tell_one_reason_once(tmp_path: Path) -> None:
    foreign, series = line({"job": "node", "instance": "n:9100"}, FORTNIGHT, WEEK.end), platform()
    alone = study_of(series, tmp_path / "alone", WEEK)
    beside = study_of({name: [*lines, foreign] for name, lines in series.items()}, tmp_path / "beside", WEEK)
    assert telemetry.inventory(beside).heading == telemetry.inventory(alone).heading
    assert drivers.metrics(beside).heading == drivers.metrics(alone).heading
    told = [banner["text"] for banner in summarise(alone)["banners"]]
    assert len({text.partition(": ")[2] for text in told}) == len(told)
    assert alerts.storms(alone).heading.startswith("Whether there were alert storms is unknown")


def test_a_tenants_outage_that_two_instances_tell_of_is_one_of_its_own_length(tmp_path: Path) -> None:
    acme = {**OWN, "tenant": "acme"}
    both = [line(acme | {"instance": name}, FORTNIGHT, WEEK.end, low=(11_000, 11_030)) for name in ("a:80", "b:80")]
    study = study_of(platform(tenant_readiness_state=both), tmp_path, WEEK)
    found = judge.check(study, "tenants")
    assert "for 30 minutes from" in found.finding
    assert found.size == "1 tenant in 1 outage"
    assert readiness.tenant_outages(study).note == "1 tenant, 1 time, 30 minutes in all."


def test_flapping_of_alerts_is_told_of_the_alerts_and_its_action_names_whom(tmp_path: Path) -> None:
    starts = [WEEK.start + timedelta(minutes=at) for at in (60, 75, 90)]
    three = [line({}, start, start + timedelta(minutes=5)) for start in starts]
    times, values = (np.concatenate([one[part] for one in three]) for part in (1, 2))
    fired = [(PAGE | {"tenant": name}, times, values) for name in ("acme", "bolt")]
    found = judge.check(study_of(platform(**tenants(FORTNIGHT, WEEK.end), ALERTS=fired), tmp_path, WEEK), "flapping")
    assert found.finding.startswith("Alerts of 2 tenants flapped in 2026-W47")
    assert found.size == "6 repeated alerts"
    assert found.action == "Find out why acme, bolt wavered, and draft a longer 'for' of the alert."
