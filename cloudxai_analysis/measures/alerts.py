"""Alert episodes made from ALERTS."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TIME, typed, types
from cloudxai_analysis.measures.stretches import alert_stretches, label_sets, micros

_GAPS = types("start end")
_FAR = 2**62


def episodes(
    alerts: pd.DataFrame,
    *,
    interval_seconds: float | Mapping[str, float],
    window: Window,
    for_state: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Unbroken firings of one alert, one row each, by `fired_at`.

    `for_state` are samples of ALERTS_FOR_STATE: firings of one activation are one episode. No gap of the server
    resolves an alert: what fired until one of `gaps` began and is pending or fires again right after it is one episode.

    Columns: episode (from 1), alertname, severity, tenant, instance, pending_at (NaT where it was not pending right
    before), fired_at (first firing sample), resolved_at (last firing sample plus one interval), seconds, cut_start
    and cut_end (bool: it may have begun before the window or in a gap, or still fire at the window's end or in a gap),
    unseen_seconds (of it, in which it was not evaluated).
    """
    frame = alert_stretches(alerts, "firing", interval_seconds=interval_seconds)
    pending = alert_stretches(alerts, "pending", interval_seconds=interval_seconds)
    interval = pd.to_timedelta(frame["interval"], unit="s")
    before = _pending_before(frame, pending)
    frame["pending_at"] = pending["first"].reindex(before).set_axis(frame.index)
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

    Columns: alertname, tenant, instance, pending_at (first pending sample), ended_at (last one plus one interval).
    """
    firing = alert_stretches(alerts, "firing", interval_seconds=interval_seconds)
    frame = alert_stretches(alerts, "pending", interval_seconds=interval_seconds)
    frame = frame.drop(index=_pending_before(firing, frame).dropna())
    ended = frame["last"] + pd.to_timedelta(frame["interval"], unit="s")
    return typed(frame.assign(pending_at=frame["first"], ended_at=ended).reset_index(drop=True), pendings)


def _pending_before(firing: pd.DataFrame, pending: pd.DataFrame) -> pd.Series:
    """The row of the pending stretch that ended right before each firing; missing for none."""
    ended = pending[["alert", "last"]].rename_axis("row").reset_index().sort_values("last", kind="stable")
    keys = {"left_on": "first", "right_on": "last", "by": "alert"}
    joined = pd.merge_asof(firing[["first", "alert", "interval"]], ended, allow_exact_matches=False, **keys)
    near = (joined["first"] - joined["last"]).dt.total_seconds() <= 2 * joined["interval"]
    return joined["row"].where(near)


def _active_at(firing: pd.DataFrame, for_state: pd.DataFrame | None) -> pd.Series:
    """When each firing became active, by ALERTS_FOR_STATE; NaT where that says nothing."""
    if for_state is None or for_state.empty:
        return pd.Series(pd.NaT, index=firing.index, dtype=TIME)
    known = for_state[for_state["value"].notna()]
    active = pd.DataFrame({"first": known["time"], "active_at": pd.to_datetime(known["value"], unit="s", utc=True)})
    active["alert"] = known["alert"] if "alert" in known else label_sets(known)
    joined = pd.merge_asof(firing[["first", "alert"]], active.sort_values("first"), on="first", by="alert")
    return joined["active_at"].astype(TIME)


def _rejoined(firing: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Firings of one alert between which it was not resolved as one, and what a gap cuts off said so."""
    frame = firing.rename_axis("place").reset_index().sort_values(["alert", "first"], kind="stable", ignore_index=True)
    near = (2e6 * frame["interval"]).to_numpy()
    after = _first_within(micros(gaps["start"]), micros(frame["last"]), near)
    # Backwards in time, what began after a gap is what ends before it.
    begun = micros(frame["pending_at"].fillna(frame["first"]))
    before = _first_within(-micros(gaps["end"])[::-1], -begun, near)
    before = np.where(before >= 0, len(gaps) - 1 - before, -1)
    frame["cut_end"] |= (after >= 0) & ~frame["ended"]
    frame["cut_start"] |= (before >= 0) & frame["pending_at"].isna()
    earlier = frame[["alert", "last", "active_at"]].assign(after=after).shift()
    together = (frame["active_at"] == earlier["active_at"]) | ((before >= 0) & (before == earlier["after"]))
    goes_on = together & (frame["alert"] == earlier["alert"])
    apart = (frame["first"] - earlier["last"]).dt.total_seconds() - frame["interval"]
    of_one = frame.assign(unseen_seconds=apart.where(goes_on, 0.0)).groupby((~goes_on).cumsum())
    found = frame[~goes_on].reset_index(drop=True)
    found["unseen_seconds"] = of_one["unseen_seconds"].sum().array
    for name in ("last", "ended", "cut_end"):
        found[name] = of_one[name].last().array
    return found.sort_values("place", ignore_index=True)


def _first_within(edges: NDArray[np.int64], times: NDArray[np.int64], near: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of the first edge at or after each time, where it is no further than `near`; -1 for none."""
    place = np.searchsorted(edges, times)
    away = np.append(edges, _FAR)[place] - times
    return np.where(away <= near, place, -1)
