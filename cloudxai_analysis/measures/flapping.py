"""Tenants whose readiness flips to and fro, seen in their transition counters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import typed


def tenant_flapping(steps: pd.DataFrame, *, most: float = 10, minutes: float = 10) -> pd.DataFrame:
    """Stretches in which a tenant's readiness made more than `most` transitions within `minutes` minutes.

    `steps` of the tenants' transition counters as `measures.counters.counter_steps` gives them. A step over a gap
    longer than `minutes` is left out: nothing shows that its transitions lie close together.

    Columns: tenant, start (sample before the first step), end (last step), transitions (in the stretch); one row per
    series and stretch, by start.
    """
    near = steps["time"] - steps["before"] <= pd.Timedelta(minutes=minutes)
    steps = steps[(steps["step"] > 0) & near]
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
    found = typed(rows, tenant_flapping)
    return found.sort_values(["start", "tenant"], ignore_index=True)
