"""What a report costs at 10,000 tenants: seconds and peak memory of each section, and how they grow.

    benchmarks/scale.py                              # the table; 1,250, 2,500, 5,000 and 10,000 tenants
    benchmarks/scale.py --json                       # largest, exponents, listing, pruning, sections
    benchmarks/scale.py --tenants 1250 2500          # other sizes
    benchmarks/scale.py --keep FOLDER                # the lakes stay there, and are made only once

A seeded fleet is pulled into a lake of 30 days: two instances, each with every tenant, and the contract's five metrics
of tenants, whose rollups have a row an hour: 72 million rows at 10,000 tenants. Tenants have one sample an hour, so
that what is measured is the work on rollups; the targets' own metrics have one a minute. Each section of the weekly
report is made in a process of its own, with all the frames that it needs. Seconds are given by the clock and by the
processor: where a machine has other work, the second tells more. An exponent is the slope of log(processor seconds)
over log(tenants).

Listing is the opening of the newest version with all of its files. Pruning is shown by what a section reads: files of
the lake, and samples that do not come from rollups, which a fleet that is scraped each minute has sixty times of.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.lake import read
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.settings import Environment, load_settings, resolve_environment
from cloudxai_analysis.sources.series import SeriesBatch

WEEK = parse_window("2026-W46")
SPAN = Window(WEEK.end - 30 * DAY, WEEK.end)
SIZES = (1_250, 2_500, 5_000, 10_000)
SECTIONS = ("week", "incidents", "readiness", "cardinality", "cost", "alerts", "telemetry", "tenants")
INSTANCES = ("cloudxai-0:8080", "cloudxai-1:8080")
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
OF_TENANTS = {
    "tenant_readiness_state": {},
    "tenant_readiness_transitions_total": {},
    "tenant_cost_estimate": {},
    "tenant_cost_estimate_rolling": {"window": "24h", "currency": "EUR"},
    "tenant_cost_billing_window": {"billing_window": "2026-11", "currency": "EUR"},
}
OF_TARGETS = ("readiness_state", "up", "process_start_time_seconds", "tenant_label_rejections_total")


class Fleet:
    """A source whose samples follow from metric, day and number of tenants."""

    name = "fleet://"

    def __init__(self, tenants: int) -> None:
        self.tenants = tenants

    def describe(self) -> dict[str, Any]:
        """Its name and size."""
        return {"source": f"{self.name}{self.tenants}", "version": "0.9", "way": "made", "hides_markers": True}

    def extent(self) -> Window:
        """The 30 days."""
        return SPAN

    def read(self, metric: str, matchers: dict[str, str], window: Window) -> SeriesBatch:
        """A sample an hour of each tenant, a minute of each target; nothing of other metrics."""
        del matchers
        places = [{"job": "cloudxai", "instance": instance} for instance in INSTANCES]
        if metric in OF_TARGETS:
            times = np.arange(window.start_ms, window.end_ms, MINUTE_MS, dtype=np.int64)
            value = {"process_start_time_seconds": SPAN.start_ms / 1000 - 600, OF_TARGETS[-1]: 0.0}.get(metric, 1.0)
            return SeriesBatch.of(metric, [(place, times, np.full(len(times), value)) for place in places])
        if metric not in OF_TENANTS:
            return SeriesBatch.of(metric, [])
        times = np.arange(window.start_ms + HOUR_MS // 2, window.end_ms, HOUR_MS, dtype=np.int64)
        values = self._values(metric, times)
        labels = [
            {**place, "tenant": f"acme-{number:05d}", **OF_TENANTS[metric]}
            for place in places
            for number in range(self.tenants)
        ]
        return SeriesBatch.of(metric, [(one, times, row) for one, row in zip(labels, values, strict=True)])

    def _values(self, metric: str, times: np.ndarray) -> np.ndarray:
        """A row of values a series."""
        day, series = int(times[0] // 86_400_000), len(INSTANCES) * self.tenants
        draw = np.random.default_rng([list(OF_TENANTS).index(metric), day])
        size = np.random.default_rng(1).gamma(2.0, 0.5, series)[:, None]  # of a tenant, on each day
        if metric == "tenant_readiness_state":
            return (draw.random((series, len(times))) > 1e-4).astype(np.float64)
        hours = (times - SPAN.start_ms) / HOUR_MS
        if metric == "tenant_readiness_transitions_total":
            return np.floor(size * hours / 200)
        if metric == "tenant_cost_billing_window":
            return size * hours
        return size * (1 + 0.3 * np.sin(hours * 2 * np.pi / 24)) * draw.lognormal(0, 0.1, (series, len(times)))


def environment(tenants: int, folder: Path) -> Environment:
    """The demo's, with a cap that the fleet keeps to."""
    settled = resolve_environment(load_settings(outputs=folder), source="demo://")
    return settled.model_copy(update={"contract": settled.contract.model_copy(update={"tenant_cap": 2 * tenants})})


def made(tenants: int, folder: Path) -> dict[str, Any]:
    """The lake of so many tenants, unless it is there; rows, files, bytes."""
    settled = environment(tenants, folder)
    lake = open_lake(settled.lake)
    pull(Fleet(tenants), lake, settled.contract, SPAN, now=SPAN.end + timedelta(hours=2))
    began = time.perf_counter()
    snapshot = lake.snapshot()
    seconds = time.perf_counter() - began
    rollups = [file for file in snapshot.files if file.kind == "rollups"]
    return {
        "rollup_rows": sum(file.rows for file in rollups),
        "files": len(snapshot.files),
        "rollup_bytes": sum(file.size for file in rollups),
        "listing_seconds": round(seconds, 3),
    }


def section_of(tenants: int, folder: Path, name: str) -> dict[str, Any]:
    """Seconds, peak memory and what was read of the lake, for one section of the report."""
    from cloudxai_analysis.cards.notebook import section
    from cloudxai_analysis.study.opening import study_on

    seen: dict[str, list[int]] = {"rollups": [], "samples": []}
    read_table = read.read_table

    def counted(path: Path, columns: Any) -> Any:
        found = read_table(path, columns)
        seen[path.parents[1].name].append(found.num_rows)
        return found

    read.read_table = counted  # type: ignore[assignment]
    settled = environment(tenants, folder)
    snapshot = open_lake(settled.lake).snapshot()
    began, worked = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        section(study_on(snapshot, settled, WEEK, now=WEEK.end + timedelta(hours=2)), name)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "files_read": len(seen["rollups"]) + len(seen["samples"]),
        "files_there": len(snapshot.files),
        "samples_read": sum(seen["samples"]),
    }


def in_a_process(*words: str) -> dict[str, Any]:
    """What this program says in a process of its own; an error in its place, where it fails."""
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.splitlines() or [f"ended by {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measured(sizes: list[int], folder: Path) -> dict[str, Any]:
    """All sizes and sections, told on the way; exponents over the sizes."""
    lakes, sections = {}, {name: {} for name in SECTIONS}
    for tenants in sizes:
        place = str(folder / str(tenants))
        lakes[tenants] = in_a_process("--make", str(tenants), "--keep", place)
        print(f"{tenants:,} tenants: {lakes[tenants]}", file=sys.stderr)
        for name in SECTIONS:
            sections[name][tenants] = in_a_process("--section", name, "--make", str(tenants), "--keep", place)
            print(f"{tenants:,} tenants, {name}: {sections[name][tenants]}", file=sys.stderr)
    exponents = {}
    for name, runs in sections.items():
        points = [(math.log(size), math.log(max(run["processor_seconds"], 0.1))) for size, run in runs.items()
                  if "failed" not in run]  # fmt: skip
        exponents[name] = round(float(np.polyfit(*zip(*points, strict=True), 1)[0]), 2) if len(points) > 1 else None
    return {"largest": max(sizes), "exponents": exponents, "lakes": lakes, "sections": sections}


def table(found: dict[str, Any]) -> None:
    """What was measured of the largest fleet, for people."""
    largest = found["largest"]
    print(f"{largest:,} tenants: {found['lakes'][largest]}")
    print(f"{'section':<13}{'seconds':>9}{'processor':>11}{'peak MiB':>10}{'files':>12}{'samples':>13}{'exponent':>10}")
    for name, runs in found["sections"].items():
        run = runs[largest]
        if "failed" in run:
            print(f"{name:<13}{run['failed']}")
            continue
        files = f"{run['files_read']} of {run['files_there']}"
        print(f"{name:<13}{run['seconds']:>9}{run['processor_seconds']:>11}{run['peak_mib']:>10,}{files:>12}"
              f"{run['samples_read']:>13,}{found['exponents'][name]!s:>10}")  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--tenants", type=int, nargs="+", default=list(SIZES))
    arguments.add_argument("--keep", type=Path)
    arguments.add_argument("--make", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--section", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.make:
        one = section_of(given.make, given.keep, given.section) if given.section else made(given.make, given.keep)
        print(json.dumps(one))
        return
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(sorted(given.tenants), given.keep or Path(scratch))
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        table(found)


if __name__ == "__main__":
    main()
