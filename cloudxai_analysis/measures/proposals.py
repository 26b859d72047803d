"""Proposed truth: stretches that look like incidents and that nobody has confirmed. None of it counts as truth."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import TIME, typed, types
from cloudxai_analysis.measures.judgement import false_positive_rates, judged
from cloudxai_analysis.measures.matching import ends, moments
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES

READINESS, IMPACT = "readiness dips", "impact query"
_TRUTH = types("id start end tenant alerts")
_STRETCH = types("tenant start end dips minutes")


def proposed_incidents(
    outages: pd.DataFrame,
    tenant_outages: pd.DataFrame,
    impact: pd.DataFrame | None = None,
    *,
    near_minutes: float = 30,
    least_minutes: float = TENANT_MINUTES,
    least_global: float = OUTAGE_MINUTES,
) -> pd.DataFrame:
    """What the telemetry lets take for an incident, one row each, by start.

    `outages` and `tenant_outages` as `measures.readiness` gives them, the latter with tenant; `impact` stretches of the
    user's own query, with tenant ('' for all), start, end. Those of one tenant and source at most `near_minutes` apart
    are one proposal: alerts count for an incident that long after its end. Left out are a tenant's dips inside a global
    one, and dips of no more than `least_minutes` in all, of the platform `least_global`: one scrape that fails tells
    nothing. An end that is not known (NaT) goes on.

    Columns: id, start, end, tenant ('' for all), alerts (tuple, empty: any), severity (''), summary, source ('readiness
    dips' or 'impact query'), evidence.
    """
    everybody = _together(outages.assign(tenant=""), near_minutes)
    everybody = everybody[everybody["minutes"] > least_global]
    single = _together(tenant_outages, near_minutes)
    single = _outside(single[single["minutes"] > least_minutes], everybody)
    impact = typed([] if impact is None else impact, impact_stretches)
    minutes = (impact["end"] - impact["start"]).dt.total_seconds() / 60
    asked = _together(impact.assign(minutes=minutes), near_minutes)
    rows = [*_proposals(pd.concat([everybody, single]), READINESS), *_proposals(asked, IMPACT)]
    return typed(rows, proposed_incidents).sort_values(["start", "id"], ignore_index=True)


def impact_stretches(samples: pd.DataFrame, *, step_seconds: float) -> pd.DataFrame:
    """Stretches in which a query for impact gave something else than 0, one row each, by start.

    `samples` of the query at steps `step_seconds` apart: time, value, and tenant where it has that label. A step
    without a value is one without impact.

    Columns: tenant ('' for all), start, end (the last step with impact plus one step).
    """
    hit = samples[(samples["value"] != 0) & samples["value"].notna()]
    tenant = hit["tenant"].astype("str").fillna("") if "tenant" in hit else pd.Series("", index=hit.index, dtype="str")
    frame = hit.assign(tenant=tenant).sort_values(["tenant", "time"], ignore_index=True)
    apart = frame["time"].diff() > pd.Timedelta(seconds=1.5 * step_seconds)
    grouped = frame.groupby((apart | (frame["tenant"] != frame["tenant"].shift())).cumsum())
    found = grouped.agg(tenant=("tenant", "first"), start=("time", "min"), end=("time", "max"))
    found["end"] += pd.Timedelta(seconds=step_seconds)
    return typed(found, impact_stretches).sort_values(["start", "tenant"], ignore_index=True)


def not_known(proposed: pd.DataFrame, incidents: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
    """The proposals that are still to be decided on: no incident of their scope overlaps them, and nobody judged them.

    `incidents` of the ledger, `decided` its proposals with `id` and `state` ('open', 'confirmed' or 'rejected').

    Columns: those of `proposed`.
    """
    done = set(decided.loc[decided["state"] != "open", "id"])
    own, known = proposed["tenant"].to_numpy(dtype=object)[:, np.newaxis], incidents["tenant"].to_numpy(dtype=object)
    start, end = moments(proposed["start"])[:, np.newaxis], ends(proposed)[:, np.newaxis]
    over = ((known == "") | (own == known)) & (start < ends(incidents)) & (moments(incidents["start"]) < end)
    fresh = ~over.any(axis=1) & ~proposed["id"].isin(done).to_numpy()
    return proposed[fresh].reset_index(drop=True)


def rates_if_confirmed(
    episodes: pd.DataFrame,
    incidents: pd.DataFrame,
    labels: pd.DataFrame,
    complete: pd.DataFrame,
    proposed: pd.DataFrame,
    window: Window,
) -> pd.DataFrame:
    """False-positive rates as they are, beside what they would be were every proposal confirmed and nothing missing.

    The second is no rate that anybody measured: it takes all of `proposed` for incidents and the ledger for complete
    over `window`. `incidents`, `labels` and `complete` as the ledger gives them.

    Columns: alertname, severity, trials, rate, low, high, trials_if, rate_if, low_if, high_if.
    """
    both = typed(pd.concat([frame[list(_TRUTH)] for frame in (incidents, proposed)], ignore_index=True), _TRUTH)
    whole = pd.DataFrame({"start": [pd.Timestamp(window.start)], "end": [pd.Timestamp(window.end)]})
    whole = whole.astype({"start": TIME, "end": TIME})
    now = false_positive_rates(judged(episodes, incidents, labels, complete))
    then = false_positive_rates(judged(episodes, both, labels, whole))
    key, shown = ["alertname", "severity"], ["trials", "rate", "low", "high"]
    joined = now[[*key, *shown]].merge(then[[*key, *shown]], how="outer", on=key, suffixes=("", "_if"))
    return typed(joined, rates_if_confirmed)


def _together(outages: pd.DataFrame, near_minutes: float) -> pd.DataFrame:
    """Outages of one tenant that are near each other as one: tenant, start, end, dips, minutes."""
    frame = outages.assign(tenant=outages["tenant"].astype("str")).sort_values(["tenant", "start"], ignore_index=True)
    if frame.empty:
        return typed([], _STRETCH)
    group = frame.groupby("tenant").ngroup().to_numpy()
    reached = pd.Series(ends(frame).astype("int64")).groupby(group).cummax().to_numpy()
    begun = moments(frame["start"]).astype("int64")
    opens = np.append(True, (group[1:] != group[:-1]) | (begun[1:] > reached[:-1] + near_minutes * 60_000_000))
    number = np.cumsum(opens) - 1
    rows = frame.assign(open=frame["end"].isna()).groupby(number)
    found = rows.agg(
        tenant=("tenant", "first"),
        start=("start", "min"),
        end=("end", "max"),
        open=("open", "any"),
        dips=("start", "size"),
        minutes=("minutes", "sum"),
    )
    return typed(found.assign(end=found["end"].mask(found["open"])), _STRETCH)


def _outside(single: pd.DataFrame, everybody: pd.DataFrame) -> pd.DataFrame:
    start, end = moments(single["start"])[:, np.newaxis], ends(single)[:, np.newaxis]
    inside = (start >= moments(everybody["start"])) & (end <= ends(everybody))
    return single[~inside.any(axis=1)]


def _proposals(stretches: pd.DataFrame, source: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row in stretches.to_dict("records"):
        whom = row["tenant"] or "the whole platform"
        what = "not ready" if source == READINESS else "hit, by the query for impact"
        begun = row["start"].astimezone(UTC)
        rows.append(
            {
                "id": "-".join(
                    ["proposed", f"{begun:%Y%m%dT%H%M%SZ}", *([] if source == READINESS else ["impact"])]
                    + ([row["tenant"]] if row["tenant"] else [])
                ),
                "start": row["start"],
                "end": row["end"],
                "tenant": row["tenant"],
                "alerts": (),
                "severity": "",
                "summary": f"{whom} {what}",
                "source": source,
                "evidence": f"{row['dips']} {'period' if row['dips'] == 1 else 'periods'}, {row['minutes']:g} min",
            }
        )
    return rows
