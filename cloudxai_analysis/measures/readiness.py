"""Readiness: availability, the error budget and how fast it burns, outages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TARGET, TIME, as_text, ordered, typed, with_text
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
    """The platform's readiness: the least of its instances, not ready where all targets are down.

    `samples` of the global gauge, staleness markers included; `states` as of
    `telemetry.job_states`, of which those count that ever exported the gauge; where none did, any.

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
    """Availability over a window, as one row: the share of the time seen that was ready.

    The window counts from the first time that anything is known of it. `low` takes what nobody saw
    for down, `high` for up.

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
    """What an objective allows over a window and what is used, as one row (Google, SRE, chapter 3).

    Columns: availability, allowed_minutes, used_minutes, remaining_share.
    """
    measured = availability(readiness, window).iloc[0]
    allowed = (1 - slo) * window.duration.total_seconds() / 60
    used = measured["not_ready_minutes"] if measured["seen_minutes"] else np.nan
    left = 1 - used / allowed if allowed else np.nan
    return typed([(measured["availability"], allowed, used, left)], error_budget)


def burn_rates(readiness: pd.DataFrame, *, slo: float, at: pd.Timestamp) -> pd.DataFrame:
    """How many times too fast the budget burns before `at`, over the Workbook's pairs of windows.

    Columns: threshold, long_hours, burn_long, burn_short, burning.
    """
    parts = [_burns(readiness, pd.DatetimeIndex([at]), pair, slo) for pair in PAIRS]
    found = pd.concat(parts).rename(columns={"long": "burn_long", "short": "burn_short"})
    known = found[["burn_long", "burn_short"]].notna().all(axis=1)
    return typed(found.assign(burning=found["burning"].astype("boolean").where(known)).reset_index(), burn_rates)


def burn_stretches(readiness: pd.DataFrame, window: Window, *, slo: float, days: int = 30) -> pd.DataFrame:
    """Stretches of a window in which the budget burnt faster than a pair's threshold, by minute.

    Columns: threshold, long_hours, start, end, most, budget_share.
    """
    now = pd.date_range(window.start, window.end, freq="min", unit="us", inclusive="right")
    parts = []
    for pair in PAIRS:
        burns = _burns(readiness, now, pair, slo).assign(at=now, next=now.to_series().shift(-1).array)
        found = burns[burns["burning"]].groupby((~burns["burning"]).cumsum())
        found = found.agg(start=("at", "first"), end=("next", lambda after: after.iloc[-1]), most=("long", "max"))
        share = found["most"] * (pair[1] / (days * _DAY))
        parts.append(found.assign(threshold=pair[0], long_hours=pair[1] / _HOUR, budget_share=share))
    return typed(parts, burn_stretches, by="start -threshold")


def _burns(
    readiness: pd.DataFrame, now: pd.DatetimeIndex, pair: tuple[float, pd.Timedelta, pd.Timedelta], slo: float
) -> pd.DataFrame:
    """Rates over a pair's `long` and `short` window; `burning` where both are over its threshold.

    A rate is the share of the time seen before each of `now` that was not ready, as a multiple of
    what is allowed. One lost scrape burns nothing.
    """
    threshold, long, short = pair
    found, lost = pd.DataFrame({"threshold": threshold, "long_hours": long / _HOUR}, range(len(now))), np.empty(0)
    for name, over in (("short", short), ("long", long)):
        down = readiness[readiness["ready"] == 0]
        lost, seen = (seconds_before(part, now) - seconds_before(part, now - over) for part in (down, readiness))
        found[name] = np.divide(lost, seen * (1 - slo), out=np.full(len(now), np.nan), where=seen > 0)
    return found.assign(burning=(found[["short", "long"]] > threshold).all(axis=1) & (lost > OUTAGE_MINUTES * 60))


def outages(readiness: pd.DataFrame) -> pd.DataFrame:
    """When the platform was not ready: from the scrape that showed it to the next that did not.

    What nobody saw ends no outage, and counts for none of its minutes.

    Columns: start, end, minutes.
    """
    return typed(_outages(readiness, pd.Series("", readiness.index)), outages)


def _outages(readiness: pd.DataFrame, of: pd.Series) -> pd.DataFrame:
    """The same of each that `of` names, row by row, whose stretches stand together by time."""
    down, other = readiness["ready"] == 0, of != of.shift()
    rows = readiness.assign(of=of, next=readiness["start"].groupby(of).shift(-1))
    rows["minutes"] = (rows["end"] - rows["start"]) / _MINUTE
    number = (down & (other | ~down.shift(fill_value=False))).cumsum()[down]
    ends = {"end": ("next", lambda following: following.iloc[-1]), "minutes": ("minutes", "sum")}
    return rows[down].groupby(number).agg(of=("of", "first"), start=("start", "first"), **ends)


def tenant_outages(samples: pd.DataFrame) -> pd.DataFrame:
    """When a tenant was not ready; what several instances tell at once is one outage.

    Columns: tenant, instances, start, end, minutes.
    """
    keys = ["tenant", "instance"]
    known = samples.loc[samples["value"].notna(), ["time", "value", *keys]]
    gauge = known.assign(series_id=known.groupby(keys, observed=True).ngroup())
    low = gauge[gauge["series_id"].isin(gauge.loc[gauge["value"] == 0, "series_id"])]
    if low.empty:
        return typed([], tenant_outages)
    held = holds(low).rename(columns={"value": "ready"})
    names = with_text(low.drop_duplicates("series_id"), keys).set_index("series_id")[keys]
    rows = _outages(held, held["series_id"]).join(names, on="of").reset_index(drop=True)
    rows["end"] = _told_again(rows, held.groupby("series_id")["end"].max(), known)
    # One that goes on to the data's end holds whatever follows.
    rows = rows.assign(end=rows["end"].fillna(_NEVER)).sort_values(["tenant", "start", "instance"], ignore_index=True)
    reached = rows.groupby("tenant")["end"].cummax().groupby(rows["tenant"]).shift()
    apart = rows.groupby((~(rows["start"] <= reached)).cumsum())
    found = apart.agg(
        tenant=("tenant", "first"), instances=("instance", "nunique"), start=("start", "first"), end=("end", "max")
    )
    found["end"] = found["end"].where(found["end"] < _NEVER)
    found = ordered(found, "start tenant")
    return typed(found.assign(minutes=_seen_minutes(with_text(held, ["tenant"]), found)), tenant_outages)


def _told_again(outages: pd.DataFrame, held_until: pd.Series, known: pd.DataFrame) -> pd.Series:
    """Their ends; where the instance went while not ready, the tenant's next sample, of another one."""
    # Where no outage has an end, there is no time to infer a type from.
    ends = pd.to_datetime(outages["end"], utc=True).astype(TIME)
    gone = outages.assign(gone=outages["of"].map(held_until), row=outages.index)[ends.isna()].sort_values("gone")
    told = with_text(known, ["tenant"])[["tenant", "time"]].sort_values("time")
    after = pd.merge_asof(
        gone, told, left_on="gone", right_on="time", by="tenant", direction="forward", allow_exact_matches=False
    )
    return ends.fillna(pd.Series(after["time"].array, index=after["row"]).astype(TIME))


def _seen_minutes(held: pd.DataFrame, outages: pd.DataFrame) -> pd.Series:
    """How long each was seen: a minute that two instances tell counts once, one that none tells not at all."""
    down = held[held["ready"] == 0].sort_values("start", kind="stable", ignore_index=True)
    reached = down.groupby("tenant")["end"].cummax().groupby(down["tenant"]).shift()
    begin = down["start"].where(~(reached > down["start"]), reached)
    minutes = ((down["end"] - begin) / _MINUTE).clip(lower=0.0)
    whose = pd.merge_asof(
        down[["tenant", "start"]], outages.reset_index()[["index", "tenant", "start"]], on="start", by="tenant"
    )
    return minutes.groupby(whose["index"]).sum().reindex(outages.index, fill_value=0.0)


def isolation_breaches(
    global_outages: pd.DataFrame, tenant_outages: pd.DataFrame, *, seen: int, end: pd.Timestamp
) -> pd.DataFrame:
    """For each global outage, which tenants were not ready with it, and whether one made it.

    `seen` is the number of tenants. What has not ended lasts to `end`.

    Columns: start, end, verdict, tenants, seen, nearest, lead_seconds, overlap.
    """
    closed = tenant_outages.assign(end=tenant_outages["end"].fillna(end), nearest=as_text(tenant_outages["tenant"]))
    rows: list[dict[str, Any]] = []
    for start, ended in zip(global_outages["start"], global_outages["end"].fillna(end), strict=True):
        near = closed[closed["start"].between(start - LEAD, start + _MINUTE)]
        both = near["end"].clip(upper=ended) - near["start"].clip(lower=start)
        either = near["end"].clip(lower=ended) - near["start"].clip(upper=start)
        near = near.assign(overlap=both / either, lead_seconds=(start - near["start"]).dt.total_seconds())
        near = ordered(near[near["overlap"] >= OVERLAP], "-overlap start nearest")
        tenants = near["nearest"].nunique()
        row = {"start": start, "end": ended, "seen": seen, "tenants": tenants, "verdict": "alone", "nearest": ""}
        if tenants:
            row |= near[["nearest", "lead_seconds", "overlap"]].iloc[0].to_dict()
            row["verdict"] = "tenant" if tenants < FEW * seen else "platform"
        rows.append(row)
    return typed(rows, isolation_breaches)


def transitions(steps: pd.DataFrame) -> pd.DataFrame:
    """Flips of the global readiness by hour; what several instances may show counts once.

    `steps` as `counters.counter_steps` gives them.

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
    """A quantile of the readiness check's duration by hour, as Prometheus' promql/quantile.go does.

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
    """Availability of each tenant, hours weighed by the time that samples span; the least first.

    Columns: tenant, samples, availability, transitions.
    """
    there = hours[hours["samples"] > 0]
    # An hour of n samples spans n steps, of which its first and last sample show n - 1.
    shown = (there["last_ts"] - there["first_ts"]).dt.total_seconds()
    seconds = (shown * there["samples"] / (there["samples"] - 1).clip(lower=1)).clip(lower=1.0)
    weighed = there.assign(seconds=seconds, ready=seconds * there["sum"] / there["samples"])
    found = weighed.groupby("tenant", observed=True)[["samples", "seconds", "ready", "changes"]].sum().reset_index()
    found = found.assign(availability=found["ready"] / found["seconds"], transitions=found["changes"])
    return typed(found, tenant_availability, by="availability tenant")
