"""Our costs held against what others say: the platform's own cost windows, and bills.

A rolling window w at the midnight t stands for (t − w, t], a billing window for its start to t.
They are held against ours only where every day is covered: a gap lowers both sums, each in its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, month_of, parse_window
from cloudxai_analysis.measures.cost import currencies, tenant_costs
from cloudxai_analysis.measures.frames import TIME, as_text, typed, types

_DAY = pd.Timedelta(days=1)
_LATE = pd.Timedelta(minutes=5)  # before midnight, for a gauge's last sample
_MATERIAL = 0.5  # of the currency, under which no drift is the worst
_HOURS_OF = {"h": 1, "d": 24, "w": 168}


def cost_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, label: str, currency: str = ""
) -> pd.DataFrame:
    """A gauge of cost windows held against our own costs, at each midnight that ends a covered day.

    `ours` as of `hourly_costs`; of the rollups `gauge` each series' last sample within 5 minutes of
    midnight, in `currency` where it names none; `covered` (day, covered). `label` is 'window'
    ('7d') or 'billing_window' ('2026-10', '2026-Q4', or 'current': the month of the day that ends).

    Columns: at, tenant, window, currency, ours, theirs, drift, known. Not known are windows with an
    uncovered day or of no whole days, missing samples, and tenants of the last day.
    """
    keys = [label, "at", "tenant", "currency"]
    days = pd.DatetimeIndex(covered.loc[covered["covered"].astype(bool), "day"])
    theirs = _at_midnight(gauge, days + _DAY, label, currency)
    spans = _spans(theirs, days, label)
    frame = theirs.merge(_own(ours, spans, label), how="outer", on=keys).merge(spans, on=[label, "at"])
    frame["ours"] = frame["ours"].fillna(0.0).where(frame["whole"])
    first = ours.groupby("tenant")["hour"].min()
    young = frame["at"] - pd.to_datetime(frame["tenant"].map(first[first > first.min()].to_dict()), utc=True) <= _DAY
    frame["known"] = np.isfinite(frame["ours"] + frame["theirs"]) & ~young
    frame["drift"] = drift(frame["ours"], frame["theirs"]).where(frame["known"])
    schema = {"at": TIME, "tenant": "str", label: "str", **types("currency ours theirs drift"), "known": "bool"}
    return typed(frame.sort_values(["at", label, "tenant", "currency"], ignore_index=True), schema)


def agreement_counts(held: pd.DataFrame, *, label: str) -> pd.DataFrame:
    """How far the two go apart in all, one row per labelled window and currency.

    Columns: the label's value under its own name `label`, currency, compared (tenants x midnights),
    unknown (not compared), median and worst (drift; of those half a unit of money apart, where
    there are any), apart (of the worst, in the currency), tenant and at (of the worst).
    """
    keys = [label, "currency"]
    counts = held.groupby(keys, observed=True).agg(
        rows=("at", "size"), compared=("known", "sum"), median=("drift", "median")
    )
    known = held[held["known"]].rename(columns={"drift": "worst"}).assign(apart=lambda own: abs(own.ours - own.theirs))
    order = known.assign(material=known["apart"] >= _MATERIAL, size=known["worst"].abs())
    order = order.sort_values(["material", "size"], ascending=False, kind="stable").drop_duplicates(keys)
    counts = counts.join(order.set_index(keys)[["worst", "apart", "tenant", "at"]]).reset_index()
    schema = types("currency compared unknown median worst apart tenant at") | {"unknown": "int64"}
    counts = counts.assign(unknown=counts["rows"] - counts["compared"]).fillna({"tenant": ""})
    return typed(counts, {label: "str", **schema})


def _at_midnight(gauge: pd.DataFrame, ends: pd.DatetimeIndex, label: str, currency: str) -> pd.DataFrame:
    at = gauge["hour"] + pd.Timedelta(hours=1)
    rows = gauge[at.isin(ends) & (at - gauge["last_ts"] <= _LATE) & (gauge["samples"] > 0)]
    frame = pd.DataFrame({label: as_text(rows[label]), "at": at[rows.index], "tenant": as_text(rows["tenant"])})
    frame = frame.assign(currency=as_text(currencies(rows, currency)), theirs=rows["last"].astype("float64"))
    return frame.groupby([label, "at", "tenant", "currency"], as_index=False)["theirs"].sum(skipna=False)


def _spans(theirs: pd.DataFrame, days: pd.DatetimeIndex, label: str) -> pd.DataFrame:
    """When each window began at each midnight since its first sample, and whether it is covered."""
    spans = [
        {label: name, "at": at, "start": _start(str(name), at, label)}
        for name, since in theirs.groupby(label)["at"].min().items()
        for at in days + _DAY
        if at >= since
    ]
    frame = typed(spans, {label: "str", "at": TIME, "start": TIME})
    inside = [((days >= start) & (days < at)).sum() for start, at in zip(frame["start"], frame["at"], strict=True)]
    frame["whole"] = frame["at"] - frame["start"] == pd.to_timedelta(inside, unit="D")
    return frame[frame["start"] != frame["at"]]


def _start(name: str, at: pd.Timestamp, label: str) -> Any:
    """NaT where the name says no whole days, the midnight itself where it lies outside."""
    if label == "window":
        found = re.fullmatch(r"([0-9]{1,4})([hdw])", name)
        hours = int(found[1]) * _HOURS_OF[found[2]] if found else 0
        return at - pd.Timedelta(hours=hours) if hours and hours % 24 == 0 else pd.NaT
    try:
        window = month_of(at) if name == "current" else parse_window(name)
    except UsageError:
        return pd.NaT
    return window.start if window.start < at <= window.end else at


def _own(ours: pd.DataFrame, spans: pd.DataFrame, label: str) -> pd.DataFrame:
    costs = ours.assign(day=ours["hour"].dt.floor("D"), cost=ours["cost"].where(np.isfinite(ours["cost"]), np.inf))
    daily = costs.groupby(["day", "tenant", "currency"])["cost"].sum().unstack(["tenant", "currency"])
    parts = [typed([], {label: "str", **types("at tenant currency ours")})]
    for span in spans[spans["whole"]].itertuples():
        total = daily[(daily.index >= span.start) & (daily.index < span.at)].sum()
        parts.append(total[total != 0].rename("ours").reset_index().assign(at=span.at, **{label: getattr(span, label)}))
    return pd.concat(parts, ignore_index=True)


def reconciliation(costs: pd.DataFrame, other: pd.DataFrame, *, end: datetime) -> pd.DataFrame:
    """Our integrated estimate held against what another gauge says, for the tenants that both know.

    `other` as of `window_costs`; samples over an hour before `end` are left out.

    Columns: tenant, currency, estimate, other, drift; the largest drift first.
    """
    keys = ["tenant", "currency"]
    other = other[other["at"] >= pd.Timestamp(end) - pd.Timedelta(hours=1)]
    frame = costs.rename(columns={"cost": "estimate"}).merge(other.rename(columns={"cost": "other"}), on=keys)
    frame = typed(frame.assign(drift=drift(frame["estimate"], frame["other"])), reconciliation)
    return frame.sort_values("drift", key=abs, ascending=False, kind="stable", ignore_index=True)


def drift(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Ours over theirs, less 1: 0 where both are 0, NaN where one is unknown."""
    return ((ours - theirs) / theirs).where((ours != theirs) | ours.isna(), 0.0)


def conservation(hourly: pd.DataFrame, covered: pd.DataFrame, bills: Iterable[Any], history: Window) -> pd.DataFrame:
    """Each bill that touches the history against the tenants' costs of its days, the newest last.

    Columns: source, start, end, currency, allocated, total, rest, covered_share.
    """
    rows = []
    for bill in bills:
        days = bill.window
        if days.end <= history.start or days.start >= history.end:
            continue
        costs = tenant_costs(hourly, days)
        allocated = float(costs.loc[costs["currency"] == bill.currency, "cost"].sum())
        own = covered[(covered["day"] >= days.start) & (covered["day"] < days.end)]
        row = {"source": bill.source, "start": days.start, "end": days.end, "currency": bill.currency}
        row |= {"allocated": allocated, "total": bill.amount, "rest": bill.amount - allocated}
        rows.append(row | {"covered_share": float(own["coverage"].sum()) / len(list(days.days()))})
    return typed(rows, conservation).sort_values("end", ignore_index=True)
