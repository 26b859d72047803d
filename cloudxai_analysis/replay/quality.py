"""How well variants of one rule did over a window, by what people wrote down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.judgement import judged, recall
from cloudxai_analysis.measures.rates import false_positive_rates

_QUALITY = (
    dict.fromkeys(["variant", "episodes", "trials", "true_positives", "false_positives", "unjudged"], "int64")
    | dict.fromkeys(["rate", "low", "high"], "float64")
    | dict.fromkeys(["incidents", "caught", "misses"], "int64")
    | dict.fromkeys(["detection_seconds", "reset_seconds", "pages_a_week"], "float64")
)
_LABEL_SECONDS = 60  # a label speaks of the episode that fired at its time, to within so much


@dataclass(frozen=True)
class Truth:
    """What people wrote down: the frames that `Ledger.incidents`, `labels` and `complete` give."""

    incidents: pd.DataFrame
    labels: pd.DataFrame
    complete: pd.DataFrame

    @classmethod
    def of(cls, ledger: Ledger, window: Window) -> Truth:
        """What the ledger says of a window, in which an incident starts; raises LakeDamaged of a damaged ledger."""
        incidents = ledger.incidents()
        inside = (incidents["start"] >= window.start) & (incidents["start"] < window.end)
        return cls(incidents[inside].reset_index(drop=True), ledger.labels(), ledger.complete())

    def naming(self, alertname: str) -> pd.DataFrame:
        """The incidents that name a rule."""
        named = np.array([alertname in alerts for alerts in self.incidents["alerts"]], dtype=bool)
        return self.incidents[named].reset_index(drop=True)


def judged_variants(episodes: pd.DataFrame, truth: Truth, *, alertname: str) -> pd.DataFrame:
    """The episodes of all variants of a rule (0: as it is), judged as those of the rule `alertname`.

    Columns: the episodes' own, judgement, incident, by.
    """
    frame = episodes.assign(alertname=alertname).astype({"alertname": "str"})
    labels = _carried(truth.labels, frame, alertname)
    return judged(frame, truth.incidents, labels, truth.complete, label_seconds=_LABEL_SECONDS)


def quality(judged: pd.DataFrame, truth: Truth, window: Window, *, alertname: str, variants: int) -> pd.DataFrame:
    """One row for each variant of a rule, the first being 0; `judged` as `judged_variants` gives it.

    Columns: variant, episodes, trials (alert groups judged), true_positives, false_positives, unjudged (episodes), rate
    (of false positives), low, high (95 % Wilson interval), incidents (that name the rule), caught, misses,
    detection_seconds, reset_seconds (medians), pages_a_week (episodes).
    """
    # A name of its own for each variant, so that one call of each measure does for all.
    named = judged.assign(alertname=judged["variant"].astype("str"), severity="").astype({"severity": "str"})
    names = [str(number) for number in range(variants)]
    theirs = truth.naming(alertname)
    theirs = theirs.assign(alerts=pd.Series([tuple(names)] * len(theirs), index=theirs.index, dtype="object"))
    rates = false_positive_rates(named).set_index("alertname").drop(columns="episodes").reindex(names)
    caught = recall(named, theirs).set_index("alertname")
    frame = rates.join(caught[["caught", "detection_seconds", "reset_seconds"]])
    frame["variant"] = np.arange(variants)
    frame["episodes"] = np.bincount(judged["variant"], minlength=variants)
    unjudged = judged[judged["judgement"] == "unjudged"]
    frame["unjudged"] = np.bincount(unjudged["variant"], minlength=variants)
    counts = ["trials", "true_positives", "false_positives", "caught"]
    frame[counts] = frame[counts].fillna(0)
    frame["incidents"] = theirs["id"].nunique()
    frame["misses"] = frame["incidents"] - frame["caught"]
    frame["pages_a_week"] = frame["episodes"] / (window.duration / WEEK)
    return typed(frame.reset_index(drop=True), _QUALITY)


def frontier(candidates: pd.DataFrame) -> np.ndarray:
    """Whether no other candidate is as good in false positives, misses and detection time and better in one (bool)."""
    compared = candidates[["false_positives", "misses", "detection_seconds"]]
    costs = compared.astype("float64").fillna(np.inf).to_numpy()
    distinct, place = np.unique(costs, axis=0, return_inverse=True)
    no_worse = np.all(distinct[:, np.newaxis] <= distinct[np.newaxis], axis=2)
    beaten = np.any(no_worse & ~np.eye(len(distinct), dtype=bool), axis=0)
    return np.asarray(~beaten[place.ravel()], dtype=bool)


def _carried(labels: pd.DataFrame, episodes: pd.DataFrame, alertname: str) -> pd.DataFrame:
    """The labels, and for each the same one at every variant's episode that fired over the labelled episode."""
    own = labels[labels["alertname"].astype("str") == alertname].astype({"tenant": "str"})
    fires = episodes[["variant", "tenant", "pending_at", "fired_at", "resolved_at"]].astype({"tenant": "str"})
    said = own.merge(fires[fires["variant"] == 0], on="tenant", suffixes=("", "_own"))
    near = (said["fired_at_own"] - said["fired_at"]).abs() <= pd.Timedelta(seconds=_LABEL_SECONDS)
    distinct = fires.drop_duplicates(["tenant", "fired_at", "resolved_at"])
    over = said[near].merge(distinct, on="tenant", suffixes=("", "_over"))
    begun = over["pending_at"].fillna(over["fired_at_own"])
    over = over[(over["fired_at_over"] < over["resolved_at"]) & (over["resolved_at_over"] > begun)]
    added = over.assign(fired_at=over["fired_at_over"])[labels.columns].astype(labels.dtypes.to_dict())
    # The labels as written come last and win.
    return pd.concat([added, labels], ignore_index=True) if len(added) else labels
