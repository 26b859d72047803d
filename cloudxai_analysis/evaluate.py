"""How often the suite is wrong by itself: false findings in clean weeks, and the smallest events that it finds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis import judge
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures.judgement import wilson_interval
from cloudxai_analysis.settings import DEMO_SOURCE, EnvironmentSettings, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.demo.draws import Draws
from cloudxai_analysis.sources.scenario import EXTENT, Scenario, checked_scenario
from cloudxai_analysis.sources.worlds import WorldSource
from cloudxai_analysis.study import Study
from cloudxai_analysis.window import HOUR, last_whole_week

RESULT = Path(__file__).with_name("evaluation.json")
# Which check is meant to find each kind of planted event.
FOUND_BY = {
    "rejections": "rejections",
    "generated_names": "identifiers",
    "restart": "restarts",
    "scrape_gap": "gaps",
    "readiness_incident": "outages",
    "flapping_tenant": "flapping",
    "alert_storm": "storms",
    "false_alert": "false_positives",
    "cost_spike": "anomalies",
    "semantics_break": "semantics",
}
FOUND_SHARE = 0.9
Job = tuple[Callable[[int], Any], int]
_CLEAN_SEEDS_FROM = 1_000
_PLANTED_SEEDS_FROM = 5_000
_DAY_MINUTES = 1440


def world_study(name: str, seed: int, folder: Path) -> Study:
    """The study of the last whole week of a world of `sources/worlds.toml` under one seed."""
    source = WorldSource(name, seed)
    return study_of(source, folder, cap=source.world.cap)


def study_of(source: DemoSource | WorldSource, folder: Path, *, cap: int = 100) -> Study:
    """The study of a source's last whole week, straight from it, by the settings' defaults."""
    settings = Settings.model_construct(environments={"demo": EnvironmentSettings(tenant_cap=cap)})
    settled = resolve_environment(settings, source=DEMO_SOURCE, name="demo")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.seed(source.ledger_entries())
    now = source.extent().end
    return Study(settled, last_whole_week(now), MemorySnapshot(source), ledger=ledger, now=now)


def clean_findings(seed: int) -> list[str]:
    """The checks that warn or fail in the last week of a demo without events: each is a false finding."""
    with tempfile.TemporaryDirectory() as folder:
        study = study_of(DemoSource(seed, Scenario(name="clean")), Path(folder))
        return [check.key for check in judge.checks(study) if check.status in ("warn", "fail")]


def planted_findings(seed: int) -> list[dict[str, Any]]:
    """For each event planted at a random time and size in the last week: kind, size, unit, and whether it was found."""
    with tempfile.TemporaryDirectory() as folder:
        source = DemoSource(seed, random_scenario(seed))
        study = study_of(source, Path(folder))
        return [
            {"kind": row["kind"], "size": row["size"], "unit": row["unit"], "found": was_found(row, study)}
            for row in source.truth().to_dict("records")
        ]


def was_found(planted: dict[Any, Any], study: Study, *, apart: timedelta = HOUR) -> bool:
    """Whether the check meant for a planted event names its place, and a start no further than `apart` from its own."""
    events = judge.check(study, FOUND_BY[planted["kind"]]).events
    return any(
        event["kind"] == planted["kind"]
        and event["place"] == planted["place"]
        and abs(event["start"] - planted["start"]) <= apart
        for event in events
    )


def random_scenario(seed: int) -> Scenario:
    """One event of every kind in the last week, each at a random time of a day of its own, and of a random size."""
    draws, week = Draws(seed), last_whole_week(EXTENT.end)

    def at(day: int, name: str) -> datetime:
        moment = week.start + timedelta(days=day, minutes=draws.one(f"at/{name}", 60, _DAY_MINUTES - 240))
        return moment.astimezone(UTC)

    def size(name: str, low: int, high: int) -> int:
        # As many small ones as large ones: a random doubling, then a random step within it.
        doublings = (high // low).bit_length()
        base = low << draws.one(f"doubling/{name}", 0, doublings - 1)
        return min(high, draws.one(f"size/{name}", base, 2 * base - 1))

    burst = size("burst", 1, 40)
    events = [
        {"kind": "burst", "at": at(0, "burst"), "minutes": 15, "per_minute": burst, "stem": "sess-"},
        {"kind": "restart", "at": at(1, "restart"), "minutes": size("restart", 1, 8)},
        {"kind": "scrape_gap", "at": at(1, "gap"), "minutes": size("gap", 3, 90)},
        {"kind": "readiness_incident", "at": at(2, "incident"), "minutes": size("incident", 1, 30)},
        {
            "kind": "flapping_tenant",
            "at": at(3, "flapping"),
            "minutes": size("flapping", 4, 60),
            "flips_per_minute": draws.one("flips", 1, 5),
        },
        {"kind": "alert_storm", "at": at(4, "storm"), "tenants": size("storm", 4, 24), "minutes": 6},
        {"kind": "false_alert", "at": at(5, "false"), "minutes": size("false", 3, 20)},
        {
            "kind": "cost_spike",
            "at": at(5, "spike"),
            "minutes": size("spike", 60, 480),
            "factor": 1 + size("factor", 5, 320) / 100,
        },
        {
            "kind": "semantics_break",
            "at": at(-4, "semantics"),
            "growth": size("growth", 2, 128) / 1000,
        },
    ]
    return checked_scenario({"name": f"random-{seed}", "events": events}, "evaluation")


def evaluate(
    *, clean_seeds: int, planted_seeds: int, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """False findings over clean weeks with their Wilson interval, and by kind the smallest size found."""
    jobs: list[Job] = [(clean_findings, _CLEAN_SEEDS_FROM + number) for number in range(clean_seeds)]
    jobs += [(planted_findings, _PLANTED_SEEDS_FROM + number) for number in range(planted_seeds)]
    results: list[Any] = []
    # Forked children of a process with threads can hang; spawned ones start clean.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for result in pool.map(_run, jobs):
            results.append(result)
            if progress:
                progress(len(results), len(jobs))
    return {"clean": _clean(results[:clean_seeds]), "sensitivity": _sensitivity(results[clean_seeds:])}


def _run(job: Job) -> Any:
    work, seed = job
    return work(seed)


def _clean(findings: list[list[str]]) -> dict[str, Any]:
    false = sum(bool(found) for found in findings)
    low, high = wilson_interval(false, len(findings))
    by_check = pd.Series([key for found in findings for key in found], dtype="str").value_counts().sort_index()
    return {
        "weeks": len(findings),
        "false_weeks": false,
        "rate": round(false / len(findings), 4) if findings else None,
        "low": round(low, 4) if findings else None,
        "high": round(high, 4) if findings else None,
        "by_check": {str(key): int(count) for key, count in by_check.items()},
    }


def _sensitivity(runs: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = pd.DataFrame([row for run in runs for row in run], columns=["kind", "size", "unit", "found"])
    return [
        {
            "kind": kind,
            "smallest": smallest_found(group["size"], group["found"]),
            "unit": group["unit"].iloc[0],
            "runs": len(group),
            "found": int(group["found"].sum()),
        }
        for kind, group in rows.groupby("kind")
    ]


def smallest_found(sizes: pd.Series, found: pd.Series, *, share: float = FOUND_SHARE) -> float | None:
    """The smallest size from which on at least `share` of the events of every doubling of size were found.

    None where not even the largest were.
    """
    ordered = pd.DataFrame({"size": sizes.astype("float64"), "found": found.astype(bool)}).sort_values("size")
    doubling = (ordered["size"].map(lambda size: int(size * 1024).bit_length())).to_numpy()
    shares = ordered.groupby(doubling)["found"].mean()
    enough = shares[::-1].ge(share).cummin()[::-1]
    if not enough.any():
        return None
    return round(float(ordered.loc[doubling == enough.idxmax(), "size"].min()), 2)


def write_result(result: dict[str, Any], file: Path = RESULT) -> None:
    """Keep the result where the report's method section reads it."""
    file.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
