"""How a server evaluated its alert rules: which series are one alert, how often it looked, and when it did not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import typed

GAP_STEPS = 2.5  # nothing for longer than so many steps is a gap
_LONGEST_SECONDS = 300  # what is evaluated less often is stale to Prometheus between two evaluations
_REGULAR = 0.1


def alert_identities(series: pd.DataFrame, *, replica_labels: Collection[str] = ()) -> pd.DataFrame:
    """Which series are states of one alert: those whose labels are the same but for `alertstate` and the replica's.

    `series` has one row per series: series_id, labels (JSON).

    Columns: series_id, alert (a number for each alert).
    """
    left_out = {"alertstate", "__name__", *replica_labels}
    own = [
        json.dumps({name: value for name, value in json.loads(labels).items() if name not in left_out}, sort_keys=True)
        for labels in series["labels"]
    ]
    codes, _ = pd.factorize(pd.Series(own, dtype="str"), sort=True)
    return typed({"series_id": series["series_id"].to_numpy(), "alert": codes}, alert_identities)


def identified(alerts: pd.DataFrame, identities: pd.DataFrame) -> pd.DataFrame:
    """Samples of ALERTS, or of ALERTS_FOR_STATE, with the alert that each belongs to.

    `identities` as `alert_identities` gives them; a series that they do not know is an alert of its own.

    Columns: those of `alerts`, and alert.
    """
    known = identities.sort_values("series_id")
    ids, series = known["series_id"].to_numpy(), alerts["series_id"].to_numpy()
    place = np.searchsorted(ids, series)
    place = np.minimum(place, max(len(ids) - 1, 0))
    if not len(ids):
        return alerts.assign(alert=series)
    return alerts.assign(alert=np.where(ids[place] == series, known["alert"].to_numpy()[place], series))


def evaluation_intervals(alerts: pd.DataFrame, *, default_seconds: float, least_steps: int = 10) -> pd.DataFrame:
    """How often each rule is evaluated: the median step between neighbouring samples of one series of ALERTS.

    What a rule's samples cannot tell is `default_seconds`: fewer than `least_steps` steps, more than a quarter of them
    further than a tenth from the median one, or a median over five minutes, which Prometheus itself takes for silence.

    Columns: alertname, interval_seconds, steps (that it was measured from; 0 for the default).
    """
    name = alerts["alertname"].astype("category").cat.remove_unused_categories()
    seconds = np.diff(alerts["time"].to_numpy("datetime64[us]").astype("int64")) / 1e6
    series = alerts["series_id"].to_numpy()
    same = (series[1:] == series[:-1]) & (seconds > 0)
    code = name.cat.codes.to_numpy()[1:][same]
    steps = seconds[same]
    rows = []
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(name.cat.categories) + 1))
    for place, rule in enumerate(name.cat.categories):
        own = steps[order[bounds[place] : bounds[place + 1]]]
        middle = float(np.median(own)) if len(own) >= least_steps else np.inf
        regular = middle <= _LONGEST_SECONDS and np.mean(np.abs(own - middle) <= _REGULAR * middle) >= 0.75
        rows.append((str(rule), middle if regular else default_seconds, len(own) if regular else 0))
    return typed(rows, evaluation_intervals)


def evaluation_gaps(alerts: pd.DataFrame, up: pd.DataFrame, *, interval_seconds: float) -> pd.DataFrame:
    """Stretches in which the server left nothing at all, neither of a rule nor of a scrape: it was down itself.

    Silence of the rules alone says nothing, since a quiet platform has no ALERTS; `up` has a sample at every scrape.
    A gap is longer than 2.5 steps, of the evaluation or of all targets' scrapes together, whichever is longer.

    Columns: start (last sample before), end (first one after), seconds.
    """
    scraped = np.sort(up["time"].to_numpy("datetime64[us]").astype("int64"))
    steps = np.diff(scraped)
    if not steps.any():
        # Without scrapes nobody can tell a server that is down from a quiet one.
        return typed([], evaluation_gaps)
    limit = GAP_STEPS * max(interval_seconds * 1e6, float(np.median(steps[steps > 0])))
    silent = np.flatnonzero(steps > limit)
    # Only what the rules left while nothing was scraped can part a silence: of a million samples next to none.
    evaluated = alerts["time"].to_numpy("datetime64[us]").astype("int64")
    place = np.searchsorted(scraped[silent + 1], evaluated)
    within = place < len(silent)
    within[within] = evaluated[within] > scraped[silent[place[within]]]
    begins, ends = scraped[silent], scraped[silent + 1]
    seen = np.unique(np.concatenate([begins, ends, evaluated[within]]))
    # Between the end of one silence and the begin of the next the targets were scraped.
    apart = (np.diff(seen) > limit) & ~np.isin(seen[:-1], np.setdiff1d(ends, begins))
    place = np.flatnonzero(apart)
    start, end = (pd.Series(seen[at].astype("datetime64[us]")).dt.tz_localize("UTC") for at in (place, place + 1))
    return typed({"start": start, "end": end, "seconds": (end - start).dt.total_seconds()}, evaluation_gaps)


def seconds_of(alertnames: pd.Series, interval_seconds: float | Mapping[str, float]) -> np.ndarray:
    """The evaluation interval of each row's rule; a mapping says it by rule, and under '' for all others."""
    if not isinstance(interval_seconds, Mapping):
        return np.full(len(alertnames), float(interval_seconds))
    name = alertnames.astype("category")
    usual = interval_seconds[""]
    by_rule = [float(interval_seconds.get(str(rule), usual)) for rule in name.cat.categories]
    return np.array([*by_rule, usual])[name.cat.codes.to_numpy()]
