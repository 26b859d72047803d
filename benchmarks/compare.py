"""How fast two sources are held against each other, and in how much memory, by sources that are made in memory.

A has series of one sample each 15 s, half of them counts and half long decimals. B has them in another order and under
one more label; its decimals have twelve digits, and it lacks each thousandth sample. The whole command's work is
measured, the making of the samples (a copy each) included; a sample counts once, though both sides have it.

    benchmarks/compare.py --days 28 --series 1000        # 161 million samples
    benchmarks/compare.py --json

JSON keys: msamples_per_s, peak_mib (above what was there before), samples.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.operate.compare import Side, compare
from cloudxai_analysis.sources.series import Labels, SeriesBatch

START = datetime(2026, 11, 2, tzinfo=UTC)
STEP_MS = 15_000
METRICS = ("requests_total", "cost")


class Made:
    """A source whose samples are made when they are asked for; `store` makes it B."""

    name = "made://"

    def __init__(self, series: int, *, store: bool) -> None:
        self._store = store
        order = reversed(range(series)) if store else range(series)
        more = {"cluster": "beta-1"} if store else {}
        self._labels: tuple[Labels, ...] = tuple({"tenant": f"t-{number:05}", **more} for number in order)
        self._own = np.array([int(labels["tenant"][2:]) for labels in self._labels], dtype=np.int64)

    def describe(self) -> dict[str, Any]:
        """As any source describes itself; B as one that stores decimals."""
        described = {"kind": "made", "source": self.name, "version": "1", "way": "made", "hides_markers": False}
        return described | ({"precision": "decimals"} if self._store else {})

    def read(self, metric: str, matchers: Mapping[str, str], window: Window) -> SeriesBatch:
        """The samples of a window."""
        del matchers
        first, end = -(-window.start_ms // STEP_MS), -(-window.end_ms // STEP_MS)
        steps = np.arange(first, end)
        if self._store:
            steps = steps[steps % 1000 != 0]
        values = (steps[None, :] + self._own[:, None]).astype(np.float64)
        if metric == "cost":
            values /= 7
            values *= 1 + 1e-12 * self._store
        offsets = np.arange(len(self._labels) + 1) * len(steps)
        return SeriesBatch(metric, self._labels, offsets, np.tile(steps * STEP_MS, len(self._labels)), values.ravel())


def peak_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--series", type=int, default=500, help="of each of the two metrics")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    window = Window(START, START + timedelta(days=given.days))
    sources = Made(given.series, store=False), Made(given.series, store=True)
    a, b = (
        Side(name, source, {metric: {} for metric in METRICS}, source.describe())
        for name, source in zip("AB", sources, strict=True)
    )
    before, began = peak_mib(), time.perf_counter()
    found = compare(a, b, window, window.end + timedelta(days=1))
    seconds, samples = time.perf_counter() - began, found["compared"]["samples"]
    steps = np.arange(window.start_ms, window.end_ms, STEP_MS) // STEP_MS
    lost = len(METRICS) * given.series * int(np.count_nonzero(steps % 1000 == 0))
    assert {row["kind"]: row["samples"] for row in found["kinds"]}["missing"] == lost
    result = {
        "msamples_per_s": round(samples / seconds / 1e6, 2),
        "peak_mib": round(peak_mib() - before),
        "samples": samples,
    }
    print(f"{samples:,} samples in {seconds:.1f} s, {result['msamples_per_s']} million/s, {result['peak_mib']} MiB.")
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
