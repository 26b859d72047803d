"""Generated names are counted apart in everything that counts tenants: planted bursts beside real newcomers."""

from __future__ import annotations

import pytest
from small_platform import demo_of, demo_study_of, event

from cloudxai_analysis.cards import cardinality as looks
from cloudxai_analysis.cards.words import banners
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.study.cost import GENERATED

# Forty names in ten minutes, and sixteen that began to come the week before; all stay, since no process restarts.
NIGHT = event("burst", "11-08T23:56", 8, per_minute=2, stem="job-", instance="cloudxai-1:8080")
BURST = event("burst", "11-11T09:00", 10, per_minute=4, stem="req-")


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The platform with the bursts, and the same without."""
    sources, week = (demo_of(NIGHT, BURST, seed=1), demo_of(seed=1)), parse_window("2026-W46")
    return [demo_study_of(source, tmp_path_factory.mktemp("names"), week) for source in sources]


def test_what_is_said_of_tenants_is_what_it_would_be_without_the_generated_names(studies):
    """Churn, sets, cohorts, lifetimes, arrivals and costs are those of the platform without the bursts."""
    study, clean = studies
    ours, theirs = study.cardinality, clean.cardinality
    assert ours.generated_names.groupby("stem")["tenant"].size().to_dict() == {"job-": 16, "req-": 40}
    for name in ("churn", "tenant_sets", "cohorts", "lifetimes"):
        assert getattr(ours, name).equals(getattr(theirs, name)), name
    assert ours.daily_arrivals["arrivals"].equals(theirs.daily_arrivals["arrivals"])
    assert study.cost.concentration.equals(clean.cost.concentration)
    assert study.cost.per_tenant.equals(clean.cost.per_tenant)
    # Movers have them as one that explains the rise.
    movers, regular = (one.cost.cost_movers.set_index("tenant")["change"] for one in studies)
    assert movers.drop(GENERATED).to_dict() == pytest.approx(regular.to_dict())
    rise = study.cost.costs["cost"].sum() - clean.cost.costs["cost"].sum()
    before = study.cost.pooled_costs.set_index("tenant")["cost"][GENERATED] - movers[GENERATED]
    assert movers[GENERATED] == pytest.approx(rise - before)


def test_the_cap_is_weeks_away_and_the_names_are_told(studies):
    """Eleven labels are left, and 17 tenants came in six weeks: about four weeks, and surely not days."""
    study, clean = studies
    row = study.cardinality.time_to_cap.iloc[0]
    assert (row["held"], row["generated"], row["answer"]) == (89, 40, "forecast")
    assert 14 <= (row["median"] - row["from_day"]).days <= 60
    assert (row["earliest95"] - row["from_day"]).days >= 7
    assert judge.check(study, "time_to_cap").status == "pass"
    check = judge.check(study, "identifiers")
    assert check.finding == (
        "40 tenant labels look generated: 'req-…' followed by a hex string, first Wed 11 Nov, 09:00 UTC, and 16 of "
        "other stems; 8 of them came before 2026-W46, 56 still hold labels."
    )
    assert [(event["place"], event["size"]) for event in check.events] == [("req-", 40)]
    real = int(clean.cardinality.active_tenants["tenants"].iloc[-1])
    assert looks.tenants(study).heading.startswith(f"{real + 56} tenants ({real} real, 56 generated) when last seen")
    assert "56 generated names are counted apart." in looks.churn(study).note
    assert looks.tenants(clean).heading.startswith(f"{real} tenants when last seen; ")
    assert "counted apart" not in looks.churn(clean).note


def test_who_is_missing_while_a_guard_refuses_is_bounded_by_what_is_known(demo_study):
    """The demo's own week: 384 requests of 57 tenants refused, and one tenant found a minute after the restart."""
    assert looks.tainted(demo_study).heading.endswith("UTC: at least 1, at most unknown.")
    banner = next(one["text"] for one in banners(demo_study, judge.checks(demo_study)) if one["kind"] == "taint")
    assert banner.endswith("at least 1, at most unknown. No cost is missing: a refused request does no work.")
