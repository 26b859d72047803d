"""Cost gauges held against their declared semantics: what the samples show that the declaration excludes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cost import Semantics

_TIME = "datetime64[us, UTC]"
_BREAKS = {"tenant": "str", "finding": "str", "rises": "int64", "falls": "int64", "start": _TIME, "end": _TIME}


def semantics_breaks(
    samples: pd.DataFrame,
    starts: pd.DataFrame,
    covered: pd.DataFrame,
    *,
    semantics: Semantics | None,
    least_rises: int = 20,
    least_days: int = 3,
) -> pd.DataFrame:
    """Tenants whose cost gauge behaves unlike its declared semantics.

    `samples` of the gauge, by series and time; `starts` the process starts; `covered` the covered days. A fall within
    two scrapes of a start of its process is a restart and counts for nothing.

    Columns: tenant, finding, rises, falls (numbers of steps), start, end; one row per tenant.

    * 'only_grows', of a `rate`: a stretch without a fall that has at least `least_rises` rises and samples on
      `least_days` covered days; of several the one with the most rises. It looks cumulative.
    * 'falls_in_window', of a `cumulative` gauge: it fell within its billing window (the series' `billing_window`
      label; of series without one the UTC month). `start` and `end` are the first and last fall.

    A `window_total` may rise and fall: nothing is excluded, and nothing found.
    """
    empty = pd.DataFrame(columns=list(_BREAKS)).astype(_BREAKS)
    if samples.empty or semantics not in ("rate", "cumulative"):
        return empty
    steps = _steps(samples)
    steps["restart"] = _near_start(steps, starts)
    if semantics == "rate":
        found = _only_grows(steps, covered, least_rises=least_rises, least_days=least_days)
    else:
        found = _falls_in_window(steps)
    return found[list(_BREAKS)].astype(_BREAKS).sort_values("tenant", ignore_index=True)


def _steps(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples with each one's step from the sample before; NaN at a series' first."""
    frame = samples[samples["value"].notna()]
    frame = frame.sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    first = (frame["series_id"] != frame["series_id"].shift()).to_numpy()
    columns = ["series_id", "job", "instance", "tenant", "billing_window", "time"]
    steps = frame[[column for column in columns if column in frame]].copy()
    steps["before"] = frame["time"].shift().where(~first)
    steps["step"] = np.where(first, np.nan, frame["value"].diff())
    return steps


def _near_start(steps: pd.DataFrame, starts: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether a start of the process lies between the two samples of a step, or within two scrapes of the later."""
    near = np.zeros(len(steps), dtype=bool)
    two_scrapes = 2 * (steps["time"] - steps["before"]).median()
    if starts.empty or pd.isna(two_scrapes):
        return near
    columns = (starts["job"].astype("str"), starts["instance"].astype("str"), starts["started_at"])
    for job, instance, started_at in zip(*columns, strict=True):
        close = (steps["time"] >= started_at - two_scrapes) & (steps["before"] < started_at + two_scrapes)
        places = close.to_numpy().nonzero()[0]
        rows = steps.iloc[places]
        near[places] |= ((rows["job"] == job) & (rows["instance"] == instance)).to_numpy(dtype=bool)
    return near


def _only_grows(steps: pd.DataFrame, covered: pd.DataFrame, *, least_rises: int, least_days: int) -> pd.DataFrame:
    breaks = steps["step"].isna() | ((steps["step"] < 0) & ~steps["restart"])
    run = breaks.cumsum()
    rises = (steps["step"] > 0) & ~steps["restart"]
    per_run = rises.groupby(run).sum()
    # Most runs of a real rate are two or three samples long: only the few candidates are looked at any further.
    candidates = per_run.index[per_run >= least_rises]
    kept = run.isin(candidates)
    days = pd.DataFrame({"run": run[kept], "day": steps.loc[kept, "time"].dt.floor("D")}).drop_duplicates()
    days = days[days["day"].isin(covered.loc[covered["covered"].astype(bool), "day"])]
    long_enough = days.groupby("run").size()
    kept &= run.isin(long_enough.index[long_enough >= least_days])
    stretches = (
        steps[kept].groupby(run[kept]).agg(tenant=("tenant", "first"), start=("time", "min"), end=("time", "max"))
    )
    stretches["rises"] = per_run
    stretches = stretches.assign(finding="only_grows", falls=0).sort_values("rises", ascending=False, kind="stable")
    return stretches.drop_duplicates("tenant")


def _falls_in_window(steps: pd.DataFrame) -> pd.DataFrame:
    falls = steps[(steps["step"] < 0) & ~steps["restart"]]
    falls = falls[~_new_window(falls)]
    found = falls.groupby(falls["tenant"].astype("str")).agg(
        falls=("time", "size"), start=("time", "min"), end=("time", "max")
    )
    rises = steps[(steps["step"] > 0) & steps["tenant"].isin(list(found.index))]
    found["rises"] = rises.groupby(rises["tenant"].astype("str")).size()
    return found.fillna({"rises": 0}).rename_axis("tenant").reset_index().assign(finding="falls_in_window")


def _new_window(steps: pd.DataFrame) -> pd.Series:
    """Whether a step leads into a new UTC month, in series without a `billing_window` label."""
    before, after = steps["before"].dt, steps["time"].dt
    month = (before.year != after.year) | (before.month != after.month)
    if "billing_window" not in steps:
        return month
    return month & (steps["billing_window"].astype("str") == "")
