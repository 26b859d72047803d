"""The verdict on growth: when the tenant labels are likely to run out."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.evidence import short, when

_SECTION = "cardinality"
_OWNER = "the platform team"


def time_to_cap_check(found: pd.DataFrame, headroom: pd.DataFrame, *, days: float) -> Check:
    """When the cap is likely to be reached: `warn` where it is, or where the median of the paths is within `days`.

    `found` as `measures.time_to_cap.time_to_cap` gives it, `headroom` of the window, whose last process it is about.
    The value is the days from the forecast's start to the median. `unknown` with too little history.
    """
    row = found.iloc[0]
    common: dict[str, Any] = {
        "key": "time_to_cap",
        "section": _SECTION,
        "unit": "days",
        "bound": float(days),
        "bound_key": "days_to_cap",
        "disproof": "a restart, which frees all labels, or arrivals that change their pace",
        "samples": f"{count(row['days_known'], 'day')} of first samples of tenants since the process's start",
    }
    asked: dict[str, Any] = {
        "action": "Decide whether to raise the cap, to free labels, or to keep tenants waiting, before it is reached.",
        "decides": _OWNER,
    }
    if headroom.empty or row["answer"] == "too little history":
        why = "no process exported a tenant" if headroom.empty else f"{count(row['days_known'], 'day')} of history"
        needed = "" if headroom.empty else ", 21 are needed"
        finding = f"When the tenant labels run out is unknown: {why}{needed}."
        return Check(status="unknown", finding=finding, **common)
    name, cap = short(headroom["instance"].iloc[-1]), row["cap"]
    if row["answer"] in ("refusing", "at the cap"):
        said = "refuses new tenants" if row["answer"] == "refusing" else f"holds all {cap} tenant labels"
        finding = f"{name} {said} since {moment(row['since'])}: the cap is reached."
        asked |= {"value": 0.0, "since": when(row["since"]), "size": "0 days left"}
        return Check(status="warn", finding=finding, **asked, **common)
    left = _days(row["median"], row["from_day"])
    span = f"80 % of the paths reach it between {_by(row['earliest80'], row)} and {_by(row['latest80'], row)}"
    if math.isinf(left):
        finding = (
            f"{name} holds {row['held']} of {cap} labels, and is not likely to reach the cap within "
            f"{row['horizon_days']} days; {percent(row['within'], 0)} of the simulated paths do, {_first(row)}."
        )
        return Check(status="pass", finding=finding, **common)
    finding = (
        f"{name} is likely to reach the cap of {cap} by {_by(row['median'], row)}: it holds {row['held']}; {span}."
    )
    near: dict[str, Any] = (
        {"size": f"{left:.0f} days left", "since": when(row["from_day"]), **asked} if left <= days else {}
    )
    return Check(status="warn" if near else "pass", finding=finding, value=left, **near, **common)


def _days(day: pd.Timestamp, start: pd.Timestamp) -> float:
    return math.inf if pd.isna(day) else (day - start) / pd.Timedelta(days=1)


def _by(day: pd.Timestamp, row: pd.Series) -> str:
    return f"not within {row['horizon_days']} days" if pd.isna(day) else f"{day:%a} {day.day} {day:%b}"


def _first(row: pd.Series) -> str:
    if pd.isna(row["earliest95"]):
        return f"fewer than 2.5 % of them before {row['horizon_days']} days are over"
    return f"the first 2.5 % by {_by(row['earliest95'], row)}"
