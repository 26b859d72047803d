"""Readiness: availability, the error budget and how fast it burns, outages of the platform and its tenants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TARGET, as_text, columns_of, typed, with_text
from cloudxai_analysis.measures.time_seen import holds, joined, seconds_before, seconds_within, sweep

OUTAGE_MINUTES = 1.1  # what lasted no longer is counted, and is no outage to be told: one scrape a minute may fail
FEW = 0.5  # share of the tenants from which on an outage is the platform's own
TENANT_MINUTES = 2.1  # as long as the platform's own rule waits before it wakes someone, and a scrape may come late
# Burn rate, long and short window, and the share of 30 days' budget that is gone when the first warns (Google, The Site
# Reliability Workbook, chapter 5, table 5-8; the fourth, 3 over a day, is that of 10 % in a day).
PAIRS = (
    (14.4, pd.Timedelta(hours=1), pd.Timedelta(minutes=5)),
    (6.0, pd.Timedelta(hours=6), pd.Timedelta(minutes=30)),
    (3.0, pd.Timedelta(days=1), pd.Timedelta(hours=2)),
    (1.0, pd.Timedelta(days=3), pd.Timedelta(hours=6)),
)
LEAD, OVERLAP = pd.Timedelta(minutes=5), 0.5  # a tenant's outage that began so early and overlaps so much goes with it
_NEVER = pd.Timestamp.max.floor("us").tz_localize("UTC")
_DAY, _HOUR, _MINUTE = pd.Timedelta(days=1), pd.Timedelta(hours=1), pd.Timedelta(minutes=1)


def global_readiness(samples: pd.DataFrame, up: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """The platform's readiness over time: the least of its instances, not ready where all targets are down.

    `samples` of the global gauge, staleness markers included; `states` as `telemetry.job_states`
    gives them. What an instance said holds until its next scrape, a marker or a failed scrape. Down
    counts a job that ever exported the gauge; where none did, any.

    Columns: start, end, ready; neighbouring stretches, and what lies in none of them is unknown.
    """
    failed = with_text(up.loc[up["value"] == 0, ["time", *TARGET]], TARGET)
    gauges = with_text(samples[["series_id", *TARGET]].drop_duplicates("series_id"), TARGET)
    cut = failed.merge(gauges, on=TARGET)[["series_id", "time"]].assign(value=np.nan)
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

    The window counts from the first time that anything is known of it. What nobody saw is neither
    up nor down: `low` takes all of it for down, `high` for up.

    Columns: since, availability, low, high, seen_minutes, not_ready_minutes, unknown_minutes,
    seen_share.
    """
    end = pd.Timestamp(window.end)
    since = max(pd.Timestamp(window.start), readiness["start"].min()) if len(readiness) else end
    edges = pd.DatetimeIndex([min(since, end), end])
    ready, down = (seconds_within(readiness[readiness["ready"] == state], edges)[0] / 60 for state in (1, 0))
    whole, seen = (edges[1] - edges[0]).total_seconds() / 60, ready + down
    row: dict[str, Any] = {"since": since, "seen_minutes": seen, "not_ready_minutes": down}
    row |= {"unknown_minutes": max(whole - seen, 0.0), "seen_share": seen / whole if whole else 0.0}
    if seen:
        row |= {"availability": ready / seen, "low": ready / whole, "high": 1 - down / whole}
    return typed([row], availability)


def daily_availability(readiness: pd.DataFrame) -> pd.DataFrame:
    """Availability by day, from the first to the last day of which anything was seen.

    Columns: day, seen_minutes, availability.
    """
    if readiness.empty:
        return typed([], daily_availability)
    days = pd.date_range(readiness["start"].min().floor("D"), readiness["end"].max().ceil("D"), freq="D", unit="us")
    seen = seconds_within(readiness, days) / 60
    ready = seconds_within(readiness[readiness["ready"] == 1], days) / 60
    found = pd.DataFrame({"day": days[:-1], "seen_minutes": seen, "ready": ready})
    return typed(found.assign(availability=found["ready"] / found["seen_minutes"]), daily_availability)


def rolling_availability(readiness: pd.DataFrame, *, days: int = 30) -> pd.DataFrame:
    """Availability over the `days` days that end with each day.

    Columns: day, availability, seen_minutes.
    """
    daily = daily_availability(readiness)
    seen = daily["seen_minutes"].rolling(days, min_periods=1).sum()
    ready = (daily["seen_minutes"] * daily["availability"]).fillna(0.0).rolling(days, min_periods=1).sum()
    rows = {"day": daily["day"] + _DAY, "seen_minutes": seen, "availability": ready / seen.where(seen > 0)}
    return typed(rows, rolling_availability)


def error_budget(readiness: pd.DataFrame, window: Window, *, slo: float) -> pd.DataFrame:
    """What an objective allows over a window, and what is used of it, as one row.

    The budget is (1 - slo) of the window's time (Google, Site Reliability Engineering, chapter 3).

    Columns: availability, allowed_minutes, used_minutes, remaining_share.
    """
    measured = availability(readiness, window).iloc[0]
    allowed = (1 - slo) * window.duration.total_seconds() / 60
    used = measured["not_ready_minutes"] if measured["seen_minutes"] else np.nan
    left = 1 - used / allowed if allowed else np.nan
    return typed([(measured["availability"], allowed, used, left)], error_budget)


def burn_rates(readiness: pd.DataFrame, *, slo: float, at: pd.Timestamp) -> pd.DataFrame:
    """How many times faster than allowed the error budget burns before `at`, over the Workbook's pairs of windows.

    Columns: threshold, long_hours, burn_long, burn_short, burning.
    """
    rows = []
    for threshold, long, short in PAIRS:
        burns = _burns(readiness, pd.DatetimeIndex([at]), (threshold, long, short), slo).iloc[0]
        burning = burns["burning"] if burns.notna().all() else pd.NA
        rows.append((threshold, long / _HOUR, burns["long"], burns["short"], burning))
    return typed(rows, burn_rates)


def burn_stretches(readiness: pd.DataFrame, window: Window, *, slo: float, days: int = 30) -> pd.DataFrame:
    """Stretches of a window in which the budget burnt faster than a pair's threshold, judged at each minute.

    Columns: threshold, long_hours, start, end, most, budget_share.
    """
    now = pd.date_range(window.start, window.end, freq="min", unit="us", inclusive="right")
    parts = []
    for threshold, long, short in PAIRS:
        burns = _burns(readiness, now, (threshold, long, short), slo)
        burns = burns.assign(at=now, next=now.to_series().shift(-1).array)
        found = burns[burns["burning"]].groupby((~burns["burning"]).cumsum())
        found = found.agg(start=("at", "first"), end=("next", lambda after: after.iloc[-1]), most=("long", "max"))
        share = found["most"] * (long / (days * _DAY))
        parts.append(found.assign(threshold=threshold, long_hours=long / _HOUR, budget_share=share))
    found = typed(parts, burn_stretches)
    return found.sort_values(["start", "threshold"], ascending=[True, False], ignore_index=True)


def _burns(
    readiness: pd.DataFrame, now: pd.DatetimeIndex, pair: tuple[float, pd.Timedelta, pd.Timedelta], slo: float
) -> pd.DataFrame:
    """Rates over a pair's `long` and `short` window, and where both are over its threshold as `burning`.

    A rate is the share of the time seen before each of `now` that was not ready, as a multiple of
    what is allowed. One lost scrape burns nothing.
    """
    found, lost = pd.DataFrame(index=range(len(now))), np.zeros(len(now))
    for name, over in (("short", pair[2]), ("long", pair[1])):
        down = readiness[readiness["ready"] == 0]
        lost, seen = (seconds_before(part, now) - seconds_before(part, now - over) for part in (down, readiness))
        found[name] = np.divide(lost, seen * (1 - slo), out=np.full(len(now), np.nan), where=seen > 0)
    over_both = (found["short"] > pair[0]) & (found["long"] > pair[0])
    return found.assign(burning=over_both & (lost > OUTAGE_MINUTES * 60))


def outages(readiness: pd.DataFrame) -> pd.DataFrame:
    """When the platform was not ready: from the first scrape that showed it to the first that showed it ready again.

    What nobody saw ends no outage, and counts for none of its minutes.

    Columns: start, end, minutes.
    """
    down = (readiness["ready"] == 0).to_numpy()
    number = (~down).cumsum()[down]
    own = readiness[down].assign(minutes=lambda frame: (frame["end"] - frame["start"]) / _MINUTE)
    found = own.groupby(number).agg(start=("start", "first"), minutes=("minutes", "sum"))
    # The stretch that follows is the one with the next number.
    ready = readiness["start"][~down].reset_index(drop=True)
    return typed(found.assign(end=ready.reindex(found.index).to_numpy()).reset_index(drop=True), outages)


def tenant_outages(samples: pd.DataFrame) -> pd.DataFrame:
    """When a tenant was not ready; what several instances tell at once is one outage.

    Columns: tenant, instances, start, end, minutes.
    """
    keys = ["tenant", "instance"]
    known = samples.loc[samples["value"].notna(), ["time", "value", *keys]]
    gauge = known.assign(series_id=known.groupby(keys, observed=True).ngroup())
    low = gauge["series_id"].isin(gauge.loc[gauge["value"] == 0, "series_id"].unique())
    gauge = gauge[low].sort_values(["series_id", "time"], ignore_index=True)
    down, other = gauge["value"] == 0, gauge["series_id"].diff().ne(0)
    gauge["outage"] = (down & (other | ~down.shift(fill_value=False))).cumsum()
    gauge["next"] = gauge.groupby("series_id")["time"].shift(-1)
    held = holds(gauge, only=0.0)
    held["minutes"] = (held["end"] - held["start"]) / _MINUTE
    apart = held.groupby("outage").agg(
        **{name: (name, "first") for name in (*keys, "start")},
        end=("next", lambda after: after.iloc[-1]),
        minutes=("minutes", "sum"),
    )
    return _together(typed(apart, dict.fromkeys(keys, "str") | columns_of(outages)))


def _together(apart: pd.DataFrame) -> pd.DataFrame:
    """Outages of one tenant that overlap, as one."""
    rows = apart.sort_values(["tenant", "start", "instance"], ignore_index=True)
    rows["end"] = rows["end"].fillna(_NEVER)
    reached = rows.groupby("tenant")["end"].cummax().groupby(rows["tenant"]).shift()
    group = (~(rows["start"] <= reached)).cumsum()
    rows["minutes"] += (rows["start"] - rows.groupby(group)["start"].transform("first")) / _MINUTE
    found = rows.groupby(group).agg(
        tenant=("tenant", "first"),
        instances=("instance", "nunique"),
        start=("start", "first"),
        end=("end", "max"),
        minutes=("minutes", "max"),
    )
    found["end"] = found["end"].where(found["end"] < _NEVER)
    return typed(found, tenant_outages).sort_values(["start", "tenant"], ignore_index=True)


def isolation_breaches(
    global_outages: pd.DataFrame, tenant_outages: pd.DataFrame, *, seen: int, end: pd.Timestamp
) -> pd.DataFrame:
    """For each global outage, which tenants were not ready with it, and whether it came from one of them.

    `seen` is the number of tenants. A tenant goes with an outage if its own began from five minutes
    before to a minute after, and if they overlap by half. What has not ended lasts to `end`.

    Columns: start, end, verdict, tenants, seen, nearest, lead_seconds, overlap.
    """
    closed = tenant_outages.assign(end=tenant_outages["end"].fillna(end), nearest=as_text(tenant_outages["tenant"]))
    rows: list[dict[str, Any]] = []
    for start, ended in zip(global_outages["start"], global_outages["end"].fillna(end), strict=True):
        near = closed[closed["start"].between(start - LEAD, start + _MINUTE)]
        both = near["end"].clip(upper=ended) - near["start"].clip(lower=start)
        either = near["end"].clip(lower=ended) - near["start"].clip(upper=start)
        near = near.assign(overlap=both / either, lead_seconds=(start - near["start"]).dt.total_seconds())
        near = near[near["overlap"] >= OVERLAP].sort_values(
            ["overlap", "start", "nearest"], ascending=[False, True, True]
        )
        tenants = near["nearest"].nunique()
        row = {"start": start, "end": ended, "seen": seen, "tenants": tenants, "verdict": "alone", "nearest": ""}
        if tenants:
            row |= near[["nearest", "lead_seconds", "overlap"]].iloc[0].to_dict()
            row["verdict"] = "tenant" if tenants < FEW * seen else "platform"
        rows.append(row)
    return typed(rows, isolation_breaches)


def transitions(steps: pd.DataFrame) -> pd.DataFrame:
    """Flips of the global readiness by hour.

    `steps` as `counters.counter_steps` gives them. Steps of several instances that may show the
    same flips, since their times overlap, count once: those of the instance that saw most.

    Columns: hour, transitions.
    """
    hours = pd.Index(steps["time"].dt.floor("h").unique(), name="hour").sort_values()
    risen = with_text(steps[steps["step"] > 0], TARGET).sort_values("before")
    risen["together"] = (risen["before"] >= risen["time"].cummax().shift()).cumsum()
    risen = risen.set_index(["together", *TARGET]).sort_index()
    most = risen.groupby(level=[0, 1, 2])["step"].sum().groupby(level=0).idxmax()
    own = risen[risen.index.isin(most)]
    by_hour = own.groupby(own["time"].dt.floor("h"))["step"].sum()
    return typed(by_hour.reindex(hours, fill_value=0.0).rename("transitions").reset_index(), transitions)


def check_latency(bucket_hours: pd.DataFrame, *, quantile: float = 0.95) -> pd.DataFrame:
    """A quantile of the readiness check's duration by hour, over all instances.

    Prometheus' `histogram_quantile` (promql/quantile.go): linear within the bucket that holds the
    quantile, the last finite bound where it lies beyond, and nothing without a bucket `+Inf`.

    Columns: hour, seconds; an hour without a check has no row.
    """
    # By number, since '1' and '1.0' are one bound.
    bound = pd.to_numeric(as_text(bucket_hours["le"]), errors="coerce").rename("le")
    table = bucket_hours.groupby(["hour", bound], observed=True)["increase"].sum().unstack("le", fill_value=0.0)
    bounds = table.columns.to_numpy(dtype="float64")
    if len(bounds) < 2 or not np.isinf(bounds[-1]):
        return typed([], check_latency)
    # Instances may have different bounds: their sums grow with the bound all the same.
    within = np.maximum.accumulate(table.to_numpy(), axis=1)
    uppers, seconds = np.append(0.0, bounds[:-1]), np.full(len(within), np.nan)
    for number, row in enumerate(within):
        rank, counts = quantile * row[-1], np.append(0.0, row[:-1])
        bucket = int(np.searchsorted(row[:-1], rank))
        seconds[number] = uppers[-1]
        if bucket < len(row) - 1 and row[-1]:
            width, share = uppers[bucket + 1] - uppers[bucket], rank - counts[bucket]
            seconds[number] = uppers[bucket] + width * share / (counts[bucket + 1] - counts[bucket])
    found = pd.DataFrame({"hour": table.index, "seconds": seconds})
    return typed(found[within[:, -1] > 0].reset_index(drop=True), check_latency)


def tenant_availability(hours: pd.DataFrame) -> pd.DataFrame:
    """Availability of each tenant, each hour weighed by the time that its samples span; the least available first.

    Columns: tenant, samples, availability, transitions.
    """
    there = hours[hours["samples"] > 0]
    # An hour of n samples spans n steps, of which its first and last sample show n - 1.
    shown = (there["last_ts"] - there["first_ts"]).dt.total_seconds()
    seconds = (shown * there["samples"] / (there["samples"] - 1).clip(lower=1)).clip(lower=1.0)
    weighed = there.assign(seconds=seconds, ready=seconds * there["sum"] / there["samples"])
    found = weighed.groupby("tenant", observed=True)[["samples", "seconds", "ready", "changes"]].sum().reset_index()
    found = found.assign(availability=found["ready"] / found["seconds"], transitions=found["changes"])
    return typed(found, tenant_availability).sort_values(["availability", "tenant"], ignore_index=True)
