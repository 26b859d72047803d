"""Our costs held against what others say: the platform's own cost windows, and bills."""

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
from cloudxai_analysis.measures.frames import TIME, as_text, sure, typed, types

_DAY = pd.Timedelta(days=1)
_LATE = pd.Timedelta(minutes=5)  # before midnight, for a gauge's last sample
LEAST_AMOUNT = 0.5  # of the currency: the few minutes of a tenant that just came tell nothing
_HOURS_OF = {"h": 1, "d": 24, "w": 168}


def cost_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, label: str, currency: str = ""
) -> pd.DataFrame:
    """A gauge of cost windows held against our own costs, at each midnight that ends a covered day.

    `ours` as of `hourly_costs`; `gauge` are rollups, in `currency` where they name none; `covered`
    (day, covered). `label` is 'window' ('7d') or 'billing_window' ('2026-10', '2026-Q4',
    'current').

    Columns: at, tenant, window, currency, ours, theirs, drift, known.
    """
    days = pd.DatetimeIndex(sure(covered))
    costs = ours.assign(day=ours["hour"].dt.floor("D"), cost=ours["cost"].where(np.isfinite(ours["cost"]), np.inf))
    daily = costs.pivot_table(index="day", columns=["tenant", "currency"], values="cost", aggfunc="sum", observed=True)
    theirs = _at_midnight(gauge, days + _DAY, label, currency)
    parts = []
    for name, of_window in theirs.groupby(label):
        for at in (days + _DAY)[days + _DAY >= of_window["at"].min()]:
            start = _start(str(name), at, label)
            whole = at - start == ((days >= start) & (days < at)).sum() * _DAY
            sums = daily[(daily.index >= start) & (daily.index < at)].sum()
            own = sums[(sums != 0) & whole].rename("ours").reset_index()
            both = of_window[of_window["at"] == at].merge(own, how="outer", on=["tenant", "currency"])
            if start != at:
                parts.append(both.assign(**{label: name}, at=at, ours=both["ours"].fillna(0.0) if whole else np.nan))
    frame = pd.concat([theirs[:0].assign(ours=0.0), *parts], ignore_index=True)
    first = ours.groupby("tenant")["hour"].min()
    young = frame["at"] - pd.to_datetime(frame["tenant"].map(first[first > first.min()].to_dict()), utc=True) <= _DAY
    frame["known"] = np.isfinite(frame["ours"] + frame["theirs"]) & ~young
    frame["drift"] = drift(frame["ours"], frame["theirs"]).where(frame["known"])
    schema = {"at": TIME, "tenant": "str", label: "str", **types("currency ours theirs drift"), "known": "bool"}
    return typed(frame, schema, by=f"at {label} tenant currency")


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
    order = known.assign(material=known["apart"] >= LEAST_AMOUNT, size=known["worst"].abs())
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


def reconciliation(costs: pd.DataFrame, other: pd.DataFrame, *, end: datetime) -> pd.DataFrame:
    """Our estimate held against a gauge of the hour before `end`, for the tenants that both know.

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
    return typed(rows, conservation, by="end")
