"""Tenants as sets over time: cohorts by the week they came in, how long they stay, and their survival."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.measures.frames import typed

_DAY = pd.Timedelta(days=1)


def tenant_cohorts(
    hours: pd.DataFrame, covered: pd.DataFrame, window: Window, *, begin: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Of those who came in a week, how many were still seen in each week after it, up to the window's end.

    `hours` of tenants' series, `covered` the covered days. Those of the week in which the telemetry begins (at
    `begin`, else with the first tenant) were already there. A tenant that pauses for a week is present when it is back.

    Columns: cohort (ISO week), start, already_there, weeks_later (0 is the week itself), tenants (that came), present
    (seen in that later week; NaN in a week without a covered day), share (present / tenants).
    """
    there = hours[hours["samples"] > 0]
    if there.empty:
        return typed([], tenant_cohorts)
    week = there["hour"] - pd.to_timedelta(there["hour"].dt.day_of_week, unit="D")
    seen = pd.DataFrame({"tenant": there["tenant"].astype("str"), "week": week.dt.floor("D")}).drop_duplicates()
    first = seen.groupby("tenant")["week"].min()
    seen["cohort"] = seen["tenant"].map(first)
    weeks = pd.DatetimeIndex([one.start for one in Window(first.min().to_pydatetime(), window.end).weeks()])
    present = seen.groupby(["cohort", "week"]).size()
    size = first.value_counts()
    days = covered.loc[covered["covered"].astype(bool), "day"]
    known = set((days - pd.to_timedelta(days.dt.day_of_week, unit="D")).dt.floor("D"))
    rows = [
        {
            "cohort": week_of(came.to_pydatetime()).name,
            "start": came,
            "already_there": came <= (begin or weeks[0]),
            "weeks_later": (later - came).days // 7,
            "tenants": size[came],
            "present": present.get((came, later), 0) if later in known else np.nan,
        }
        for came in weeks
        if came in size.index
        for later in weeks[weeks >= came]
    ]
    found = pd.DataFrame(rows)
    return typed(found.assign(share=found["present"] / found["tenants"]), tenant_cohorts)


def tenant_lifetimes(
    hours: pd.DataFrame, *, end: pd.Timestamp, begin: pd.Timestamp | None = None, gone_after: pd.Timedelta = _DAY
) -> pd.DataFrame:
    """How long each tenant has been seen, from its first sample to its last.

    Columns: tenant, first_seen, last_seen, days (between the two), gone (not seen for `gone_after` before `end`; others
    may live on), already_there (first seen in the hour in which the telemetry begins, at `begin`, else with the
    first tenant: it is older than its days); the longest first.
    """
    there = hours[hours["samples"] > 0]
    if there.empty:
        return typed([], tenant_lifetimes)
    span = there.groupby(there["tenant"].astype("str"))
    found = span.agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max")).rename_axis("tenant").reset_index()
    found["days"] = (found["last_seen"] - found["first_seen"]) / _DAY
    found["gone"] = found["last_seen"] < end - gone_after
    found["already_there"] = found["first_seen"] < (begin or found["first_seen"].min()) + pd.Timedelta(hours=1)
    return typed(found.sort_values(["days", "tenant"], ascending=[False, True], ignore_index=True), tenant_lifetimes)


def tenant_survival(lifetimes: pd.DataFrame) -> pd.DataFrame:
    """The share of tenants that live longer than so many days, by Kaplan and Meier, with a 95 % interval.

    Tenants that are not gone are censored at their last sample; those already there when the telemetry begins are left
    out, since nobody knows how old they are.

    Columns: days, at_risk (tenants known for at least so long), survival, low, high (0 to 1; log-log interval, NaN
    where it has none); one row for each length of life at which a tenant left.

    Source: Kaplan and Meier, 1958, Journal of the American Statistical Association 53; as scipy.stats.ecdf has it.
    """
    own = lifetimes[~lifetimes["already_there"]]
    if not own["gone"].any():
        return typed([], tenant_survival)
    from scipy.stats import CensoredData, ecdf

    days, gone = own["days"].to_numpy(dtype=float), own["gone"].to_numpy(dtype=bool)
    function = ecdf(CensoredData.right_censored(days, ~gone)).sf
    with warnings.catch_warnings():
        # At the end of a curve that reaches 0 there is no interval: NaN, as said above.
        warnings.simplefilter("ignore", RuntimeWarning)
        interval = function.confidence_interval(0.95, method="log-log")
    ends = np.isin(function.quantiles, days[gone])
    found = pd.DataFrame(
        {
            "days": function.quantiles,
            "at_risk": [(days >= day).sum() for day in function.quantiles],
            "survival": function.probabilities,
            "low": interval.low.probabilities,
            "high": interval.high.probabilities,
        }
    )
    return typed(found[ends].reset_index(drop=True), tenant_survival)
