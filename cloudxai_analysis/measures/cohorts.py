"""Tenants as sets over time: cohorts by the week they came in, and how long each has been seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.measures.frames import typed

_DAY = pd.Timedelta(days=1)


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
