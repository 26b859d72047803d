"""Forecasts of daily numbers, as simulated sums over the coming days: tenants that arrive, costs that accrue.

Coming days are drawn from the days of the history: from all of them alike ('steady') or from recent ones more often
('recent', their weight halves in two weeks), each with and without a rhythm of the week. Each path draws from its own
resample, so that it also carries what is unknown of the mean (a bootstrap of the bootstrap: Efron and Tibshirani,
1993, 'An Introduction to the Bootstrap'). Each model is asked at several origins for the sum of the days that followed;
the one with the least mean pinball loss at 10, 50 and 90 % is taken. Its own intervals are then stretched until 80 % of
the back-tested sums lie in them (split conformal prediction: Lei et al., 2018, Journal of the American Statistical
Association 113). A history of weeks does not show how a pace changes over months, so each path's pace wanders: by a
random step a day of 4 % of the days' standard deviation: next to nothing over a week, and much over 90 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import typed, types

Floats = NDArray[np.float64]
# Days in which a day's weight halves, and whether days differ by their weekday.
MODELS: dict[str, tuple[float, bool]] = {
    "steady": (np.inf, False),
    "recent": (14.0, False),
    "steady, weekly": (np.inf, True),
    "recent, weekly": (14.0, True),
}
_BACK_TEST = types("model origins days_ahead loss covered80 widened chosen")
_LEVELS = np.array([0.1, 0.5, 0.9])
_BACK_TEST_PATHS = 400
_CLOSE = 1.05  # times the least loss: no more than chance makes of it
_LEAST_WIDENED, _MOST_WIDENED = 0.5, 3.0
_WANDER = 0.04  # of the days' standard deviation, a day; `benchmarks/calibration.py` says what the intervals are worth
LEAST_DAYS = 21
_LEAST_FITTED = 14
SEED = 20_261


@dataclass(frozen=True)
class Forecast:
    """Simulated sums: `paths` is days × paths, the sum from the first coming day up to each; empty if nothing is known.

    Columns of `back_test`: model, origins, days_ahead (of each), loss (mean pinball loss), covered80 (share of the sums
    in the model's own 80 % interval), widened (factor by which its intervals are), chosen.
    """

    paths: Floats
    model: str
    back_test: pd.DataFrame

    @property
    def known(self) -> bool:
        """Whether there was history enough."""
        return bool(self.model)


def forecast_sums(daily: Floats, *, days: int, paths: int = 1_000, seed: int = SEED, ahead: int = 7) -> Forecast:
    """The sums of a daily number over the coming days; not known where fewer than 21 days are.

    `daily` has one number a day, in order, NaN where it is unknown. The back-test asks for sums `ahead` days after
    origins three days apart, the first after 21 days.
    """
    if days < 1 or np.isfinite(daily).sum() < LEAST_DAYS:
        return Forecast(np.zeros((0, 0)), "", typed([], _BACK_TEST))
    origins = range(max(LEAST_DAYS, len(daily) - 8 * 3 - ahead), len(daily) - ahead + 1, 3)
    rows: list[dict[str, Any]] = []
    for model in MODELS:
        scores = _tested(model, daily, origins, ahead, seed)
        if len(scores):
            loss, off = scores.T
            row = {"model": model, "origins": len(scores), "days_ahead": ahead, "loss": loss.mean()}
            rows.append(row | {"covered80": (off <= 1).mean(), "widened": _widened(off)})
    ranked = sorted(rows, key=lambda row: row["loss"])
    # Of models that did about equally well the simplest, which is named first.
    close = [row for row in rows if row["loss"] <= _CLOSE * ranked[0]["loss"]]
    best: dict[str, Any] = close[0] if close else {"model": "steady", "widened": _MOST_WIDENED}
    found = _sums(best["model"], daily, days, paths, seed)
    middle = np.median(found, axis=1, keepdims=True)
    back_test = [row | {"chosen": row is best} for row in ranked]
    return Forecast(middle + best["widened"] * (found - middle), best["model"], typed(back_test, _BACK_TEST))


def _tested(model: str, daily: Floats, origins: range, ahead: int, seed: int) -> Floats:
    """For each origin whose coming days are known: the pinball loss, and how many half-widths the sum lay off."""
    scores = []
    for origin in origins:
        coming = daily[origin : origin + ahead]
        # A day that is unknown is worth what the others of those days are on average; too many say nothing.
        if np.isfinite(coming).sum() < ahead - 2 or np.isfinite(daily[:origin]).sum() < _LEAST_FITTED:
            continue
        actual = float(np.nanmean(coming) * ahead)
        at = np.quantile(_sums(model, daily[:origin], ahead, _BACK_TEST_PATHS, seed)[-1], _LEVELS)
        loss = np.maximum(_LEVELS * (actual - at), (_LEVELS - 1) * (actual - at)).sum()
        half = at[2] - at[1] if actual >= at[1] else at[1] - at[0]
        scores.append((loss, abs(actual - at[1]) / max(half, 1e-9)))
    return np.array(scores, dtype=np.float64).reshape(-1, 2)


def _widened(off: Floats) -> float:
    """The factor by which intervals must stretch for 80 % of the back-tested sums to lie in them; from a half to 3."""
    rank = min(int(np.ceil(0.8 * (len(off) + 1))), len(off)) - 1
    return float(np.clip(np.sort(off)[rank], _LEAST_WIDENED, _MOST_WIDENED))


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
