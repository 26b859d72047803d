"""Forecasts of daily numbers: structural models of statsmodels, chosen by back-testing, as simulated paths.

A daily number is forecast as a sum over coming days: tenants that arrive, costs that accrue. Four structural time
series are tried (Harvey, 1989, 'Forecasting, Structural Time Series Models and the Kalman Filter'): a steady or a
drifting level, each with and without a rhythm of the week. Unknown days are left out by the Kalman filter. Each is
fitted to the history up to several origins and asked for the sum of the days that followed; the one with the least
mean pinball loss at 10 %, 50 % and 90 % is taken. Its own intervals are then stretched until 80 % of the back-tested
sums lie in them (split conformal prediction: Lei et al., 2018, Journal of the American Statistical Association 113).

A history of weeks does not show how a pace changes over months, so each path's pace wanders beside what was fitted: by
a random step a day, of 4 % of the days' standard deviation: next to nothing over a week, and much over 90 days.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import typed, types

Floats = NDArray[np.float64]
MODELS: dict[str, dict[str, Any]] = {
    "steady": {"level": "fixed intercept", "irregular": True},
    "drifting": {"level": "local level"},
    "steady, weekly": {"level": "fixed intercept", "irregular": True, "seasonal": 7, "stochastic_seasonal": False},
    "drifting, weekly": {"level": "local level", "seasonal": 7, "stochastic_seasonal": False},
}
_BACK_TEST = types("model origins days_ahead loss covered80 widened chosen")
_LEVELS = (0.1, 0.5, 0.9)
_BACK_TEST_PATHS = 200
_LEAST_WIDENED, _MOST_WIDENED = 0.5, 3.0
_WANDER = 0.04  # of the days' standard deviation, a day; `benchmarks/calibration.py` says what the intervals are worth
LEAST_DAYS = 21
_LEAST_FITTED = 14
SEED = 20_261


@dataclass(frozen=True)
class Forecast:
    """Simulated sums: `paths` is days × paths, the sum from the first coming day up to each.

    Columns of `back_test`: model, origins, days_ahead (of each), loss (mean pinball loss), covered80 (share of the sums
    in the model's own 80 % interval), widened (factor by which its intervals are), chosen. Nothing is `known` of a
    history that is too short: no paths, no model, no row.
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
    nothing = Forecast(np.zeros((0, 0)), "", typed([], _BACK_TEST))
    if days < 1 or np.isfinite(daily).sum() < LEAST_DAYS:
        return nothing
    origins = range(max(LEAST_DAYS, len(daily) - 8 * 3 - ahead), len(daily) - ahead + 1, 3)
    tested = {name: _tested(name, daily, origins, ahead, seed) for name in MODELS}
    kept = {name: scores for name, scores in tested.items() if len(scores)}
    # Of models that did equally well the simplest, which is named first.
    chosen = min(kept, key=lambda name: float(f"{kept[name][:, 0].mean():.3g}")) if kept else "steady"
    widened = {name: _widened(scores[:, 1]) for name, scores in kept.items()}
    found = _sums(chosen, daily, days, paths, seed)
    if found is None:
        return nothing
    middle = np.median(found, axis=1, keepdims=True)
    spread = middle + widened.get(chosen, _MOST_WIDENED) * (found - middle)
    rows = [
        {
            "model": name,
            "origins": len(scores),
            "days_ahead": ahead,
            "loss": scores[:, 0].mean(),
            "covered80": (scores[:, 1] <= 1).mean(),
            "widened": widened[name],
            "chosen": name == chosen,
        }
        for name, scores in kept.items()
    ]
    ranked = sorted(rows, key=lambda row: (not row["chosen"], float(f"{row['loss']:.3g}")))
    return Forecast(spread, chosen, typed(ranked, _BACK_TEST))


def _tested(name: str, daily: Floats, origins: range, ahead: int, seed: int) -> Floats:
    """For each origin whose coming days are known: the pinball loss, and how many half-widths the sum lay off."""
    scores = []
    for origin in origins:
        coming = daily[origin : origin + ahead]
        # A day that is unknown is worth what the others of those days are on average; too many say nothing.
        if np.isfinite(coming).sum() < ahead - 2:
            continue
        found = _sums(name, daily[:origin], ahead, _BACK_TEST_PATHS, seed)
        if found is None:
            continue
        actual = float(np.nanmean(coming) * ahead)
        low, middle, high = np.quantile(found[-1], _LEVELS)
        loss = sum(
            max(level * (actual - at), (level - 1) * (actual - at))
            for level, at in zip(_LEVELS, (low, middle, high), strict=True)
        )
        half = max((high - middle) if actual >= middle else (middle - low), 1e-9)
        scores.append((loss, abs(actual - middle) / half))
    return np.array(scores, dtype=np.float64).reshape(-1, 2)


def _widened(off: Floats) -> float:
    """The factor by which intervals must stretch for 80 % of the back-tested sums to lie in them; from a half to 3."""
    rank = min(int(np.ceil(0.8 * (len(off) + 1))), len(off)) - 1
    return float(np.clip(np.sort(off)[rank], _LEAST_WIDENED, _MOST_WIDENED))


def _sums(name: str, daily: Floats, days: int, paths: int, seed: int) -> Floats | None:
    """Simulated sums of the coming days by one model, days × paths; None where it cannot be fitted."""
    from statsmodels.tools.sm_exceptions import ModelWarning, SpecificationWarning
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    known = daily[np.isfinite(daily)]
    if len(known) < _LEAST_FITTED:
        return None
    if known.min() == known.max():
        # Days that never differed have no spread that a model could be fitted to.
        return np.cumsum(np.full((days, paths), known[0]), axis=0)
    with warnings.catch_warnings():
        # A level without a random part is meant; what does not converge, or is all but singular, is told by its paths.
        warnings.simplefilter("ignore", SpecificationWarning)
        warnings.simplefilter("ignore", ModelWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            model = UnobservedComponents(daily, **MODELS[name])
            fitted = model.filter(_settled(model.fit(disp=0).params, float(known.var())))
            rng = np.random.default_rng(seed)
            begun = _drawn(fitted.predicted_state[:, -1], fitted.predicted_state_cov[:, :, -1], paths, rng)
            drawn = fitted.simulate(days, anchor="end", repetitions=paths, initial_state=begun, rng=rng)
        except (np.linalg.LinAlgError, ValueError):
            return None
    found = np.asarray(drawn, dtype=np.float64).reshape(days, paths)
    found += np.cumsum(rng.normal(0.0, _WANDER * known.std(), (days, paths)), axis=0)
    return np.cumsum(found, axis=0) if np.isfinite(found).all() else None


def _settled(variances: Floats, whole: float) -> Floats:
    """The fitted variances as far as a search for them is the same on every processor: three digits, or none."""
    digits = 2 - np.floor(np.log10(np.maximum(variances, 1e-300)))
    rounded = np.array([round(value, int(place)) for value, place in zip(variances, digits, strict=True)])
    return np.where(variances < 1e-5 * whole, 0.0, rounded)


def _drawn(mean: Floats, covariance: Floats, paths: int, rng: np.random.Generator) -> Floats:
    """States to begin the paths with, states × paths.

    By the symmetric root, which is the only one: the signs of any other depend on the processor.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return mean[:, np.newaxis] + root @ rng.standard_normal((len(mean), paths))
