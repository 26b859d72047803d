"""Readiness: how available the platform was, what is left of the error budget, when it was not ready."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.window import Window

_READINESS = {"time": TIME, "ready": "float64"}
_DAILY = {"day": TIME, "samples": "int64", "availability": "float64"}
_ROLLING = {"day": TIME, "availability": "float64", "samples": "int64"}
_OUTAGES = {"start": TIME, "end": TIME, "not_ready_samples": "int64", "minutes": "float64"}
_TRANSITIONS = {"hour": TIME, "transitions": "float64"}
_LATENCY = {"hour": TIME, "seconds": "float64"}
_TENANTS = {"tenant": "str", "samples": "int64", "availability": "float64", "transitions": "int64"}


def global_readiness(samples: pd.DataFrame) -> pd.DataFrame:
    """The platform's readiness at each scrape: the minimum over its instances.

    `samples` of the global gauge. Instances are scraped at different moments: samples of one step belong together, the
    step being the median one of the day.

    Columns: time (of the step's first sample), ready (0 or 1).
    """
    known = samples[samples["value"].notna()].sort_values("time", ignore_index=True)
    if known.empty:
        return typed([], _READINESS)
    found = known.groupby(_slots(known)).agg(time=("time", "min"), ready=("value", "min"))
    return typed(found.reset_index(drop=True), _READINESS)


def _slots(known: pd.DataFrame) -> np.ndarray:
    """For each sample, by time, the number of the scrape it belongs to."""
    step, day = _steps(known), known["time"].dt.floor("D")
    by_day = step.groupby(day).median().ffill().bfill()
    # Only a step that changes by more than the scrapes' jitter parts the samples: else a pair would part at midnight.
    part = ((by_day / by_day.shift() - 1).abs() > 0.01).cumsum().reindex(day).to_numpy()
    moment = known["time"].dt.as_unit("us").astype("int64").to_numpy()
    slot = np.zeros(len(known), dtype="int64")
    for number in np.unique(part):
        mine = part == number
        width = step[mine].median()
        slot[mine] = _slots_of(moment[mine], 0 if np.isnan(width) else round(width * 1e6))
    return np.cumsum((np.diff(slot, prepend=slot[0]) != 0) | (np.diff(part, prepend=part[0]) != 0))


def _slots_of(moment: np.ndarray, width: int) -> np.ndarray:
    if not width:
        return moment
    # Each step begins in the middle of the longest time in which none of the instances is scraped.
    phase = np.unique(moment % width)
    quiet = np.diff(phase, append=phase[0] + width)
    begin = phase[quiet.argmax()] + quiet.max() // 2
    return (moment - begin) // width


def availability(readiness: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Availability over a window, as one row: the mean of the gauge's samples.

    Columns: samples, ready_samples, availability (0 to 1; NaN without samples), not_ready_minutes.
    """
    inside = readiness[(readiness["time"] >= window.start) & (readiness["time"] < window.end)]
    samples, ready = len(inside), float(inside["ready"].sum())
    row = {
        "samples": samples,
        "ready_samples": int(ready),
        "availability": ready / samples if samples else np.nan,
        "not_ready_minutes": (samples - ready) * _step_of(inside["time"]) / 60,
    }
    return pd.DataFrame([row])


def daily_availability(readiness: pd.DataFrame) -> pd.DataFrame:
    """Availability by day; a day without a sample has no row.

    Columns: day, samples, availability.
    """
    found = readiness.groupby(readiness["time"].dt.floor("D"))["ready"].agg(["size", "mean"]).reset_index()
    return typed(found.set_axis(["day", "samples", "availability"], axis=1), _DAILY)


def rolling_availability(readiness: pd.DataFrame, *, days: int = 30) -> pd.DataFrame:
    """Availability over the `days` days that end with each day.

    Columns: day (its end), availability, samples (in those days).
    """
    if readiness.empty:
        return typed([], _ROLLING)
    by_day = readiness.groupby(readiness["time"].dt.floor("D"))["ready"].agg(["size", "sum"]).asfreq("D", fill_value=0)
    sums = by_day.rolling(days, min_periods=1).sum()
    found = pd.DataFrame({"day": sums.index + pd.Timedelta(days=1), "samples": sums["size"].to_numpy()})
    found["availability"] = (sums["sum"] / sums["size"].where(sums["size"] > 0)).to_numpy()
    return typed(found, _ROLLING)


def error_budget(readiness: pd.DataFrame, window: Window, *, slo: float) -> pd.DataFrame:
    """What an objective allows over a window, and what is used of it, as one row.

    The budget is (1 - slo) of the window's time (Google, Site Reliability Engineering, chapter 3).

    Columns: availability, allowed_minutes, used_minutes, remaining_share (1 untouched, negative overdrawn).
    """
    measured = availability(readiness, window).iloc[0]
    allowed = (1 - slo) * window.duration.total_seconds() / 60
    used = measured["not_ready_minutes"] if measured["samples"] else np.nan
    row = {
        "availability": measured["availability"],
        "allowed_minutes": allowed,
        "used_minutes": used,
        "remaining_share": 1 - used / allowed if allowed else np.nan,
    }
    return pd.DataFrame([row])


def outages(samples: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Stretches of neighbouring samples that are 0.

    `samples` with time, value and the columns `by`, each combination of which is one gauge.

    Columns: those of `by`, start (first sample not ready), end (first ready one after; NaT where the data end),
    not_ready_samples, minutes (samples x the median step: time without samples counts for nothing).
    """
    keys = list(by)
    known = samples.loc[samples["value"].notna(), ["time", "value", *keys]]
    group = known.groupby(keys, observed=True).ngroup().to_numpy() if keys else np.zeros(len(known), dtype="int64")
    order = np.lexsort((known["time"].to_numpy("datetime64[us]"), group))
    known, group = known.iloc[order].reset_index(drop=True), group[order]
    times = known["time"].to_numpy("datetime64[us]")
    down = (known["value"] == 0).to_numpy()
    other = np.concatenate([[True], group[1:] != group[:-1]]) if len(known) else np.zeros(0, dtype=bool)
    begins = np.flatnonzero(down & (other | ~np.concatenate([[False], down[:-1]])))
    ends = np.flatnonzero(down & np.concatenate([other[1:] | ~down[1:], [True]])) if len(known) else begins
    found = known.loc[begins, keys].reset_index(drop=True)
    cut = np.concatenate([other, [True]])[ends + 1]
    after = np.concatenate([times, [np.datetime64("NaT", "us")]])[ends + 1]
    found["start"] = pd.Series(times[begins]).dt.tz_localize("UTC")
    found["end"] = pd.Series(np.where(cut, np.datetime64("NaT", "us"), after)).dt.tz_localize("UTC")
    found["not_ready_samples"] = ends - begins + 1
    found["minutes"] = found["not_ready_samples"] * _usual_step(known["time"], other) / 60
    columns = dict.fromkeys(keys, "str") | _OUTAGES
    return typed(found, columns).sort_values(["start", *keys], ignore_index=True)


def transitions(hours: pd.DataFrame) -> pd.DataFrame:
    """Flips of the global readiness by hour: of the instance that saw most.

    Columns: hour, transitions.
    """
    by_process = hours.groupby(["hour", "job", "instance"], observed=True)["increase"].sum()
    found = by_process.groupby("hour").max().rename("transitions").reset_index()
    return typed(found, _TRANSITIONS)


def check_latency(bucket_hours: pd.DataFrame, *, quantile: float = 0.95) -> pd.DataFrame:
    """A quantile of the readiness check's duration by hour, over all instances.

    `bucket_hours` are the hourly rollups of the histogram's buckets, with `le`. Linear within the bucket that holds
    the quantile, the upper bound of the last finite bucket where it lies beyond: Prometheus' `histogram_quantile`
    (promql/quantile.go), which knows nothing without a bucket `+Inf`.

    Columns: hour, seconds; an hour without a check has no row.
    """
    if bucket_hours.empty:
        return typed([], _LATENCY)
    # By number, since '1' and '1.0' are one bound.
    bound = pd.to_numeric(bucket_hours["le"].astype("str"), errors="coerce").rename("le")
    counts = bucket_hours.groupby(["hour", bound], observed=True)["increase"].sum()
    table = counts.unstack("le", fill_value=0.0).sort_index(axis=1)
    # Instances may have different bounds: their sums grow with the bound all the same.
    bounds, within = table.columns.to_numpy(dtype="float64"), np.maximum.accumulate(table.to_numpy(), axis=1)
    if not len(bounds) or not np.isinf(bounds[-1]):
        return typed([], _LATENCY)
    total = within[:, -1]
    rank = quantile * total
    bucket = np.minimum((within < rank[:, None]).sum(axis=1), len(bounds) - 1)
    row = np.arange(len(table))
    below = np.where(bucket > 0, within[row, bucket - 1], 0.0)
    lower = np.where(bucket > 0, bounds[bucket - 1], 0.0)
    inside = within[row, bucket] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        seconds = lower + (bounds[bucket] - lower) * (rank - below) / inside
    beyond = np.isinf(bounds[bucket])
    seconds = np.where(beyond, bounds[-2] if len(bounds) > 1 else np.nan, seconds)
    found = pd.DataFrame({"hour": table.index, "seconds": seconds})
    return typed(found[total > 0].reset_index(drop=True), _LATENCY)


def tenant_availability(hours: pd.DataFrame) -> pd.DataFrame:
    """Availability of each tenant: the mean of its gauge's samples, the least available first.

    Columns: tenant, samples, availability, transitions (changes between neighbouring samples).
    """
    by_tenant = hours.groupby("tenant", observed=True)[["samples", "sum", "changes"]].sum()
    by_tenant = by_tenant[by_tenant["samples"] > 0]
    found = by_tenant.assign(availability=by_tenant["sum"] / by_tenant["samples"]).reset_index()
    found = found.rename(columns={"changes": "transitions"})
    return typed(found, _TENANTS).sort_values(["availability", "tenant"], ignore_index=True)


def _steps(known: pd.DataFrame) -> pd.Series:
    """Seconds since the sample before of the same series; missing at its first, and where a sample is there twice."""
    step = known["time"].groupby(known["series_id"]).diff().dt.total_seconds()
    return step.where(step > 0)


def _step_of(times: pd.Series) -> float:
    # A single sample stands for no known time.
    return float(times.sort_values().diff().dt.total_seconds().median()) if len(times) > 1 else 0.0


def _usual_step(times: pd.Series, other: np.ndarray) -> float:
    steps = times.diff().dt.total_seconds()[~other]
    return float(steps.median()) if len(steps) else 0.0
