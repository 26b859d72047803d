"""The verdict on growth: when the tenant labels are likely to run out."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import short, when
from cloudxai_analysis.words.phrases import count, moment, percent

_SECTION = "cardinality"
_OWNER = "the platform team"


def time_to_cap_check(found: pd.DataFrame, headroom: pd.DataFrame, *, days: float) -> Check:
    """When the cap is likely to be reached: `warn` where it is, or where the median of the paths is within `days`.

    `found` as `measures.time_to_cap.time_to_cap` gives it, `headroom` of the window, whose last process it is about.
    The value is the days from the forecast's start to the median. `unknown` with too little history.
    """
    row = found.iloc[0]
    check = partial(
        Check,
        key="time_to_cap",
        section=_SECTION,
        unit="days",
        bound=float(days),
        bound_key="days_to_cap",
        disproof="a restart, which frees all labels, more generated names, or tenants that come at another pace",
        samples=f"{count(row['days_known'], 'day')} whose first samples of tenants are known",
    )
    asked: dict[str, Any] = {
        "action": "Decide whether to raise the cap, to free labels, or to keep tenants waiting, before it is reached.",
        "decides": _OWNER,
    }
    if headroom.empty or row["answer"] == "too little history":
        why = "no process exported a tenant" if headroom.empty else f"the arrivals of {count(row['days_known'], 'day')}"
        needed = "" if headroom.empty else " are known, 21 are needed"
        finding = f"When the tenant labels run out is unknown: {why}{needed}."
        return check(status="unknown", finding=finding)
    name, cap = short(headroom["instance"].iloc[-1]), row["cap"]
    if row["answer"] == "refusing" and row["held"] < cap:
        finding = (
            f"When the tenant labels run out is unknown: {name} refuses new tenants since {moment(row['since'])}, and "
            f"has shown {row['held']} of {cap} since its start."
        )
        return check(status="unknown", finding=finding)
    if row["answer"] in ("refusing", "at the cap"):
        said = "refuses new tenants" if row["answer"] == "refusing" else f"holds all {cap} tenant labels"
        finding = f"{name} {said} since {moment(row['since'])}: the cap is reached."
        asked |= {"value": 0.0, "since": when(row["since"]), "size": "0 days left"}
        return check(status="warn", finding=finding, **asked)
    left = _days(row["median"], row["from_day"])
    holds = f"{row['held']} of {cap} labels" + (f" ({row['generated']} generated)" if row["generated"] else "")
    if math.isinf(left):
        finding = (
            f"{name} holds {holds}, and is not likely to reach the cap within {row['horizon_days']} days; "
            f"{percent(row['within'], 0)} of the simulated courses do, {_earliest(row)}{_one_off(row)}."
        )
        return check(status="pass", finding=finding)
    span = f"80 % interval: {_by(row['earliest80'], row)} to {_by(row['latest80'], row)}"
    finding = (
        f"{name} is likely to reach the cap by {_by(row['median'], row)} ({span}): it holds {holds}; "
        f"{_earliest(row)}{_one_off(row)}."
    )
    near: dict[str, Any] = (
        {"size": f"{left:.0f} days left", "since": when(row["from_day"]), **asked} if left <= days else {}
    )
    return check(
        status="warn" if near else "pass",
        finding=finding,
        value=left,
        **near,
    )


def _days(day: pd.Timestamp, start: pd.Timestamp) -> float:
    return math.inf if pd.isna(day) else (day - start) / pd.Timedelta(days=1)


def _by(day: pd.Timestamp, row: pd.Series) -> str:
    return f"over {row['horizon_days']} days ahead" if pd.isna(day) else f"{day:%a} {day.day} {day:%b}"


def _earliest(row: pd.Series) -> str:
    if pd.isna(row["earliest95"]):
        return f"and no plausible date lies within {row['horizon_days']} days"
    return f"the earliest plausible date is {_by(row['earliest95'], row)}"


def _one_off(row: pd.Series) -> str:
    came = _by(row["one_off_day"], row)
    return f"; {count(row['one_off'], 'tenant')} of {came} are taken for a one-off" if row["one_off"] else ""
