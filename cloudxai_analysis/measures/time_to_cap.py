"""Time to cap: when a process is likely to hold as many tenants as it may, with what that stands on.

What grows is the number of tenants that a process has seen since its start. So the tenants that arrive each day are
forecast, and added to those held now. Two assumptions: the process does not restart (a restart frees all labels), and
the coming days arrive like those of the history, whose changes of pace the widened intervals allow for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.forecast import SEED, Floats, Forecast, forecast_sums
from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.window import Window

_DAY = pd.Timedelta(days=1)
_DAILY = {"day": TIME, "arrivals": "float64", "held": "float64"}
_TIME_TO_CAP = {
    "answer": "str",
    "held": "int64",
    "cap": "int64",
    "since": TIME,
    "from_day": TIME,
    "earliest95": TIME,
    "earliest80": TIME,
    "median": TIME,
    "latest80": TIME,
    "latest95": TIME,
    "within": "float64",
    "horizon_days": "int64",
    "model": "str",
    "days_known": "int64",
}
_PATHS = {
    "day": TIME,
    "low95": "float64",
    "low80": "float64",
    "median": "float64",
    "high80": "float64",
    "high95": "float64",
}
_QUANTILES = {"earliest95": 0.025, "earliest80": 0.1, "median": 0.5, "latest80": 0.9, "latest95": 0.975}


def daily_arrivals(arrivals: pd.DataFrame, covered: pd.DataFrame, window: Window, *, cap: int) -> pd.DataFrame:
    """Tenants that one process saw for the first time since its start, day by day.

    `arrivals` of one process as `measures.cardinality.tenant_arrivals` gives them, `covered` the covered days. Unknown
    (NaN) are the arrivals of the day on which a run of the process begins, since all its tenants come anew; of an
    uncovered day and the day after it; and of a day that begins with `cap` tenants held, when nobody is let in.

    Columns: day (UTC), arrivals (tenants), held (at the day's end; NaN before the process was seen).
    """
    days = pd.DatetimeIndex([day.start for day in window.days()]).as_unit("us")
    found = pd.DataFrame({"day": days, "arrivals": 0.0, "held": np.nan})
    runs = arrivals.groupby(arrivals["started_at"].fillna(pd.Timestamp(0, tz="UTC")))
    for _, own in sorted(runs, key=lambda run: run[1]["seen_at"].min()):
        seen = own["seen_at"].dt.floor("D")
        first = seen.min()
        by_day = seen.value_counts().reindex(days, fill_value=0).to_numpy(dtype="float64")
        mine = np.asarray(days >= first)
        before = float((seen < days[0]).sum())
        found.loc[mine, "held"] = (before + np.cumsum(by_day))[mine]
        found.loc[mine, "arrivals"] = by_day[mine]
        found.loc[days == first, "arrivals"] = np.nan
    found.loc[found["held"].isna(), "arrivals"] = np.nan
    sure = days.isin(covered.loc[covered["covered"].astype(bool), "day"])
    found.loc[~(sure & np.append([True], sure[:-1])), "arrivals"] = np.nan
    found.loc[(found["held"].shift() >= cap).to_numpy(), "arrivals"] = np.nan
    return typed(found, _DAILY)


def time_to_cap(
    daily: pd.DataFrame,
    *,
    cap: int,
    refusing_since: pd.Timestamp | None = None,
    horizon_days: int = 90,
    paths: int = 1_000,
    seed: int = SEED,
) -> tuple[pd.DataFrame, Forecast]:
    """When the held tenants first pass the cap, over simulated paths, as one row; and the forecast behind it.

    `daily` as `daily_arrivals` gives it; `refusing_since` is the first refusal of a stretch that goes on.

    Columns: answer ('refusing', 'at the cap', 'too little history', 'not within the horizon' where the median path
    does not pass, else 'forecast'), held (tenants at the last day's end), cap, since (of refusing, or the first day of
    those at the cap), from_day (the last whole day known), earliest95, earliest80, median, latest80, latest95 (days;
    missing: not within the horizon), within (share of the paths that pass within the horizon), horizon_days, model,
    days_known (of history).
    """
    held = daily["held"].dropna()
    row: dict[str, Any] = {
        "answer": "too little history",
        "held": int(held.iloc[-1]) if len(held) else 0,
        "cap": cap,
        "from_day": daily["day"].max(),
        "horizon_days": horizon_days,
        "model": "",
        "days_known": int(daily["arrivals"].notna().sum()),
    }
    forecast = forecast_sums(daily["arrivals"].to_numpy(), days=horizon_days, paths=paths, seed=seed)
    if refusing_since is not None:
        return typed([row | {"answer": "refusing", "since": refusing_since}], _TIME_TO_CAP), forecast
    if row["held"] >= cap:
        below = daily.loc[daily["held"] < cap, "day"]
        since = below.max() + _DAY if len(below) else daily["day"].min()
        return typed([row | {"answer": "at the cap", "since": since}], _TIME_TO_CAP), forecast
    if not forecast.known:
        return typed([row], _TIME_TO_CAP), forecast
    passage = first_passage(forecast.paths, cap - row["held"])
    last = daily["day"].max()
    ends = {name: _quantile(passage, share) for name, share in _QUANTILES.items()}
    dates = {name: last + days * _DAY if np.isfinite(days) else pd.NaT for name, days in ends.items()}
    shares = {"within": np.isfinite(passage).mean()}
    answer = "forecast" if np.isfinite(ends["median"]) else "not within the horizon"
    return typed([row | dates | shares | {"answer": answer, "model": forecast.model}], _TIME_TO_CAP), forecast


def paths_to_cap(forecast: Forecast, *, held: int, last: pd.Timestamp) -> pd.DataFrame:
    """What a fan chart of the held tenants needs, from the day after `last` on.

    Columns: day, low95, low80, median, high80, high95 (tenants); no row where nothing is known.
    """
    if not forecast.known:
        return typed([], _PATHS)
    held_paths = held + np.maximum.accumulate(np.maximum(forecast.paths, 0.0), axis=0)
    found = pd.DataFrame(np.quantile(held_paths, [0.025, 0.1, 0.5, 0.9, 0.975], axis=1).T, columns=list(_PATHS)[1:])
    found.insert(0, "day", pd.date_range(last + _DAY, periods=len(found), freq="D", unit="us"))
    return typed(found, _PATHS)


def first_passage(sums: Floats, room: float) -> Floats:
    """For each path the day, from 1 on, on which its sum first reaches `room`; infinite where it never does.

    Tenants are whole and paths are not: a sum of half a tenant less is rounded up to it.
    """
    reached = sums >= room - 0.5
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)


def _quantile(passage: Floats, share: float) -> float:
    # Between a day and never there is nothing to interpolate.
    return float(np.sort(passage)[min(int(np.ceil(share * len(passage))), len(passage)) - 1])
