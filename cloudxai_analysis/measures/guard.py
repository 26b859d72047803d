"""The cardinality guard: when it refused, and whether it keeps its promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.cardinality import held_at, process_runs
from cloudxai_analysis.measures.frames import typed

_TARGET = ["job", "instance"]
_HOUR = pd.Timedelta(hours=1)


def refusals(steps: pd.DataFrame, *, apart_minutes: float = 60) -> pd.DataFrame:
    """Stretches in which a process's guard refused, with the exact number of refused requests.

    `steps` of the rejection counter as `measures.counters.counter_steps` gives them. Steps no further apart than
    `apart_minutes` are one stretch.

    Columns: job, instance, start (first refusing sample), end (last one), rejections (requests); by start.
    """
    risen = _refusing(steps)
    same = (risen[_TARGET] == risen[_TARGET].shift()).all(axis=1)
    near = risen["time"].diff() <= pd.Timedelta(minutes=apart_minutes)
    stretch = (~(same & near)).cumsum().rename("stretch")
    found = risen.groupby([*_TARGET, stretch], observed=True).agg(
        start=("time", "min"), end=("time", "max"), rejections=("step", "sum")
    )
    return typed(found.reset_index().sort_values(["start", "instance"], ignore_index=True), refusals)


def guard_scrapes(
    tenant_samples: pd.DataFrame, arrivals: pd.DataFrame, steps: pd.DataFrame, *, cap: int, starts: pd.DataFrame
) -> pd.DataFrame:
    """What each process showed, held and refused, scrape by scrape; one row where it exported a tenant or refused one.

    `tenant_samples` of a tenant gauge with job, instance and tenant; `arrivals` as `tenant_arrivals` gives them,
    `starts` as `process_starts`; `steps` as for `refusals`.

    Columns: job, instance, time, tenants (shown; NaN where none was), step (requests refused since the scrape before;
    NaN for none), held (tenants), early (it refused below the cap), unsure (it refused below the cap, and is older than
    the telemetry, which may not know all that it holds).
    """
    shown = tenant_samples.groupby([*_TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    shown = shown.reset_index().astype({"job": "str", "instance": "str"})
    rows = shown.merge(_refusing(steps), how="outer", on=[*_TARGET, "time"]).sort_values("time", ignore_index=True)
    rows = rows.assign(held=0, whole=False)
    for (job, instance), own in rows.groupby(_TARGET):
        runs = process_runs(_of(arrivals, job, instance), _of(starts, job, instance))
        rows.loc[own.index, "held"], of_run = held_at(runs, own["time"].to_numpy("datetime64[us]"))
        rows.loc[own.index, "whole"] = np.array([*(run.whole for run in runs), False])[of_run]
    below = (rows["step"] > 0) & (rows["held"] < cap)
    return rows.assign(early=below & rows["whole"], unsure=below & ~rows["whole"]).drop(columns="whole")


def guard_invariants(scrapes: pd.DataFrame, *, cap: int) -> pd.DataFrame:
    """The guard's two promises, per process: never more tenants than the cap, and refusals only at the cap.

    `scrapes` as `guard_scrapes` gives them.

    Columns: job, instance, most_tenants (at one scrape), most_at, within_cap (I1), rejections, below_cap (of them, how
    many while a process that was seen from its start held fewer tenants than the cap), below_cap_at (the first of
    these), only_at_cap (I2; missing where nothing was refused, and where the only refusals below the cap are those of a
    process older than the telemetry, which may not know all that it holds).
    """
    found = _promises(scrapes, _TARGET)
    most = found["most_tenants"].fillna(0)
    return typed(found.assign(most_tenants=most, within_cap=most <= cap), guard_invariants)


def guard_hours(scrapes: pd.DataFrame, *, cap: int, starts: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """The guard's two promises hour by hour, for each process that exported a tenant or refused one.

    `scrapes` as `guard_scrapes` gives them, `starts` as for it; `gaps` as `scrape_gaps` gives them. A refusal counts in
    the hour of the scrape that shows it: after a gap it may have happened before, which `gap` says.

    Columns: hour, job, instance, most_tenants (at one scrape), within_cap (I1; missing where no scrape showed a
    tenant), held (at the hour's last scrape or refusal), rejections (requests), only_at_cap (I2; missing where nothing
    was refused, or by a process that may hold more than the telemetry saw), restarted (the process began in this hour),
    gap (a scrape gap touches the hour).
    """
    found = _promises(scrapes.assign(hour=scrapes["time"].dt.floor("h")), [*_TARGET, "hour"])
    found["within_cap"] = (found["most_tenants"] <= cap).astype("boolean").where(found["most_tenants"].notna())
    found["most_tenants"] = found["most_tenants"].fillna(0)
    found = found.assign(restarted=False, gap=False)
    for row in starts[starts["restarted"]].itertuples():
        found["restarted"] |= _is(found, row) & (found["hour"] == row.started_at.floor("h"))
    for row in gaps.itertuples():
        found["gap"] |= _is(found, row) & (found["hour"] < row.end) & (found["hour"] + _HOUR > row.start)
    return typed(found, guard_hours)


def _promises(scrapes: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    early, time = scrapes["early"], scrapes["time"]
    most = scrapes.groupby(by)["tenants"].transform("max")
    rows = scrapes.assign(below=scrapes["step"].where(early), below_at=time.where(early))
    rows["most_at"] = time.where(scrapes["tenants"] == most)
    found = rows.groupby(by, as_index=False).agg(
        most_tenants=("tenants", "max"),
        most_at=("most_at", "min"),
        held=("held", "last"),
        rejections=("step", "sum"),
        below_cap=("below", "sum"),
        below_cap_at=("below_at", "min"),
        early=("early", "any"),
        unsure=("unsure", "any"),
    )
    judged = (found["rejections"] > 0) & (found["early"] | ~found["unsure"])
    return found.assign(only_at_cap=(~found["early"]).astype("boolean").where(judged))


def _is(frame: pd.DataFrame, row: Any) -> pd.Series:
    return (frame["job"] == row.job) & (frame["instance"] == row.instance)


def _of(frame: pd.DataFrame, job: str, instance: str) -> pd.DataFrame:
    return frame[(frame["job"] == job) & (frame["instance"] == instance)]


def _refusing(steps: pd.DataFrame) -> pd.DataFrame:
    """Samples at which a process's counters had risen: job, instance, time, step."""
    risen = steps[steps["step"] > 0].astype({"job": "str", "instance": "str"})
    return risen.groupby([*_TARGET, "time"], as_index=False)["step"].sum()
