"""What a look recommends: of changes written down, of a platform planted by series, and of simulated rollouts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import canary as benchmark
import numpy as np
import pytest
from scipy.stats import binom
from small_platform import study_of

from cloudxai_analysis.decide.canary import power, recommend
from cloudxai_analysis.decide.cohorts import drawn
from cloudxai_analysis.decide.stages import rollout_of
from cloudxai_analysis.decide.trial import Trial, cohort_of, trial_in, trial_of
from cloudxai_analysis.ground.window import DAY, WEEK, Window
from cloudxai_analysis.study.study import Study

TABLE = rollout_of()
START = datetime(2026, 11, 9, tzinfo=UTC)
TENANTS = [f"t{number:02}" for number in range(60)]
COHORT = frozenset(TENANTS[::4])  # 15 of 60, of every load
STEP = 5  # minutes


def _arms(cohort: Any, rest: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.array(cohort, dtype=float), np.array(rest, dtype=float)


# Changes that rank without ties: of the rest between -1 % and 1 %.
REST = np.linspace(-0.01, 0.01, 60)
SAME, HARMED, SLIGHT = (np.linspace(-0.009, 0.009, 20) + more for more in (0, 0.2, 0.02))
QUIET = _arms(np.zeros(20), np.zeros(60))
LOOKS = [
    # alike to the end
    ({"cost": (SAME, REST), "alerts": QUIET}, 7, {}, "promote", "Shown not to be worse"),
    ({"cost": (SAME, REST), "alerts": QUIET}, 3, {"whole": False}, "hold", "3 of 7 days are seen; no harm"),
    # 20 % of cost: worse by every rank, which the first days may not yet say
    ({"cost": (HARMED, REST), "alerts": QUIET}, 7, {}, "roll back", "Worse in cost, the middle unit by +20 %"),
    ({"cost": (HARMED, REST), "alerts": QUIET}, 3, {"whole": False}, "roll back", "Worse in cost"),
    ({"cost": (HARMED, REST), "alerts": QUIET}, 1, {"whole": False}, "hold", "1 of 7 days"),
    # 2 %: surely worse, and surely within the 5 % that are tolerated: both, so neither
    ({"cost": (SLIGHT, REST), "alerts": QUIET}, 7, {}, "hold", "Worse in cost, and by less than the margin"),
    # nobody knows how large
    ({"cost": (SAME * 30, REST * 30), "alerts": QUIET}, 7, {}, "hold", "Not shown not to be worse in cost: cost by at"),
    # a minority that no median sees
    ({"cost": (SAME, REST), "alerts": _arms([1] * 3 + [0] * 17, [0] * 60)}, 7, {}, "hold", "A minority may be worse"),
    ({"cost": (SAME, REST), "alerts": _arms([1] * 9 + [0] * 11, [0] * 60)}, 7, {}, "roll back", "Worse in alerts"),
    # what is not known is never promoted, and hides no harm
    ({"cost": (SAME, REST), "alerts": _arms([], [])}, 7, {}, "hold", "Alerts is unknown"),
    ({"cost": (SAME, REST), "alerts": _arms([0] * 4, [0] * 60)}, 7, {}, "hold", "there of 4 and 60 units"),
    ({"cost": (HARMED, REST), "alerts": _arms([], [])}, 7, {}, "roll back", "Worse in cost"),
    ({"cost": (SAME, REST), "alerts": QUIET}, 7, {"doubts": ["It is Friday."]}, "hold", "It is Friday."),
    ({"cost": (HARMED, REST), "alerts": QUIET}, 7, {"blocks": ["Unlike."]}, "hold", "Unlike."),
    ({"cost": (SAME, REST), "alerts": QUIET}, 0, {"whole": False}, "hold", "Nothing is seen yet."),
    ({}, 7, {"doubts": ["No signal of the table names a tenant here."]}, "hold", "No signal of the table"),
]


@pytest.mark.parametrize(("arms", "look", "how", "recommendation", "reason"), LOOKS)
def test_a_look_recommends(arms: Any, look: int, how: dict[str, Any], recommendation: str, reason: str) -> None:
    told = recommend(TABLE, 0.016, look, arms, **{"whole": True, **how})
    assert (told.recommendation, reason in told.reason) == (recommendation, True), told.reason


def test_a_signal_more_makes_each_harder_to_show() -> None:
    """Holm: of two signals the first to be named needs half of what the look may spend, the second needs the rest."""
    arms = {"cost": (HARMED, REST), "alerts": _arms([1] * 20, [0] * 60), "not_ready": QUIET}
    told = {one.name: one for one in recommend(TABLE, 0.016, 7, arms, whole=True).signals}
    alone = recommend(TABLE, 0.016, 7, {"cost": (HARMED, REST)}, whole=True).signals[0]
    levels = sorted(one.level for one in told.values())
    assert [told[name].state for name in arms] == ["worse", "worse", "shown not to be worse"]
    assert levels[0] < levels[1] < levels[2] == alone.level
    assert alone.level / levels[0] == pytest.approx(3, rel=0.1)


def _study(folder: Path, *, days: int = 7, **planted: Any) -> Study:
    """A platform of 60 tenants for three weeks; what is planted from the stage's first day on, is said by name."""
    now, random = START + days * DAY, np.random.default_rng(3)
    start = int(START.timestamp() * 1000)
    times = np.arange(start - 14 * 86_400_000, int(now.timestamp() * 1000), STEP * 60_000)
    after, number = times >= start, (times - start) / 86_400_000
    hole = (number >= 2) & (number < 3) if planted.get("hole") else np.zeros(len(times), dtype=bool)
    target = {"job": "cloudxai", "instance": "a:80"}
    series: dict[str, list[Any]] = {name: [] for name in ("tenant_readiness_state", "tenant_cost_estimate")}
    seen = times[~hole]
    series["up"] = [(target, seen, np.ones(len(seen)))]
    series["ALERTS"] = [({"alertname": "A", "alertstate": "firing", "tenant": "t01"}, times[:3], np.ones(3))]
    for place, name in enumerate(TENANTS):
        worse, labels = after & (name in COHORT), {**target, "tenant": name, "customer": f"c{place // 4 % 15}"}
        there = ~hole & ~(worse & (number >= 1) & (place < planted.get("lost", 0)))
        noise = np.repeat(random.normal(1, 0.02, len(times) // 288 + 1), 288)[: len(times)]
        cost = (1 + place) * noise * np.where(worse, 1 + planted.get("cost", 0), 1)
        down = worse & (np.arange(len(times)) % 20 == 0) & (place < planted.get("down", 0))
        if planted.get("exported", True):
            series["tenant_cost_estimate"].append((labels, times[there], cost[there]))
        series["tenant_readiness_state"].append((labels, times[there], 1.0 - down[there]))
    return study_of(series, folder, Window(START - WEEK, START + WEEK, "the stage"), now=now)


PLANTED = [
    ({}, {}, "promote", "Shown not to be worse by more than is tolerated: cost"),
    ({"cost": 0.2}, {}, "roll back", "Worse in cost, the middle unit by +1"),
    ({"cost": 0.2, "days": 1}, {}, "hold", "1 of 7 days are seen"),
    ({"cost": 0.2, "days": 2}, {}, "roll back", "and this look may spend 1.9e-07"),
    ({"exported": False}, {}, "hold", "Cost is unknown: it is there of 0 and 0 units"),
    ({"cost": -0.2}, {}, "promote", "Shown not to be worse"),
    ({"down": 40}, {}, "roll back", "Worse in readiness"),
    ({"lost": 40}, {}, "hold", "lost units unlike: 10 of 15 in the cohort, 0 of 45"),
    ({"hole": True}, {}, "hold", "1 day is not covered in both weeks. The stage is over and cannot be promoted"),
    ({}, {"cohort": frozenset(TENANTS[:4])}, "hold", "Too small to tell: 4 units in the cohort and 56"),
    ({"served": TENANTS[1:55]}, {}, "hold", "Too small to tell"),
    ({}, {"stage": 3}, "hold", "nobody is left to compare with"),
    # tenants of one customer are one unit: 15 customers are in both arms, or cut down to five
    ({}, {"table": TABLE.model_copy(update={"cluster_label": "customer"})}, "hold", "15 torn between both"),
]


@pytest.mark.parametrize(("planted", "how", "recommendation", "reason"), PLANTED, ids=range(len(PLANTED)))
def test_of_a_platform(
    planted: dict[str, Any], how: dict[str, Any], recommendation: str, reason: str, tmp_path: Path
) -> None:
    trial = replace(Trial(_study(tmp_path, **planted), TABLE, "v1", 1, START.date(), COHORT), **how)
    if served := planted.get("served"):
        earlier = {"kind": "cohort", "rollout": "v1", "stage": 1, "date": "2026-11-02", "by": "ada", "tenants": served}
        trial.study.ledger.append(earlier)
    told = trial.look()
    assert (told.recommendation, reason in told.reason) == (recommendation, True), told.reason


def test_a_cohort_of_the_ledger_is_what_was_written_before(tmp_path: Path) -> None:
    """One that was written late is never promoted; a second attempt spends less, and leaves out who was served."""
    study = _study(tmp_path)
    said = {"kind": "cohort", "rollout": "v1", "stage": 1, "by": "ada", "tenants": sorted(COHORT)}
    study.ledger.append({**said, "date": "2026-11-02", "tenants": ["t01"], "written_at": "2026-11-01T00:00Z"})
    study.ledger.append({**said, "date": "2026-11-09", "written_at": "2026-11-09T09:00Z"})
    second = trial_of(study, TABLE, cohort_of(study.ledger, "v1", 1))
    assert (second.attempt, second.alpha) == (2, pytest.approx(0.02 * 0.16))
    assert sorted({*TENANTS} - {*second.tenants["tenant"]}) == ["t01"]
    kept = study.ledger.append(second.entry(date(2026, 11, 15), by="tests"))
    assert (kept.recommendation, kept.attempt) == ("promote", 2)
    assert [one.state for one in kept.signals] == ["shown not to be worse"] * 3
    study.ledger.append({**said, "date": "2026-11-09", "written_at": "2026-11-10T00:00Z"})
    late = trial_of(study, TABLE, cohort_of(study.ledger, "v1", 1)).look()
    assert (late.recommendation, "written down after" in late.reason) == ("hold", True)


def test_a_window_has_the_stage_that_began_in_it_last_or_a_rehearsal(tmp_path: Path) -> None:
    study = _study(tmp_path)
    rehearsal, what = trial_in(study, TABLE, stage=2)
    assert "nothing was rolled out" in what
    assert (len(rehearsal.cohort), rehearsal.look().recommendation) == (30, "promote")
    said = {
        "kind": "cohort",
        "rollout": "v1",
        "by": "ada",
        "tenants": sorted(COHORT),
        "written_at": "2026-11-01T00:00Z",
    }
    study.ledger.append_all([{**said, "stage": 1, "date": day} for day in ("2026-11-09", "2026-11-03", "2026-11-23")])
    trial, what = trial_in(study, TABLE, stage=2)
    assert (trial.cohort, trial.attempt, what) == (COHORT, 2, "v1, stage 1, from 2026-11-09")
    assert trial.course()["recommendation"].tolist() == ["hold"] * 7


def test_a_draw_is_of_every_load_and_the_same_on_every_machine(tmp_path: Path) -> None:
    """Of 60 tenants that cost 1 to 60, one in each twelve by load; hashes of seed and name decide which."""
    trial = Trial(_study(tmp_path, days=1), TABLE, "v1", 1, START.date())
    cohort = drawn(trial.tenants, 5, seed=1)
    assert cohort == drawn(trial.tenants.sample(frac=1, random_state=3), 5, seed=1)
    assert [int(name[1:]) // 12 for name in cohort] == [0, 1, 2, 3, 4]
    assert len({tuple(drawn(trial.tenants, 5, seed=seed)) for seed in range(20)}) > 15
    assert trial.size == 6


def test_the_plan_knows_what_will_be_found() -> None:
    """Of changes with a spread of 1, and arms of 40 and 360, by theory: 2.86 σ for the level, 0.84 σ for the power."""
    changes = np.random.default_rng(2).normal(size=400)
    table = TABLE.model_copy(update={"signals": {"cost": TABLE.signals["cost"].model_copy(update={"margin": 0.5})}})
    (row,) = power(table, 0.0025, 40, {"cost": changes}).itertuples()
    theory = (2.86 + 0.84) * np.sqrt(1 / 40 + 1 / 360)
    assert row.detectable == pytest.approx(theory, rel=0.25)
    assert power(table, 0.0025, 5, {"cost": changes})["detectable"].tolist() == [np.inf]


@pytest.mark.parametrize("kind", ["heavy tails", "zero-inflated", "drop-out", "correlated tenants"])
def test_what_the_simulation_does_not_ask_is_no_roll_back(kind: str) -> None:
    """Harm is planted, so that many looks are near their bounds."""
    how = {"runs": 4, "harm": benchmark.HARM[kind], **benchmark.WORLDS[kind]}
    few, every = (
        benchmark.stages(np.random.default_rng(4), TABLE, 1, 1, asked=asked, **how) == "roll back"
        for asked in ((), range(1, 8))
    )
    assert (few == every).all()
    assert every.any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", benchmark.WORLDS)
def test_the_family_wise_error_is_at_most_five_percent(kind: str) -> None:
    """Whole rollouts without harm, every look of every stage; a chance of 1 in 10,000 that it fails by bad luck."""
    runs = 150
    fooled = benchmark.fooled(np.random.default_rng(7), TABLE, runs, **benchmark.WORLDS[kind])
    assert fooled.sum() <= binom.isf(1e-4, runs, 0.05)


@pytest.mark.slow
def test_harm_of_the_stated_size_is_found_in_four_of_five_cohorts() -> None:
    runs = 150
    days, promoted = benchmark.found_of("plain", benchmark.HARM["plain"], runs, 3)
    assert np.isfinite(days).sum() >= binom.isf(1 - 1e-4, runs, 0.8)
    assert promoted.sum() <= binom.isf(1e-4, runs, 0.025)
    assert 1 < np.median(days) <= 7
