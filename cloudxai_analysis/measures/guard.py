"""The cardinality guard: when it refused, and whether it keeps its promises."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed

_TARGET = ["job", "instance"]
_REFUSALS = {"job": "str", "instance": "str", "start": TIME, "end": TIME, "rejections": "float64"}
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


def refusals(samples: pd.DataFrame, *, apart_minutes: float = 60) -> pd.DataFrame:
    """Stretches in which a process's guard refused, with the exact number of refused requests.

    `samples` of the rejection counter with job and instance. A step counts at the later of its two samples, a fall is
    a reset and counts the value after it, a series' first sample counts nothing; steps no further apart than
    `apart_minutes` are one stretch.

    Columns: job, instance, start (first refusing sample), end (last one), rejections.
    """
    steps = _refusing(samples)
    same = (steps[_TARGET] == steps[_TARGET].shift()).all(axis=1)
    near = steps["time"].diff() <= pd.Timedelta(minutes=apart_minutes)
    stretch = (~(same & near)).cumsum().rename("stretch")
    found = steps.groupby([*_TARGET, stretch], observed=True).agg(
        start=("time", "min"), end=("time", "max"), rejections=("step", "sum")
    )
    return typed(found.reset_index().sort_values(["start", "instance"], ignore_index=True), _REFUSALS)


def guard_invariants(
    tenant_samples: pd.DataFrame, arrivals: pd.DataFrame, rejection_samples: pd.DataFrame, *, cap: int
) -> pd.DataFrame:
    """The guard's two promises, per process: never more tenants than the cap, and refusals only at the cap.

    `tenant_samples` of a tenant gauge with job, instance and tenant; `arrivals` as `tenant_arrivals` gives them.

    Columns: job, instance, most_tenants (at one scrape), most_at, within_cap (I1), rejections, below_cap (of them, how
    many while fewer tenants than the cap were held), below_cap_at (the first of these), only_at_cap (I2; missing
    where nothing was refused, or where the process is older than the telemetry, which may not know all that it holds).
    """
    steps = _refusing(rejection_samples)
    at_once = tenant_samples.groupby([*_TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    rows = []
    for (job, instance), own in at_once.reset_index().groupby(_TARGET, observed=True):
        most = own.loc[own["tenants"].idxmax()]
        refused = steps[(steps["job"] == job) & (steps["instance"] == instance)]
        held_by = arrivals[(arrivals["job"] == job) & (arrivals["instance"] == instance)]
        below = refused[_held_at(held_by, refused["time"]) < cap]
        rows.append(
            {
                "job": job,
                "instance": instance,
                "most_tenants": most["tenants"],
                "most_at": most["time"],
                "within_cap": most["tenants"] <= cap,
                "rejections": refused["step"].sum(),
                "below_cap": below["step"].sum(),
                "below_cap_at": below["time"].min() if len(below) else pd.NaT,
                "only_at_cap": _only_at_cap(refused, below, held_by),
            }
        )
    return typed(rows, _INVARIANTS)


def _only_at_cap(refused: pd.DataFrame, below: pd.DataFrame, held_by: pd.DataFrame) -> object:
    if refused.empty:
        return pd.NA
    if below.empty:
        return True
    known = _run_of(held_by, below["time"].iloc[0])
    older = known.empty or pd.isna(known["started_at"].iloc[0])
    unseen = older or known["started_at"].iloc[0] < held_by["seen_at"].min() - pd.Timedelta(hours=1)
    return pd.NA if unseen else False


def _run_of(held_by: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    seen = held_by[held_by["seen_at"] <= moment]
    return seen[seen["started_at"] == seen["started_at"].max()] if seen["started_at"].notna().any() else seen


def _held_at(held_by: pd.DataFrame, moments: pd.Series) -> np.ndarray:
    """Tenants that the process running at each moment had seen by then."""
    runs = sorted(held_by.groupby(held_by["started_at"].fillna(pd.Timestamp(0, tz="UTC"))), key=lambda run: run[0])
    at = moments.to_numpy("datetime64[us]")
    held = np.zeros(len(at), dtype="int64")
    begins = pd.DatetimeIndex([run["seen_at"].min() for _, run in runs], tz="UTC").to_numpy("datetime64[us]")
    of_run = np.searchsorted(begins, at, side="right") - 1
    for number, (_, run) in enumerate(runs):
        mine = of_run == number
        held[mine] = np.searchsorted(np.sort(run["seen_at"].to_numpy("datetime64[us]")), at[mine], side="right")
    return held


def _refusing(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples at which a process's counters had risen: job, instance, time, step."""
    frame = samples[samples["value"].notna()].sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    change = frame["value"].diff()
    step = change.where(change >= 0, frame["value"])
    frame = frame.assign(step=step.where(frame["series_id"] == frame["series_id"].shift(), 0.0))
    risen = frame[frame["step"] > 0].astype({"job": "str", "instance": "str"})
    return risen.groupby([*_TARGET, "time"], as_index=False)["step"].sum()
