"""Tenant labels: how many are active and held, how near the cap, who comes and goes, what the guard does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import WEEK, Window, week_of
from cloudxai_analysis.measures.counters import readable
from cloudxai_analysis.measures.frames import TIME, typed

_TARGET = ["job", "instance"]
_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
_CLOCK = pd.Timedelta(minutes=1)
_NAIVE = "datetime64[us]"  # searched as plain integers, in UTC


class Run(NamedTuple):
    """One process from start to end: since when, when it first saw each tenant, and whether it was seen from its start.

    Seen from its start it was if a tenant showed within an hour of it: else it may hold more than the samples know.
    """

    begin: pd.Timestamp
    seen: NDArray[np.datetime64]
    whole: bool


def active_tenants(hours: pd.DataFrame, generated: Collection[str] = ()) -> pd.DataFrame:
    """Distinct tenants with a sample in each hour; hours of several tenant metrics may be joined before.

    Columns: hour, tenants, generated. An hour without any sample has no row.
    """
    there = hours.loc[hours["samples"] > 0, ["hour", "tenant"]].drop_duplicates()
    there["generated"] = there["tenant"].isin(list(generated))
    found = there.groupby("hour").agg(tenants=("tenant", "size"), generated=("generated", "sum"))
    return typed(found.reset_index(), active_tenants)


def tenant_arrivals(hours: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """When each process first saw each tenant since it began.

    Where a target has no start, all its samples are of one process. In the hour of a restart, a tenant that is seen
    after it counts from the restart's first sample on. Behind an address of several processes nobody arrives.

    Columns: job, instance, started_at, tenant, seen_at, last_seen.
    """
    there = readable(hours[hours["samples"] > 0], starts, at="first_ts")
    parts = []
    for (job, instance), own in there.groupby(_TARGET, observed=True):
        found = _arrivals_at(own, _of(starts, job, instance).sort_values("seen_at"))
        parts.append(found.assign(job=str(job), instance=str(instance)))
    return typed(pd.concat(parts, ignore_index=True) if parts else [], tenant_arrivals)


def _arrivals_at(own: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    # Runs are numbered from 1; 0 holds what was seen before the first known start.
    began = starts["seen_at"].to_numpy(_NAIVE)
    first, last = (own[name].to_numpy(_NAIVE) for name in ("first_ts", "last_ts"))
    first_run, last_run = (np.searchsorted(began, times, side="right") for times in (first, last))
    # An hour with restarts in it is one row for each of its runs.
    row = np.repeat(np.arange(len(own)), last_run - first_run + 1)
    run = first_run[row] + pd.Series(row).groupby(row).cumcount().to_numpy()
    seen_at = np.where(run > first_run[row], np.append(began[:1], began)[run] if len(began) else first[row], first[row])
    parts = pd.DataFrame({"run": run, "tenant": own["tenant"].astype("category").array[row], "seen_at": seen_at})
    parts["last_seen"] = np.where(run == last_run[row], last[row], seen_at)
    found = parts.groupby(["run", "tenant"], observed=True).agg({"seen_at": "min", "last_seen": "max"}).reset_index()
    known = pd.concat([pd.Series([pd.NaT], dtype=TIME), starts["started_at"]], ignore_index=True)
    times = {name: found[name].dt.tz_localize("UTC") for name in ("seen_at", "last_seen")}
    return found.assign(started_at=known.iloc[found["run"]].array, **times)


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

    A process is there from its start until it is seen no more; without a start to the last hour with a tenant.

    Columns: job, instance, hour, held.
    """
    ends = pd.date_range(window.start, window.end, freq="h", unit="us")[1:]
    ends = ends.union(pd.DatetimeIndex([window.end]).as_unit("us"))
    known = starts[starts["processes"] == 1]
    parts = []
    for job, instance in pd.concat([arrivals[_TARGET], known[_TARGET]]).drop_duplicates().itertuples(index=False):
        own, mine = _of(arrivals, job, instance), _of(known, job, instance)
        runs = process_runs(own, mine)
        alive = np.asarray(ends - _HOUR <= own["last_seen"].max()) & mine.empty
        for life in mine.itertuples():
            alive |= (ends > min(life.started_at + _CLOCK, life.seen_at)) & (ends <= life.until)
        # The hour's end belongs to the next hour.
        last = ends[alive & (ends > runs[0].begin)] - pd.Timedelta(microseconds=1)
        held, _ = held_at(runs, last.to_numpy(_NAIVE))
        parts.append(pd.DataFrame({"job": job, "instance": instance, "hour": last.floor("h"), "held": held}))
    return typed(pd.concat(parts, ignore_index=True) if parts else [], held_tenants)


def headroom(held: pd.DataFrame, *, cap: int, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """The smallest, over processes, of `cap` minus held tenants, hour by hour.

    `shown` as `guard_invariants` gives it: without a scrape that shows more tenants than the cap nothing is below 0.

    Columns: hour, headroom, job, instance, held.
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

    Columns: day, tenants, came, left, churn; came, left and churn are NaN on the first day, on an uncovered one and on
    the day after one. Days are those of `covered`.
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

    Columns: tenant, set, first_seen, last_seen.
    """
    there = hours[(hours["samples"] > 0) & (hours["hour"] < week.end)]
    span = there.groupby("tenant", observed=True).agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max"))
    before, begin = there["hour"] < week.start, there["hour"] < week.start - WEEK
    current, last_week, earlier = (
        span.index.isin(there.loc[some, "tenant"].unique()) for some in (~before, before & ~begin, before)
    )
    span["set"] = np.select(
        [current & ~earlier, current & last_week, current, last_week], ["new", "stayed", "returning", "lost"], ""
    )
    found = span[span["set"] != ""].reset_index().sort_values(["set", "tenant"], ignore_index=True)
    return typed(found, tenant_sets)


def tenant_cohorts(
    hours: pd.DataFrame, covered: pd.DataFrame, window: Window, *, begin: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Of those who came in a week, how many were still seen in each week after it, up to the window's end.

    Those of the week in which the telemetry begins (at `begin`, else with the first tenant) were already there.

    Columns: cohort, start, already_there, weeks_later, tenants, present, share.
    """
    there = hours[hours["samples"] > 0]
    if there.empty:
        return typed([], tenant_cohorts)
    seen = pd.DataFrame({"tenant": there["tenant"].astype("str"), "week": _week(there["hour"])}).drop_duplicates()
    first = seen.groupby("tenant")["week"].min()
    present = seen.groupby([seen["tenant"].map(first), "week"]).size()
    size = first.value_counts().sort_index()
    known = set(_week(covered.loc[covered["covered"].astype(bool), "day"]))
    weeks = pd.DatetimeIndex([one.start for one in Window(first.min().to_pydatetime(), window.end).weeks()])
    rows = [
        {
            "cohort": week_of(came.to_pydatetime()).name,
            "start": came,
            "already_there": came <= (begin or weeks[0]),
            "weeks_later": (later - came).days // 7,
            "tenants": many,
            "present": present.get((came, later), 0) if later in known else np.nan,
        }
        for came, many in size.items()
        for later in weeks[weeks >= came]
    ]
    found = pd.DataFrame(rows)
    return typed(found.assign(share=found["present"] / found["tenants"]), tenant_cohorts)


def _week(times: pd.Series) -> pd.Series:
    """The Monday of each moment's ISO week."""
    return (times - pd.to_timedelta(times.dt.day_of_week, unit="D")).dt.floor("D")


def tenant_lifetimes(
    hours: pd.DataFrame, *, end: pd.Timestamp, begin: pd.Timestamp | None = None, gone_after: pd.Timedelta = _DAY
) -> pd.DataFrame:
    """How long each tenant has been seen, from its first sample to its last.

    Columns: tenant, first_seen, last_seen, days, gone, already_there; the longest first.
    """
    there = hours[hours["samples"] > 0]
    span = there.groupby(there["tenant"].astype("str"))
    found = span.agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max")).rename_axis("tenant").reset_index()
    found["days"] = (found["last_seen"] - found["first_seen"]) / _DAY
    found["gone"] = found["last_seen"] < end - gone_after
    found["already_there"] = found["first_seen"] < (begin or found["first_seen"].min()) + pd.Timedelta(hours=1)
    return typed(found.sort_values(["days", "tenant"], ascending=[False, True], ignore_index=True), tenant_lifetimes)


def rejections(steps: pd.DataFrame) -> pd.DataFrame:
    """Requests that each process's guard refused, hour by hour; `steps` of its counter as `counter_steps` gives them.

    Columns: hour, job, instance, rejections.
    """
    total = steps.groupby([steps["time"].dt.floor("h").rename("hour"), *_TARGET], observed=True)["step"].sum()
    return typed(total.rename("rejections").reset_index(), rejections)


def refusals(steps: pd.DataFrame, *, apart_minutes: float = 60) -> pd.DataFrame:
    """Stretches in which a process's guard refused, with the exact number of refused requests.

    Steps no further apart than `apart_minutes` are one stretch.

    Columns: job, instance, start, end, rejections; by start.
    """
    risen = _refusing(steps)
    same = (risen[_TARGET] == risen[_TARGET].shift()).all(axis=1)
    stretch = (~(same & (risen["time"].diff() <= pd.Timedelta(minutes=apart_minutes)))).cumsum().rename("stretch")
    found = risen.groupby([*_TARGET, stretch]).agg(
        start=("time", "min"), end=("time", "max"), rejections=("step", "sum")
    )
    return typed(found.reset_index().sort_values(["start", "instance"], ignore_index=True), refusals)


def guard_invariants(
    tenant_samples: pd.DataFrame, arrivals: pd.DataFrame, steps: pd.DataFrame, *, cap: int, starts: pd.DataFrame
) -> pd.DataFrame:
    """The guard's two promises, per process: never more tenants than the cap, and refusals only at the cap.

    What each process showed, held and refused is laid side by side scrape by scrape. A refusal below the cap by a
    process that is older than the telemetry decides nothing: it may hold more than was seen.

    Columns: job, instance, most_tenants, most_at, within_cap, rejections, below_cap, below_cap_at, only_at_cap.
    """
    shown = tenant_samples.groupby([*_TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    shown = shown.reset_index().astype(dict.fromkeys(_TARGET, "str"))
    rows = shown.merge(_refusing(steps), how="outer", on=[*_TARGET, "time"]).sort_values("time", ignore_index=True)
    rows = rows.assign(held=0, whole=False)
    for (job, instance), own in rows.groupby(_TARGET):
        runs = process_runs(_of(arrivals, job, instance), _of(starts, job, instance))
        rows.loc[own.index, "held"], of_run = held_at(runs, own["time"].to_numpy(_NAIVE))
        rows.loc[own.index, "whole"] = np.array([*(run.whole for run in runs), False])[of_run]
    below = (rows["step"] > 0) & (rows["held"] < cap)
    rows["early"], rows["unsure"] = below & rows["whole"], below & ~rows["whole"]
    rows["most_at"] = rows["time"].where(rows["tenants"] == rows.groupby(_TARGET)["tenants"].transform("max"))
    rows["below"], rows["below_at"] = rows["step"].where(rows["early"]), rows["time"].where(rows["early"])
    found = rows.groupby(_TARGET, as_index=False).agg(
        most_tenants=("tenants", "max"),
        most_at=("most_at", "min"),
        rejections=("step", "sum"),
        below_cap=("below", "sum"),
        below_cap_at=("below_at", "min"),
        early=("early", "any"),
        unsure=("unsure", "any"),
    )
    found["most_tenants"] = found["most_tenants"].fillna(0)
    judged = (found["rejections"] > 0) & (found["early"] | ~found["unsure"])
    found["only_at_cap"] = (~found["early"]).astype("boolean").where(judged)
    return typed(found.assign(within_cap=found["most_tenants"] <= cap), guard_invariants)


def _of(frame: pd.DataFrame, job: Any, instance: Any) -> pd.DataFrame:
    return frame[(frame["job"] == job) & (frame["instance"] == instance)]


def _refusing(steps: pd.DataFrame) -> pd.DataFrame:
    """Samples at which a process's counters had risen: job, instance, time, step."""
    risen = steps[steps["step"] > 0].astype(dict.fromkeys(_TARGET, "str"))
    return risen.groupby([*_TARGET, "time"], as_index=False)["step"].sum()
