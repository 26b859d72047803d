"""How a server evaluated its alert rules: which series are one alert, how often it looked, and when it did not."""

from __future__ import annotations

import json
from collections.abc import Collection

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import micros, typed

_GAP_STEPS = 2.5
_LONGEST_SECONDS = 300  # what is evaluated less often is stale to Prometheus between two evaluations


def identified(alerts: pd.DataFrame, series: pd.DataFrame, *, replica_labels: Collection[str] = ()) -> pd.DataFrame:
    """Samples of ALERTS, or of ALERTS_FOR_STATE, with the alert that each belongs to.

    Series are states of one alert whose labels are the same but for `alertstate` and the replica's; `series` has one
    row each: series_id, labels (JSON). One that it does not know is an alert of its own.

    Columns: those of `alerts`, and alert (its number).
    """
    left_out = {"alertstate", "__name__", *replica_labels}
    own = [
        json.dumps({name: value for name, value in json.loads(labels).items() if name not in left_out}, sort_keys=True)
        for labels in series["labels"]
    ]
    numbers, _ = pd.factorize(pd.Series(own, dtype="str"), sort=True)
    known = dict(zip(series["series_id"], numbers, strict=True))
    place, ids = pd.factorize(alerts["series_id"])
    alert = np.array([known.get(one, one) for one in ids], dtype=np.int64)
    return alerts.assign(alert=alert[place])


def evaluation_intervals(alerts: pd.DataFrame, *, default_seconds: float, least_steps: int = 10) -> pd.DataFrame:
    """How often each rule is evaluated: the median step between neighbouring samples of one series of ALERTS.

    What a rule's samples cannot tell is `default_seconds`: fewer than `least_steps` steps, more than a quarter of them
    further than a tenth from the median one, or a median over five minutes, which Prometheus itself takes for silence.

    Columns: alertname, interval_seconds, steps (that it was measured from; 0 for the default).
    """
    names = alerts["alertname"].astype("category").cat.remove_unused_categories()
    seconds = pd.Series(micros(alerts["time"]), index=alerts.index).diff() / 1e6
    same = (alerts["series_id"] == alerts["series_id"].shift()) & (seconds > 0)
    steps = seconds[same].groupby(names[same], observed=False)
    usual = steps.transform("median")
    regular = ((seconds[same] - usual).abs() <= 0.1 * usual).groupby(names[same], observed=False).mean() >= 0.75
    found = pd.DataFrame({"interval_seconds": steps.median(), "steps": steps.size()})
    told = regular & (found["steps"] >= least_steps) & (found["interval_seconds"] <= _LONGEST_SECONDS)
    found["interval_seconds"] = found["interval_seconds"].where(told, default_seconds)
    found["steps"] = found["steps"].where(told, 0)
    return typed(found.rename_axis("alertname").reset_index(), evaluation_intervals)


def evaluation_gaps(alerts: pd.DataFrame, up: pd.DataFrame, *, interval_seconds: float) -> pd.DataFrame:
    """Stretches in which the server left nothing at all, neither of a rule nor of a scrape: it was down itself.

    Silence of the rules alone says nothing, since a quiet platform has no ALERTS; `up` has a sample at every scrape.
    A gap is longer than 2.5 steps, of the evaluation or of all targets' scrapes together, whichever is longer.

    Columns: start (last sample before), end (first one after), seconds.
    """
    scraped = np.unique(micros(up["time"]))
    if len(scraped) < 2:
        # Without scrapes nobody can tell a server that is down from a quiet one.
        return typed([], evaluation_gaps)
    limit = _GAP_STEPS * max(interval_seconds * 1e6, float(np.median(np.diff(scraped))))
    evaluated = micros(alerts["time"])
    evaluated = evaluated[(evaluated > scraped[0]) & (evaluated < scraped[-1])]
    seen = np.unique(np.concatenate([scraped, evaluated]))
    silent = np.flatnonzero(np.diff(seen) > limit)
    start, end = (pd.to_datetime(seen[at], unit="us", utc=True) for at in (silent, silent + 1))
    return typed({"start": start, "end": end, "seconds": (end - start).total_seconds()}, evaluation_gaps)
