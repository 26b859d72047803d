"""Time to cap: when a process is likely to hold as many tenants as it may, with what that stands on.

What grows is the number of tenants that a process has seen since its start. So the real tenants that arrive each day
are forecast, and added to all labels held now. Three assumptions: the process does not restart (a restart frees all
labels), no more generated names come, and the coming days arrive like those of the history, whose changes of pace the
widened intervals allow for. A campaign that came once is no pace: see `one_off_days`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.forecast import SEED, Floats, Forecast, forecast_sums
from cloudxai_analysis.measures.frames import columns_of, typed

_DAY, _HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)
_LONGEST = 3  # days that a campaign may take
_FALSE = 1e-3  # share of histories without a campaign in which one is seen, where arrivals are negative binomial
_QUANTILES = {"earliest95": 0.025, "earliest80": 0.1, "median": 0.5, "latest80": 0.9, "latest95": 0.975}


def daily_arrivals(
    arrivals: pd.DataFrame,
    covered: pd.DataFrame,
    window: Window,
    *,
    cap: int,
    instance: str,
    generated: Collection[str] = (),
) -> pd.DataFrame:
    """Tenants that one process saw for the first time since its start, day by day.

    `arrivals` are those of its job. Before the first day of `instance` the process is the one of the job that held
    most: rollouts give new names. In the first 24 hours of a process only tenants count that are new to the job.
    Unknown are the arrivals of the job's first day and of a restart's, of an uncovered day and the day after it, and of
    a day that begins with `cap` tenants held.

    Columns: day, arrivals, held, one_off.
    """
    days = pd.DatetimeIndex([day.start for day in window.days()]).as_unit("us")
    found = pd.DataFrame({"arrivals": 0.0, "held": np.nan}, index=days)
    came, known = arrivals["seen_at"].dt.floor("D"), arrivals.groupby("tenant")["seen_at"].transform("min")
    began = arrivals["started_at"].fillna(pd.Timestamp(0, tz="UTC"))
    frame = arrivals.assign(came=came, new=known.dt.floor("D") == came)
    runs = [run for _, run in frame.groupby(["instance", began])]
    before: set[str] = set()
    for run in sorted(runs, key=lambda run: (run["instance"].iloc[0] == instance, run["seen_at"].min())):
        name, begin = str(run["instance"].iloc[0]), run["seen_at"].min()
        held = pd.Series([float((run["came"] <= day).sum()) for day in days], index=days)
        mine = days >= begin.floor("D")
        if name != instance:
            there = days + _DAY <= run["last_seen"].max() + _HOUR
            mine &= there & ~(found["held"] >= held).to_numpy()
        counted = (run["new"] | (run["seen_at"] >= begin + _DAY)) & ~run["tenant"].isin(list(generated))
        found.loc[mine, "held"] = held[mine]
        found.loc[mine, "arrivals"] = run.loc[counted, "came"].value_counts().reindex(days, fill_value=0)[mine]
        if name in before or begin.floor("D") == known.min().floor("D"):
            found.loc[mine & (days == begin.floor("D")), "arrivals"] = np.nan
        before.add(name)
    sure = days.isin(covered.loc[covered["covered"].astype(bool), "day"])
    full = found["held"].shift() >= cap
    known_days = sure & np.append([True], sure[:-1]) & ~full & found["held"].notna()
    found["arrivals"] = found["arrivals"].where(known_days)
    found = found.rename_axis("day").reset_index()
    return typed(found.assign(one_off=one_off_days(found["arrivals"].to_numpy())), daily_arrivals)


def one_off_days(arrivals: Floats) -> NDArray[np.bool_]:
    """The day, or two or three neighbouring ones, whose arrivals the other days do not explain: a campaign, no pace.

    `arrivals` by day, NaN unknown. The other days' mean and variance make a negative binomial distribution (Poisson
    where the variance is not over the mean); the stretch that is least likely under it is one-off where that is less
    likely than one in a thousand over all days. Of two days or more one must have followed: else it may be a new pace.
    What came twice or at each month's start is in the other days' variance, and is no one-off.
    """
    from scipy.stats import nbinom

    known, days = np.isfinite(arrivals), np.arange(len(arrivals))
    found, least = np.zeros(len(arrivals), dtype=bool), _FALSE / max(known.sum(), 1)
    for length in range(1, _LONGEST + 1):
        for start in range(len(arrivals) - length + (length == 1)):
            own = (days >= start) & (days < start + length)
            others = arrivals[known & ~own]
            if len(others) < 2 or not known[own].all():
                continue
            mean = (others.sum() + 0.5) / len(others)
            spread = max(others.var(ddof=1), mean * (1 + 1e-6))
            chance = nbinom.sf(arrivals[own].sum() - 1, length * mean**2 / (spread - mean), mean / spread)
            if chance < least:
                found, least = own, chance
    return found


def time_to_cap(
    daily: pd.DataFrame,
    *,
    cap: int,
    held: int,
    expected: int = 0,
    generated: int = 0,
    refusing_since: pd.Timestamp | None = None,
    horizon_days: int = 90,
    paths: int = 1_000,
    seed: int = SEED,
) -> tuple[pd.DataFrame, Forecast]:
    """When the held tenants first pass the cap, over simulated paths, as one row; and the forecast behind it.

    `daily` as `daily_arrivals` gives it; `held` the tenants held now, `expected` how many come back to one at once,
    so that a fresh one is not thought empty; `generated` how many of those held are generated names; `refusing_since`
    is the first refusal of a stretch that goes on. Days that are one-off are not fitted.

    Columns: answer, held, generated, one_off, one_off_day, cap, since, from_day, earliest95, earliest80, median,
    latest80, latest95, within, horizon_days, model, days_known.
    """
    last, one_off = daily["day"].max(), daily[daily["one_off"]]
    forecast = forecast_sums(
        daily["arrivals"].mask(daily["one_off"]).to_numpy(), days=horizon_days, paths=paths, seed=seed
    )
    row: dict[str, Any] = {
        "answer": "too little history",
        "held": held,
        "generated": generated,
        "one_off": one_off["arrivals"].sum(),
        "one_off_day": one_off["day"].min(),
        "cap": cap,
        "from_day": last,
        "horizon_days": horizon_days,
        "model": "",
        "days_known": int(daily["arrivals"].notna().sum()),
    }
    if refusing_since is not None:
        row |= {"answer": "refusing", "since": refusing_since}
    elif held >= cap:
        below = daily.loc[daily["held"] < cap, "day"]
        row |= {"answer": "at the cap", "since": below.max() + _DAY if len(below) else daily["day"].min()}
    elif forecast.known:
        passage = np.sort(first_passage(forecast.paths, cap - max(held, expected)))
        # Between a day and never there is nothing to interpolate.
        ends = {name: passage[int(np.ceil(share * len(passage))) - 1] for name, share in _QUANTILES.items()}
        row |= {name: last + days * _DAY if np.isfinite(days) else pd.NaT for name, days in ends.items()}
        row |= {"within": np.isfinite(passage).mean(), "model": forecast.model}
        row["answer"] = "forecast" if np.isfinite(ends["median"]) else "not within the horizon"
    return typed([row], time_to_cap), forecast


def paths_to_cap(forecast: Forecast, *, held: int, last: pd.Timestamp) -> pd.DataFrame:
    """What a fan chart of the held tenants needs, from the day after `last` on.

    Columns: day, low95, low80, median, high80, high95; no row where nothing is known.
    """
    if not forecast.known:
        return typed([], paths_to_cap)
    held_paths = held + np.maximum.accumulate(np.maximum(forecast.paths, 0.0), axis=0)
    found = pd.DataFrame(
        np.quantile(held_paths, [0.025, 0.1, 0.5, 0.9, 0.975], axis=1).T, columns=list(columns_of(paths_to_cap))[1:]
    )
    found.insert(0, "day", pd.date_range(last + _DAY, periods=len(found), freq="D", unit="us"))
    return typed(found, paths_to_cap)


def first_passage(sums: Floats, room: float) -> Floats:
    """For each path the day, from 1 on, on which its sum first reaches `room`; infinite where it never does.

    Tenants are whole and paths are not: a sum of half a tenant less is rounded up to it.
    """
    reached = sums >= room - 0.5
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)
