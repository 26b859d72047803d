"""Alert episodes made from ALERTS, and what is seen in them without knowing the truth: storms, flapping, noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TIME, typed, types
from cloudxai_analysis.measures.matching import moments
from cloudxai_analysis.measures.stretches import LABELS, alert_stretches, label_sets

_GAPS = types("start end")
_LABEL_SET = ["alertname", "severity", "tenant", "instance"]


def episodes(
    alerts: pd.DataFrame,
    *,
    interval_seconds: float | Mapping[str, float],
    window: Window,
    for_state: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Unbroken firings of one alert, one row each, by `fired_at`.

    `alerts` are samples of ALERTS in `window`, by series and time, with the columns alertname, alertstate and any of
    severity, tenant, job, instance; a NaN value is a staleness marker; `alert` as `evaluations.alert_identities` gives
    it, where it is known: series of one alert, as those of two replicas, are then one. `interval_seconds` is how often
    the rules are evaluated, a number or one for each rule and for '' all others: firing samples at most twice as far
    apart are one episode.

    `for_state` are samples of ALERTS_FOR_STATE with the same columns; its value is the time at which the alert became
    active, so that firings with one and the same value are one episode. `gaps` are stretches in which the server
    evaluated nothing, as `evaluations.evaluation_gaps` gives them: an alert that fired until one began and is pending
    or fires again right after it is one episode, and no gap resolves an alert.

    Columns: episode (from 1), alertname, severity, tenant, instance, pending_at (NaT where it was not pending right
    before), fired_at (first firing sample), resolved_at (last firing sample plus one interval), seconds, cut_start
    and cut_end (bool: it may have begun before the window or in a gap, or still fire at the window's end or in a gap),
    unseen_seconds (of it, in which it was not evaluated).
    """
    frame = alert_stretches(alerts, "firing", interval_seconds=interval_seconds)
    pending = alert_stretches(alerts, "pending", interval_seconds=interval_seconds)
    interval = pd.to_timedelta(frame["interval"], unit="s")
    frame["pending_at"] = _pending_at(frame, pending)
    frame["active_at"] = _active_at(frame, for_state)
    frame["cut_start"] = (frame["first"] - 2 * interval < window.start) & frame["pending_at"].isna()
    frame["cut_start"] &= ~(frame["active_at"] >= window.start)
    frame["cut_end"] = ~frame["ended"] & (frame["last"] + 2 * interval >= window.end)
    frame = _rejoined(frame, typed([], _GAPS) if gaps is None else gaps)
    # ALERTS_FOR_STATE has whole seconds: what was seen pending is told more exactly by ALERTS.
    known = frame["active_at"] <= frame["pending_at"].fillna(frame["first"]) - pd.Timedelta(seconds=1)
    frame["pending_at"] = frame["pending_at"].mask(known, frame["active_at"])
    frame["episode"] = np.arange(1, len(frame) + 1)
    frame["fired_at"] = frame["first"]
    frame["resolved_at"] = frame["last"] + pd.to_timedelta(frame["interval"], unit="s")
    frame["seconds"] = (frame["resolved_at"] - frame["fired_at"]).dt.total_seconds()
    return typed(frame, episodes)


def pendings(alerts: pd.DataFrame, *, interval_seconds: float | Mapping[str, float]) -> pd.DataFrame:
    """Stretches in which an alert was pending and did not fire right after, one row each, by `pending_at`.

    `alerts` and `interval_seconds` as for `episodes`. Columns: alertname, tenant, instance, pending_at (first pending
    sample), ended_at (last one plus one interval).
    """
    firing = alert_stretches(alerts, "firing", interval_seconds=interval_seconds)
    frame = alert_stretches(alerts, "pending", interval_seconds=interval_seconds)
    frame = frame[~_fired_after(frame, firing)].copy()
    frame["pending_at"] = frame["first"]
    frame["ended_at"] = frame["last"] + pd.to_timedelta(frame["interval"], unit="s")
    return typed(frame.reset_index(drop=True), pendings)


def storms(
    episodes: pd.DataFrame, *, hours: float, minutes: float = 10, least: int = 10, a_year: float = 1.0
) -> pd.DataFrame:
    """Times in which very many alerts began, one row each, by start.

    `episodes` are those of `hours` hours that were seen. A storm is a stretch of `minutes` minutes in which at least
    `least` episodes began, and more than a Poisson process would bring anywhere `a_year` times a year; its mean is that
    of all such stretches of these hours, empty ones included and storms left out. Where alerts ordinarily come in
    bursts, it is bursts that are counted. Overlapping stretches are one storm. Episodes cut off by the window's start
    are left out: when they began is not known, and all of them would seem to begin at once.

    Columns: start (first `fired_at`), end (of the last such stretch), episodes (number), alertname (most frequent).
    """
    frame = episodes[~episodes["cut_start"].astype(bool)].sort_values("fired_at", ignore_index=True)
    begun = frame["fired_at"].dt.as_unit("us").astype("int64").to_numpy()
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


def flapping(episodes: pd.DataFrame, *, minutes: float = 60, least: int = 3) -> pd.DataFrame:
    """Alerts of one label set that fired again and again, one row per stretch, by start.

    A stretch is made of episodes of which each is one of `least` that begin within `minutes` minutes.

    Columns: alertname, tenant, episodes (number), start (first `fired_at`), end (last `resolved_at`).
    """
    frame = episodes.sort_values([*_LABEL_SET, "fired_at"], ignore_index=True)
    label_set = frame.groupby(_LABEL_SET, observed=True).ngroup()
    first = label_set != label_set.shift()
    soon = frame["fired_at"].shift(1 - least) - frame["fired_at"] <= pd.Timedelta(minutes=minutes)
    opens = soon & (label_set == label_set.shift(1 - least))
    # An episode flaps if it or one of the `least` − 1 before it opens a row of that many.
    flaps = opens.copy()
    joined = pd.Series(False, index=frame.index)
    for back in range(1, least):
        earlier = opens.shift(back, fill_value=False) & (label_set == label_set.shift(back))
        flaps |= earlier
        joined |= earlier
    stretch = (first | ~joined).cumsum()[flaps]
    grouped = frame[flaps].groupby(stretch)
    found = grouped.agg(
        alertname=("alertname", "first"),
        tenant=("tenant", "first"),
        episodes=("fired_at", "size"),
        start=("fired_at", "min"),
        end=("resolved_at", "max"),
    )
    return typed(found, flapping).sort_values(["start", "alertname", "tenant"], ignore_index=True)


def weekly_noise(episodes: pd.DataFrame, *, zone: str, short_seconds: float = 300) -> pd.DataFrame:
    """How much each rule disturbed those on call, the rule with the most episodes first.

    Columns: alertname, severity, episodes, short_lived (under `short_seconds`, whole ones only), at_night (begun from
    22:00 to 08:00 in the time zone `zone`), seconds (firing in all).
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
    noise = noise.reset_index().sort_values(["episodes", "alertname"], ascending=[False, True], ignore_index=True)
    return typed(noise, weekly_noise)


def at_night(moments: pd.Series, zone: str) -> pd.Series:
    """Whether each moment lies between 22:00 and 08:00 in the time zone `zone`."""
    hour = moments.dt.tz_convert(zone).dt.hour
    return (hour >= 22) | (hour < 8)


def _pending_at(firing: pd.DataFrame, pending: pd.DataFrame) -> pd.Series:
    """When the pending stretch began that ended right before each firing; `firing` is sorted by `first`."""
    ended = pending.rename(columns={"first": "pending_at"})[["alert", "pending_at", "last"]].sort_values("last")
    joined = pd.merge_asof(
        firing[["first", "alert", "interval"]],
        ended,
        left_on="first",
        right_on="last",
        by="alert",
        allow_exact_matches=False,
    )
    near = (joined["first"] - joined["last"]).dt.total_seconds() <= 2 * joined["interval"]
    return joined["pending_at"].where(near)


def _fired_after(pending: pd.DataFrame, firing: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each pending stretch was followed by a firing right after."""
    order = pending[["last", "alert", "interval"]].sort_values("last", kind="stable")
    joined = pd.merge_asof(
        order,
        firing[["first", "alert"]],
        left_on="last",
        right_on="first",
        by="alert",
        allow_exact_matches=False,
        direction="forward",
    )
    near = (joined["first"] - joined["last"]).dt.total_seconds() <= 2 * joined["interval"]
    return near.set_axis(order.index).reindex(pending.index).to_numpy(dtype=bool)


def _active_at(firing: pd.DataFrame, for_state: pd.DataFrame | None) -> pd.Series:
    """When each firing became active, by ALERTS_FOR_STATE; NaT where that says nothing."""
    if for_state is None or for_state.empty:
        return pd.Series(pd.NaT, index=firing.index, dtype=TIME)
    # A change of the value is what counts: of a million samples only the first of each activation are kept.
    series, value = for_state["series_id"].to_numpy(), for_state["value"].to_numpy(dtype="float64")
    changed = ~np.isnan(value)
    changed[1:] &= (series[1:] != series[:-1]) | (value[1:] != value[:-1])
    kept = for_state.iloc[np.flatnonzero(changed)]
    active = pd.Series((value[changed] * 1e6).astype(np.int64).astype("datetime64[us]")).dt.tz_localize("UTC")
    right = pd.DataFrame({"first": kept["time"].array, "active_at": active})
    right["alert"] = kept["alert"].to_numpy() if "alert" in kept else label_sets(kept)
    joined = pd.merge_asof(firing[["first", "alert"]], right.sort_values("first"), on="first", by="alert")
    return joined["active_at"].astype(TIME)


def _rejoined(firing: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Firings of one alert between which it was not resolved as one, and what a gap cuts off said so."""
    order = firing.sort_values(["alert", "first"], kind="stable").index
    frame = firing.loc[order].reset_index(drop=True)
    after, before = _gaps_beside(frame, gaps)
    cut_before = (before >= 0) & frame["pending_at"].isna().to_numpy()
    frame["cut_end"] |= (after >= 0) & ~frame["ended"].to_numpy()
    frame["cut_start"] |= cut_before
    alert, active = frame["alert"].to_numpy(), moments(frame["active_at"])
    goes_on = np.zeros(len(frame), dtype=bool)
    goes_on[1:] = (alert[1:] == alert[:-1]) & (
        (active[1:] == active[:-1]) | ((before[1:] >= 0) & (before[1:] == after[:-1]))
    )
    if not goes_on.any():
        return firing.assign(**frame.set_index(order)[["cut_start", "cut_end"]], unseen_seconds=0.0)
    begins = np.flatnonzero(~goes_on)
    ends = np.append(begins[1:], len(frame)) - 1
    apart = (frame["first"] - frame["last"].shift()).dt.total_seconds() - frame["interval"]
    unseen = np.add.reduceat(np.where(goes_on, apart, 0.0), begins)
    found = frame.iloc[begins].reset_index(drop=True)
    last = frame.iloc[ends].reset_index(drop=True)
    found = found.assign(last=last["last"], ended=last["ended"], cut_end=last["cut_end"], unseen_seconds=unseen)
    return found.sort_values(["first", *LABELS], ignore_index=True)


def _gaps_beside(frame: pd.DataFrame, gaps: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each firing the gap that begins where it ends, and the one that ends where it begins; -1 for none."""
    none = np.full(len(frame), -1, dtype=np.int64)
    if gaps.empty or frame.empty:
        return none, none
    near = pd.to_timedelta(2 * frame["interval"], unit="s").to_numpy()
    start, end = moments(gaps["start"]), moments(gaps["end"])
    last, begun = moments(frame["last"]), moments(frame["pending_at"].fillna(frame["first"]))
    later = np.searchsorted(start, last)
    earlier = np.searchsorted(end, begun, side="right") - 1
    after = (later < len(start)) & (start[np.minimum(later, len(start) - 1)] - last <= near)
    before = (earlier >= 0) & (begun - end[np.maximum(earlier, 0)] <= near)
    return np.where(after, later, -1), np.where(before, earlier, -1)


def _ordinary_burst(places: NDArray[np.int64], bins: float, *, share: float = 0.01, least: int = 20) -> float:
    """How many come at once: variance over mean of the counts by bin, empty ones included, without the fullest.

    Storms are among the fullest: one bin in a hundred is left out, and `least` where little was seen. 1 for a Poisson
    process, whose events come alone.
    """
    fullest = max(least, round(share * bins))
    counts = np.sort(np.unique(places, return_counts=True)[1])[:-fullest]
    rest = max(bins - fullest, 1.0)
    return max(float((counts**2).sum() / counts.sum() - counts.sum() / rest), 1.0) if len(counts) else 1.0


def _times_a_year(count: NDArray[np.int64], mean: float, minutes: float) -> NDArray[np.float64]:
    """How often in a year a Poisson process brings so many within a stretch of `minutes` minutes, wherever it begins.

    S. E. Alm, On the distribution of the scan statistic of a Poisson process (1983): stretches overlap, so that so
    many come more often than in one of the year's stretches side by side.
    """
    if not len(count):
        return np.empty(0)
    from scipy.stats import poisson

    often = (1 - mean / np.maximum(count, 1)) * mean * 525_600 / minutes * poisson.pmf(count - 1, mean)
    return np.where(count > mean, often, np.inf)
