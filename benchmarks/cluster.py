"""A pull on a Dask cluster of 1, 2 and 4 workers on this machine: seconds, and whether the lakes are equal to the byte.

    benchmarks/cluster.py              # the table
    benchmarks/cluster.py --json       # two_workers_x_one, identical (by number of workers), seconds

Workers start before the clock does and have pulled once, since a cluster runs already when a pull asks for it. They
make the samples themselves (random walks, a day of 1,000 series at a time), so that no server shares their processors:
what is measured is the work of a tile (rolled up, packed, hashed, synced) and its way through Dask. Each number of
workers is measured in turn, several times, and the smallest counts; the load of the machine stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "tests"), str(PROJECT / "benchmarks")]

from dask_cluster import dask_cluster  # noqa: E402

from cloudxai_analysis.ground.window import DAY, Window  # noqa: E402
from cloudxai_analysis.lake.pull import pull  # noqa: E402
from cloudxai_analysis.lake.tables import open_lake  # noqa: E402
from cloudxai_analysis.platform.contract import Metric, load_contract  # noqa: E402
from cloudxai_analysis.sources.series import SeriesBatch  # noqa: E402

START = datetime(2026, 11, 2, tzinfo=UTC)
SERIES, STEP_MS, DAYS, ROUNDS = 1_000, 60_000, 14, 3
METRICS = ("tenant_one", "tenant_two")
WORKERS = (1, 2, 4)


class Walks:
    """A source whose samples follow from metric and day."""

    name = "walks://"

    def describe(self) -> dict[str, Any]:
        """Its name."""
        return {"source": self.name}

    def extent(self) -> None:
        """It goes on."""

    def read(self, metric: str, matchers: dict[str, str], window: Window) -> SeriesBatch:
        """Random walks of 1,000 tenants."""
        del matchers
        times = np.arange(window.start_ms, window.end_ms, STEP_MS, dtype=np.int64)
        draw = np.random.default_rng([METRICS.index(metric), window.start_ms // 86_400_000])
        steps = draw.integers(0, 9, size=(SERIES, len(times)), dtype=np.int32)
        values = np.cumsum(steps, axis=1, dtype=np.int32)
        parts = [({"tenant": f"t{number:05d}"}, times, values[number].astype(np.float64)) for number in range(SERIES)]
        return SeriesBatch.of(metric, parts)


def pulled(folder: Path, executor: str, days: int) -> float:
    """Seconds of a pull into a fresh lake."""
    metrics = {name: Metric(name=name, kind="gauge", labels=("tenant",), unit="1", help="") for name in METRICS}
    contract = load_contract().model_copy(update={"metrics": metrics})
    window = Window(START, START + days * DAY)
    return pull(Walks(), open_lake(folder), contract, window, now=window.end + DAY, executor=executor).seconds


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a lake but its logs."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def measured(scratch: Path, days: int, rounds: int) -> dict[str, Any]:
    """Smallest seconds by number of workers, and whether each lake is that of threads."""
    truth, seconds, same = scratch / "threads", dict.fromkeys(WORKERS, float("inf")), dict.fromkeys(WORKERS, True)
    threads = pulled(truth, "threads", days)
    for number in range(rounds):
        for workers in WORKERS:
            place = scratch / f"{number}-{workers}"
            place.mkdir()
            with dask_cluster(place, *(f"worker-{one}" for one in range(workers))) as cluster:
                pulled(place / "warm", cluster.word, max(WORKERS))
                seconds[workers] = min(seconds[workers], pulled(place / "lake", cluster.word, days))
            same[workers] &= files(place / "lake") == files(truth)
    return {
        "two_workers_x_one": round(seconds[1] / seconds[2], 2),
        "identical": same,
        "seconds": {number: round(taken, 2) for number, taken in seconds.items()},
        "threads_seconds": round(threads, 2),
        "samples": SERIES * days * 86_400_000 // STEP_MS * len(METRICS),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--days", type=int, default=DAYS)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    given, began = arguments.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(Path(scratch), given.days, given.rounds)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{found['samples']:,} samples, {found['processors']} processors, load {found['load']}; in threads "
          f"{found['threads_seconds']} s ({time.monotonic() - began:.0f} s in all)")  # fmt: skip
    print(f"{'workers':>8}{'seconds':>10}{'x one':>8}  identical")
    for number, taken in found["seconds"].items():
        print(f"{number:>8}{taken:>10}{found['seconds'][1] / taken:>8.2f}  {found['identical'][number]}")


if __name__ == "__main__":
    # Workers find the source by its module's name, which `__main__` is not.
    import cluster

    cluster.main()
