"""What `cloudxai migrate drift` finds of a release that is known, and what it says that is not so.

Exams of `_releases.py`, over seeds and levels of noise: the renames of a large exporter, whose counters go on or begin
anew, and planted changes beside as many metrics that did not change. Then how long a large platform takes: metrics
times series, half of which are renamed, and the most memory that the process ever had.

JSON keys: recall (the least of all exams), false (of all), by_kind (missed and false by kind, and not known), exams,
seconds, peak_mb, metrics, series.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from _releases import START, Release, Worlds, confusion, exporter, planted

from cloudxai_analysis.decide.drift import drift
from cloudxai_analysis.sources.series import canonical_labels

NOISES = (0.01, 0.05, 0.2)
POINTS = 63


def exams(seeds: int) -> dict[str, Any]:
    """Each exam's recall, and what was missed or false over all of them."""
    recalls, wrong, open_ones, played = [], Counter[str](), Counter[str](), 0
    for seed in range(seeds):
        for noise in NOISES:
            for number, play in enumerate((exporter, _restarted, planted)):
                release = play(Worlds(1000 * seed + 10 * round(100 * noise) + number, noise=noise))
                found = drift(*release.frames())
                ones = list(confusion(found, release))
                missed = sum(how == "missed" for how, *_ in ones)
                recalls.append(1 - missed / len(release.planted))
                wrong.update(f"{how} {kind}" for how, kind, *_ in ones)
                open_ones.update(found.loc[found["sure"] == "not known", "kind"])
                played += 1
    return {
        "recall": round(min(recalls), 4),
        "mean_recall": round(float(np.mean(recalls)), 4),
        "false": sum(count for how, count in wrong.items() if how.startswith("false")),
        "by_kind": {**wrong, **{f"not known {kind}": count for kind, count in open_ones.items()}},
        "exams": played,
    }


def _restarted(world: Worlds) -> Release:
    return exporter(world, restarts=True)


def large(metrics: int, series: int) -> dict[str, Any]:
    """How long it takes where half of the metrics have another name."""
    before, after = (_side(metrics, series, side) for side in (0, 1))
    begun = time.perf_counter()
    found = drift(before, after)
    seconds = time.perf_counter() - begun
    known = found[(found["kind"] == "renamed") & (found["sure"] != "not known")]
    right = int((known["new"] == known["old"].str.replace("plain", "other")).sum())
    return {
        "seconds": round(seconds, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "metrics": metrics,
        "series": metrics * series,
        "renamed_right": round(right / (metrics // 2), 4),
        "renamed_wrong": len(known) - right,
    }


def _side(metrics: int, series: int, side: int) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    levels = 10 ** draw.uniform(-1, 6, (metrics, 1)) * np.exp(draw.normal(0, 1, (metrics, series)))
    walk = np.cumsum(np.random.default_rng(2).normal(0, 0.01, (metrics * series, 2 * POINTS)), axis=1)
    values = levels.reshape(-1, 1) * np.exp(walk[:, side * POINTS : (side + 1) * POINTS])
    words = ("plain", "other")
    names = [f"app_{words[side] if number % 2 else 'same'}_{number}" for number in range(metrics)]
    texts = [canonical_labels({"job": "app", "pod": f"pod-{number}"}) for number in range(series)]
    at = START + pd.to_timedelta((np.arange(POINTS) + side * POINTS) * 160, unit="min")
    metric, label = (
        np.repeat(np.arange(metrics), series * POINTS),
        np.tile(np.repeat(np.arange(series), POINTS), metrics),
    )
    return pd.DataFrame(
        {
            "metric": pd.Categorical.from_codes(metric, names),
            "labels": pd.Categorical.from_codes(label, texts),
            "time": np.tile(at, metrics * series),
            "value": values.ravel(),
        }
    )


def main() -> None:
    """Print what was found, for people or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--metrics", type=int, default=2_000)
    parser.add_argument("--series", type=int, default=50, help="of each metric")
    given = parser.parse_args()
    found = exams(given.seeds) | large(given.metrics, given.series)
    print(json.dumps(found, indent=1) if given.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
