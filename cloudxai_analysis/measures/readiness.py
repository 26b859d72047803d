"""Readiness: how available the platform was, what is left of the error budget, when it was not ready."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import columns_of, typed
from cloudxai_analysis.measures.time_seen import holds, joined, seconds_within, sweep

_TARGET = ["job", "instance"]
OUTAGE_MINUTES = 1.1  # what lasted no longer is counted, and is no outage to be told: one scrape a minute may fail
TENANT_MINUTES = 2.1  # as long as the platform's own rule waits before it wakes someone, and a scrape may come late
_DAY = pd.Timedelta(days=1)
_TARGET = ["job", "instance"]


def global_readiness(samples: pd.DataFrame, up: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """The platform's readiness over time: the least of its instances, not ready where all targets are down.

    `samples` of the global gauge with job and instance, staleness markers included where the source shows them; `up`
    the samples of `up`, and `states` the jobs' as `telemetry.job_states` gives them. What an instance said holds until
    its next scrape, a marker or a failed scrape. Down counts a job that ever exported the gauge; where none did, any.

    Columns: start, end, ready (0 or 1); neighbouring stretches, and what lies in none of them is unknown.
    """
    failed = up.loc[up["value"] == 0, ["time", *_TARGET]].astype(dict.fromkeys(_TARGET, "str"))
    gauges = samples[["series_id", *_TARGET]].drop_duplicates("series_id").astype(dict.fromkeys(_TARGET, "str"))
    cut = failed.merge(gauges, on=_TARGET)[["series_id", "time"]].assign(value=np.nan)
    held = holds(pd.concat([samples[["series_id", "time", "value"]], cut], ignore_index=True))
    exporting = states["job"].isin(samples["job"].astype("str").unique()) | (not len(samples))
    down = states[exporting & (states["state"] == "down")]
    spans = pd.concat([held[["start", "end", "value"]], down[["start", "end"]].assign(value=-1.0)], ignore_index=True)
    said = spans["value"].to_numpy()
    course = sweep(spans, [said >= 0, said == 0, said < 0])
    course["ready"] = np.select([course[1] > 0, course[0] > 0, course[2] > 0], [0.0, 1.0, 0.0], np.nan)
    return typed(joined(course, "ready"), global_readiness)


def availability(readiness: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Availability over a window, as one row: the share of the time seen in which the platform was ready.

    The window counts from the first time that anything is known of it. What nobody saw is neither up nor down: `low`
    takes all of it for down, `high` for up.

    Columns: since (begin of what counts), availability, low, high (0 to 1; NaN where nothing was seen), seen_minutes,
    not_ready_minutes, unknown_minutes, seen_share (0 to 1).
    """
    first = readiness["start"].min()
    since = max(pd.Timestamp(window.start), first) if pd.notna(first) else pd.Timestamp(window.end)
    edges = pd.DatetimeIndex([min(since, pd.Timestamp(window.end)), window.end])
    ready, down = (seconds_within(readiness[readiness["ready"] == state], edges)[0] / 60 for state in (1, 0))
    whole = (edges[1] - edges[0]).total_seconds() / 60
    seen = ready + down
    row = {
        "since": since,
        "availability": ready / seen if seen else np.nan,
        "low": ready / whole if seen else np.nan,
        "high": 1 - down / whole if seen else np.nan,
        "seen_minutes": seen,
        "not_ready_minutes": down,
        "unknown_minutes": max(whole - seen, 0.0),
        "seen_share": seen / whole if whole else 0.0,
    }
    return typed([row], availability)


def daily_availability(readiness: pd.DataFrame) -> pd.DataFrame:
    """Availability by day, from the first to the last day of which anything was seen.

    Columns: day, seen_minutes, availability (NaN of a day that nobody saw).
    """
    if readiness.empty:
        return typed([], daily_availability)
    days = pd.date_range(readiness["start"].min().floor("D"), readiness["end"].max().ceil("D"), freq="D", unit="us")
    ready, down = (seconds_within(readiness[readiness["ready"] == state], days) / 60 for state in (1, 0))
    seen = ready + down
    share = np.divide(ready, seen, out=np.full(len(seen), np.nan), where=seen > 0)
    return typed({"day": days[:-1], "seen_minutes": seen, "availability": share}, daily_availability)


def rolling_availability(readiness: pd.DataFrame, *, days: int = 30) -> pd.DataFrame:
    """Availability over the `days` days that end with each day.

    Columns: day (its end), availability, seen_minutes (in those days).
    """
    daily = daily_availability(readiness).set_index("day")
    ready = (daily["seen_minutes"] * daily["availability"]).fillna(0.0)
    seen, up = (column.rolling(days, min_periods=1).sum() for column in (daily["seen_minutes"], ready))
    found = pd.DataFrame({"day": daily.index + _DAY, "seen_minutes": seen.to_numpy()})
    found["availability"] = (up / seen.where(seen > 0)).to_numpy()
    return typed(found, rolling_availability)


def error_budget(readiness: pd.DataFrame, window: Window, *, slo: float) -> pd.DataFrame:
    """What an objective allows over a window, and what is used of it, as one row.

    The budget is (1 - slo) of the window's time (Google, Site Reliability Engineering, chapter 3).

    Columns: availability, allowed_minutes, used_minutes, remaining_share (1 untouched, negative overdrawn).
    """
    measured = availability(readiness, window).iloc[0]
    allowed = (1 - slo) * window.duration.total_seconds() / 60
    used = measured["not_ready_minutes"] if measured["seen_minutes"] else np.nan
    row = {
        "availability": measured["availability"],
        "allowed_minutes": allowed,
        "used_minutes": used,
        "remaining_share": 1 - used / allowed if allowed else np.nan,
    }
    return pd.DataFrame([row])


def outages(readiness: pd.DataFrame) -> pd.DataFrame:
    """When the platform was not ready: from the first scrape that showed it to the first that showed it ready again.

    `readiness` as `global_readiness` gives it. What nobody saw ends no outage, and counts for none of its minutes.

    Columns: start, end (NaT where it goes on at the end of what was seen), minutes (seen not ready).
    """
    down = (readiness["ready"] == 0).to_numpy()
    number = (~down).cumsum()[down]
    own = readiness[down].assign(minutes=lambda frame: (frame["end"] - frame["start"]).dt.total_seconds() / 60)
    found = own.groupby(number).agg(start=("start", "first"), minutes=("minutes", "sum"))
    # The stretch that follows is the one with the next number.
    ready = readiness["start"][~down].reset_index(drop=True)
    return typed(found.assign(end=ready.reindex(found.index).to_numpy()).reset_index(drop=True), outages)


def tenant_outages(samples: pd.DataFrame) -> pd.DataFrame:
    """When a tenant was not ready; what several instances tell at once is one outage.

    `samples` of the tenants' gauge with tenant, instance, time, value.

    Columns: tenant, instances (that told of it), start (first sample not ready), end (first ready one after; NaT where
    none follows), minutes (of the samples that are 0, each held until the next one, 2.5 local steps at most).
    """
    keys = ["tenant", "instance"]
    known = samples.loc[samples["value"].notna(), ["time", "value", *keys]]
    gauge = known.assign(series_id=known.groupby(keys, observed=True).ngroup())
    low = gauge["series_id"].isin(gauge.loc[gauge["value"] == 0, "series_id"].unique())
    gauge = gauge[low].sort_values(["series_id", "time"], ignore_index=True)
    down, other = (gauge["value"] == 0).to_numpy(), gauge["series_id"].diff().ne(0).to_numpy()
    gauge["outage"] = (down & (other | ~np.append(False, down[:-1]))).cumsum()
    gauge["next"] = gauge.groupby("series_id")["time"].shift(-1)
    held = holds(gauge, only=0.0)
    held["minutes"] = (held["end"] - held["start"]).dt.total_seconds() / 60
    found = held.groupby("outage").agg(
        **{name: (name, "first") for name in keys},
        start=("start", "first"),
        end=("next", lambda after: after.iloc[-1]),
        minutes=("minutes", "sum"),
    )
    return _together(typed(found, dict.fromkeys(keys, "str") | columns_of(outages)))


def _together(apart: pd.DataFrame) -> pd.DataFrame:
    """Outages of one tenant that overlap, as one."""
    rows = apart.sort_values(["tenant", "start", "instance"], ignore_index=True)
    until = rows["end"].fillna(pd.Timestamp.max.floor("us").tz_localize("UTC"))
    reached = until.groupby(rows["tenant"]).cummax().groupby(rows["tenant"]).shift()
    group = (~(rows["start"] <= reached)).cumsum()
    since = rows["start"] - rows.groupby(group)["start"].transform("first")
    rows = rows.assign(minutes=since.dt.total_seconds() / 60 + rows["minutes"], instances=rows["instance"], until=until)
    columns = {"tenant": "first", "instances": "nunique", "start": "first", "until": "max", "minutes": "max"}
    found = rows.groupby(group).agg(columns).rename(columns={"until": "end"})
    found["end"] = found["end"].where(found["end"].dt.year < 2200)
    found = typed(found, tenant_outages)
    return found.sort_values(["start", "tenant"], ignore_index=True)


def transitions(steps: pd.DataFrame) -> pd.DataFrame:
    """Flips of the global readiness by hour.

    `steps` of their counter as `measures.counters.counter_steps` gives them. Steps of several instances that may show
    the same flips, since the times from the sample before to their own overlap, count once: those of the instance that
    saw most.

    Columns: hour, transitions.
    """
    hours = pd.Index(steps["time"].dt.floor("h").unique(), name="hour").sort_values()
    risen = steps[steps["step"] > 0].sort_values("before")
    apart = risen["before"] >= risen["time"].cummax().shift()
    seen = risen.assign(together=apart.cumsum()).groupby(["together", *_TARGET], observed=True)["step"].transform("sum")
    most = seen.groupby(apart.cumsum()).transform("max") == seen
    own = risen[most].assign(together=apart.cumsum())
    first = own.groupby("together")["instance"].transform("first") == own["instance"]
    by_hour = own[first].groupby(own["time"].dt.floor("h"))["step"].sum()
    found = by_hour.reindex(hours, fill_value=0.0).rename("transitions").rename_axis("hour").reset_index()
    return typed(found, transitions)


def check_latency(bucket_hours: pd.DataFrame, *, quantile: float = 0.95) -> pd.DataFrame:
    """A quantile of the readiness check's duration by hour, over all instances.

    `bucket_hours` are the hourly rollups of the histogram's buckets, with `le`. Linear within the bucket that holds
    the quantile, the upper bound of the last finite bucket where it lies beyond: Prometheus' `histogram_quantile`
    (promql/quantile.go), which knows nothing without a bucket `+Inf`.

    Columns: hour, seconds; an hour without a check has no row.
    """
    if bucket_hours.empty:
        return typed([], check_latency)
    # By number, since '1' and '1.0' are one bound.
    bound = pd.to_numeric(bucket_hours["le"].astype("str"), errors="coerce").rename("le")
    counts = bucket_hours.groupby(["hour", bound], observed=True)["increase"].sum()
    table = counts.unstack("le", fill_value=0.0).sort_index(axis=1)
    # Instances may have different bounds: their sums grow with the bound all the same.
    bounds, within = table.columns.to_numpy(dtype="float64"), np.maximum.accumulate(table.to_numpy(), axis=1)
    if not len(bounds) or not np.isinf(bounds[-1]):
        return typed([], check_latency)
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
    return typed(found[total > 0].reset_index(drop=True), check_latency)


def tenant_availability(hours: pd.DataFrame) -> pd.DataFrame:
    """Availability of each tenant, each hour weighed by the time that its samples span; the least available first.

    Columns: tenant, samples, availability, transitions (changes between neighbouring samples).
    """
    there = hours[hours["samples"] > 0]
    # An hour of n samples spans n steps, of which its first and last sample show n - 1.
    shown = (there["last_ts"] - there["first_ts"]).dt.total_seconds()
    seconds = (shown * there["samples"] / (there["samples"] - 1).clip(lower=1)).clip(lower=1.0)
    weighed = there.assign(seconds=seconds, ready=seconds * there["sum"] / there["samples"])
    by_tenant = weighed.groupby("tenant", observed=True)[["samples", "seconds", "ready", "changes"]].sum()
    found = by_tenant.assign(availability=by_tenant["ready"] / by_tenant["seconds"]).reset_index()
    found = found.rename(columns={"changes": "transitions"})
    return typed(found, tenant_availability).sort_values(["availability", "tenant"], ignore_index=True)
