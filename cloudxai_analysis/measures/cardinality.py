"""Tenant labels: how many are active and held, how near the cap, who comes and who goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.measures.counters import readable
from cloudxai_analysis.measures.frames import TIME, distinct, typed

_TARGET = ["job", "instance"]
_HOUR = pd.Timedelta(hours=1)
_CLOCK = pd.Timedelta(minutes=1)
_NAIVE = "datetime64[us]"  # searched as plain integers, in UTC


@dataclass(frozen=True)
class Run:
    """One process from start to end: since when, when it first saw each tenant, and whether it was seen from its start.

    Seen from its start it was if a tenant showed within an hour of it: else it may hold more than the samples know.
    """

    begin: pd.Timestamp
    seen: NDArray[np.datetime64]
    whole: bool


def active_tenants(hours: pd.DataFrame, generated: Collection[str] = ()) -> pd.DataFrame:
    """Distinct tenants with a sample in each hour; hours of several tenant metrics may be joined before.

    Columns: hour, tenants, generated (those of them that are among `generated`). An hour without any sample has no row.
    """
    there = hours[hours["samples"] > 0]
    found = distinct(there, by="hour", of="tenant").rename(columns={"number": "tenants"})
    apart = distinct(there[there["tenant"].isin(list(generated))], by="hour", of="tenant").set_index("hour")["number"]
    return typed(found.assign(generated=found["hour"].map(apart).fillna(0)), active_tenants)


def tenant_arrivals(hours: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """When each process first saw each tenant since it began.

    `starts` as `process_starts` gives them; where a target has none, all its samples are of one process whose start is
    unknown. In the hour of a restart, a tenant that is seen after it counts from the restart's first sample on. Behind
    an address that several processes share nobody is known to have arrived.

    Columns: job, instance, started_at (NaT: unknown), tenant, seen_at, last_seen.
    """
    there = readable(hours[hours["samples"] > 0], starts, at="first_ts")
    parts = [
        _arrivals_at(own, starts[(starts["job"] == job) & (starts["instance"] == instance)]).assign(
            job=str(job), instance=str(instance)
        )
        for (job, instance), own in there.groupby(_TARGET, observed=True)
    ]
    if not parts:
        return typed([], tenant_arrivals)
    return typed(pd.concat(parts, ignore_index=True), tenant_arrivals)


def _arrivals_at(own: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    starts = starts.sort_values("seen_at", ignore_index=True)
    # One more run in front, for samples before the first known start.
    began = starts["seen_at"].to_numpy(_NAIVE)
    first, last = own["first_ts"].to_numpy(_NAIVE), own["last_ts"].to_numpy(_NAIVE)
    first_run, last_run = np.searchsorted(began, first, side="right"), np.searchsorted(began, last, side="right")
    # An hour with restarts in it is one row for each of its runs.
    runs = last_run - first_run + 1
    row = np.repeat(np.arange(len(own)), runs)
    run = first_run[row] + np.arange(len(row)) - np.repeat(np.cumsum(runs) - runs, runs)
    seen_at = first[row].copy()
    later = run > first_run[row]
    seen_at[later] = began[run[later] - 1]
    parts = pd.DataFrame({"run": run, "tenant": own["tenant"].astype("category").array[row], "seen_at": seen_at})
    parts["last_seen"] = np.where(run == last_run[row], last[row], seen_at)
    found = parts.groupby(["run", "tenant"], observed=True).agg(
        seen_at=("seen_at", "min"), last_seen=("last_seen", "max")
    )
    found = found.reset_index()
    known = pd.concat([pd.Series([pd.NaT], dtype=TIME), starts["started_at"]], ignore_index=True)
    for column in ("seen_at", "last_seen"):
        found[column] = found[column].dt.tz_localize("UTC")
    return found.assign(started_at=known.iloc[found["run"]].array)


def process_runs(arrivals: pd.DataFrame, starts: pd.DataFrame) -> list[Run]:
    """The runs of one process by time, from its arrivals and starts; without a start the first tenant begins it."""
    runs: list[Run] = []
    alone = starts[(starts["processes"] == 1) & ~starts["started_at"].isin(arrivals["started_at"])]
    none = pd.DataFrame({"started_at": alone["started_at"], "seen_at": alone["seen_at"], "tenant": pd.NA})
    both = pd.concat([arrivals[["started_at", "seen_at", "tenant"]], none]) if len(none) else arrivals
    by_start = both.groupby(both["started_at"].fillna(pd.Timestamp(0, tz="UTC")))
    for started_at, own in sorted(by_start, key=lambda run: run[1]["seen_at"].min()):
        first_seen = own["seen_at"].min()
        # From its start on a process holds nothing, even if no tenant comes for hours; its clock may be slow.
        restarted = bool(runs) and runs[-1].begin < started_at
        begin = min(started_at + _CLOCK, first_seen) if restarted else first_seen
        whole = own["started_at"].notna().all() and first_seen - started_at <= _HOUR
        seen = np.sort(own.loc[own["tenant"].notna(), "seen_at"].to_numpy(_NAIVE))
        runs.append(Run(begin.tz_convert("UTC"), seen, bool(whole)))
    return runs


def held_at(runs: Sequence[Run], moments: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many tenants the run at each moment had seen by then, and which run that was; 0 and −1 before the first."""
    begins = pd.DatetimeIndex([run.begin for run in runs], tz="UTC").to_numpy(_NAIVE)
    of_run = np.searchsorted(begins, moments, side="right") - 1
    held = np.zeros(len(moments), dtype="int64")
    for number, run in enumerate(runs):
        mine = of_run == number
        held[mine] = np.searchsorted(run.seen, moments[mine], side="right")
    return held, of_run


def held_tenants(arrivals: pd.DataFrame, window: Window, starts: pd.DataFrame) -> pd.DataFrame:
    """Distinct tenants that each process had seen since its start, at the end of every hour of the window.

    Of an hour that the window cuts, at the window's end. `starts` as for `tenant_arrivals`: a process is there from its
    start until it is seen no more; without a start to the last hour with a tenant.

    Columns: job, instance, hour (start), held.
    """
    hourly = pd.date_range(window.start, window.end, freq="h", unit="us")[1:]
    ends = hourly.union(pd.DatetimeIndex([window.end]).as_unit("us"))
    known = starts[starts["processes"] == 1]
    parts = []
    for job, instance in pd.concat([arrivals[_TARGET], known[_TARGET]]).drop_duplicates().itertuples(index=False):
        own = arrivals[(arrivals["job"] == job) & (arrivals["instance"] == instance)]
        mine = known[(known["job"] == job) & (known["instance"] == instance)]
        runs = process_runs(own, mine)
        alive = np.asarray(ends - _HOUR <= own["last_seen"].max()) if mine.empty else np.zeros(len(ends), dtype=bool)
        for life in mine.itertuples():
            alive |= (ends > min(life.started_at + _CLOCK, life.seen_at)) & (ends <= life.until)
        kept = ends[alive & (ends > runs[0].begin)]
        # The hour's end belongs to the next hour.
        held, _ = held_at(runs, kept.to_numpy(_NAIVE) - np.timedelta64(1, "us"))
        hour = (kept - pd.Timedelta(microseconds=1)).floor("h")
        parts.append(pd.DataFrame({"job": job, "instance": instance, "hour": hour, "held": held}))
    return typed(pd.concat(parts, ignore_index=True) if parts else [], held_tenants)


def headroom(held: pd.DataFrame, *, cap: int, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """The smallest, over processes, of `cap` minus held tenants, hour by hour.

    `shown` as `guard_invariants` gives it: without a scrape that shows more tenants than the cap nothing is below 0.

    Columns: hour, headroom, job, instance, held (of the process with the least).
    """
    fullest = held.sort_values(["hour", "held", "instance"], ascending=[True, False, True]).drop_duplicates("hour")
    left = cap - fullest["held"]
    if shown is not None:
        most = fullest.merge(shown[[*_TARGET, "most_tenants"]], how="left", on=_TARGET)["most_tenants"].fillna(0)
        left = left.clip(lower=np.minimum(cap - most.to_numpy(), 0))
    return typed(fullest.assign(headroom=left).reset_index(drop=True), headroom)


def busiest(hours: pd.DataFrame, *, end: pd.Timestamp) -> int:
    """How many tenants one process shows in an hour: of each hour's busiest one, the median over the day to `end`."""
    recent = hours[(hours["samples"] > 0) & (hours["hour"] >= end - pd.Timedelta(days=1)) & (hours["hour"] < end)]
    shown = recent.groupby(["hour", *_TARGET], observed=True)["tenant"].nunique()
    return int(shown.groupby("hour").max().median()) if len(shown) else 0


def tenant_churn(hours: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    """Tenants that came and left against the day before, as a share of the tenants of either day.

    Columns: day, tenants, came, left, churn (0 to 1); came, left and churn are NaN on the first day, on an uncovered
    one and on the day after one. Days are those of `covered`.
    """
    covered = covered.sort_values("day", ignore_index=True)
    days = pd.DatetimeIndex(covered["day"]).as_unit("us")
    there = hours.loc[hours["samples"] > 0, ["hour", "tenant"]]
    tenant, row = there["tenant"].astype("category").cat, days.get_indexer(there["hour"].dt.floor("D"))
    seen = np.zeros((len(days), len(tenant.categories)), dtype=bool)
    seen[row[row >= 0], tenant.codes.to_numpy()[row >= 0]] = True
    before = np.vstack([np.zeros((1, seen.shape[1]), dtype=bool), seen[:-1]]) if len(days) else seen
    sure = covered["covered"].to_numpy(dtype=bool)
    # A day that is missing altogether is no covered one.
    follows = (covered["day"].diff() == pd.Timedelta(days=1)).to_numpy()
    known = sure & follows & np.concatenate([[False], sure[:-1]]) if len(days) else sure
    came, left, either = (seen & ~before).sum(1), (before & ~seen).sum(1), (seen | before).sum(1)
    found = pd.DataFrame({"day": days, "tenants": seen.sum(1), "came": came, "left": left})
    found["churn"] = np.divide(came + left, either, out=np.full(len(days), np.nan), where=either > 0)
    found = typed(found, tenant_churn)
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
    return typed(found, tenant_sets)


def _tenants(hours: pd.DataFrame, start: object, end: object) -> pd.Series:
    inside = hours["hour"] < end
    if start is not None:
        inside &= hours["hour"] >= start
    return hours.loc[inside, "tenant"].unique()


def rejections(steps: pd.DataFrame) -> pd.DataFrame:
    """Requests that each process's guard refused, hour by hour; `steps` of its counter as `counter_steps` gives them.

    Columns: hour, job, instance, rejections.
    """
    total = steps.groupby([steps["time"].dt.floor("h").rename("hour"), *_TARGET], observed=True)["step"].sum()
    return typed(total.rename("rejections").reset_index(), rejections)
