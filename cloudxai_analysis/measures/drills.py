"""What is a drill's own: what lies in its time and, where it names tenants, is of one of them; never anything else."""

from __future__ import annotations

import pandas as pd


def drilled(frame: pd.DataFrame, drills: pd.DataFrame, *, start: str, end: str) -> pd.Series:
    """By which drill each row came about, by its summary; '' of a row that is no drill's.

    A row lies in a drill's time with both its columns `start` and `end`. Of a row without a tenant
    nobody can say that it is of a tenant which a drill names.
    """
    found = pd.Series("", index=frame.index, dtype="str")
    tenants = frame["tenant"].astype("str") if "tenant" in frame else pd.Series("", index=frame.index, dtype="str")
    for drill in drills.itertuples():
        inside = (frame[start] >= drill.start) & (frame[end] <= drill.end)
        found = found.mask(inside & simulated(tenants, drill.tenants) & (found == ""), drill.summary)
    return found


def refused_in(steps: pd.DataFrame, drills: pd.DataFrame) -> pd.Series:
    """How many refusals of `cardinality.window_steps` are each drill's, by its summary.

    Of a counter that names no tenant, a drill of named tenants has those in its time, as many as it
    says that it had `refused`: the rest are of others.
    """
    own = drilled(steps, drills, start="before", end="time")
    found = steps.groupby(own)["step"].sum().drop("", errors="ignore")
    nameless = steps["tenant"].astype("str") == "" if "tenant" in steps else pd.Series(True, index=steps.index)
    left = steps.loc[nameless & (own == ""), ["before", "time", "step"]].copy()
    for drill in drills[drills["refused"].notna()].itertuples():
        inside = left.loc[(left["before"] >= drill.start) & (left["time"] <= drill.end), "step"]
        taken = inside.cumsum().clip(upper=drill.refused)
        left.loc[inside.index, "step"] -= taken.diff().fillna(taken)
        if len(inside):
            found[drill.summary] = found.get(drill.summary, 0.0) + taken.iloc[-1]
    return found


def simulated(tenants: pd.Series, names: tuple[str, ...]) -> pd.Series:
    """Whether each tenant is one that a drill simulates: any where it names none, else a name or `stem*`."""
    if not names:
        return pd.Series(True, index=tenants.index)
    stems = tuple(name[:-1] for name in names if name.endswith("*"))
    own = tenants.isin([name for name in names if not name.endswith("*")])
    return (own | (tenants.str.startswith(stems) if stems else False)) & (tenants != "")


def whole_hours(drills: pd.DataFrame) -> pd.DataFrame:
    """Drills by the hours that they touch, for what is only told by hour."""
    return drills.assign(start=drills["start"].dt.floor("h"), end=drills["end"].dt.ceil("h"))
