"""Alert episodes made from ALERTS, and how its rules were evaluated; by whole columns: a year is a million samples."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TIME, mapped, micros, typed, types

_LABELS = ["alertname", "severity", "tenant", "job", "instance"]
_GAPS = types("start end")
_FAR = 2**62
_GAP_STEPS = 2.5
_LONGEST_SECONDS = 300  # what is evaluated less often is stale to Prometheus between two evaluations


def episodes(
    alerts: pd.DataFrame,
    *,
    interval_seconds: float | Mapping[str, float],
    window: Window,
    for_state: pd.DataFrame | None = None,
    gaps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Unbroken firings of one alert, by `fired_at`.

    `alerts` are samples of ALERTS, NaN a staleness marker, with `alert` as `identified` gives it.
    Samples at most two intervals apart, of all rules or by rule ('' all others), are one stretch,
    unless a marker lies between. Firings of one activation by `for_state`, samples of
    ALERTS_FOR_STATE, are one episode, as is what goes on right after one of the server's `gaps`.

    Columns: episode, alertname, severity, tenant, instance, pending_at, fired_at, resolved_at,
    seconds, cut_start, cut_end, unseen_seconds.
    """
    frame = _stretches(alerts, "firing", interval_seconds)
    pending = _stretches(alerts, "pending", interval_seconds)
    interval = pd.to_timedelta(frame["interval"], unit="s")
    frame["pending_at"] = pending["first"].reindex(_pending_before(frame, pending)).set_axis(frame.index)
    frame["active_at"] = _active_at(frame, for_state)
    frame["cut_start"] = (frame["first"] - 2 * interval < window.start) & frame["pending_at"].isna()
    frame["cut_start"] &= ~(frame["active_at"] >= window.start)
    frame["cut_end"] = ~frame["ended"] & (frame["last"] + 2 * interval >= window.end)
    frame = _rejoined(frame, typed([], _GAPS) if gaps is None else gaps)
    # ALERTS_FOR_STATE has whole seconds: what was seen pending is told more exactly by ALERTS.
    known = frame["active_at"] <= frame["pending_at"].fillna(frame["first"]) - pd.Timedelta(seconds=1)
    frame["pending_at"] = frame["pending_at"].mask(known, frame["active_at"])
    frame["episode"] = np.arange(1, len(frame) + 1)
    frame["fired_at"], frame["resolved_at"] = frame["first"], _over(frame)
    frame["seconds"] = (frame["resolved_at"] - frame["fired_at"]).dt.total_seconds()
    return typed(frame, episodes)


def pendings(alerts: pd.DataFrame, *, interval_seconds: float | Mapping[str, float]) -> pd.DataFrame:
    """Stretches in which an alert was pending and did not fire right after, by `pending_at`.

    Columns: alertname, tenant, instance, pending_at, ended_at.
    """
    firing = _stretches(alerts, "firing", interval_seconds)
    frame = _stretches(alerts, "pending", interval_seconds)
    frame = frame.drop(index=_pending_before(firing, frame).dropna())
    return typed(frame.assign(pending_at=frame["first"], ended_at=_over(frame)).reset_index(drop=True), pendings)


def _over(stretches: pd.DataFrame) -> pd.Series:
    return stretches["last"] + pd.to_timedelta(stretches["interval"], unit="s")


def _stretches(alerts: pd.DataFrame, state: str, interval_seconds: float | Mapping[str, float]) -> pd.DataFrame:
    """Unbroken stretches of one state of one alert, by begin: its labels, alert, first, last, interval, ended."""
    kept = alerts[(alerts["alertstate"] == state).to_numpy()]
    frame = kept.iloc[np.lexsort((micros(kept["time"]), kept["series_id"].to_numpy()))].reset_index(drop=True)
    marker = frame["value"].isna()
    known = interval_seconds if isinstance(interval_seconds, Mapping) else {"": interval_seconds}
    seconds = mapped(frame["alertname"], known, known[""]).astype("float64")
    near = frame["time"].diff() <= pd.to_timedelta(2 * seconds, unit="s")
    goes_on = (frame["series_id"] == frame["series_id"].shift()) & near & ~marker.shift(fill_value=True)
    stretch = (~goes_on).cumsum()
    # A marker ends its stretch, since nothing goes on after it; alone, it is none.
    opens = frame[~marker & ~stretch.mask(marker).duplicated()]
    rows = opens.assign(
        **{name: opens[name].astype("str").fillna("") if name in opens else "" for name in _LABELS},
        first=opens["time"],
        last=frame["time"][~marker].groupby(stretch).last().array,
        ended=marker.groupby(stretch).last()[stretch[opens.index]].to_numpy(dtype=bool),
        interval=seconds[opens.index],
    )
    return _replicas_as_one(rows).sort_values(["first", *_LABELS], ignore_index=True)


def _replicas_as_one(rows: pd.DataFrame) -> pd.DataFrame:
    """Stretches of one alert that overlap, which those of several replicas do, as one."""
    rows = rows.sort_values(["alert", "first"], kind="stable", ignore_index=True)
    reached = _over(rows).groupby(rows["alert"]).cummax().groupby(rows["alert"]).shift()
    group = (~(rows["first"] < reached)).cumsum()
    last = rows["last"].groupby(group).transform("max")
    # It goes on where one of those that last longest was not ended.
    on = (~rows["ended"] & (rows["last"] == last)).groupby(group).transform("any")
    return rows.assign(last=last, ended=~on)[~group.duplicated()].reset_index(drop=True)


def _pending_before(firing: pd.DataFrame, pending: pd.DataFrame) -> pd.Series:
    """The row of the pending stretch that each firing ended, or one replica's of it; missing for none."""
    began = pending[["alert", "first", "last"]].rename_axis("row").reset_index().rename(columns={"first": "began"})
    began = began.sort_values("began", kind="stable")
    keys = {"left_on": "first", "right_on": "began", "by": "alert"}
    joined = pd.merge_asof(firing[["first", "alert", "interval"]], began, allow_exact_matches=False, **keys)
    near = (joined["first"] - joined["last"]).dt.total_seconds() <= 2 * joined["interval"]
    return joined["row"].where(near)


def _active_at(firing: pd.DataFrame, for_state: pd.DataFrame | None) -> pd.Series:
    """When each firing became active, by ALERTS_FOR_STATE; NaT where that says nothing."""
    if for_state is None or for_state.empty:
        return pd.Series(pd.NaT, index=firing.index, dtype=TIME)
    known = for_state[for_state["value"].notna()]
    active = pd.DataFrame({"first": known["time"], "active_at": pd.to_datetime(known["value"], unit="s", utc=True)})
    active["alert"] = known["alert"]
    # Of replicas that are active at one moment, that which has been for longest.
    active = active.sort_values(["first", "active_at"], ascending=[True, False])
    joined = pd.merge_asof(firing[["first", "alert"]], active, on="first", by="alert")
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


def identified(alerts: pd.DataFrame, series: pd.DataFrame, *, replica_labels: Collection[str] = ()) -> pd.DataFrame:
    """Samples of ALERTS, or of ALERTS_FOR_STATE, with the alert that each belongs to.

    Series are states of one alert whose labels are the same but for `alertstate` and the replica's;
    `series` has one row each: series_id, labels (JSON). One that it does not know is an alert of
    its own.

    Columns: those of `alerts`, and alert (its number).
    """
    left_out = {"alertstate", "__name__", *replica_labels}
    own = [
        json.dumps({name: value for name, value in json.loads(labels).items() if name not in left_out}, sort_keys=True)
        for labels in series["labels"]
    ]
    numbers, _ = pd.factorize(pd.Series(own, dtype="str"), sort=True)
    known = dict(zip(series["series_id"], numbers, strict=True))
    place, ids = pd.factorize(alerts["series_id"])
    alert = np.array([known.get(one, one) for one in ids], dtype=np.int64)
    return alerts.assign(alert=alert[place])


def evaluation_intervals(alerts: pd.DataFrame, *, default_seconds: float, least_steps: int = 10) -> pd.DataFrame:
    """How often each rule is evaluated: the median step between neighbouring samples of one series of ALERTS.

    What a rule's samples cannot tell is `default_seconds`: too few or uneven steps, or a median
    that Prometheus itself takes for silence.

    Columns: alertname, interval_seconds, steps (that it was measured from; 0 for the default).
    """
    names = alerts["alertname"].astype("category").cat.remove_unused_categories()
    seconds = pd.Series(micros(alerts["time"]), index=alerts.index).diff() / 1e6
    same = (alerts["series_id"] == alerts["series_id"].shift()) & (seconds > 0)
    steps = seconds[same].groupby(names[same], observed=False)
    usual = steps.transform("median")
    regular = ((seconds[same] - usual).abs() <= 0.1 * usual).groupby(names[same], observed=False).mean() >= 0.75
    found = pd.DataFrame({"interval_seconds": steps.median(), "steps": steps.size()})
    told = regular & (found["steps"] >= least_steps) & (found["interval_seconds"] <= _LONGEST_SECONDS)
    found["interval_seconds"] = found["interval_seconds"].where(told, default_seconds)
    found["steps"] = found["steps"].where(told, 0)
    return typed(found.rename_axis("alertname").reset_index(), evaluation_intervals)


def evaluation_gaps(alerts: pd.DataFrame, up: pd.DataFrame, *, interval_seconds: float) -> pd.DataFrame:
    """Stretches in which the server left nothing at all, neither of a rule nor of a scrape: it was down itself.

    Silence of the rules alone says nothing, since a quiet platform has no ALERTS; `up` has a sample
    at every scrape.

    Columns: start (last sample before), end (first one after), seconds.
    """
    scraped = np.unique(micros(up["time"]))
    if len(scraped) < 2:
        # Without scrapes nobody can tell a server that is down from a quiet one.
        return typed([], evaluation_gaps)
    limit = _GAP_STEPS * max(interval_seconds * 1e6, float(np.median(np.diff(scraped))))
    evaluated = micros(alerts["time"])
    evaluated = evaluated[(evaluated > scraped[0]) & (evaluated < scraped[-1])]
    seen = np.unique(np.concatenate([scraped, evaluated]))
    silent = np.flatnonzero(np.diff(seen) > limit)
    start, end = (pd.to_datetime(seen[at], unit="us", utc=True) for at in (silent, silent + 1))
    return typed({"start": start, "end": end, "seconds": (end - start).total_seconds()}, evaluation_gaps)
