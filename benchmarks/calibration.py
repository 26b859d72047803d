"""Whether the forecast of time to cap is calibrated: how often the truth lies in its 80 % interval.

Growth paths are drawn from generators that the forecaster does not share: constant pace, a rhythm of the week, bursts,
steps of the pace, saturation, and all of these together, always as counts. 42 days are shown, 90 are kept back. For
each kind: the share of paths of which the tenants that came within 7, 28 and 90 days lie in the 80 % interval, and the
share of which the first passage of a cap does ('not within 90 days' is an end of the interval like any other).

JSON keys: coverage80 (all kinds and horizons pooled), and coverage80_passage.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.measures.forecast import forecast_sums
from cloudxai_analysis.measures.time_to_cap import first_passage

SHOWN, KEPT = 42, 90
HORIZONS = (7, 28, 90)
Floats = NDArray[np.float64]
DAYS = np.arange(SHOWN + KEPT)


def constant(draw: np.random.Generator) -> Floats:
    """One pace."""
    return np.full(len(DAYS), draw.uniform(0.3, 3.0))


def weekly(draw: np.random.Generator) -> Floats:
    """Few at the weekend."""
    return constant(draw) * np.where((DAYS + draw.integers(7)) % 7 >= 5, draw.uniform(0, 0.4), 1.2)


def bursts(draw: np.random.Generator) -> Floats:
    """A day in forty brings many."""
    return constant(draw) * np.where(draw.random(len(DAYS)) < 0.025, draw.uniform(5, 15, len(DAYS)), 1.0)


def steps(draw: np.random.Generator) -> Floats:
    """The pace changes once or twice, at any time, up or down."""
    pace = constant(draw)
    for at in draw.integers(0, len(DAYS), draw.integers(1, 3)):
        pace[at:] *= draw.lognormal(0.0, 0.5)
    return pace


def saturation(draw: np.random.Generator) -> Floats:
    """Ever fewer are left who have not come yet."""
    return constant(draw) * 2 * np.exp(-DAYS / draw.uniform(40, 200))


def together(draw: np.random.Generator) -> Floats:
    """Rhythm, bursts and steps at once."""
    return weekly(draw) / 1.2 * bursts(draw) * steps(draw) / 2


KINDS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "constant": constant, "weekly": weekly, "bursts": bursts, "steps": steps, "saturation": saturation,
    "together": together,
}  # fmt: skip


def arrivals(kind: str, seed: int) -> Floats:
    """Counts of one path, with more spread than Poisson's in half of the paths."""
    draw = np.random.default_rng([seed, *kind.encode()])
    pace = KINDS[kind](draw)
    if draw.random() < 0.5:
        pace = pace * draw.gamma(2.0, 0.5, len(pace))
    return draw.poisson(pace).astype(np.float64)


def inside(kind: str, seed: int) -> list[bool]:
    """Whether the truth lies in the 80 % interval: at each horizon, and for the first passage of a cap."""
    path = arrivals(kind, seed)
    found = forecast_sums(path[:SHOWN], days=KEPT)
    assert found is not None
    truth = np.cumsum(path[SHOWN:])
    low, high = np.quantile(found.paths, [0.1, 0.9], axis=1)
    # Counts are whole: an end between two of them takes in the nearer one.
    hits = [bool(np.round(low[day - 1]) <= truth[day - 1] <= np.round(high[day - 1])) for day in HORIZONS]
    room = max(np.round(path[:SHOWN].mean() * np.random.default_rng(seed).uniform(10, 120)), 1)
    passage = np.sort(first_passage(found.paths, room))
    earliest, latest = passage[int(0.1 * len(passage))], passage[int(np.ceil(0.9 * len(passage))) - 1]
    actual = first_passage(truth[:, np.newaxis], room)[0]
    return [*hits, bool(earliest <= actual <= latest)]


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--paths", type=int, default=50, help="paths of each kind")
    given = parser.parse_args()
    print("| kind | 7 days | 28 days | 90 days | first passage |\n| --- | ---: | ---: | ---: | ---: |")
    everything = []
    for kind in KINDS:
        hits = np.array([inside(kind, seed) for seed in range(given.paths)])
        everything.append(hits)
        print(f"| {kind} | {' | '.join(f'{share:.0%}' for share in hits.mean(axis=0))} |")
    pooled = np.concatenate(everything)
    print(f"| all | {' | '.join(f'{share:.0%}' for share in pooled.mean(axis=0))} |")
    if given.json:
        shares = {
            "coverage80": round(float(pooled.mean()), 3),
            "coverage80_passage": round(float(pooled[:, -1].mean()), 3),
        }
        print(json.dumps(shares))


if __name__ == "__main__":
    main()
