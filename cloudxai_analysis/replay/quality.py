"""How well variants of one rule did over a window: false positives, misses, detection time, pages a week."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.judgement import false_positive_rates, judged, recall
from cloudxai_analysis.replay.truth import Truth

_QUALITY = (
    dict.fromkeys(["variant", "episodes", "trials", "true_positives", "false_positives", "unjudged"], "int64")
    | dict.fromkeys(["rate", "low", "high"], "float64")
    | dict.fromkeys(["incidents", "caught", "misses"], "int64")
    | dict.fromkeys(["detection_seconds", "reset_seconds", "pages_a_week"], "float64")
)


def judged_variants(episodes: pd.DataFrame, truth: Truth, *, alertname: str, label_seconds: float = 60) -> pd.DataFrame:
    """The episodes of all variants of a rule, judged as episodes of the rule `alertname`.

    `episodes` have a column variant, which is 0 of the rule as it is. An analyst's label of one of its episodes speaks
    of the episodes of the other variants that fired over the same time, too.

    Columns: the episodes' own, judgement, incident, by.
    """
    frame = episodes.assign(alertname=alertname).astype({"alertname": "str"})
    labels = _carried(truth.labels, frame, alertname, label_seconds)
    return judged(frame, truth.incidents, labels, truth.complete, label_seconds=label_seconds)


def quality(judged: pd.DataFrame, truth: Truth, window: Window, *, alertname: str, variants: int) -> pd.DataFrame:
    """One row for each variant of a rule, the first being 0; `judged` as `judged_variants` gives it.

    Columns: variant, episodes, trials (judged ones; episodes of one judgement within 60 min are one), of which
    true_positives and false_positives, unjudged (episodes), rate (of false positives), low, high (95 % Wilson
    interval), incidents (that name the rule), caught, misses, detection_seconds and reset_seconds (medians; NaN where
    nothing was caught), pages_a_week (episodes).
    """
    # A name of its own for each variant, so that one call of each measure does for all.
    named = judged.assign(alertname=judged["variant"].astype("str"), severity="").astype({"severity": "str"})
    names = tuple(str(number) for number in range(variants))
    theirs = truth.naming(alertname)
    theirs = theirs.assign(alerts=pd.Series([names] * len(theirs), index=theirs.index, dtype="object"))
    rates = _by_variant(false_positive_rates(named), variants)
    found = _by_variant(recall(named, theirs), variants)
    episodes = np.bincount(judged["variant"], minlength=variants)
    unjudged = np.bincount(judged.loc[judged["judgement"] == "unjudged", "variant"], minlength=variants)
    frame = pd.DataFrame({"variant": np.arange(variants), "episodes": episodes, "unjudged": unjudged})
    for column in ("trials", "true_positives", "false_positives"):
        frame[column] = rates[column].fillna(0)
    for column in ("rate", "low", "high"):
        frame[column] = rates[column]
    frame["incidents"] = len(theirs["id"].drop_duplicates())
    frame["caught"] = found["caught"].fillna(0)
    frame["misses"] = frame["incidents"] - frame["caught"]
    for column in ("detection_seconds", "reset_seconds"):
        frame[column] = found[column]
    frame["pages_a_week"] = frame["episodes"] / (window.duration / WEEK)
    return typed(frame, _QUALITY)


def frontier(candidates: pd.DataFrame) -> np.ndarray:
    """Whether no other candidate is as good in false positives, misses and detection time and better in one (bool).

    A candidate that catches nothing detects never; of candidates that are equal in all three all are on the frontier.
    """
    costs = np.stack(
        [
            candidates["false_positives"].to_numpy(dtype=float),
            candidates["misses"].to_numpy(dtype=float),
            candidates["detection_seconds"].fillna(np.inf).to_numpy(dtype=float),
        ],
        axis=1,
    )
    distinct, place = np.unique(costs, axis=0, return_inverse=True)
    no_worse = np.all(distinct[:, np.newaxis] <= distinct[np.newaxis], axis=2)
    beaten = np.any(no_worse & ~np.eye(len(distinct), dtype=bool), axis=0)
    return np.asarray(~beaten[place.ravel()], dtype=bool)


def _by_variant(frame: pd.DataFrame, variants: int) -> pd.DataFrame:
    return frame.set_index(frame["alertname"].astype("int64")).reindex(range(variants))


def _carried(labels: pd.DataFrame, episodes: pd.DataFrame, alertname: str, label_seconds: float) -> pd.DataFrame:
    """The labels, and for each the same one at every variant's episode that fired over the labelled episode."""
    own = labels[labels["alertname"].astype("str") == alertname]
    added: list[Mapping[str, object]] = []
    near = pd.Timedelta(seconds=label_seconds)
    for label in own.to_dict("records"):
        same = episodes["tenant"].astype("str") == label["tenant"]
        close = (episodes["fired_at"] - label["fired_at"]).abs() <= near
        said = episodes[same & close & (episodes["variant"] == 0)]
        for start, end in zip(said["pending_at"].fillna(said["fired_at"]), said["resolved_at"], strict=True):
            over = episodes[same & (episodes["fired_at"] < end) & (episodes["resolved_at"] > start)]
            added += [{**label, "fired_at": fired} for fired in over["fired_at"].drop_duplicates()]
    if not added:
        return labels
    # The labels as written come last and win.
    return pd.concat([pd.DataFrame(added).astype(labels.dtypes.to_dict()), labels], ignore_index=True)
