"""Alert episodes held against the truth that people wrote down: which were right, and which incidents went unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed, types
from cloudxai_analysis.measures.rates import wilson_interval
from cloudxai_analysis.measures.stretches import micros

JUDGEMENTS = ("true", "standing", "false", "unjudged")
_JUDGED = types("judgement incident by")
_MEANING = {"actionable": "true", "noise": "false", "unknown": "unjudged"}
_BEFORE, _AFTER = 10, 30  # minutes by which an incident is widened
_MINUTE = 60_000_000
# The end of an incident that goes on; far enough away for an hour to be added to it.
_NEVER = 2**60


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

    An incident speaks of the episodes of its tenant (a global one of all) and of its `alerts`, where it names them. A
    label speaks of the episode of its rule and tenant that fired nearest to its time, within `label_seconds`.

    Columns: the episodes' own, and

    * judgement: 'true' where an analyst labelled it actionable, or `fired_at` lies in an incident widened by 10 min
      before and 30 after; 'standing' where it began earlier, at most `already_firing_minutes` before the incident's
      start, and still fired in the widened incident; 'false' where it was labelled noise, or is neither of these and
      the ledger is declared complete for `fired_at`; else 'unjudged', as is one labelled unknown. A label beats an
      incident; of several labels the last written counts. An episode cut off by the window's start has no known
      beginning, and only a label judges it.
    * incident: `id` of the incident that it caught or was already firing in; ''.
    * by: 'label', 'incident', 'ledger' (declared complete) or ''.
    """
    pairs = matches(episodes, incidents, already_firing_minutes=already_firing_minutes)
    best = pairs.drop_duplicates("row").set_index("row").reindex(range(len(episodes)))
    known = ~episodes["cut_start"].to_numpy(dtype=bool)
    caught, standing = (known & best["caught"].eq(which).to_numpy(dtype=bool) for which in (True, False))
    label = _labelled(episodes, labels, label_seconds)
    reasons = [label != "", caught, standing, known & _declared(episodes, complete)]
    judgement = np.select(reasons, [label, "true", "standing", "false"], "unjudged")
    by = np.select(reasons, ["label", "incident", "incident", "ledger"], "")
    met = (caught & (judgement == "true")) | (standing & (judgement == "standing"))
    incident = np.where(met, best["id"].astype("str").to_numpy(dtype=object), "")
    return episodes.assign(judgement=judgement, incident=incident, by=by).astype(_JUDGED)


def matches(episodes: pd.DataFrame, incidents: pd.DataFrame, *, already_firing_minutes: float = 0) -> pd.DataFrame:
    """Episodes with the incidents of their scope that they caught, or were already firing in.

    Columns: row (of the episode), place (of the incident), id, caught (bool); by row, caught ones first, then the
    incident whose start is nearest.
    """
    fired, resolved = (micros(episodes[name])[:, np.newaxis] for name in ("fired_at", "resolved_at"))
    start, end = micros(incidents["start"]), ends(incidents)
    opened, closed = start - _BEFORE * _MINUTE, end + _AFTER * _MINUTE
    scope = _in_scope(episodes, incidents)
    caught = scope & (fired >= opened) & (fired < closed)
    soon = start - fired <= already_firing_minutes * _MINUTE
    row, place = np.nonzero(caught | (scope & (fired < opened) & (resolved > opened) & soon))
    away = np.abs(fired[row, 0] - start[place])
    pairs = pd.DataFrame({"row": row, "place": place, "caught": caught[row, place], "away": away})
    pairs = pairs.sort_values(["row", "caught", "away"], ascending=[True, False, True], ignore_index=True)
    return pairs.assign(id=incidents["id"].astype("str").to_numpy()[pairs["place"]])[["row", "place", "id", "caught"]]


def ends(incidents: pd.DataFrame) -> NDArray[np.int64]:
    """The incidents' ends in microseconds; of one that goes on, never."""
    return np.where(incidents["end"].isna(), _NEVER, micros(incidents["end"]))


def first_catches(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """The first true positive of each rule in each incident that it caught, by the time it fired.

    Columns: id (of the incident), alertname, fired_at, detection (seconds from the incident's start), reset (seconds
    from its end to the last true positive's `resolved_at`; NaN where either is not known), acknowledge (seconds from
    `fired_at` until people acknowledged the incident; NaN where nobody wrote that down, or they did before the rule
    fired).
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

    Columns: alertname, incidents (that name it), caught (with at least one true positive of it), recall (their ratio),
    detection_seconds (median over those caught of the first true positive's `fired_at` minus the incident's start),
    reset_seconds (of the last one's `resolved_at` minus the incident's end, over the `reset` ones), low, high (95 %
    Wilson interval of recall), reset (incidents of which both are known), acknowledged (that people took up after it
    fired), acknowledge_seconds (`acknowledged_at` minus the first one's `fired_at`).
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

    Columns: id, alertname, tenant, pending_at (the first time), pending_seconds (the longest); by incident.
    """
    began, ended = (micros(pendings[name])[:, np.newaxis] for name in ("pending_at", "ended_at"))
    during = _in_scope(pendings, incidents) & (began < ends(incidents)) & (ended > micros(incidents["start"]))
    row, place = np.nonzero(during)
    found = pendings.iloc[row].reset_index(drop=True).assign(id=incidents["id"].astype("str").to_numpy()[place])
    found["pending_seconds"] = (found["ended_at"] - found["pending_at"]).dt.total_seconds()
    found["alertname"] = found["alertname"].astype("str")
    caught = first_catches(judged, incidents)[["id", "alertname"]].assign(hit=True)
    hit = found.merge(caught, how="left", on=["id", "alertname"])["hit"].notna().to_numpy()
    rows = found[~hit].sort_values("pending_at").groupby(["id", "alertname"], as_index=False)
    rows = rows.agg(
        tenant=("tenant", "first"), pending_at=("pending_at", "min"), pending_seconds=("pending_seconds", "max")
    )
    return typed(rows, near_misses).sort_values(["id", "pending_at", "alertname"], ignore_index=True)


def missed_incidents(judged: pd.DataFrame, incidents: pd.DataFrame, pendings: pd.DataFrame) -> pd.DataFrame:
    """Incidents without a single true positive, by start.

    Columns: id, start, end (NaT while it goes on), tenant ('' for all), summary, near_miss (the first alert of its
    scope that was pending during the incident and did not fire; '' for none).
    """
    missed = incidents[~incidents["id"].isin(first_catches(judged, incidents)["id"])]
    missed = missed.sort_values(["start", "id"], ignore_index=True)
    near = near_misses(judged, missed, pendings).drop_duplicates("id").set_index("id")["alertname"]
    return typed(missed.assign(near_miss=missed["id"].map(near).fillna("")), missed_incidents)


def _in_scope(alerts: pd.DataFrame, incidents: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each incident (column) speaks of each alert (row): its tenant's or all, and of the rules it names."""
    theirs, tenants = _text(alerts["tenant"])[:, np.newaxis], _text(incidents["tenant"])
    scope = np.asarray((tenants == "") | (theirs == tenants), dtype=bool)
    names = _text(alerts["alertname"])
    for place, named in enumerate(incidents["alerts"]):
        if named:
            scope[:, place] &= np.isin(names, list(named))
    return scope


def _text(values: pd.Series) -> NDArray[np.object_]:
    return values.astype("str").to_numpy(dtype=object)


def _labelled(episodes: pd.DataFrame, labels: pd.DataFrame, label_seconds: float) -> NDArray[np.object_]:
    """What an analyst's label makes of each episode; '' where there is none."""
    keys = {"alertname": "str", "tenant": "str"}
    left = episodes[[*keys, "fired_at"]].astype(keys).reset_index(drop=True).reset_index(names="row")
    right = labels[[*keys, "fired_at", "judgement"]].astype(keys).reset_index(drop=True).reset_index(names="order")
    joined = left.merge(right, on=list(keys), suffixes=("", "_said"))
    joined["away"] = (joined["fired_at"] - joined["fired_at_said"]).abs()
    # A rule that fires again within seconds: the label speaks of the nearest.
    nearest = joined["away"] == joined.groupby("order")["away"].transform("min")
    joined = joined[nearest & (joined["away"] <= pd.Timedelta(seconds=label_seconds))]
    last = joined.sort_values("order").drop_duplicates("row", keep="last").set_index("row")["judgement"]
    return last.map(_MEANING).reindex(left.index, fill_value="").to_numpy(dtype=object)


def _declared(episodes: pd.DataFrame, complete: pd.DataFrame) -> NDArray[np.bool_]:
    fired = micros(episodes["fired_at"])[:, np.newaxis]
    return np.any((fired >= micros(complete["start"])) & (fired < micros(complete["end"])), axis=1)
