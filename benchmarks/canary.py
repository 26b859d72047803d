"""How often the canary is fooled, and how soon it finds harm: rollouts simulated unit by unit and day by day.

Every look is `decide.canary.recommend` itself, on the shipped table. Without harm a rollout goes through all of its
stages, whatever is recommended: so it has the most looks at which it can be fooled. Prints one table, or with `--json`
one object:

family_wise_error       share of rollouts without harm of which any look of any stage rolls back
power                   share of first cohorts with harm of the stated size that are rolled back by the last look
median_days_to_detect   the median day on which that is

Each is that of the worst kind of data; `kinds` has those of all.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from cloudxai_analysis.decide.canary import HOLD, PROMOTE, ROLL_BACK, lost_unlike, recommend
from cloudxai_analysis.decide.cohorts import changed
from cloudxai_analysis.decide.ranks import nominal_levels, rank_chances
from cloudxai_analysis.decide.stages import Rollout, rollout_of

UNITS, DAYS = 400, 7
COLUMNS = 20_000  # tenants that are drawn at once
# What is planted in a first cohort. Of cost, as a share, to each unit: the margin itself, and more where the data hide
# more. Of alerts, one on every other day to that share of the units: most cost nothing there, and more of that is that.
HARM = {
    "plain": {"cost": 0.05},
    "heavy tails": {"cost": 0.20},
    "zero-inflated": {"alerts": 0.25},
    "weekly rhythm": {"cost": 0.06},
    "lasting days": {"cost": 0.12},
    "correlated tenants": {"cost": 0.40},
    "drop-out": {"cost": 0.05},
    "all of it": {"cost": 0.30},
    "few units": {"cost": 0.10},
    "each stage twice": {"cost": 0.05},
}
Draw = np.random.Generator
Days = tuple[np.ndarray, np.ndarray]  # the week before and the stage: days by units


def _noise(draw: Draw, units: int, *, day: float, unit: float) -> np.ndarray:
    """Fourteen days of a unit's noise, with a drift of its own from the first week to the second."""
    drift = np.repeat([[0.0], [1.0]], DAYS, axis=0) * draw.normal(0, unit, units)
    return draw.normal(0, day, (2 * DAYS, units)) + drift


def _plain(draw: Draw, units: int) -> np.ndarray:
    return np.exp(draw.normal(0, 1.5, units) + _noise(draw, units, day=0.10, unit=0.05))


def _heavy(draw: Draw, units: int) -> np.ndarray:
    return np.exp(draw.normal(0, 2, units) + np.clip(0.1 * draw.standard_t(1.2, (2 * DAYS, units)), -9, 9))


def _zeros(draw: Draw, units: int) -> np.ndarray:
    return _plain(draw, units) * (draw.random(units) < 0.3) * (draw.random((2 * DAYS, units)) < 0.5)


def _rhythm(draw: Draw, units: int) -> np.ndarray:
    week = draw.uniform(0.05, 1.0, (DAYS, units)) * np.r_[np.ones(5), 0.3, 0.3][:, None]
    return _plain(draw, units) * np.vstack([week, week])


def _lasting(draw: Draw, units: int) -> np.ndarray:
    """What is so today is mostly so tomorrow."""
    steps = draw.normal(0, 0.1, (2 * DAYS, units))
    for day in range(1, 2 * DAYS):
        steps[day] += 0.9 * steps[day - 1]
    return np.exp(draw.normal(0, 1.5, units) + steps)


def _rare(draw: Draw, units: int, rate: float) -> np.ndarray:
    """Events of a few units on a few days, some of them many."""
    hit = (draw.random(units) < 5 * rate) * (draw.random((2 * DAYS, units)) < 0.2)
    return hit * draw.geometric(0.4, (2 * DAYS, units)).astype(float)


def _world(cost: Callable[[Draw, int], np.ndarray], rate: float = 0.01) -> Callable[..., dict[str, Days]]:
    def drawn(draw: Draw, units: int) -> dict[str, Days]:
        made = {"cost": cost(draw, units), "alerts": _rare(draw, units, rate), "rejections": _rare(draw, units, rate)}
        made["not_ready"] = 1 - np.minimum(_rare(draw, units, rate) * draw.exponential(0.004, units), 1)
        return {name: (days[:DAYS], days[DAYS:]) for name, days in made.items()}

    return drawn


WORLDS: dict[str, dict[str, Any]] = {
    "plain": {"world": _world(_plain)},
    "heavy tails": {"world": _world(_heavy)},
    "zero-inflated": {"world": _world(_zeros, rate=0.002)},
    "weekly rhythm": {"world": _world(_rhythm)},
    "lasting days": {"world": _world(_lasting)},
    "correlated tenants": {"world": _world(_plain), "units": 120, "tenants": 10},
    "drop-out": {"world": _world(_plain), "lost": 0.15},
    "all of it": {"world": _world(lambda draw, units: _heavy(draw, units) * (_zeros(draw, units) + 0.01)), "lost": 0.1},
    "few units": {"world": _world(_plain), "units": 110},
    "each stage twice": {"world": _world(_plain), "attempts": 2},
}


def _of_clusters(days: Days, draw: Draw, clusters: int, tenants: int) -> Days:
    """The same tenants, moved by what happens to their customer in each week."""
    shock = np.exp(np.repeat(draw.normal(0, 0.2, (2, clusters)), tenants, axis=1))
    return days[0] * shock[0], days[1] * shock[1]


def stages(
    draw: Draw,
    table: Rollout,
    number: int,
    attempt: int,
    *,
    world: Any,
    runs: int,
    units: int = UNITS,
    lost: float = 0.0,
    tenants: int = 1,
    harm: dict[str, float] | None = None,
    asked: Collection[int] = (),
) -> np.ndarray:
    """What is recommended of so many like stages (rows) on each day (columns).

    A look at which no signal's rank test is under the level of Holm's first step is no roll-back: it is told as 'hold'
    without being asked, unless it is one of `asked`.
    """
    everybody = runs * units * tenants
    drawn = world(draw, everybody)
    if tenants > 1:
        drawn["cost"] = _of_clusters(drawn["cost"], draw, runs * units, tenants)
    cohort = draw.random((runs, units)).argsort() < round(table.stages[number].share * units)
    hit = np.repeat(cohort.ravel(), tenants)
    for name, more in (harm or {}).items():
        before, after = drawn[name]
        if table.signals[name].change == "relative":
            after = np.where(hit, after * (2 + more) / (2 - more), after)  # a change of the mean of both is `more`
        else:
            after = after + (hit & (draw.random(everybody) < more)) * (draw.random(after.shape) < 0.5)
        drawn[name] = before, after
    there = np.arange(DAYS)[:, None] < np.where(draw.random(everybody) < lost, draw.integers(0, DAYS, everybody), DAYS)
    alpha = table.stages[number].alpha_of(attempt)
    first_levels = nominal_levels(alpha / len(drawn), DAYS)
    said = np.full((runs, DAYS), HOLD, dtype=object)
    for look in range(1, DAYS + 1):
        changes = {
            name: _mean(changed(table.signals[name], before[:look], after[:look], there[:look]), (runs, units, tenants))
            for name, (before, after) in drawn.items()
        }
        least = np.min([rank_chances(own, cohort) for own in changes.values()], axis=0)
        for run in np.flatnonzero((least <= first_levels[look - 1]) | (look in asked)):
            own = {name: values[run] for name, values in changes.items()}
            said[run, look - 1] = _recommended(table, alpha, look, cohort[run], own)
    return said


def _recommended(table: Rollout, alpha: float, look: int, cohort: np.ndarray, changes: dict[str, np.ndarray]) -> str:
    kept = {name: ~np.isnan(own) for name, own in changes.items()}
    arms = {name: (own[cohort & kept[name]], own[~cohort & kept[name]]) for name, own in changes.items()}
    sizes = [(int(own.sum()), int((own & kept["cost"]).sum())) for own in (cohort, ~cohort)]
    block = lost_unlike(*sizes, table.loss_level)
    blocks = [block] if block else []
    return recommend(table, alpha, look, arms, whole=look == DAYS, blocks=blocks).recommendation


def _mean(found: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Of tenants by unit, of those whose change is known."""
    if shape[-1] == 1:
        return found.reshape(shape[:-1])
    known = ~np.isnan(found.reshape(shape))
    with np.errstate(invalid="ignore"):
        return np.nansum(found.reshape(shape), axis=-1) / known.sum(-1)


def _batches(runs: int, *, units: int = UNITS, tenants: int = 1, **_: Any) -> list[int]:
    """So many runs in batches that a processor's cache can hold."""
    most = max(1, COLUMNS // (units * tenants))
    return [min(most, runs - start) for start in range(0, runs, most)]


def fooled(draw: Draw, table: Rollout, runs: int, *, attempts: int = 1, **world: Any) -> np.ndarray:
    """Of so many rollouts without harm, which ones any look rolls back."""
    tested = [number for number, one in enumerate(table.stages) if one.alpha]
    tries = [(number, attempt) for number in tested for attempt in range(1, attempts + 1)]
    said = (
        np.hstack([stages(draw, table, *one, runs=batch, **world) for one in tries])
        for batch in _batches(runs, **world)
    )
    return np.concatenate([(batch == ROLL_BACK).any(axis=1) for batch in said])


def error_of(name: str, runs: int, seed: int) -> float:
    """The share of rollouts of a kind of data that are rolled back without harm."""
    draw = np.random.default_rng([seed, *name.encode()])
    return float(fooled(draw, rollout_of(), runs, **WORLDS[name]).mean())


def found_of(name: str, harm: dict[str, float], runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """On which day each of so many first cohorts is rolled back, else infinity, and whether it is promoted."""
    draw, world, table = np.random.default_rng([seed, *name.encode()]), WORLDS[name], rollout_of()
    how = {"harm": harm, "asked": [DAYS], **{key: own for key, own in world.items() if key != "attempts"}}
    said = np.vstack([stages(draw, table, 1, 1, runs=batch, **how) for batch in _batches(runs, **world)])
    back = said == ROLL_BACK
    return np.where(back.any(axis=1), back.argmax(axis=1) + 1.0, np.inf), said[:, -1] == PROMOTE


def kind_of(name: str, runs: int, seed: int = 1) -> dict[str, Any]:
    """What is measured of one kind of data."""
    days, promoted = found_of(name, HARM[name], runs, seed)
    return {
        "family_wise_error": error_of(name, runs, seed),
        "harm": HARM[name],
        "power": float(np.isfinite(days).mean()),
        "median_days_to_detect": float(np.median(days)),
        "found_by_day": [float((days <= day).mean()) for day in range(1, DAYS + 1)],
        "promoted_with_harm": float(promoted.mean()),
        "promoted_without_harm": float(found_of(name, {}, runs, seed + 1)[1].mean()),
    }


def measured(runs: int) -> dict[str, Any]:
    """All numbers of the benchmark: the worst of each over all kinds, and those of each kind."""
    with ProcessPoolExecutor() as pool:
        kinds = dict(zip(WORLDS, pool.map(kind_of, WORLDS, [runs] * len(WORLDS)), strict=True))
    return {
        "runs": runs,
        "family_wise_error": max(one["family_wise_error"] for one in kinds.values()),
        "power": min(one["power"] for one in kinds.values()),
        "median_days_to_detect": max(one["median_days_to_detect"] for one in kinds.values()),
        "kinds": kinds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the canary is fooled, and how soon it finds harm.")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--runs", type=int, default=2_000, help="simulated rollouts of each kind")
    given = parser.parse_args()
    start = time.perf_counter()
    found = measured(given.runs)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print(
        "kind | rolled back without harm | harm | found | median day | found by day 1 to 7 | promoted without, with it"
    )
    for name, own in found["kinds"].items():
        by_day = " ".join(f"{share:.0%}" for share in own["found_by_day"])
        print(
            f"{name} | {own['family_wise_error']:.2%} | {own['harm']} | {own['power']:.1%} | "
            f"{own['median_days_to_detect']:g} | {by_day} | "
            f"{own['promoted_without_harm']:.1%}, {own['promoted_with_harm']:.2%}"
        )
    print(f"{given.runs} rollouts of each kind, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
