"""Tenants whose readiness flips to and fro, seen in their transition counters."""

from __future__ import annotations

import numpy as np
import pandas as pd

_TIME = "datetime64[us, UTC]"
_FLAPPING = {"tenant": "str", "start": _TIME, "end": _TIME, "transitions": "int64"}


def tenant_flapping(samples: pd.DataFrame, *, most: float = 10, minutes: float = 10) -> pd.DataFrame:
    """Stretches in which a tenant's readiness made more than `most` transitions within `minutes` minutes.

    `samples` of the tenants' transition counters, by series and time. The steps count at the later of their two
    samples; a fall is a reset and counts the value after it; a series' first sample counts nothing. A step over a gap
    longer than `minutes` is left out: nothing shows that its transitions lie close together.

    Columns: tenant, start (sample before the first step), end (last step), transitions (in the stretch); one row per
    series and stretch, by start.
    """
    steps = _steps(samples, longest=pd.Timedelta(minutes=minutes))
    width = pd.Timedelta(minutes=minutes).value // 1_000
    series = (steps["series_id"] != steps["series_id"].shift()).cumsum().to_numpy()
    moment = steps["time"].dt.as_unit("us").astype("int64").to_numpy()
    transitions = steps["step"].to_numpy()
    # One ascending axis for all series, each far beyond the one before, so that one search serves all.
    span = int(moment.max() - moment.min()) + 2 * width if len(steps) else 0
    axis = series * span + moment
    oldest = np.searchsorted(axis, axis - width, side="right")
    running = np.concatenate([[0.0], np.cumsum(transitions)])
    crowded = np.flatnonzero(running[1:] - running[oldest] > most)
    rows = []
    for stretch in np.split(crowded, np.flatnonzero(oldest[crowded[1:]] > crowded[:-1]) + 1) if len(crowded) else []:
        first, last = oldest[stretch[0]], stretch[-1]
        rows.append(
            {
                "tenant": str(steps["tenant"].iloc[first]),
                "start": steps["before"].iloc[first],
                "end": steps["time"].iloc[last],
                "transitions": transitions[first : last + 1].sum(),
            }
        )
    found = pd.DataFrame(rows, columns=list(_FLAPPING)).astype(_FLAPPING)
    return found.sort_values(["start", "tenant"], ignore_index=True)


def _steps(samples: pd.DataFrame, *, longest: pd.Timedelta) -> pd.DataFrame:
    """Samples at which a counter had risen, at most `longest` after the one before.

    Columns: series_id, tenant, before (time of the sample before), time, step.
    """
    frame = samples[samples["value"].notna()].sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    change = frame["value"].diff()
    step = change.where(change >= 0, frame["value"])
    step = step.where(frame["series_id"] == frame["series_id"].shift(), 0.0)
    frame = frame.assign(before=frame["time"].shift(), step=step)
    risen = (frame["step"] > 0) & (frame["time"] - frame["before"] <= longest)
    return frame.loc[risen, ["series_id", "tenant", "before", "time", "step"]].reset_index(drop=True)
