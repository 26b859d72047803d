"""Alert episodes made from ALERTS, and what is seen in them without knowing the truth: storms, flapping, noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.window import Window

_TIME = "datetime64[us, UTC]"
_EPISODES = {
    "episode": "int64",
    "alertname": "str",
    "severity": "str",
    "tenant": "str",
    "instance": "str",
    "pending_at": _TIME,
    "fired_at": _TIME,
    "resolved_at": _TIME,
    "seconds": "float64",
    "cut_start": "bool",
    "cut_end": "bool",
}
_PENDINGS = {"alertname": "str", "tenant": "str", "instance": "str", "pending_at": _TIME, "ended_at": _TIME}
_STORMS = {"start": _TIME, "end": _TIME, "episodes": "int64", "alertname": "str"}
_FLAPPING = {"alertname": "str", "tenant": "str", "episodes": "int64", "start": _TIME, "end": _TIME}
_NOISE = {
    "alertname": "str",
    "severity": "str",
    "episodes": "int64",
    "short_lived": "int64",
    "at_night": "int64",
    "seconds": "float64",
}
_LABELS = ["alertname", "severity", "tenant", "job", "instance"]
_LABEL_SET = ["alertname", "severity", "tenant", "instance"]


def episodes(alerts: pd.DataFrame, *, interval_seconds: float, window: Window) -> pd.DataFrame:
    """Unbroken firings of one label set, one row each, by `fired_at`.

    `alerts` are samples of ALERTS in `window`, by series and time, with the columns alertname, alertstate and any of
    severity, tenant, job, instance; a NaN value is a staleness marker. `interval_seconds` is how often the rules are
    evaluated: firing samples at most twice as far apart are one episode.

    Columns: episode (from 1), alertname, severity, tenant, instance, pending_at (NaT where it was not pending right
    before), fired_at (first firing sample), resolved_at (last firing sample plus one interval), seconds, cut_start
    and cut_end (bool: it may have begun before the window, or still fire at its end).
    """
    firing = _stretches(alerts, "firing", interval_seconds)
    pending = _stretches(alerts, "pending", interval_seconds)
    near = pd.Timedelta(seconds=2 * interval_seconds)
    frame = firing.sort_values(["first", *_LABELS], ignore_index=True)
    frame["pending_at"] = _pending_at(frame, pending, near)
    frame["episode"] = np.arange(1, len(frame) + 1)
    frame["fired_at"] = frame["first"]
    frame["resolved_at"] = frame["last"] + pd.Timedelta(seconds=interval_seconds)
    frame["seconds"] = (frame["resolved_at"] - frame["fired_at"]).dt.total_seconds()
    frame["cut_start"] = (frame["first"] - near < window.start) & frame["pending_at"].isna()
    frame["cut_end"] = ~frame["ended"] & (frame["last"] + near >= window.end)
    return frame[list(_EPISODES)].astype(_EPISODES)


def pendings(alerts: pd.DataFrame, *, interval_seconds: float) -> pd.DataFrame:
    """Stretches in which an alert was pending and did not fire right after, one row each, by `pending_at`.

    `alerts` and `interval_seconds` as for `episodes`. Columns: alertname, tenant, instance, pending_at (first pending
    sample), ended_at (last one plus one interval).
    """
    firing = _stretches(alerts, "firing", interval_seconds)
    pending = _stretches(alerts, "pending", interval_seconds)
    frame = pending.sort_values(["first", *_LABELS], ignore_index=True)
    fired = _fired_after(frame, firing, pd.Timedelta(seconds=2 * interval_seconds))
    frame = frame[fired.reindex(frame.index).isna()].copy()
    frame["pending_at"] = frame["first"]
    frame["ended_at"] = frame["last"] + pd.Timedelta(seconds=interval_seconds)
    return frame[list(_PENDINGS)].astype(_PENDINGS).reset_index(drop=True)


def storms(
    episodes: pd.DataFrame, *, minutes: float = 10, least: int = 10, times: float = 5.0, days: float = 28
) -> pd.DataFrame:
    """Times in which very many alerts began, one row each, by start.

    A storm is a stretch of `minutes` minutes in which at least `least` episodes began, and at least `times` times the
    median of the counts in whole `minutes` of the clock that are not zero over the `days` days up to it. The storm's
    own episodes are left out of that median: else a platform whose only alerts are one storm would have none.
    Overlapping stretches are one storm. Episodes cut off by the window's start are left out: when they began is not
    known, and all of them would seem to begin at once.

    Columns: start (first `fired_at`), end (of the last such stretch), episodes (number), alertname (most frequent).
    """
    frame = episodes[~episodes["cut_start"].astype(bool)].sort_values("fired_at", ignore_index=True)
    begun = frame["fired_at"].dt.as_unit("us").astype("int64").to_numpy()
    width = round(minutes * 60_000_000)
    count = np.searchsorted(begun, begun + width, side="left") - np.arange(len(begun))
    crowded = np.flatnonzero(count >= least)
    stretches = np.split(crowded, np.flatnonzero(np.diff(begun[crowded]) >= width) + 1) if len(crowded) else []
    rows = []
    for stretch in stretches:
        first, last = stretch[0], stretch[-1]
        inside = slice(first, last + count[last])
        span = (begun[last] + width - round(days * 86_400_000_000), begun[last] + width)
        if count[stretch].max() >= times * _usual_count(np.delete(begun, inside), span, width):
            rows.append(
                {
                    "start": frame["fired_at"].iloc[first],
                    "end": frame["fired_at"].iloc[last] + pd.Timedelta(minutes=minutes),
                    "episodes": inside.stop - inside.start,
                    "alertname": frame["alertname"].iloc[inside].astype("str").mode().iloc[0],
                }
            )
    return pd.DataFrame(rows, columns=list(_STORMS)).astype(_STORMS)


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
    return found[list(_FLAPPING)].astype(_FLAPPING).sort_values(["start", "alertname", "tenant"], ignore_index=True)


def weekly_noise(episodes: pd.DataFrame, *, zone: str, short_seconds: float = 300) -> pd.DataFrame:
    """How much each rule disturbed those on call, the rule with the most episodes first.

    Columns: alertname, severity, episodes, short_lived (under `short_seconds`, whole ones only), at_night (begun from
    22:00 to 08:00 in the time zone `zone`), seconds (firing in all).
    """
    hour = episodes["fired_at"].dt.tz_convert(zone).dt.hour
    whole = ~(episodes["cut_start"] | episodes["cut_end"])
    frame = episodes.assign(
        short_lived=whole & (episodes["seconds"] < short_seconds), at_night=(hour >= 22) | (hour < 8)
    )
    noise = frame.groupby(["alertname", "severity"], observed=True).agg(
        episodes=("seconds", "size"),
        short_lived=("short_lived", "sum"),
        at_night=("at_night", "sum"),
        seconds=("seconds", "sum"),
    )
    noise = noise.reset_index().sort_values(["episodes", "alertname"], ascending=[False, True], ignore_index=True)
    return noise[list(_NOISE)].astype(_NOISE)


def _stretches(alerts: pd.DataFrame, state: str, interval_seconds: float) -> pd.DataFrame:
    """Unbroken stretches of one state: the labels, first and last sample, ended (bool: by a staleness marker)."""
    frame = alerts[alerts["alertstate"] == state].sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    marker = frame["value"].isna()
    apart = frame["time"].diff() > pd.Timedelta(seconds=2 * interval_seconds)
    breaks = apart | (frame["series_id"] != frame["series_id"].shift()) | marker.shift(fill_value=False)
    kept = frame[~marker]
    labels = kept.reindex(columns=_LABELS).astype("str").fillna("")
    grouped = labels.assign(time=kept["time"], ended=False).groupby(breaks.cumsum()[~marker])
    stretches = grouped.agg(
        **{label: (label, "first") for label in _LABELS}, first=("time", "min"), last=("time", "max")
    )
    ended = pd.Series(marker.to_numpy(), index=breaks.cumsum())
    stretches["ended"] = stretches.index.isin(ended[ended].index)
    return stretches.reset_index(drop=True)


def _pending_at(firing: pd.DataFrame, pending: pd.DataFrame, near: pd.Timedelta) -> pd.Series:
    """When the pending stretch began that ended right before each firing; `firing` is sorted by `first`."""
    ended = pending.rename(columns={"first": "pending_at"}).sort_values("last")
    joined = pd.merge_asof(
        firing[["first", *_LABELS]],
        ended[["pending_at", "last", *_LABELS]],
        left_on="first",
        right_on="last",
        by=_LABELS,
        tolerance=near,
        allow_exact_matches=False,
    )
    return joined["pending_at"]


def _fired_after(pending: pd.DataFrame, firing: pd.DataFrame, near: pd.Timedelta) -> pd.Series:
    """When the firing began that followed right after each pending stretch, NaT where none did."""
    order = pending.sort_values("last")
    joined = pd.merge_asof(
        order[["last", *_LABELS]],
        firing.rename(columns={"first": "fired_at"}).sort_values("fired_at")[["fired_at", *_LABELS]],
        left_on="last",
        right_on="fired_at",
        by=_LABELS,
        tolerance=near,
        allow_exact_matches=False,
        direction="forward",
    )
    return joined["fired_at"].set_axis(order.index)


def _usual_count(begun: NDArray[np.int64], span: tuple[int, int], width: int) -> float:
    """Median of the counts that are not zero in bins of `width` of the clock; 0 where nothing began in the span."""
    inside = begun[(begun >= span[0]) & (begun < span[1])]
    _, counts = np.unique(inside // width, return_counts=True)
    return float(np.median(counts)) if len(counts) else 0.0
