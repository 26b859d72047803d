"""How often the suite is wrong: what it says of weeks as they are, and of planted events; also of an environment's own.

benchmarks/_own_weeks.py --environment prod     # `make evaluate ENVIRONMENT=prod`; kept beside its reports
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from _memory import MemorySnapshot
from _planted import KINDS, SIZES, Copy, plant
from rich.progress import track

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.errors import CloudxaiError, NoData
from cloudxai_analysis.ground.window import DAY, HOUR, WEEK, Window, last_whole_week, week_of
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Environment, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study import Asked, settle
from cloudxai_analysis.study.opening import refresh
from cloudxai_analysis.study.study import Study

# Which check is meant to find each kind of event, planted or of the demo's scenarios.
FOUND_BY = {kind: check for kind, (check, _, _) in KINDS.items()} | {"false_alert": "false_positives"}
FOUND_SHARE = 0.9
WEEKS = 3
Progress = Callable[[int, int], object]
Job = TypeVar("Job")


def study_of(source: DemoSource, folder: Path, *, settings: Settings | None = None) -> Study:
    """The study of the demo's last whole week, straight from the source."""
    settled = resolve_environment(settings or Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.seed(source.ledger_entries())
    now = source.extent().end
    provenance = {"source": source.describe(), "lake": {"rollups": 1, "samples": 1}, "warnings": []}
    return Study(settled, last_whole_week(now), MemorySnapshot(source), ledger=ledger, now=now, provenance=provenance)


def findings(study: Study, keys: Sequence[str] = judge.KEYS) -> list[dict[str, str]]:
    """The checks that warn or fail: check, status and finding of each."""
    found = [check for key in keys if (check := judge.check(study, key)).status in ("warn", "fail")]
    return [{"check": check.key, "status": check.status, "finding": check.finding} for check in found]


def planted_findings(study: Study, *, size: int, seed: int, **how: Any) -> list[dict[str, Any]]:
    """Each event planted into a copy of a study, as `plant` has it, and whether it is `found`."""
    extent = Window(study.history.start - DAY, study.reach.end)
    copy = Copy(study.store, extent, study.contract, study.window, [seed, size])
    planted = list(plant(copy, size=size, **how))
    changed = Study(study.environment, study.window, copy, ledger=study.ledger, now=study.now)
    return [{**row, "found": was_found(row, changed)} for row in planted]


def was_found(planted: dict[Any, Any], study: Study) -> bool:
    """Whether the check for an event names its place, and a start within an hour of its own."""
    return any(
        (event["kind"], event["place"]) == (planted["kind"], planted["place"])
        and abs(event["start"] - planted["start"]) <= HOUR
        for event in judge.check(study, FOUND_BY[planted["kind"]]).events
    )


def own_weeks(
    asked: Asked, *, copies: int, weeks: int = WEEKS, workers: int = 2, progress: Progress | None = None
) -> dict[str, Any]:
    """What is found in the last weeks of a lake as they are, and of events planted into copies.

    For each week and size there are `copies` in memory, each with an event of every kind. Neither
    the lake nor the ledger is written to. Raises NoData where the lake holds none of the weeks.
    """
    settled, snapshot = asked.environment, open_lake(asked.environment.lake).snapshot()
    extent = snapshot.extent()
    there = [week for week in last_weeks(asked, weeks) if extent is not None and week.start >= extent.start]
    if not there:
        raise NoData(f"The lake of '{settled.name}' holds no whole week before {asked.window.end:%Y-%m-%d}.")
    sizes = [None, *(size for size in range(SIZES) for _ in range(copies))]
    jobs = [(settled, snapshot.version, week, size, seed) for week in there for seed, size in enumerate(sizes)]
    done = list(zip(jobs, side_by_side(_own, jobs, workers=workers, progress=progress), strict=True))
    return {
        "environment": settled.name,
        "weeks": [{"week": week.name, "findings": found} for (_, _, week, size, _), found in done if size is None],
        "curves": curves(row for (_, _, _, size, _), found in done if size is not None for row in found),
    }


def pull_weeks(asked: Asked, *, weeks: int = WEEKS) -> None:
    """Pull what the lake lacks of the weeks to examine, and of the weeks before them."""
    examined = last_weeks(asked, weeks)
    refresh(replace(asked, window=Window(examined[-1].start, examined[0].end)))


def last_weeks(asked: Asked, weeks: int) -> list[Window]:
    """So many weeks: the one in which what was asked for ends, and those before it."""
    return [week_of(asked.window.end - HOUR - number * WEEK) for number in range(weeks)]


def _own(job: tuple[Environment, int, Window, int | None, int]) -> list[dict[str, Any]]:
    settled, version, window, size, seed = job
    snapshot = open_lake(settled.lake).snapshot(version)
    now = datetime.fromisoformat(snapshot.provenance["now"])
    study = Study(settled, window, snapshot, ledger=Ledger(settled.ledger), now=now)
    return findings(study) if size is None else planted_findings(study, size=size, seed=seed)


def side_by_side(
    work: Callable[[Job], Any], jobs: Sequence[Job], *, workers: int, progress: Progress | None = None
) -> list[Any]:
    """What `work` gives for each job, by so many processes; one interrupt ends them all."""
    results: list[Any] = []
    # Forked children of a process with threads can hang; spawned ones start clean.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for result in pool.map(work, jobs):
                results.append(result)
                if progress:
                    progress(len(results), len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def curves(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By kind of event: how many of each size were found, and from which on nine of ten are."""
    frame = pd.DataFrame(list(rows), columns=["kind", "size", "found"])
    curves = []
    for kind, (check, sizes, unit) in KINDS.items():
        counts, smallest = [], None
        for size in sizes:
            found = frame.loc[(frame["kind"] == kind) & (frame["size"] == size), "found"]
            counts.append({"size": size, "runs": len(found), "found": int(found.sum())})
            if len(found):
                smallest = (smallest or size) if found.sum() >= FOUND_SHARE * len(found) else None
        curves.append({"kind": kind, "check": check, "unit": unit, "smallest": smallest, "sizes": counts})
    return curves


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What `own_weeks` gives, as sentences."""
    for week in result["weeks"]:
        checks = ", ".join(found["check"] for found in week["findings"])
        yield f"{week['week']} as it is: {checks or 'nothing is found'}."
    for curve in result["curves"]:
        name = curve["kind"].replace("_", " ")
        shares = ", ".join(f"{one['size']:g}: {one['found']} of {one['runs']}" for one in curve["sizes"] if one["runs"])
        if not shares:
            yield f"{name}: could not be planted; there is no series of it, or no room."
        elif curve["smallest"] is None:
            yield f"{name}: not found in nine of ten, however large ({shares} {curve['unit']})."
        else:
            yield f"{name}: found from {curve['smallest']:g} {curve['unit']} on ({shares})."


def write_result(result: dict[str, Any], file: Path) -> None:
    """Keep a result where the report's method section reads it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Examine an environment's last weeks, print, and keep it where the next report's method section says it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="", help="of the settings")
    parser.add_argument("--source", default="", help="demo:// or a Prometheus URL")
    parser.add_argument("--week", default="last", help="the last of the weeks, such as 2026-W47")
    parser.add_argument("--weeks", type=int, default=WEEKS, help="so many")
    parser.add_argument("--copies", type=int, default=2, help="of each week, for each size")
    given = parser.parse_args()
    if given.weeks < 1 or given.copies < 1:
        parser.error("--weeks and --copies are at least 1")
    try:
        asked = settle(given.week, source=given.source, environment=given.environment)
        pull_weeks(asked, weeks=given.weeks)
        bar = iter(track(range(given.weeks * (1 + SIZES * given.copies)), "evaluate", transient=True))
        result = own_weeks(asked, copies=given.copies, weeks=given.weeks, progress=lambda *_: next(bar, None))
        write_result(result, asked.environment.evaluation)
    except CloudxaiError as error:
        print(f"cloudxai: {error}", file=sys.stderr)
        return error.exit_code
    print(*lines(result), f"Kept: {asked.environment.evaluation}", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
