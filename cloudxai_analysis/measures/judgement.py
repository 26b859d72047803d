"""Alert episodes held against the truth that people wrote down, and what the telemetry proposes to be written down."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, micros, ordered, typed, types
from cloudxai_analysis.measures.rates import wilson_interval
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES

JUDGEMENTS = ("true", "standing", "false", "unjudged")
_JUDGED = types("judgement incident by")
_MEANING = {"actionable": "true", "noise": "false", "unknown": "unjudged"}
_MINUTE = 60_000_000
_BEFORE, _AFTER = 10 * _MINUTE, 30 * _MINUTE  # by which an incident is widened
# The end of an incident that goes on; far enough away for an hour to be added to it.
_NEVER = 2**60
_RULE = {"alertname": "str", "tenant": "str"}


def judged(
    episodes: pd.DataFrame,
    incidents: pd.DataFrame,
    labels: pd.DataFrame,
    complete: pd.DataFrame,
    *,
    already_firing_minutes: float = 60,
    label_seconds: float = 60,
) -> pd.DataFrame:
    """The episodes, each with what the ledger says of it.

    A label speaks of the episode of its rule and tenant that fired nearest to its time, within
    `label_seconds`; only a label judges an episode cut off by the window's start. What is 'true',
    'standing' or 'false', docs/definitions.md says.

    Columns: the episodes' own, judgement, incident (that it caught or was firing in), by ('label',
    'incident', 'ledger' (declared complete) or '').
    """
    pairs = matches(episodes, incidents, already_firing_minutes=already_firing_minutes)
    best = pairs.drop_duplicates("row").set_index("row").reindex(range(len(episodes)))
    known = ~episodes["cut_start"].to_numpy(dtype=bool)
    caught, standing = (known & best["caught"].eq(which).to_numpy(dtype=bool) for which in (True, False))
    label = _labelled(episodes, labels, label_seconds)
    fired = micros(episodes["fired_at"])[:, np.newaxis]
    declared = np.any((fired >= micros(complete["start"])) & (fired < micros(complete["end"])), axis=1)
    reasons = [label != "", caught, standing, known & declared]
    judgement = np.select(reasons, [label, "true", "standing", "false"], "unjudged")
    by = np.select(reasons, ["label", "incident", "incident", "ledger"], "")
    met = (caught & (judgement == "true")) | (standing & (judgement == "standing"))
    incident = np.where(met, best["id"].astype("str").to_numpy(dtype=object), "")
    return episodes.assign(judgement=judgement, incident=incident, by=by).astype(_JUDGED)


def matches(episodes: pd.DataFrame, incidents: pd.DataFrame, *, already_firing_minutes: float = 0) -> pd.DataFrame:
    """Episodes with the incidents of their scope that they caught, or were already firing in.

    Columns: row (of the episode), place, id, caught (bool); by row, caught ones first, then the
    incident whose start is nearest.
    """
    fired, resolved = (micros(episodes[name])[:, np.newaxis] for name in ("fired_at", "resolved_at"))
    start, end = micros(incidents["start"]), _ends(incidents)
    scope = _in_scope(episodes, incidents)
    caught = scope & (fired >= start - _BEFORE) & (fired < end + _AFTER)
    before = scope & (fired < start - _BEFORE) & (resolved > start - _BEFORE)
    row, place = np.nonzero(caught | (before & (start - fired <= already_firing_minutes * _MINUTE)))
    away = np.abs(fired[row, 0] - start[place])
    pairs = pd.DataFrame({"row": row, "place": place, "caught": caught[row, place], "away": away})
    pairs = ordered(pairs, "row -caught away")
    return pairs.assign(id=incidents["id"].astype("str").to_numpy()[pairs["place"]])[["row", "place", "id", "caught"]]


def first_catches(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """The first true positive of each rule in each incident that it caught, by the time it fired.

    Columns: id (of the incident), alertname, fired_at, detection, reset, acknowledge.
    """
    right = judged[judged["judgement"] == "true"].sort_values("fired_at", ignore_index=True)
    pairs = matches(right, incidents)
    episode = right.iloc[pairs["row"].to_numpy()].reset_index(drop=True)
    incident = incidents.iloc[pairs["place"].to_numpy()].reset_index(drop=True)
    # For those on call an incident is over when the last of its alerts is.
    both = [incident["id"], episode["alertname"]]
    last = episode["resolved_at"].groupby(both, observed=True).transform("max")
    goes_on = (episode["cut_end"].astype(bool) & (episode["resolved_at"] == last)).groupby(both, observed=True)
    nobody = pd.Series(pd.NaT, index=incident.index, dtype=TIME)
    waited = (incident.get("acknowledged_at", nobody) - episode["fired_at"]).dt.total_seconds()
    found = {
        "id": incident["id"],
        "alertname": episode["alertname"],
        "fired_at": episode["fired_at"],
        "detection": (episode["fired_at"] - incident["start"]).dt.total_seconds(),
        "reset": (last.mask(goes_on.transform("any")) - incident["end"]).dt.total_seconds(),
        "acknowledge": waited.where(waited >= 0),
    }
    return typed(pd.DataFrame(found).drop_duplicates(["id", "alertname"], ignore_index=True), first_catches)


def recall(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """Of the incidents that name a rule, how many it caught, and how soon.

    Columns: alertname, incidents, caught, recall, detection_seconds, reset_seconds, low, high,
    reset, acknowledged, acknowledge_seconds.
    """
    named = incidents[["id", "alerts"]].explode("alerts").dropna().rename(columns={"alerts": "alertname"})
    named = named.astype({"id": "str", "alertname": "str"}).drop_duplicates()
    found = named.merge(first_catches(judged, incidents), how="left", on=["id", "alertname"]).groupby("alertname")
    frame = found.agg(
        incidents=("id", "size"),
        caught=("detection", "count"),
        detection_seconds=("detection", "median"),
        reset=("reset", "count"),
        reset_seconds=("reset", "median"),
        acknowledged=("acknowledge", "count"),
        acknowledge_seconds=("acknowledge", "median"),
    ).reset_index()
    intervals = [wilson_interval(*row) for row in zip(frame["caught"], frame["incidents"], strict=True)]
    frame[["low", "high"]] = np.array(intervals, dtype=float).reshape(-1, 2)
    return typed(frame.assign(recall=frame["caught"] / frame["incidents"]), recall)


def near_misses(judged: pd.DataFrame, incidents: pd.DataFrame, pendings: pd.DataFrame) -> pd.DataFrame:
    """Rules that were pending in an incident of their scope and did not catch it, one row per incident and rule.

    Columns: id, alertname, tenant, pending_at (the first time), pending_seconds (the longest); by
    incident.
    """
    began, ended = (micros(pendings[name])[:, np.newaxis] for name in ("pending_at", "ended_at"))
    during = _in_scope(pendings, incidents) & (began < _ends(incidents)) & (ended > micros(incidents["start"]))
    row, place = np.nonzero(during)
    found = pendings.iloc[row].reset_index(drop=True).assign(id=incidents["id"].astype("str").to_numpy()[place])
    found["pending_seconds"] = (found["ended_at"] - found["pending_at"]).dt.total_seconds()
    found["alertname"] = found["alertname"].astype("str")
    caught = first_catches(judged, incidents)[["id", "alertname"]].assign(hit=True)
    hit = found.merge(caught, how="left", on=["id", "alertname"])["hit"].notna().to_numpy()
    rows = found[~hit].sort_values("pending_at").groupby(["id", "alertname"], as_index=False)
    rows = rows.agg({"tenant": "first", "pending_at": "min", "pending_seconds": "max"})
    return typed(rows, near_misses, by="id pending_at alertname")


def missed_incidents(judged: pd.DataFrame, incidents: pd.DataFrame, pendings: pd.DataFrame) -> pd.DataFrame:
    """Incidents without a single true positive, by start; `near_miss` is the first alert that was pending in it.

    Columns: id, start, end, tenant, summary, near_miss.
    """
    missed = ordered(incidents[~incidents["id"].isin(first_catches(judged, incidents)["id"])], "start id")
    near = near_misses(judged, missed, pendings).drop_duplicates("id").set_index("id")["alertname"]
    return typed(missed.assign(near_miss=missed["id"].map(near).fillna("")), missed_incidents)


def proposed_incidents(outages: pd.DataFrame, tenant_outages: pd.DataFrame) -> pd.DataFrame:
    """What the telemetry lets take for an incident, by start: proposed truth, none of which counts as truth.

    Outages of one tenant at most 30 minutes apart are one proposal: alerts count for an incident
    that long after its end.

    Columns: id, start, end (NaT: it goes on), tenant, alerts (none: any), severity, summary,
    source, evidence.
    """
    everybody, single = _together(outages.assign(tenant="")), _together(tenant_outages)
    everybody = everybody[everybody["minutes"] > OUTAGE_MINUTES]
    single = single[single["minutes"] > TENANT_MINUTES]
    inside = (micros(single["start"])[:, np.newaxis] >= micros(everybody["start"])) & (
        _ends(single)[:, np.newaxis] <= _ends(everybody)
    )
    rows = [
        {
            "id": "-".join(filter(None, ["proposed", f"{row.start:%Y%m%dT%H%M%SZ}", row.tenant])),
            "alerts": (),
            "summary": f"{row.tenant or 'the whole platform'} not ready",
            "evidence": f"{row.dips} {'period' if row.dips == 1 else 'periods'}, {row.minutes:g} min",
            **{"start": row.start, "end": row.end, "tenant": row.tenant, "severity": "", "source": "readiness dips"},
        }
        for row in pd.concat([everybody, single[~inside.any(axis=1)]]).itertuples()
    ]
    return typed(rows, proposed_incidents, by="start id")


def not_known(proposed: pd.DataFrame, incidents: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
    """The proposals that are still to be decided on: no incident of their scope overlaps them, and nobody judged them.

    `incidents` of the ledger, `decided` its proposals with `id` and `state` ('open', 'confirmed' or
    'rejected').

    Columns: those of `proposed`.
    """
    done = set(decided.loc[decided["state"] != "open", "id"])
    start, end = micros(proposed["start"])[:, np.newaxis], _ends(proposed)[:, np.newaxis]
    over = _in_scope(proposed.assign(alertname=""), incidents.assign(alerts=None))
    over &= (start < _ends(incidents)) & (micros(incidents["start"]) < end)
    fresh = ~over.any(axis=1) & ~proposed["id"].isin(done).to_numpy()
    return proposed[fresh].reset_index(drop=True)


def _together(outages: pd.DataFrame) -> pd.DataFrame:
    """Outages of one tenant that are near each other as one: tenant, start, end, dips, minutes."""
    frame = outages.assign(tenant=outages["tenant"].astype("str"), until=_ends(outages))
    frame = frame.sort_values(["tenant", "start"], ignore_index=True)
    reached = frame.groupby("tenant")["until"].cummax().shift()
    opens = (frame["tenant"] != frame["tenant"].shift()) | (micros(frame["start"]) > reached + _AFTER)
    return frame.groupby(opens.cumsum()).agg(
        tenant=("tenant", "first"),
        start=("start", "min"),
        end=("end", lambda end: end.max(skipna=False)),
        dips=("start", "size"),
        minutes=("minutes", "sum"),
    )


def _ends(incidents: pd.DataFrame) -> NDArray[np.int64]:
    """The incidents' ends in microseconds; of one that goes on, never."""
    return np.where(incidents["end"].isna(), _NEVER, micros(incidents["end"]))


def _in_scope(alerts: pd.DataFrame, incidents: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each incident (column) speaks of each alert (row): its tenant's or all, and of the rules it names."""
    theirs, tenants, names = (
        column.astype("str").to_numpy(dtype=object)
        for column in (alerts["tenant"], incidents["tenant"], alerts["alertname"])
    )
    scope = np.asarray((tenants == "") | (theirs[:, np.newaxis] == tenants), dtype=bool)
    for place, named in enumerate(incidents["alerts"]):
        if named:
            scope[:, place] &= np.isin(names, list(named))
    return scope


def _labelled(episodes: pd.DataFrame, labels: pd.DataFrame, label_seconds: float) -> NDArray[np.object_]:
    """What an analyst's label makes of each episode; '' where there is none."""
    left = episodes[[*_RULE, "fired_at"]].astype(_RULE).reset_index(drop=True).reset_index(names="row")
    right = labels[[*_RULE, "fired_at", "judgement"]].astype(_RULE).reset_index(drop=True).reset_index(names="order")
    joined = left.merge(right, on=list(_RULE), suffixes=("", "_said"))
    joined["away"] = (joined["fired_at"] - joined["fired_at_said"]).abs()
    # A rule that fires again within seconds: the label speaks of the nearest.
    nearest = joined["away"] == joined.groupby("order")["away"].transform("min")
    joined = joined[nearest & (joined["away"] <= pd.Timedelta(seconds=label_seconds))]
    last = joined.sort_values("order").drop_duplicates("row", keep="last").set_index("row")["judgement"]
    return last.map(_MEANING).reindex(left.index, fill_value="").to_numpy(dtype=object)
