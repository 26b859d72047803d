"""Tenant labels: how many are active and held, how near the cap, who comes and who goes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.window import WEEK, Window

_TARGET = ["job", "instance"]
_ACTIVE = {"hour": TIME, "tenants": "int64"}
_ARRIVALS = {
    "job": "str",
    "instance": "str",
    "started_at": TIME,
    "tenant": "str",
    "seen_at": TIME,
    "last_seen": TIME,
}
_HELD = {"job": "str", "instance": "str", "hour": TIME, "held": "int64"}
_HEADROOM = {"hour": TIME, "headroom": "int64", "job": "str", "instance": "str", "held": "int64"}
_CHURN = {"day": TIME, "tenants": "int64", "came": "float64", "left": "float64", "churn": "float64"}
_SETS = {"tenant": "str", "set": "str", "first_seen": TIME, "last_seen": TIME}
_REJECTIONS = {"hour": TIME, "job": "str", "instance": "str", "rejections": "float64"}
_HOUR = pd.Timedelta(hours=1)
_NAIVE = "datetime64[us]"  # searched as plain integers, in UTC


def active_tenants(hours: pd.DataFrame) -> pd.DataFrame:
    """Distinct tenants with a sample in each hour; hours of several tenant metrics may be joined before.

    Columns: hour, tenants. An hour without any sample has no row.
    """
    there = hours[hours["samples"] > 0]
    found = there.groupby("hour", observed=True)["tenant"].nunique().rename("tenants").reset_index()
    return typed(found, _ACTIVE)


def tenant_arrivals(hours: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """When each process first saw each tenant since it began.

    `starts` as `process_starts` gives them; where a target has none, all its samples are of one process whose start is
    unknown. In the hour of a restart, a tenant that is seen after it counts from the restart's first sample on.

    Columns: job, instance, started_at (NaT: unknown), tenant, seen_at, last_seen.
    """
    there = hours[hours["samples"] > 0]
    parts = [
        _arrivals_at(own, starts[(starts["job"] == job) & (starts["instance"] == instance)]).assign(
            job=str(job), instance=str(instance)
        )
        for (job, instance), own in there.groupby(_TARGET, observed=True)
    ]
    if not parts:
        return typed([], _ARRIVALS)
    return typed(pd.concat(parts, ignore_index=True), _ARRIVALS)


def _arrivals_at(own: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    starts = starts.sort_values("seen_at", ignore_index=True)
    # One more run in front, for samples before the first known start.
    seen = starts["seen_at"].to_numpy(_NAIVE)
    first, last = own["first_ts"].to_numpy(_NAIVE), own["last_ts"].to_numpy(_NAIVE)
    first_run, last_run = np.searchsorted(seen, first, side="right"), np.searchsorted(seen, last, side="right")
    before = pd.DataFrame({"run": first_run, "tenant": own["tenant"].to_numpy(), "seen_at": first, "last_seen": last})
    later = before[last_run > first_run].copy()
    later["run"] = last_run[last_run > first_run]
    if len(later):
        later["seen_at"] = seen[later["run"] - 1]
        cut = last_run > first_run
        before.loc[cut, "last_seen"] = before.loc[cut, "seen_at"]
    runs = pd.concat([before, later], ignore_index=True).groupby(["run", "tenant"], observed=True)
    found = runs.agg(seen_at=("seen_at", "min"), last_seen=("last_seen", "max")).reset_index()
    known = pd.concat([pd.Series([pd.NaT], dtype=TIME), starts["started_at"]], ignore_index=True)
    for column in ("seen_at", "last_seen"):
        found[column] = found[column].dt.tz_localize("UTC")
    return found.assign(started_at=known.iloc[found["run"]].array)


def held_tenants(arrivals: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Distinct tenants that each process had seen since its start, at the end of every hour of the window.

    From a target's first tenant to the last sample of its last one.

    Columns: job, instance, hour (start), held.
    """
    ends = pd.date_range(window.start, window.end, freq="h", unit="us")[1:]
    parts = []
    for (job, instance), own in arrivals.groupby(_TARGET, observed=True):
        runs = sorted(own.groupby(own["started_at"].fillna(pd.Timestamp(0, tz="UTC"))), key=lambda run: run[0])
        begins = [run["seen_at"].min() for _, run in runs]
        kept = ends[(ends > begins[0]) & (ends - _HOUR <= own["last_seen"].max())]
        at = kept.to_numpy(_NAIVE)
        of_run = np.searchsorted(pd.DatetimeIndex(begins).to_numpy(_NAIVE), at, side="left") - 1
        held = np.zeros(len(kept), dtype="int64")
        for number, (_, run) in enumerate(runs):
            mine = of_run == number
            held[mine] = np.searchsorted(np.sort(run["seen_at"].to_numpy(_NAIVE)), at[mine], side="left")
        parts.append(pd.DataFrame({"job": job, "instance": instance, "hour": kept - _HOUR, "held": held}))
    return typed(pd.concat(parts, ignore_index=True) if parts else [], _HELD)


def headroom(held: pd.DataFrame, *, cap: int) -> pd.DataFrame:
    """The smallest, over processes, of `cap` minus held tenants, hour by hour.

    Columns: hour, headroom, job, instance, held (of the process with the least).
    """
    fullest = held.sort_values(["hour", "held", "instance"], ascending=[True, False, True]).drop_duplicates("hour")
    return typed(fullest.assign(headroom=cap - fullest["held"]).reset_index(drop=True), _HEADROOM)


def tenant_churn(hours: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    """Tenants that came and left against the day before, as a share of the tenants of either day.

    Columns: day, tenants, came, left, churn (0 to 1); came, left and churn are NaN on the first day, on an uncovered
    one and on the day after one. Days are those of `covered`.
    """
    days = pd.DatetimeIndex(covered["day"]).as_unit("us")
    there = hours.loc[hours["samples"] > 0, ["hour", "tenant"]]
    pairs = pd.DataFrame({"day": there["hour"].dt.floor("D"), "tenant": there["tenant"].astype("str")})
    seen = pd.crosstab(pairs["day"], pairs["tenant"]).reindex(days, fill_value=0).to_numpy() > 0
    before = np.vstack([np.zeros((1, seen.shape[1]), dtype=bool), seen[:-1]]) if len(days) else seen
    sure = covered["covered"].to_numpy(dtype=bool)
    known = sure & np.concatenate([[False], sure[:-1]]) if len(days) else sure
    came, left, either = (seen & ~before).sum(1), (before & ~seen).sum(1), (seen | before).sum(1)
    found = pd.DataFrame({"day": days, "tenants": seen.sum(1), "came": came, "left": left})
    found["churn"] = np.divide(came + left, either, out=np.full(len(days), np.nan), where=either > 0)
    found = typed(found, _CHURN)
    found.loc[~known, ["came", "left", "churn"]] = np.nan
    return found


def tenant_sets(hours: pd.DataFrame, week: Window) -> pd.DataFrame:
    """The tenants of a week and of the one before, each in one set.

    Columns: tenant, set ('new': never before in `hours`; 'returning': before, but not in the week before; 'stayed';
    'lost': only in the week before), first_seen, last_seen (up to the week's end).
    """
    there = hours[(hours["samples"] > 0) & (hours["hour"] < week.end)]
    span = there.groupby("tenant", observed=True).agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max"))
    current = span.index.isin(_tenants(there, week.start, week.end))
    last_week = span.index.isin(_tenants(there, week.start - WEEK, week.start))
    earlier = span.index.isin(_tenants(there, None, week.start))
    span["set"] = np.select(
        [current & ~earlier, current & last_week, current, last_week], ["new", "stayed", "returning", "lost"], ""
    )
    found = span[span["set"] != ""].reset_index().sort_values(["set", "tenant"], ignore_index=True)
    return typed(found, _SETS)


def _tenants(hours: pd.DataFrame, start: object, end: object) -> pd.Series:
    inside = hours["hour"] < end
    if start is not None:
        inside &= hours["hour"] >= start
    return hours.loc[inside, "tenant"].unique()


def rejections(hours: pd.DataFrame) -> pd.DataFrame:
    """Requests that each process's guard refused, hour by hour.

    Columns: hour, job, instance, rejections.
    """
    total = hours.groupby(["hour", *_TARGET], observed=True)["increase"].sum()
    return typed(total.rename("rejections").reset_index(), _REJECTIONS)
