"""The platform's own cost windows held against ours, at every midnight that the telemetry covers.

A rolling window w at the midnight t stands for (t − w, t], a billing window for its start to t. They are held against
each other only where every day of the window is covered: a gap lowers both sums, each in its own way, and says nothing
of how they are made.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import month_of, parse_window
from cloudxai_analysis.measures.cost import currencies, drift
from cloudxai_analysis.measures.frames import TIME, as_text, typed, types

NOT_COVERED = "not every day of the window is covered"
NO_SAMPLE = "the gauge has no sample at midnight"
UNREADABLE = "the window's name says no whole days"
NOT_FINITE = "one of the two costs is not finite"
YOUNG = "the tenant came within the day before"

_DAY = pd.Timedelta(days=1)
_HOURS_OF = {"h": 1, "d": 24, "w": 168}
_HELD = types("currency ours theirs drift") | {"unknown": "str"}
_COUNTS = types("currency compared unknown median worst apart tenant at") | {"unknown": "int64"}


def cost_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, label: str, currency: str = "", late: float = 5
) -> pd.DataFrame:
    """A gauge of cost windows held against our own costs, at each midnight that ends a covered day.

    `ours` as `hourly_costs` gives it; `gauge` its hourly rollups (tenant, currency, hour, last, last_ts, samples, and
    the column `label`), of which a series' last sample counts where it is no older than `late` minutes at midnight,
    added over series, in `currency` where it names none; `covered` (day, covered). `label` is 'window' of a rolling
    gauge ('7d'), or 'billing_window' ('2026-10', '2026-Q4' or 'current', the month of the day that ends), of which
    a sample after its window's end is left out.

    Columns: at, tenant, window, currency, ours, theirs, drift, unknown. A tenant that costs us something in a window at
    whose end its gauge has no sample has a row, too, from the first midnight on at which that window has a sample of
    any tenant.
    """
    days = pd.DatetimeIndex(covered.loc[covered["covered"].astype(bool), "day"])
    keys = [label, "at", "tenant", "currency"]
    theirs = _at_midnight(gauge, days + _DAY, label, currency, late)
    spans = _spans(theirs, days, label)
    frame = theirs.merge(_own(ours, spans, label), how="outer", on=keys).merge(spans, on=[label, "at"])
    frame["ours"] = frame["ours"].fillna(0.0).where(frame["whole"])
    first = ours.groupby(as_text(ours["tenant"]))["hour"].min()
    young = frame["at"] - pd.to_datetime(frame["tenant"].map(first[first > first.min()].to_dict()), utc=True) <= _DAY
    reasons = {
        UNREADABLE: frame["start"].isna(),
        NOT_COVERED: ~frame["whole"],
        NO_SAMPLE: frame["theirs"].isna(),
        YOUNG: young,
        NOT_FINITE: ~np.isfinite(frame["ours"] + frame["theirs"]),
    }
    frame["unknown"] = np.select(list(reasons.values()), list(reasons), "")
    frame["drift"] = drift(frame["ours"], frame["theirs"]).where(frame["unknown"] == "")
    schema = {"at": TIME, "tenant": "str", label: "str", **_HELD}
    return typed(frame.sort_values(["at", label, "tenant", "currency"], ignore_index=True), schema)


def agreement_counts(held: pd.DataFrame, *, label: str, least: float = 0.5) -> pd.DataFrame:
    """How far the two go apart in all, one row per labelled window and currency.

    Columns: the label's value under its own name `label`, currency, compared (tenants x midnights), unknown (the same,
    not compared), median and worst (drift; NaN where nothing is compared; the worst of those `least` apart, where there
    are any), apart (of the worst, in the currency), tenant and at (of the worst; '' and NaT).
    """
    keys = [label, "currency"]
    known = held.assign(apart=(held["ours"] - held["theirs"]).abs())[held["unknown"] == ""]
    counts = held.groupby(keys, observed=True).agg(rows=("at", "size"), median=("drift", "median"))
    counts["compared"] = known.groupby(keys, observed=True).size().reindex(counts.index, fill_value=0)
    counts["unknown"] = counts["rows"] - counts["compared"]
    order = known.assign(material=known["apart"] >= least, size=known["drift"].abs())
    order = order.sort_values(["material", "size"], ascending=False, kind="stable")
    worst = order.drop_duplicates(keys).set_index(keys).rename(columns={"drift": "worst"})
    counts = counts.join(worst[["worst", "apart", "tenant", "at"]])
    return typed(counts.fillna({"tenant": ""}).reset_index(), {label: "str", **_COUNTS})


def _at_midnight(gauge: pd.DataFrame, ends: pd.DatetimeIndex, label: str, currency: str, late: float) -> pd.DataFrame:
    """The gauge's last samples before the midnights `ends`, added over series: label, at, tenant, currency, theirs."""
    at = gauge["hour"] + pd.Timedelta(hours=1)
    fresh = at - gauge["last_ts"] <= pd.Timedelta(minutes=late)
    rows = gauge[at.isin(ends) & fresh & (gauge["samples"] > 0)]
    frame = pd.DataFrame({label: as_text(rows[label]), "at": at[rows.index], "tenant": as_text(rows["tenant"])})
    frame = frame.assign(currency=as_text(currencies(rows, currency)), theirs=rows["last"].astype("float64"))
    keys = [label, "at", "tenant", "currency"]
    return frame.groupby(keys, as_index=False)["theirs"].sum(skipna=False)


def _spans(theirs: pd.DataFrame, days: pd.DatetimeIndex, label: str) -> pd.DataFrame:
    """What each window's name stands for at each midnight: label, at, start (NaT where it does not say), whole.

    Whole is one of which each day is covered. Before its first sample a gauge is not missing: its platform did not
    export it yet.
    """
    started = _rolling_start if label == "window" else _billing_start
    rows = []
    for name, since in theirs.groupby(label)["at"].min().items():
        for at in days + _DAY:
            start = started(str(name), at)
            if start is None:
                rows.append((name, at, pd.NaT, False))
            elif start < at:
                inside = (days >= start) & (days < at)
                rows.append((name, at, start, at >= since and inside.sum() == (at - start) / _DAY))
    return typed(rows, {label: "str", "at": TIME, "start": TIME, "whole": "bool"})


def _rolling_start(name: str, at: pd.Timestamp) -> pd.Timestamp | None:
    found = re.fullmatch(r"([0-9]{1,4})([hdw])", name)
    hours = int(found[1]) * _HOURS_OF[found[2]] if found else 0
    return at - pd.Timedelta(hours=hours) if hours and hours % 24 == 0 else None


def _billing_start(name: str, at: pd.Timestamp) -> pd.Timestamp | None:
    """The window's start; the midnight itself where it lies outside of the window."""
    try:
        window = month_of(at) if name == "current" else parse_window(name)
    except UsageError:
        return None
    return pd.Timestamp(window.start) if window.start < at <= window.end else at


def _own(ours: pd.DataFrame, spans: pd.DataFrame, label: str) -> pd.DataFrame:
    """What each tenant costs us over each wholly covered span, where that is not 0."""
    costs = ours.assign(
        day=ours["hour"].dt.floor("D"),
        tenant=as_text(ours["tenant"]),
        currency=as_text(ours["currency"]),
        cost=ours["cost"].where(np.isfinite(ours["cost"]), np.inf),
    )
    daily = costs.groupby(["day", "tenant", "currency"])["cost"].sum().unstack(["tenant", "currency"])
    parts = []
    for span in spans[spans["whole"]].itertuples():
        total = daily[(daily.index >= span.start) & (daily.index < span.at)].sum()
        parts.append(total[total != 0].rename("ours").reset_index().assign(at=span.at, **{label: getattr(span, label)}))
    schema = {label: "str", **types("at tenant currency ours")}
    return typed(pd.concat(parts, ignore_index=True) if parts else [], schema)
