"""Tainted numbers: what a guard that refuses labels leaves out of every number per tenant, without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.measures.identifiers import names_in

_TARGET = ["job", "instance"]
_LET_GO = pd.Timedelta(minutes=10)


def tainted_stretches(
    refusals: pd.DataFrame,
    starts: pd.DataFrame,
    rejection_steps: pd.DataFrame,
    tenants: pd.DataFrame,
    generated: pd.DataFrame,
    *,
    end: pd.Timestamp,
) -> pd.DataFrame:
    """Stretches in which tenants may be missing from a process: from its first refusal to its end or next start.

    `refusals` as `cardinality.refusals` gives them, `starts` as `process_starts`; a process that was refused once
    stays without the tenant until it starts anew, since a full process admits nobody. `rejection_steps` name the
    refused in builds whose counter carries `tenant`. `tenants` are the real ones (tenant, first_seen, last_seen),
    `generated` the names that are none, as `generated_names` gives them. `end` is where the telemetry ends.

    Columns: job, instance, start, last_refusal, until (the process's next start, or where it ended; else `end`), over,
    rejections (requests), missing_least (tenants first seen within ten minutes after the start), missing_most (tenants
    that the counter names, generated names left out; else the requests, of which one tenant may send many; NaN unknown
    where these are more than the tenants seen in the stretch).
    """
    if refusals.empty:
        return typed([], tainted_stretches)
    keys = dict.fromkeys(_TARGET, "str")
    frame = refusals.astype(keys).sort_values("end", ignore_index=True)
    begun = starts[[*_TARGET, "started_at"]].rename(columns={"started_at": "until"})
    over = pd.concat([begun, starts[[*_TARGET, "until"]]]).astype(keys).sort_values("until")
    following = {"left_on": "end", "right_on": "until", "by": _TARGET, "direction": "forward"}
    frame["until"] = pd.merge_asof(frame[[*_TARGET, "end"]], over, **following)["until"].astype(TIME)
    frame["over"] = frame["until"].notna() & (frame["until"] <= end)
    frame["until"] = frame["until"].where(frame["over"], end)
    found = frame.groupby([*_TARGET, "until"], as_index=False).agg(
        start=("start", "min"), last_refusal=("end", "max"), over=("over", "first"), rejections=("rejections", "sum")
    )
    missing = [_missing(row, rejection_steps, tenants, generated) for row in found.itertuples()]
    found[["missing_least", "missing_most"]] = np.array(missing, dtype=float)
    return typed(found.sort_values(["start", "instance"], ignore_index=True), tainted_stretches)


def _missing(stretch: Any, steps: pd.DataFrame, tenants: pd.DataFrame, generated: pd.DataFrame) -> tuple[float, float]:
    after = stretch.until + _LET_GO if stretch.over else stretch.until
    came = tenants["first_seen"].between(stretch.until, after).sum() if stretch.over else 0
    named = _named(steps, stretch)
    if named is not None:
        most = len(set(named) - names_in(named, generated))
        return min(came, most), most
    fleet = ((tenants["first_seen"] <= after) & (tenants["last_seen"] >= stretch.start)).sum()
    return min(came, stretch.rejections), stretch.rejections if stretch.rejections <= fleet else np.nan


def _named(steps: pd.DataFrame, stretch: Any) -> pd.Series | None:
    """The tenants that the rejection counter itself names in a stretch; None of a build that names none."""
    if "tenant" not in steps:
        return None
    inside = steps["time"].between(stretch.start, stretch.last_refusal) & (steps["step"] > 0)
    own = steps[
        inside & (steps["tenant"] != "") & (steps["instance"] == stretch.instance) & (steps["job"] == stretch.job)
    ]
    return own["tenant"] if len(own) else None
