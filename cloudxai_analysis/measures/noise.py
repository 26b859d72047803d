"""What is seen in alerts and tenants without knowing the truth: storms, flapping, noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import micros, typed

LABEL_SET = ["alertname", "severity", "tenant", "instance"]


def storms(
    episodes: pd.DataFrame, *, hours: float, minutes: float = 10, least: int = 10, a_year: float = 1.0
) -> pd.DataFrame:
    """Times in which very many alerts began, by start.

    At least `least` episodes in `minutes` minutes, more than a Poisson process of the `hours` seen
    brings `a_year` times a year. Those cut off by the window's start would seem to begin at once.

    Columns: start, end (of the last such stretch), episodes, alertname (most frequent).
    """
    frame = episodes[~episodes["cut_start"].astype(bool)].sort_values("fired_at", ignore_index=True)
    begun = micros(frame["fired_at"])
    width = round(minutes * 60_000_000)
    count = np.searchsorted(begun, begun + width, side="left") - np.arange(len(begun))
    bins = max(hours * 60 / minutes, 1.0)
    burst = _ordinary_burst(begun // width, bins)
    usual, found = -1, np.empty((0, 2), dtype=np.int64)
    # What is left out lowers the mean, so that more may be a storm.
    while usual != (usual := len(begun) - int((found[:, 1] - found[:, 0]).sum())):
        crowded = np.flatnonzero(count >= least)
        crowded = crowded[_times_a_year(count[crowded] // burst, usual / bins / burst, minutes) < a_year]
        opens = np.flatnonzero(np.diff(begun[crowded], prepend=-width) >= width)
        last = crowded[np.append(opens[1:], len(crowded)) - 1] if len(crowded) else crowded
        found = np.column_stack([crowded[opens], last + count[last]])
    rows = [
        {
            "start": frame["fired_at"].iloc[first],
            "end": frame["fired_at"].iloc[final] + pd.Timedelta(minutes=minutes),
            "episodes": after - first,
            "alertname": frame["alertname"].iloc[first:after].astype("str").mode().iloc[0],
        }
        for (first, after), final in zip(found, last, strict=True)
    ]
    return typed(rows, storms)


def _ordinary_burst(places: NDArray[np.int64], bins: float) -> float:
    """How many come at once: variance over mean of the counts by bin, 1 where they come alone.

    Storms are among the fullest bins: one in a hundred is left out, and twenty where little was
    seen.
    """
    fullest = max(20, round(0.01 * bins))
    counts = np.sort(np.unique(places, return_counts=True)[1])[:-fullest]
    rest = max(bins - fullest, 1.0)
    return max(float((counts**2).sum() / counts.sum() - counts.sum() / rest), 1.0) if len(counts) else 1.0


def _times_a_year(count: NDArray[np.floating], mean: float, minutes: float) -> NDArray[np.float64]:
    """How often in a year a Poisson process brings so many within a stretch of `minutes` minutes, wherever it begins.

    S. E. Alm, On the distribution of the scan statistic of a Poisson process (1983).
    """
    if not len(count):
        return np.empty(0)
    from scipy.special import gammaln, xlogy

    one_fewer = np.exp(xlogy(count - 1, mean) - gammaln(count) - mean)  # probability of them
    often = (1 - mean / np.maximum(count, 1)) * mean * 525_600 / minutes * one_fewer
    return np.where(count > mean, often, np.inf)


def flapping(episodes: pd.DataFrame, *, minutes: float = 60, least: int = 3) -> pd.DataFrame:
    """Alerts of one label set of which each episode is one of `least` that begin within `minutes` minutes, by start.

    Columns: alertname, tenant, episodes, start (first `fired_at`), end (last `resolved_at`).
    """
    frame = episodes.sort_values([*LABEL_SET, "fired_at"], ignore_index=True)
    label_set = frame.groupby(LABEL_SET, observed=True).ngroup()
    soon = frame["fired_at"].shift(1 - least) - frame["fired_at"] <= pd.Timedelta(minutes=minutes)
    opens = (soon & (label_set == label_set.shift(1 - least))).astype(int)
    flaps = opens.rolling(least, min_periods=1).max() > 0
    goes_on = opens.shift(fill_value=0).rolling(least - 1, min_periods=1).max() > 0
    of_one = frame[flaps].groupby((~goes_on).cumsum()[flaps])
    names = {name: (name, "first") for name in ("alertname", "tenant")}
    times = {"start": ("fired_at", "min"), "end": ("resolved_at", "max")}
    found = of_one.agg(**names, episodes=("fired_at", "size"), **times)
    return typed(found, flapping, by="start alertname tenant")


def tenant_flapping(steps: pd.DataFrame, *, most: float = 10, minutes: float = 10) -> pd.DataFrame:
    """Stretches in which a tenant's readiness made more than `most` transitions within `minutes` minutes, by start.

    `steps` of the tenants' transition counters as `counters.counter_steps` gives them. A step over
    a gap longer than `minutes` is left out: nothing shows that its transitions lie close together.

    Columns: tenant, start (sample before the first step), end (last step), transitions.
    """
    near = steps["time"] - steps["before"] <= pd.Timedelta(minutes=minutes)
    steps = steps[(steps["step"] > 0) & near].reset_index(drop=True)
    rolled = steps.set_index("time").groupby("series_id", sort=False)["step"].rolling(pd.Timedelta(minutes=minutes))
    oldest = np.arange(len(steps)) - rolled.count().to_numpy(dtype=np.int64) + 1
    crowded = np.flatnonzero(rolled.sum().to_numpy() > most)
    rows = []
    for stretch in np.split(crowded, np.flatnonzero(oldest[crowded[1:]] > crowded[:-1]) + 1) if len(crowded) else []:
        own = steps.iloc[oldest[stretch[0]] : stretch[-1] + 1]
        first, last = own.iloc[0], own.iloc[-1]
        rows.append((str(first["tenant"]), first["before"], last["time"], own["step"].sum()))
    return typed(rows, tenant_flapping, by="start tenant")


def weekly_noise(episodes: pd.DataFrame, *, zone: str, short_seconds: float = 300) -> pd.DataFrame:
    """How much each rule disturbed those on call, the rule with the most episodes first.

    Columns: alertname, severity, episodes, short_lived (whole ones under `short_seconds`),
    at_night, seconds (in all).
    """
    whole = ~(episodes["cut_start"] | episodes["cut_end"])
    frame = episodes.assign(
        short_lived=whole & (episodes["seconds"] < short_seconds), at_night=at_night(episodes["fired_at"], zone)
    )
    noise = frame.groupby(["alertname", "severity"], observed=True).agg(
        episodes=("seconds", "size"),
        short_lived=("short_lived", "sum"),
        at_night=("at_night", "sum"),
        seconds=("seconds", "sum"),
    )
    return typed(noise.reset_index(), weekly_noise, by="-episodes alertname")


def at_night(moments: pd.Series, zone: str) -> pd.Series:
    """Whether each moment lies between 22:00 and 08:00 in the time zone `zone`."""
    hour = moments.dt.tz_convert(zone).dt.hour
    return (hour >= 22) | (hour < 8)
