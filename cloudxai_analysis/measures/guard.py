"""The cardinality guard: when it refused, and whether it keeps its promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cardinality import Run, held_at, process_runs
from cloudxai_analysis.measures.frames import TIME, typed

_TARGET = ["job", "instance"]
_REFUSALS = {"job": "str", "instance": "str", "start": TIME, "end": TIME, "rejections": "float64"}
_HOURS = {
    "hour": TIME,
    "job": "str",
    "instance": "str",
    "most_tenants": "int64",
    "within_cap": "boolean",
    "held": "int64",
    "rejections": "float64",
    "only_at_cap": "boolean",
    "restarted": "bool",
    "gap": "bool",
}
_INVARIANTS = {
    "job": "str",
    "instance": "str",
    "most_tenants": "int64",
    "most_at": TIME,
    "within_cap": "bool",
    "rejections": "float64",
    "below_cap": "float64",
    "below_cap_at": TIME,
    "only_at_cap": "boolean",
}


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
    return typed(found.reset_index().sort_values(["start", "instance"], ignore_index=True), _REFUSALS)


def guard_invariants(
    tenant_samples: pd.DataFrame,
    arrivals: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    cap: int,
    starts: pd.DataFrame,
) -> pd.DataFrame:
    """The guard's two promises, per process: never more tenants than the cap, and refusals only at the cap.

    `tenant_samples` of a tenant gauge with job, instance and tenant; `arrivals` as `tenant_arrivals` gives them,
    `starts` as `process_starts`; `steps` as for `refusals`.

    Columns: job, instance, most_tenants (at one scrape), most_at, within_cap (I1), rejections, below_cap (of them, how
    many while a process that was seen from its start held fewer tenants than the cap), below_cap_at (the first of
    these), only_at_cap (I2; missing where nothing was refused, and where the only refusals below the cap are those of a
    process older than the telemetry, which may not know all that it holds).
    """
    steps = _refusing(steps)
    at_once = tenant_samples.groupby([*_TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    at_once = at_once.reset_index().astype({"job": "str", "instance": "str"})
    targets = pd.concat([at_once[_TARGET], steps[_TARGET]]).drop_duplicates().sort_values(_TARGET)
    rows = [
        {
            "job": job,
            "instance": instance,
            **_most(_of(at_once, job, instance), cap),
            **_refused(
                _of(steps, job, instance), process_runs(_of(arrivals, job, instance), _of(starts, job, instance)), cap
            ),
        }
        for job, instance in targets.itertuples(index=False)
    ]
    return typed(rows, _INVARIANTS)


def guard_hours(
    tenant_samples: pd.DataFrame,
    arrivals: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    cap: int,
    starts: pd.DataFrame,
    gaps: pd.DataFrame,
) -> pd.DataFrame:
    """The guard's two promises hour by hour, for each process that exported a tenant or refused one.

    Frames as for `guard_invariants`; `gaps` as `scrape_gaps` gives them. A refusal counts in the hour of the scrape
    that shows it: after a gap it may have happened before, which `gap` says.

    Columns: hour, job, instance, most_tenants (at one scrape), within_cap (I1; missing where no scrape showed a
    tenant), held (at the hour's last scrape or refusal), rejections (requests), only_at_cap (I2; missing where nothing
    was refused, or by a process that may hold more than the telemetry saw), restarted (the process began in this hour),
    gap (a scrape gap touches the hour).
    """
    steps = _refusing(steps)
    scrapes = tenant_samples.groupby([*_TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    scrapes = scrapes.reset_index().astype({"job": "str", "instance": "str"})
    by_scrape = scrapes.merge(steps, how="outer", on=[*_TARGET, "time"]).sort_values("time", ignore_index=True)
    parts = [
        _hours_of(own, _of(arrivals, job, instance), _of(starts, job, instance), _of(gaps, job, instance), cap)
        for (job, instance), own in by_scrape.groupby(_TARGET)
    ]
    return typed(pd.concat(parts, ignore_index=True) if parts else [], _HOURS)


def _hours_of(
    own: pd.DataFrame, arrivals: pd.DataFrame, starts: pd.DataFrame, gaps: pd.DataFrame, cap: int
) -> pd.DataFrame:
    runs = process_runs(arrivals, starts)
    held, of_run = held_at(runs, own["time"].to_numpy("datetime64[us]"))
    whole = np.array([*(run.whole for run in runs), False])[of_run]
    refused = (own["step"] > 0).to_numpy()
    rows = own.assign(hour=own["time"].dt.floor("h"), held=held, early=refused & (held < cap) & whole)
    rows["unsure"] = refused & (held < cap) & ~whole
    by_hour = rows.groupby("hour").agg(
        job=("job", "first"),
        instance=("instance", "first"),
        most_tenants=("tenants", "max"),
        held=("held", "last"),
        rejections=("step", "sum"),
        early=("early", "any"),
        unsure=("unsure", "any"),
    )
    found = by_hour.reset_index()
    known = found["most_tenants"].notna()
    found["most_tenants"] = found["most_tenants"].fillna(0)
    found["within_cap"] = (found["most_tenants"] <= cap).astype("boolean").where(known)
    judged = (found["rejections"] > 0) & (found["early"] | ~found["unsure"])
    found["only_at_cap"] = (~found["early"]).astype("boolean").where(judged)
    found["restarted"] = found["hour"].isin(starts.loc[starts["restarted"], "started_at"].dt.floor("h"))
    found["gap"] = _touched(found["hour"], gaps)
    return found


def _touched(hours: pd.Series, gaps: pd.DataFrame) -> NDArray[np.bool_]:
    touched = np.zeros(len(hours), dtype=bool)
    for start, end in zip(gaps["start"], gaps["end"], strict=True):
        touched |= ((hours < end) & (hours + pd.Timedelta(hours=1) > start)).to_numpy()
    return touched


def _of(frame: pd.DataFrame, job: str, instance: str) -> pd.DataFrame:
    return frame[(frame["job"] == job) & (frame["instance"] == instance)]


def _most(at_once: pd.DataFrame, cap: int) -> dict[str, object]:
    if at_once.empty:
        return {"most_tenants": 0, "most_at": pd.NaT, "within_cap": True}
    most = at_once.loc[at_once["tenants"].idxmax()]
    return {"most_tenants": most["tenants"], "most_at": most["time"], "within_cap": most["tenants"] <= cap}


def _refused(steps: pd.DataFrame, runs: list[Run], cap: int) -> dict[str, object]:
    held, of_run = held_at(runs, steps["time"].to_numpy("datetime64[us]"))
    whole = np.array([*(run.whole for run in runs), False])[of_run]
    early = steps[(held < cap) & whole]
    unsure = bool(((held < cap) & ~whole).any())
    return {
        "rejections": steps["step"].sum(),
        "below_cap": early["step"].sum(),
        "below_cap_at": early["time"].min() if len(early) else pd.NaT,
        "only_at_cap": False if len(early) else pd.NA if unsure or steps.empty else True,
    }


def _refusing(steps: pd.DataFrame) -> pd.DataFrame:
    """Samples at which a process's counters had risen: job, instance, time, step."""
    risen = steps[steps["step"] > 0].astype({"job": "str", "instance": "str"})
    return risen.groupby([*_TARGET, "time"], as_index=False)["step"].sum()
