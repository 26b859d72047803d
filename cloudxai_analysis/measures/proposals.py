"""Proposed truth: stretches that look like incidents and that nobody has confirmed. None of it counts as truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.judgement import ends
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES
from cloudxai_analysis.measures.stretches import micros

_NEAR = 30 * 60_000_000


def proposed_incidents(
    outages: pd.DataFrame,
    tenant_outages: pd.DataFrame,
    *,
    least_minutes: float = TENANT_MINUTES,
    least_global: float = OUTAGE_MINUTES,
) -> pd.DataFrame:
    """What the telemetry lets take for an incident, one row each, by start.

    `outages` and `tenant_outages` as `measures.readiness` gives them, the latter with tenant. Those of one tenant at
    most 30 minutes apart are one proposal: alerts count for an incident that long after its end. Left out are a
    tenant's dips inside a global one, and dips of no more than `least_minutes` in all, of the platform `least_global`.
    An end that is not known (NaT) goes on.

    Columns: id, start, end, tenant ('' for all), alerts (tuple, empty: any), severity (''), summary, source ('readiness
    dips'), evidence.
    """
    everybody, single = _together(outages.assign(tenant="")), _together(tenant_outages)
    everybody = everybody[everybody["minutes"] > least_global]
    single = single[single["minutes"] > least_minutes]
    inside = (micros(single["start"])[:, np.newaxis] >= micros(everybody["start"])) & (
        ends(single)[:, np.newaxis] <= ends(everybody)
    )
    rows = [_proposal(row) for row in pd.concat([everybody, single[~inside.any(axis=1)]]).itertuples()]
    return typed(rows, proposed_incidents).sort_values(["start", "id"], ignore_index=True)


def not_known(proposed: pd.DataFrame, incidents: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
    """The proposals that are still to be decided on: no incident of their scope overlaps them, and nobody judged them.

    `incidents` of the ledger, `decided` its proposals with `id` and `state` ('open', 'confirmed' or 'rejected').

    Columns: those of `proposed`.
    """
    done = set(decided.loc[decided["state"] != "open", "id"])
    own, known = proposed["tenant"].to_numpy(dtype=object)[:, np.newaxis], incidents["tenant"].to_numpy(dtype=object)
    start, end = micros(proposed["start"])[:, np.newaxis], ends(proposed)[:, np.newaxis]
    over = ((known == "") | (own == known)) & (start < ends(incidents)) & (micros(incidents["start"]) < end)
    fresh = ~over.any(axis=1) & ~proposed["id"].isin(done).to_numpy()
    return proposed[fresh].reset_index(drop=True)


def _together(outages: pd.DataFrame) -> pd.DataFrame:
    """Outages of one tenant that are near each other as one: tenant, start, end, dips, minutes."""
    frame = outages.assign(tenant=outages["tenant"].astype("str"), until=ends(outages))
    frame = frame.sort_values(["tenant", "start"], ignore_index=True)
    reached = frame.groupby("tenant")["until"].cummax().shift()
    opens = (frame["tenant"] != frame["tenant"].shift()) | (micros(frame["start"]) > reached + _NEAR)
    return frame.groupby(opens.cumsum()).agg(
        tenant=("tenant", "first"),
        start=("start", "min"),
        end=("end", lambda end: end.max(skipna=False)),
        dips=("start", "size"),
        minutes=("minutes", "sum"),
    )


def _proposal(row: Any) -> dict[str, object]:
    parts = ["proposed", f"{row.start:%Y%m%dT%H%M%SZ}", row.tenant]
    return {
        "id": "-".join(part for part in parts if part),
        "start": row.start,
        "end": row.end,
        "tenant": row.tenant,
        "alerts": (),
        "severity": "",
        "summary": f"{row.tenant or 'the whole platform'} not ready",
        "source": "readiness dips",
        "evidence": f"{row.dips} {'period' if row.dips == 1 else 'periods'}, {row.minutes:g} min",
    }
