"""How often the suite is wrong by itself: false findings on healthy platforms, and the smallest events that it finds.

Every world of `_worlds.toml` is played with as many seeds; what its `told` does not name and a check yet warns of or
fails is a false finding. A world that differs from the clean one in costs and calendar alone has that one's other
checks, of the same seed: they read the same samples. Into six of the worlds events of each kind and of five sizes are
planted, three at a time of each, anywhere in the last week but one: over one another, over gaps and over the week's
edges.

    benchmarks/_evaluation.py --seeds 10 --write     # `make evaluate`; keeps cloudxai_analysis/operate/evaluation.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from _own_weeks import curves, findings, planted_findings, side_by_side, write_result
from _planted import SIZES
from _worlds import world_study, worlds
from rich.progress import track

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import HOUR, week_of
from cloudxai_analysis.measures.rates import wilson_interval
from cloudxai_analysis.study.study import Study

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "cloudxai_analysis" / "operate" / "evaluation.json"
PLANTED_IN = ("clean", "office_hours", "hourly_noise", "few_tenants", "rollouts", "busy_and_true")
CLEAN = "clean"
OF_COSTS = ("semantics", "anomalies", "budgets", "reconciliation", "agreement", "conservation", "cost_data")
AS_IT_IS = -1
EACH = 3
WEEKS_A_QUARTER = 13
CLEAN_FROM, PLANTED_FROM = 1_000, 5_000

Job = tuple[str, int, int]


def played(job: Job) -> list[dict[str, Any]]:
    """The findings in a world as it is, or the events planted into it; a check that breaks is a finding, too."""
    name, seed, size = job
    try:
        return studied(name, seed, size)
    except Exception as error:  # the other weeks are worth having all the same
        print(f"{name} {seed} {size}: {error!r}", file=sys.stderr, flush=True)
        return [{"check": "broken", "status": "fail", "finding": repr(error)}] if size == AS_IT_IS else []


def studied(name: str, seed: int, size: int) -> list[dict[str, Any]]:
    """As `played`, and raises what is raised."""
    with tempfile.TemporaryDirectory() as folder:
        study = world_study(name, seed, Path(folder))
        if size == AS_IT_IS:
            told, keys = worlds()[name].told, OF_COSTS if costs_alone(name) else judge.KEYS
            return [found for found in findings(study, keys) if found["check"] not in told]
        # The week before, so that what goes on over its end is seen to its own.
        before = week_of(study.window.start - HOUR)
        earlier = Study(study.environment, before, study.store, ledger=study.ledger, now=study.now)
        return planted_findings(earlier, size=size, seed=seed, times=EACH, apart_hours=0)


def costs_alone(name: str) -> bool:
    """Whether a world is the clean one but for its costs and its calendar."""
    return name != CLEAN and worlds()[name].model_fields_set <= {"title", "told", "cost", "decimals", "shift_weeks"}


def share(false: int, weeks: int) -> dict[str, Any]:
    """A share of weeks with its Wilson interval."""
    low, high = wilson_interval(false, weeks)
    return {"weeks": weeks, "false_weeks": false, "rate": false / weeks, "low": round(low, 4), "high": round(high, 4)}


def counted(results: dict[str, list[list[dict[str, Any]]]]) -> dict[str, Any]:
    """False findings over all worlds, by world and by check; `results` are the findings of each week, by world."""
    every = [week for weeks in results.values() for week in weeks]
    by_world = [
        {
            "world": name,
            "title": worlds()[name].title,
            "told": list(worlds()[name].told),
            "by_check": dict(sorted(Counter(found["check"] for week in weeks for found in week).items())),
            "quarter": WEEKS_A_QUARTER * sum(map(len, weeks)) / len(weeks),
            **share(sum(bool(week) for week in weeks), len(weeks)),
        }
        for name, weeks in results.items()
    ]
    by_check = Counter(found["check"] for week in every for found in week)
    return {
        "clean": share(sum(bool(week) for week in every), len(every)),
        "quarter": WEEKS_A_QUARTER * sum(by_check.values()) / len(every),
        "worlds": by_world,
        "checks": [{"check": check, **share(count, len(every))} for check, count in by_check.most_common()],
    }


def main() -> None:
    """Play, print, and keep if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="weeks of each world")
    parser.add_argument("--copies", type=int, help="copies of each size in which events are planted; as many as seeds")
    parser.add_argument("--world", action="append", help="only this world; may be given again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    asked = parser.parse_args()
    names = asked.world or list(worlds())
    if any(map(costs_alone, names)):
        names = list(dict.fromkeys([CLEAN, *names]))
    clean: list[Job] = [(name, CLEAN_FROM + n, AS_IT_IS) for name in names for n in range(asked.seeds)]
    planted: list[Job] = [
        (name, PLANTED_FROM + n, size)
        for name in PLANTED_IN
        if name in names
        for n in range(asked.copies or asked.seeds)
        for size in range(SIZES)
    ]
    bar = iter(track(range(len(clean) + len(planted)), "evaluate", transient=True))
    results = side_by_side(played, clean + planted, workers=asked.workers, progress=lambda *_: next(bar))
    by_world: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in names}
    weeks = dict(zip(clean, results, strict=False))
    for (name, seed, _), own in weeks.items():
        same = weeks.get((CLEAN, seed, AS_IT_IS), []) if costs_alone(name) else []
        found = own + [one for one in same if one["check"] not in OF_COSTS + worlds()[name].told]
        by_world[name].append(found)
        for one in found:
            print(f"{name} {seed}: {one['check']} {one['status']}: {one['finding']}", file=sys.stderr)
    result = {**counted(by_world), "curves": curves(row for rows in results[len(clean) :] for row in rows)}
    print(json.dumps(result, indent=1))
    if asked.write:
        write_result(result, RESULT)


if __name__ == "__main__":
    main()
