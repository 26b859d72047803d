"""Time to cap: when a process is likely to hold as many tenants as it may, with what that stands on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.forecast import Floats, Forecast, forecast_sums
from cloudxai_analysis.measures.frames import TARGET, columns_of, sure, typed

HORIZON_DAYS = 90
_DAY, _HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)
_LONGEST = 3  # days that a campaign may take
_FALSE = 1e-3  # share of histories without a campaign in which one is seen, where arrivals are negative binomial
_QUANTILES = {"earliest95": 0.025, "earliest80": 0.1, "median": 0.5, "latest80": 0.9, "latest95": 0.975}


def daily_arrivals(
    arrivals: pd.DataFrame,
    covered: pd.DataFrame,
    history: Window,
    *,
    fullest: pd.DataFrame,
    cap: int,
    generated: Collection[str] = (),
) -> pd.DataFrame:
    """Tenants that the `fullest` process (job, instance) saw for the first time since its start, by whole day.

    Before its first day the process is the one of the job that held most: rollouts give new names.
    What docs/definitions.md calls unknown is NaN.

    Columns: day, arrivals, held, one_off.
    """
    whole = pd.date_range(history.start, pd.Timestamp(history.end).floor("D"), freq="D", unit="us", inclusive="left")
    found = pd.DataFrame({"arrivals": 0.0, "held": np.nan}, index=whole.rename("day"))
    instance = fullest["instance"].max() if len(fullest) else ""
    rows = arrivals[arrivals["job"].isin(fullest["job"])]
    rows = rows.assign(
        day=rows["seen_at"].dt.floor("D"), started_at=rows["started_at"].fillna(pd.Timestamp(0, tz="UTC"))
    )
    first_day = rows.groupby("tenant")["day"].transform("min")
    runs = [run for _, run in rows.assign(new=rows["day"] == first_day).groupby(["instance", "started_at"])]
    before: set[str] = set()
    for run in sorted(runs, key=lambda run: (run["instance"].iloc[0] == instance, run["seen_at"].min())):
        name, begin = str(run["instance"].iloc[0]), run["seen_at"].min()
        held = run["day"].sort_values().searchsorted(whole, side="right")
        mine = whole >= begin.floor("D")
        if name != instance:
            mine &= (whole + _DAY <= run["last_seen"].max() + _HOUR) & ~(found["held"].to_numpy() >= held)
        counted = (run["new"] | (run["seen_at"] >= begin + _DAY)) & ~run["tenant"].isin(list(generated))
        found.loc[mine, "held"] = held[mine]
        found.loc[mine, "arrivals"] = run.loc[counted, "day"].value_counts().reindex(whole, fill_value=0)[mine]
        if name in before or begin.floor("D") == first_day.min():
            found.loc[mine & (whole == begin.floor("D")), "arrivals"] = np.nan
        before.add(name)
    seen = whole.isin(sure(covered))
    known = seen & np.append([True], seen[:-1]) & ~(found["held"].shift() >= cap) & found["held"].notna()
    found["arrivals"] = found["arrivals"].where(known)
    return typed(found.assign(one_off=one_off_days(found["arrivals"].to_numpy())).reset_index(), daily_arrivals)


def one_off_days(arrivals: Floats) -> NDArray[np.bool_]:
    """The day, or two or three neighbouring ones, whose arrivals the other days do not explain: a campaign, no pace.

    `arrivals` by day, NaN unknown. Of two days or more one must have followed: else it may be a new
    pace.
    """
    from scipy.special import betainc

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
            came, size = arrivals[own].sum(), length * mean**2 / (spread - mean)
            # So many or more of a negative binomial distribution.
            chance = betainc(came, size, 1 - mean / spread) if came else 1.0
            if chance < least:
                found, least = own, chance
    return found


def arrivals_ahead(daily: pd.DataFrame) -> Forecast:
    """The forecast of the tenants that arrive over the coming days; days that are one-off are not fitted."""
    return forecast_sums(daily["arrivals"].mask(daily["one_off"]).to_numpy(), days=HORIZON_DAYS)


def time_to_cap(
    daily: pd.DataFrame,
    forecast: Forecast,
    arrivals: pd.DataFrame,
    refusals: pd.DataFrame,
    *,
    fullest: pd.DataFrame,
    cap: int,
    expected: int,
    generated: Collection[str],
    end: pd.Timestamp,
) -> pd.DataFrame:
    """When the `fullest` process (job, instance, held) first passes the cap, over simulated paths, as one row.

    `expected` is how many tenants come back to a process at once, so that a fresh one is not
    thought empty.

    Columns: answer, held, generated, one_off, one_off_day, cap, since, from_day, earliest95,
    earliest80, median, latest80, latest95, within, horizon_days, model, days_known.
    """
    last, one_off, held = daily["day"].max(), daily[daily["one_off"]], int(fullest["held"].sum())
    own = arrivals.merge(fullest[TARGET], on=TARGET)
    own = own[own["started_at"].isna() | (own["started_at"] == own["started_at"].max())]
    refusing_since = refusals.loc[refusals["end"] >= end - _HOUR, "start"].min()
    row: dict[str, Any] = {
        "answer": "too little history",
        "held": held,
        "generated": int(own["tenant"].isin(generated).sum()),
        "one_off": one_off["arrivals"].sum(),
        "one_off_day": one_off["day"].min(),
        "cap": cap,
        "from_day": last,
        "horizon_days": HORIZON_DAYS,
        "model": "",
        "days_known": int(daily["arrivals"].notna().sum()),
    }
    if pd.notna(refusing_since):
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
    return typed([row], time_to_cap)


def paths_to_cap(forecast: Forecast, found: pd.DataFrame) -> pd.DataFrame:
    """Held tenants of that process over the days ahead, with intervals; `found` as `time_to_cap` gives it.

    Columns: day, low95, low80, median, high80, high95; no row where nothing is known.
    """
    if not forecast.known:
        return typed([], paths_to_cap)
    held_paths = found["held"].iloc[0] + np.maximum.accumulate(np.maximum(forecast.paths, 0.0), axis=0)
    levels = np.quantile(held_paths, [0.025, 0.1, 0.5, 0.9, 0.975], axis=1).T
    ahead = pd.DataFrame(levels, columns=list(columns_of(paths_to_cap))[1:])
    days = pd.date_range(found["from_day"].iloc[0] + _DAY, periods=len(ahead), freq="D", unit="us")
    return typed(ahead.assign(day=days), paths_to_cap)


def first_passage(sums: Floats, room: float) -> Floats:
    """For each path the day, from 1 on, on which its sum first reaches `room`; infinite where it never does."""
    reached = sums >= room - 0.5
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)
