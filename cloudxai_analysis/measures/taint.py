"""Tainted numbers: what a guard that refuses labels leaves out of every number per tenant, without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TARGET, TIME, typed, with_text
from cloudxai_analysis.measures.identifiers import names_in

_LET_GO = pd.Timedelta(minutes=10)


def tainted_stretches(
    refusals: pd.DataFrame,
    starts: pd.DataFrame,
    steps: pd.DataFrame,
    tenants: pd.DataFrame,
    generated: pd.DataFrame,
    window: Window,
) -> pd.DataFrame:
    """Stretches in a window in which tenants may be missing from a process: from its first refusal to its end.

    A process that was refused once stays without the tenant until it starts anew, since a full
    process admits nobody. `steps` of the rejection counter name the refused in builds whose counter
    carries `tenant`. `tenants` are the real ones (tenant, first_seen, last_seen), `generated` the
    names that are none. Missing at least are tenants first seen within ten minutes after the next
    start; at most those that the counter names, else as many as requests, unless these are more
    than the tenants seen in the stretch.

    Columns: job, instance, start, last_refusal, until, over, rejections, missing_least,
    missing_most.
    """
    end = pd.Timestamp(window.end)
    frame = with_text(refusals, TARGET).sort_values("end", ignore_index=True)
    ends = [starts["started_at"], starts["until"]]
    over = pd.concat([with_text(starts[TARGET], TARGET).assign(until=moments) for moments in ends]).sort_values("until")
    frame = pd.merge_asof(frame, over, left_on="end", right_on="until", by=TARGET, direction="forward")
    frame["over"] = frame["until"].notna() & (frame["until"] <= end)
    frame["until"] = frame["until"].where(frame["over"], end).astype(TIME)
    found = frame.groupby([*TARGET, "until"], as_index=False).agg(
        start=("start", "min"), last_refusal=("end", "max"), over=("over", "first"), rejections=("rejections", "sum")
    )
    found = found[found["until"] > window.start].sort_values(["start", "instance"], ignore_index=True)
    missing = [_missing(row, steps, tenants, generated) for row in found.itertuples()]
    least, most = np.array(missing, dtype=float).reshape(-1, 2).T
    return typed(found.assign(missing_least=least, missing_most=most), tainted_stretches)


def _missing(stretch: Any, steps: pd.DataFrame, tenants: pd.DataFrame, generated: pd.DataFrame) -> tuple[float, float]:
    after = stretch.until + _LET_GO if stretch.over else stretch.until
    came = tenants["first_seen"].between(stretch.until, after).sum() if stretch.over else 0
    own = (steps["instance"] == stretch.instance) & (steps["job"] == stretch.job) & (steps["step"] > 0)
    refused = steps.loc[own & steps["time"].between(stretch.start, stretch.last_refusal), "tenant"]
    named = refused[refused != ""]
    if len(named):
        most = len(set(named) - names_in(named, generated))
        return min(came, most), most
    fleet = ((tenants["first_seen"] <= after) & (tenants["last_seen"] >= stretch.start)).sum()
    return min(came, stretch.rejections), stretch.rejections if stretch.rejections <= fleet else np.nan
