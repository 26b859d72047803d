"""Alert episodes held against the truth that people wrote down: which were right, and which incidents went unseen."""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.clusters import design_effect, time_clusters
from cloudxai_analysis.measures.frames import TIME, typed, types
from cloudxai_analysis.measures.matching import ends, in_scope, matches, moments

JUDGEMENTS = ("true", "standing", "false", "unjudged")
_JUDGED = types("judgement incident by")
_TIMES = ("detection", "reset", "acknowledge")
_MEANING = {"actionable": "true", "noise": "false", "unknown": "unjudged"}


def judged(
    episodes: pd.DataFrame,
    incidents: pd.DataFrame,
    labels: pd.DataFrame,
    complete: pd.DataFrame,
    *,
    before_minutes: float = 10,
    after_minutes: float = 30,
    standing_minutes: float = 60,
    label_seconds: float = 60,
) -> pd.DataFrame:
    """The episodes, each with what the ledger says of it.

    `incidents`, `labels`, `complete` as the ledger gives them. An incident speaks of the episodes of its tenant (a
    global one of all) and of its `alerts`, where it names them. A label speaks of the episode of its rule and tenant
    whose `fired_at` it gives, to within `label_seconds`; of several, of the nearest.

    Columns: the episodes' own, and

    * judgement: 'true' where an analyst labelled it actionable, or `fired_at` lies in an incident widened by
      `before_minutes` and `after_minutes`; 'standing' where it began earlier, at most `standing_minutes` before the
      incident's start, and still fired in the widened incident; 'false' where it was labelled noise, or is neither of
      these and the ledger is declared complete for `fired_at`; else 'unjudged', as is one labelled unknown. A label
      beats an incident; of several labels the last written counts. An episode cut off by the window's start has no
      known beginning, and only a label judges it.
    * incident: `id` of the incident that it caught or stood in; ''.
    * by: 'label', 'incident', 'ledger' (declared complete) or ''.
    """
    pairs = matches(
        episodes,
        incidents,
        before_minutes=before_minutes,
        after_minutes=after_minutes,
        standing_minutes=standing_minutes,
    )
    best = pairs.drop_duplicates("row").set_index("row").reindex(range(len(episodes)))
    known = ~episodes["cut_start"].to_numpy(dtype=bool)
    caught = known & best.index.isin(pairs.loc[pairs["caught"], "row"])
    stood = known & best["id"].notna().to_numpy() & ~caught
    label = _labelled(episodes, labels, label_seconds)

    judgement = np.where(known & _declared(episodes, complete), "false", "unjudged")
    judgement = np.where(stood, "standing", np.where(caught, "true", judgement))
    by = np.where(caught | stood, "incident", np.where(judgement == "false", "ledger", ""))
    labelled = label != ""
    judgement = np.where(labelled, label, judgement)
    by = np.where(labelled, "label", by)
    met = (caught & (judgement == "true")) | (stood & (judgement == "standing"))
    incident = np.where(met, best["id"].astype("str").to_numpy(dtype=object), "")
    return episodes.assign(judgement=judgement, incident=incident, by=by).astype(_JUDGED)


def false_positive_rates(judged: pd.DataFrame) -> pd.DataFrame:
    """False-positive rate of each rule: false / (true + false positives), with its 95 % interval.

    As people on call say it; statistics call it the false discovery rate. Episodes of one rule and one judgement that
    begin within 60 min of the first of them are one alert group, here a trial. The interval is Wilson's, of as many
    independent groups as these are worth: groups of one cluster of `clusters.time_clusters` likely have one cause.

    Columns: alertname, severity, episodes (all of the rule, judged or not), trials (true and false ones),
    true_positives and false_positives (of them), rate, low, high (NaN without a trial), design_effect (1 where no two
    groups lie in one cluster), judged_share (share of the episodes that are not 'unjudged'); the rule with the
    most false positives first.
    """
    opens = _trials(judged)
    rows = [
        _rate_row(group, opens, alertname=str(group["alertname"].iloc[0]), severity=str(group["severity"].iloc[0]))
        for _, group in judged.groupby(["alertname", "severity"], observed=True)
    ]
    frame = typed(rows, false_positive_rates)
    return frame.sort_values(["false_positives", "alertname"], ascending=[False, True], ignore_index=True)


def pooled_rate(judged: pd.DataFrame, alertnames: Collection[str]) -> pd.DataFrame:
    """False-positive rate of several rules together: one row as `false_positive_rates` gives, whatever was judged.

    Trials are made within each rule and added up; `alertname` lists the rules.
    """
    ours = judged[judged["alertname"].isin(list(alertnames))]
    row = _rate_row(ours, _trials(ours), alertname=", ".join(alertnames), severity="")
    return typed([row], false_positive_rates)


def recall(
    judged: pd.DataFrame, incidents: pd.DataFrame, *, before_minutes: float = 10, after_minutes: float = 30
) -> pd.DataFrame:
    """Of the incidents that name a rule, how many it caught.

    Columns: alertname, incidents (that name it), caught (with at least one true positive of it), recall (their ratio),
    detection_seconds (median over those caught of the first true positive's `fired_at` minus the incident's start),
    reset_seconds (of the last one's `resolved_at` minus the incident's end, over the `reset` ones), low, high (95 %
    Wilson interval of recall), reset (incidents of which both are known), acknowledged (that people took up after it
    fired), acknowledge_seconds (`acknowledged_at` minus the first one's `fired_at`), detection_p90 (90th percentile,
    linear between two), detection_p90_low, detection_p90_high (its exact 95 % interval; NaN where there are too few for
    one), reset_p90, reset_p90_low, reset_p90_high, acknowledge_p90, acknowledge_p90_low, acknowledge_p90_high.
    """
    caught = first_catches(judged, incidents, before_minutes=before_minutes, after_minutes=after_minutes)
    named = incidents[["id", "alerts"]].explode("alerts").dropna().rename(columns={"alerts": "alertname"})
    named = named.astype({"id": "str", "alertname": "str"}).drop_duplicates()
    rows = []
    for name, group in named.merge(caught, how="left", on=["id", "alertname"]).groupby("alertname"):
        hit, own = int(group["detection"].count()), len(group)
        row = {"alertname": name, "incidents": own, "caught": hit, "recall": hit / own}
        row["low"], row["high"] = wilson_interval(hit, own)
        row["reset"], row["acknowledged"] = group["reset"].count(), group["acknowledge"].count()
        for kind in _TIMES:
            row[f"{kind}_seconds"] = group[kind].median()
            row[f"{kind}_p90"], row[f"{kind}_p90_low"], row[f"{kind}_p90_high"] = _p90(group[kind].dropna())
        rows.append(row)
    return typed(rows, recall)


def missed_incidents(
    judged: pd.DataFrame,
    incidents: pd.DataFrame,
    pendings: pd.DataFrame,
    *,
    before_minutes: float = 10,
    after_minutes: float = 30,
) -> pd.DataFrame:
    """Incidents without a single true positive, by start.

    Columns: id, start, end (NaT while it goes on), tenant ('' for all), summary, near_miss (the first alert of its
    scope that was pending during the incident and did not fire; '' for none).
    """
    caught = first_catches(judged, incidents, before_minutes=before_minutes, after_minutes=after_minutes)["id"]
    missed = incidents[~incidents["id"].isin(caught)].sort_values(["start", "id"], ignore_index=True)
    waiting = pendings.sort_values("pending_at", ignore_index=True)
    began, ended = moments(waiting["pending_at"])[:, np.newaxis], moments(waiting["ended_at"])[:, np.newaxis]
    during = in_scope(waiting, missed) & (began < ends(missed)) & (ended > moments(missed["start"]))
    row, place = np.nonzero(during)
    near = pd.DataFrame({"place": place, "alertname": waiting["alertname"].astype("str").iloc[row].to_numpy()})
    first = near.drop_duplicates("place").set_index("place")["alertname"]
    return typed(missed.assign(near_miss=first.reindex(missed.index, fill_value="")), missed_incidents)


def first_catches(
    judged: pd.DataFrame, incidents: pd.DataFrame, *, before_minutes: float = 10, after_minutes: float = 30
) -> pd.DataFrame:
    """The first true positive of each rule in each incident that it caught, by the time it fired.

    Columns: id (of the incident), alertname, fired_at, detection (seconds from the incident's start), reset (seconds
    from its end to the last true positive's `resolved_at`; NaN where either is not known), acknowledge (seconds from
    `fired_at` until people acknowledged the incident; NaN where nobody wrote that down, or they did before the rule
    fired).
    """
    right = judged[judged["judgement"] == "true"].sort_values("fired_at", ignore_index=True)
    pairs = matches(right, incidents, before_minutes=before_minutes, after_minutes=after_minutes)
    episode = right.iloc[pairs["row"].to_numpy()].reset_index(drop=True)
    incident = incidents.iloc[pairs["place"].to_numpy()].reset_index(drop=True)
    # For those on call an incident is over when the last of its alerts is.
    both = [incident["id"], episode["alertname"]]
    last = episode["resolved_at"].groupby(both, observed=True).transform("max")
    goes_on = (episode["cut_end"].astype(bool) & (episode["resolved_at"] == last)).groupby(both, observed=True)
    nobody = pd.Series(pd.NaT, index=incident.index, dtype=TIME)
    acknowledged = incident.get("acknowledged_at", nobody)
    waited = (acknowledged - episode["fired_at"]).dt.total_seconds()
    found = pd.DataFrame(
        {
            "id": incident["id"],
            "alertname": episode["alertname"],
            "fired_at": episode["fired_at"],
            "detection": (episode["fired_at"] - incident["start"]).dt.total_seconds(),
            "reset": (last.mask(goes_on.transform("any")) - incident["end"]).dt.total_seconds(),
            "acknowledge": waited.where(waited >= 0),
        }
    )
    return typed(found.drop_duplicates(["id", "alertname"], ignore_index=True), first_catches)


def further_trials(rates: pd.DataFrame, *, share: float) -> pd.DataFrame:
    """How many further trials, all true and independent, bring the upper end of each rate's interval down to `share`.

    `rates` as `false_positive_rates` or `pooled_rate` gives them. Wilson's upper end is at most b where
    (n·b − w)² ≥ z²·b·(1 − b)·n, w false of n, which is a square in n.

    Columns: alertname, severity, needed (0 where it is there already).
    """
    needed = [
        trials_needed(wrong / effect, trials / effect, share=share)
        for wrong, trials, effect in zip(
            rates["false_positives"], rates["trials"], rates["design_effect"].fillna(1.0), strict=True
        )
    ]
    return typed(rates[["alertname", "severity"]].assign(needed=needed), further_trials)


def trials_needed(wrong: float, trials: float, *, share: float) -> int:
    """How many further true trials bring the upper end of `wrong` in `trials` down to `share`."""
    spread = _z() ** 2 * share * (1 - share)
    middle = 2 * share * wrong + spread
    enough = (middle + math.sqrt(middle**2 - 4 * share**2 * wrong**2)) / (2 * share**2)
    more = max(0, math.ceil(enough - trials))
    # Beside the root, the last bit may fall to either side.
    while more and wilson_interval(wrong, trials + more - 1)[1] <= share:
        more -= 1
    while not trials + more or wilson_interval(wrong, trials + more)[1] > share:
        more += 1
    return more


def trials(judged: pd.DataFrame) -> pd.DataFrame:
    """The episodes that open a trial, true or false: episodes of one rule and judgement within 60 min are one trial.

    Columns: those of `judged`.
    """
    return judged[_trials(judged) & judged["judgement"].isin(["true", "false"])].reset_index(drop=True)


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
    fired = moments(episodes["fired_at"])[:, np.newaxis]
    inside = (fired >= moments(complete["start"])) & (fired < moments(complete["end"]))
    return np.asarray(inside.any(axis=1), dtype=bool)


def _trials(judged: pd.DataFrame, *, minutes: float = 60) -> pd.Series:
    """True at the first episode of each trial, which takes in those of its rule and judgement up to `minutes` later."""
    opens = pd.Series(False, index=judged.index)
    within = np.timedelta64(round(minutes * 60_000_000), "us")
    for _, group in judged.groupby(["alertname", "severity", "judgement"], observed=True):
        ordered = group["fired_at"].sort_values()
        begun = moments(ordered)
        place = 0
        while place < len(begun):
            opens[ordered.index[place]] = True
            place = int(np.searchsorted(begun, begun[place] + within, side="right"))
    return opens


def _rate_row(episodes: pd.DataFrame, opens: pd.Series, *, alertname: str, severity: str) -> dict[str, object]:
    known = episodes[episodes["judgement"].isin(["true", "false"])]
    groups = known.assign(cluster=time_clusters(known))[opens.loc[known.index]]
    false = groups["judgement"] == "false"
    right, wrong = int((~false).sum()), int(false.sum())
    by_cluster = false.groupby(groups["cluster"])
    hits, sizes = by_cluster.sum().to_numpy(dtype=float), by_cluster.size().to_numpy(dtype=float)
    effect = design_effect(hits, sizes) if len(groups) else np.nan
    low, high = wilson_interval(wrong / effect, (right + wrong) / effect) if len(groups) else (np.nan, np.nan)
    return {
        "alertname": alertname,
        "severity": severity,
        "episodes": len(episodes),
        "trials": right + wrong,
        "true_positives": right,
        "false_positives": wrong,
        "rate": wrong / (right + wrong) if right + wrong else np.nan,
        "low": low,
        "high": high,
        "design_effect": effect,
        "judged_share": (episodes["judgement"] != "unjudged").mean() if len(episodes) else np.nan,
    }


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson, 1927, Journal of the American Statistical Association 22)."""
    if not trials:
        return np.nan, np.nan
    # scipy.stats has the whole interval, but takes over a second to import.
    z = _z()
    share, weight = successes / trials, 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / weight
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / weight
    # At the edges the formula gives 0 and 1 but for the last bit.
    low = float(middle - half) if successes else 0.0
    high = float(middle + half) if successes < trials else 1.0
    return low, high


def _z() -> float:
    return NormalDist().inv_cdf(0.975)


def _p90(seconds: pd.Series) -> tuple[float, float, float]:
    if seconds.empty:
        return np.nan, np.nan, np.nan
    from scipy.stats import quantile_test

    interval = quantile_test(seconds.to_numpy(), p=0.9).confidence_interval(0.95)
    return float(seconds.quantile(0.9)), float(interval.low), float(interval.high)
