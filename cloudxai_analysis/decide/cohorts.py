"""Who is compared with whom: units before a stage, the cohort drawn of them, and each unit's own change.

A unit is a tenant; where the table names a cluster label, all tenants of one cluster are one unit: the mean of theirs.
A change is that from the week before to the days after, weekday by weekday, over days that were covered in both.
"""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.decide.ranks import Numbers
from cloudxai_analysis.decide.stages import Signal
from cloudxai_analysis.ground.window import DAY, WEEK, Window
from cloudxai_analysis.measures.frames import as_text, summed, sure
from cloudxai_analysis.study.study import Study

_LEAST_HOURS = 20  # of a day in which a tenant must have been seen, for the day to count
_LEAST_DAYS = 4  # of the week before


class Pairs(NamedTuple):
    """Days of a stage, each with the same weekday before, that were covered in both weeks; `asked` is of how many."""

    days: pd.DatetimeIndex
    asked: int
    window: Window  # both weeks
    there: pd.DataFrame  # by day and tenant, whether the tenant was there nearly all day, in both weeks


def pairs(study: Study, start: pd.Timestamp, days: int) -> Pairs:
    """The first days of a stage that are over and covered, as is the same weekday before."""
    asked = pd.date_range(start, periods=days, freq=DAY)
    asked = asked[asked + DAY <= study.end]
    covered, window = sure(study.telemetry.covered), Window(start - WEEK, start + days * DAY)
    both = asked[asked.isin(covered) & (asked - WEEK).isin(covered)]
    seen = _seen(study, window)
    before, after = (seen.reindex(own, fill_value=False) for own in (both - WEEK, both))
    return Pairs(both, len(asked), window, after & before.to_numpy())


def _seen(study: Study, window: Window) -> pd.DataFrame:
    hours = study.within(study.cardinality.real_hours, "hour", window)
    once = hours.assign(tenant=as_text(hours["tenant"])).drop_duplicates(["tenant", "hour"])
    return _by_day(once, "hour", "") >= _LEAST_HOURS


def _by_day(frame: pd.DataFrame, at: str, value: str) -> pd.DataFrame:
    """A column added up, or rows counted, by day (rows) and tenant (columns)."""
    own = frame.assign(day=frame[at].dt.floor("D"), rows=1.0)
    return summed(own, ["day", "tenant"], value or "rows").pivot(index="day", columns="tenant", values=value or "rows")


def units_before(study: Study, start: pd.Timestamp, cluster_label: str = "") -> pd.DataFrame:
    """The tenants that were there in the week before a stage, each with its unit and its load: what it cost, else 1.

    Columns: tenant, unit, load.
    """
    week = Window(start - WEEK, start)
    days = _seen(study, week).sum()
    tenants = days.index[days >= _LEAST_DAYS].astype("str")
    costs = study.within(study.cost.daily_costs, "day", week).groupby("tenant")["cost"].sum()
    clusters = _clusters(study, week, cluster_label)
    units = [clusters.get(tenant) or tenant for tenant in tenants]
    loads = costs.reindex(tenants).fillna(0.0 if len(costs) else 1.0).to_numpy()
    return pd.DataFrame({"tenant": tenants, "unit": units, "load": loads}).astype({"unit": "str"})


def _clusters(study: Study, window: Window, label: str) -> dict[str, str]:
    if not label:
        return {}
    series = study.series(study.contract["tenant_readiness"].name, window)
    sets = map(json.loads, series["labels"])
    return {study.contract.named(one).get("tenant", ""): one.get(label, "") for one in sets}


def drawn(units: pd.DataFrame, size: int, seed: int) -> list[str]:
    """The tenants of so many units, one of each stratum of like load; the same of the same seed, on every machine."""
    loads = units.groupby("unit")["load"].sum().reset_index().sort_values(["load", "unit"])
    names = loads["unit"].tolist()
    edges = np.linspace(0, len(names), min(size, len(names)) + 1).round().astype(int)
    strata = (names[low:high] for low, high in pairwise(edges))
    chosen = {min(own, key=lambda name: sha256(f"{seed}/{name}".encode()).digest()) for own in strata if own}
    return sorted(units.loc[units["unit"].isin(chosen), "tenant"])


def applies(study: Study, signal: Signal) -> bool:
    """Whether a signal is of tenants here: where a counter names none, nobody's zero is known."""
    return signal.absent == "unknown" or not signal.value or bool((study.rows(signal.frame)["tenant"] != "").any())


def changes(study: Study, signal: Signal, over: Pairs) -> pd.Series:
    """By tenant how much worse a signal became; NaN of one that was not there on half of the pairs of days."""
    rows = study.within(study.rows(signal.frame), signal.at, over.window)
    rows = rows[rows["tenant"] != ""]
    rows = rows.assign(tenant=as_text(rows["tenant"]))
    if "currency" in rows:  # what is in two currencies has no sum
        rows = rows[rows.groupby("tenant")["currency"].transform("nunique") == 1]
    daily = _by_day(rows, signal.at, signal.value)
    if signal.per:
        daily /= _by_day(rows, signal.at, signal.per)
    tenants, fill = over.there.columns, 0.0 if signal.absent == "zero" else np.nan
    daily = daily.reindex(columns=tenants).astype("float64").fillna(fill)
    before, after = (daily.reindex(days, fill_value=fill).to_numpy() for days in (over.days - WEEK, over.days))
    return pd.Series(changed(signal, before, after, over.there.to_numpy()), index=tenants)


def changed(signal: Signal, before: Numbers, after: Numbers, there: NDArray[np.bool_]) -> Numbers:
    """How much worse each unit (column) is over its days (rows) than over those before, as the signal counts it."""
    known = there & ~np.isnan(before) & ~np.isnan(after)
    days = known.sum(0)
    old, new = (np.where(known, value, 0.0).sum(0) / np.maximum(days, 1) for value in (before, after))
    change = new - old
    if signal.change == "relative":
        middle = (np.abs(old) + np.abs(new)) / 2
        change = np.divide(change, middle, out=change, where=middle > 0)
    change[(2 * days < len(known)) | (days == 0)] = np.nan
    return -change if signal.worse == "less" else change


def of_units(found: pd.Series, units: pd.DataFrame) -> pd.Series:
    """Changes by unit, of changes by tenant: the mean of its tenants whose change is known."""
    return found.reindex(units["tenant"]).groupby(units["unit"].to_numpy()).mean()
