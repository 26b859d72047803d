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
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.cost import currencies, drift
from cloudxai_analysis.measures.frames import TIME, as_text, summed, typed, types

NOT_COVERED = "not every day of the window is covered"
NO_SAMPLE = "the gauge has no sample at midnight"
UNREADABLE = "the window's name says no whole days"
NOT_FINITE = "one of the two costs is not finite"
YOUNG = "the tenant came within the day before"

_DAY = pd.Timedelta(days=1)
_HOURS_OF = {"h": 1, "d": 24, "w": 168}
_HELD = types("currency ours theirs drift") | {"unknown": "str"}
_COUNTS = types("currency compared unknown median worst apart tenant at") | {"unknown": "int64"}


def rolling_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, currency: str = "", late_minutes: float = 5
) -> pd.DataFrame:
    """A rolling gauge held against our own costs, at each midnight that ends a covered day.

    `ours` as `hourly_costs` gives it; `gauge` its hourly rollups (tenant, window, currency, hour, last, last_ts,
    samples), of which a series' last sample counts where it is no older than `late_minutes` at midnight, added over
    series, in `currency` where it names none; `covered` (day, covered).

    Columns: at (midnight), tenant, window, currency, ours, theirs (both in the currency; NaN where unknown), drift
    (ours / theirs − 1; 0 where both are 0, infinite where only theirs is, NaN where unknown), unknown (why the two are
    not held against each other; '' where they are). A tenant that costs us something in a window at whose end its
    gauge has no sample has a row, too, from the first midnight on at which that window has a sample of any tenant. No
    gauge, no covered day or no sample at a midnight: no row.
    """
    return _held(ours, gauge, covered, label="window", currency=currency, late_minutes=late_minutes)


def billing_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, currency: str = "", late_minutes: float = 5
) -> pd.DataFrame:
    """A billing-window gauge held against our own cost since that window's start, at each midnight in it or at its end.

    `gauge` has the column billing_window, such as '2026-10', '2026-Q4' or 'current' (the month of the day that ends). A
    sample after its window's end is left out. Else as `rolling_agreement`.

    Columns: at (midnight), tenant, billing_window, currency, ours, theirs, drift, unknown.
    """
    return _held(ours, gauge, covered, label="billing_window", currency=currency, late_minutes=late_minutes)


def agreement_counts(held: pd.DataFrame, *, window_label: str, least: float = 0.5) -> pd.DataFrame:
    """How far the two go apart in all, one row per labelled window and currency.

    Columns: the label's value under its own name `window_label`, currency, compared (tenants x midnights), unknown
    (the same, not compared), median and worst (drift; NaN where nothing is compared; the worst of those `least` apart,
    where there are any), apart (of the worst, in the currency), tenant and at (of the worst; ''
    and missing there).
    """
    keys, known = [window_label, "currency"], held[held["unknown"] == ""]
    known = known.assign(apart=(known["ours"] - known["theirs"]).abs(), size=known["drift"].abs())
    order = known.assign(material=known["apart"] >= least).sort_values(["material", "size"], ascending=False)
    worst = order.drop_duplicates(keys).set_index(keys)[["drift", "apart", "tenant", "at"]]
    counts = held.assign(known=held["unknown"] == "").groupby(keys, observed=True)["known"].agg(["sum", "size"])
    counts = counts.join(known.groupby(keys, observed=True)["drift"].median().rename("median"))
    counts = counts.join(worst.rename(columns={"drift": "worst"})).rename(columns={"sum": "compared"})
    counts = counts.assign(unknown=counts["size"] - counts["compared"], tenant=counts["tenant"].fillna(""))
    return typed(counts.reset_index(), {window_label: "str", **_COUNTS})


def _held(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, label: str, currency: str, late_minutes: float
) -> pd.DataFrame:
    keys = ["at", label, "tenant", "currency"]
    schema = {"at": TIME, "tenant": "str", label: "str", **_HELD}
    days = pd.DatetimeIndex(covered.loc[covered["covered"].astype(bool), "day"]).unique().sort_values()
    rows = gauge.assign(at=gauge["hour"].dt.floor("D") + _DAY, theirs=gauge["last"].astype("float64"))
    rows["currency"] = currencies(gauge, currency)
    fresh = (rows["at"] - rows["last_ts"] <= pd.Timedelta(minutes=late_minutes)) & (rows["hour"].dt.hour == 23)
    theirs = summed(rows[fresh & (rows["samples"] > 0) & rows["at"].isin(days + _DAY)], keys, "theirs")
    if theirs.empty:
        return typed([], schema)
    theirs[keys[1:]] = theirs[keys[1:]].apply(as_text)
    spans = pd.concat([_spans(name, days, own["at"].min(), label) for name, own in theirs.groupby(label)])
    frame = theirs.merge(_own(ours, spans, label), how="outer", on=keys).merge(spans, on=["at", label])
    frame["ours"] = frame["ours"].fillna(0.0).where(frame["whole"])
    # The two see a tenant that has just come from other moments on.
    first = ours.groupby(as_text(ours["tenant"]))["hour"].min()
    begun = pd.to_datetime(frame["tenant"].map(first[first > ours["hour"].min()].to_dict()), utc=True)
    reasons = {
        UNREADABLE: frame["start"].isna(),
        NOT_COVERED: ~frame["whole"],
        NO_SAMPLE: frame["theirs"].isna(),
        YOUNG: frame["at"] - begun <= _DAY,
        NOT_FINITE: ~np.isfinite(frame["theirs"]),
    }
    frame["unknown"] = np.select(list(reasons.values()), [np.array(why, dtype=object) for why in reasons], default="")
    frame["drift"] = drift(frame["ours"], frame["theirs"]).where(frame["unknown"] == "")
    return typed(frame.sort_values(keys, ignore_index=True), schema)


def _spans(name: str, days: pd.DatetimeIndex, since: pd.Timestamp, label: str) -> pd.DataFrame:
    """What a window's name stands for at each midnight in it: at, label, start (NaT: unreadable), whole (covered).

    Before its first sample, `since`, a gauge is not missing: its platform did not export it yet.
    """
    ends = days + _DAY
    start, end = _rolling(name, ends) if label == "window" else _billing(name, days)
    begin = pd.DatetimeIndex(start.fillna(ends[-1]))
    whole = (
        start.notna() & (ends >= since) & (days.searchsorted(ends) - days.searchsorted(begin) == (ends - start).dt.days)
    )
    spans = pd.DataFrame({"at": ends, label: name, "start": start, "whole": whole})
    return spans[start.isna() | ((start < ends) & (ends <= end))]


def _own(ours: pd.DataFrame, spans: pd.DataFrame, label: str) -> pd.DataFrame:
    """What each tenant costs us over each whole span, where that is not 0: at, label, tenant, currency, ours."""
    whole = spans.loc[spans["whole"], ["at", label, "start"]].reset_index(drop=True)
    daily = summed(ours.assign(day=ours["hour"].dt.floor("D")), ["day", "tenant", "currency"], "cost")
    table = daily.pivot(index="day", columns=["tenant", "currency"], values="cost").fillna(0.0)
    until = np.vstack([np.zeros((1, table.shape[1])), table.cumsum()])
    start, end = (table.index.searchsorted(pd.DatetimeIndex(whole[side])) for side in ("start", "at"))
    total = until[end] - until[start]
    span, tenant = np.nonzero(total)
    names = table.columns.to_frame(index=False).iloc[tenant].reset_index(drop=True)
    return whole.iloc[span].drop(columns="start").reset_index(drop=True).join(names).assign(ours=total[span, tenant])


def _rolling(name: str, ends: pd.DatetimeIndex) -> tuple[pd.Series, pd.Timestamp]:
    found = re.fullmatch(r"([0-9]{1,4})([hdw])", name)
    hours = int(found[1]) * _HOURS_OF[found[2]] if found else 0
    start = ends - pd.Timedelta(hours=hours) if hours and hours % 24 == 0 else [pd.NaT] * len(ends)
    return pd.Series(pd.DatetimeIndex(start, tz="UTC")), ends[-1]


def _billing(name: str, days: pd.DatetimeIndex) -> tuple[pd.Series, pd.Timestamp]:
    if name == "current":
        return pd.Series(days - pd.to_timedelta(days.day - 1, unit="D")), days[-1] + _DAY
    try:
        window = parse_window(name)
    except UsageError:
        return pd.Series(pd.DatetimeIndex([pd.NaT] * len(days), tz="UTC")), days[-1]
    return pd.Series(pd.DatetimeIndex([pd.Timestamp(window.start)] * len(days))), pd.Timestamp(window.end)
