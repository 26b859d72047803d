"""Forecasts of daily numbers, tenants that arrive or costs that accrue, as simulated sums.

Each path has its own resample, which carries what is unknown of the mean (Efron and Tibshirani,
1993, 'An Introduction to the Bootstrap'); intervals are stretched by split conformal prediction
(Lei et al., 2018, JASA 113). Weeks do not show how a pace changes over months, so each path's pace
wanders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import typed, types

Floats = NDArray[np.float64]
# Days in which a day's weight halves, and whether days differ by their weekday; the simplest first.
MODELS: dict[str, tuple[float, bool]] = {
    "steady": (np.inf, False),
    "recent": (14.0, False),
    "steady, weekly": (np.inf, True),
    "recent, weekly": (14.0, True),
}
_BACK_TEST = types("model origins days_ahead loss covered80 widened chosen")
_LEVELS = np.array([0.1, 0.5, 0.9])
_BACK_TEST_PATHS, _PATHS, _AHEAD = 400, 1_000, 7
_CLOSE = 1.05  # times the least loss: no more than chance makes of it
_LEAST_WIDENED, _MOST_WIDENED = 0.5, 3.0
_WANDER = 0.04  # of the days' standard deviation, a day; `benchmarks/calibration.py` says why
LEAST_DAYS, _LEAST_FITTED = 21, 14
SEED = 20_261


@dataclass(frozen=True)
class Forecast:
    """Simulated sums, days × paths, up to each coming day; empty if nothing is known.

    `back_test` has a row a model: model, origins, days_ahead, loss, covered80, widened, chosen.
    """

    paths: Floats
    model: str
    back_test: pd.DataFrame

    @property
    def known(self) -> bool:
        """Whether there was history enough."""
        return bool(self.model)


def forecast_sums(daily: Floats, *, days: int, paths: int = _PATHS, seed: int = SEED) -> Forecast:
    """The sums of a daily number over the coming days; not known where fewer than 21 days are.

    `daily` has one number a day, in order, NaN where it is unknown. The back-test asks for sums of
    a week from origins three days apart, the first after 21 days.
    """
    if days < 1 or np.isfinite(daily).sum() < LEAST_DAYS:
        return Forecast(np.zeros((0, 0)), "", typed([], _BACK_TEST))
    tested = [row for model in MODELS if (row := _tested(model, daily, seed))]
    ranked = sorted(tested, key=lambda row: row["loss"])
    # Of models that did about equally well the simplest, which is named first.
    close = [row for row in tested if row["loss"] <= _CLOSE * ranked[0]["loss"]]
    best: dict[str, Any] = close[0] if close else {"model": "steady", "widened": _MOST_WIDENED}
    found = _sums(best["model"], daily, days, paths, seed)
    middle = np.median(found, axis=1, keepdims=True)
    back_test = typed([row | {"chosen": row is best} for row in ranked], _BACK_TEST)
    return Forecast(middle + best["widened"] * (found - middle), best["model"], back_test)


def _tested(model: str, daily: Floats, seed: int) -> dict[str, Any]:
    """What a model is worth over the origins whose coming days are known; nothing without any."""
    losses, off = [], []  # pinball losses, and how many half-widths the sums lay off
    for origin in range(max(LEAST_DAYS, len(daily) - 8 * 3 - _AHEAD), len(daily) - _AHEAD + 1, 3):
        coming = daily[origin : origin + _AHEAD]
        # A day that is unknown is worth what the others are on average; too many say nothing.
        if np.isfinite(coming).sum() < _AHEAD - 2 or np.isfinite(daily[:origin]).sum() < _LEAST_FITTED:
            continue
        actual = float(np.nanmean(coming) * _AHEAD)
        at = np.quantile(_sums(model, daily[:origin], _AHEAD, _BACK_TEST_PATHS, seed)[-1], _LEVELS)
        losses.append(np.maximum(_LEVELS * (actual - at), (_LEVELS - 1) * (actual - at)).sum())
        off.append(abs(actual - at[1]) / max(at[2] - at[1] if actual >= at[1] else at[1] - at[0], 1e-9))
    if not losses:
        return {}
    # The factor by which intervals must stretch for 80 % of the sums to lie in them.
    widened = np.sort(off)[min(int(np.ceil(0.8 * (len(off) + 1))), len(off)) - 1]
    return {
        **{"model": model, "origins": len(off), "days_ahead": _AHEAD, "loss": np.mean(losses)},
        "covered80": np.mean(np.array(off) <= 1),
        "widened": float(np.clip(widened, _LEAST_WIDENED, _MOST_WIDENED)),
    }


def _sums(model: str, daily: Floats, days: int, paths: int, seed: int) -> Floats:
    """Simulated sums of the coming days by one model, days × paths."""
    half_life, weekly = MODELS[model]
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(np.isfinite(daily))
    rhythm = np.zeros(7)
    if weekly:
        apart = pd.Series(daily[known] - daily[known].mean()).groupby(known % 7).mean()
        rhythm = apart.reindex(range(7), fill_value=0.0).to_numpy()
    weight = 0.5 ** ((len(daily) - known) / half_life)
    many = round(weight.sum() ** 2 / (weight**2).sum())  # days of equal weight that would say as much
    sample = (daily[known] - rhythm[known % 7])[rng.choice(len(known), (many, paths), p=weight / weight.sum())]
    drawn = np.take_along_axis(sample, rng.integers(many, size=(days, paths)), axis=0)
    drawn += rhythm[(len(daily) + np.arange(days)) % 7, np.newaxis]
    drawn += np.cumsum(rng.normal(0.0, _WANDER * daily[known].std(), (days, paths)), axis=0)
    return np.cumsum(drawn, axis=0)
