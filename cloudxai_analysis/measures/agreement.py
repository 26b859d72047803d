"""The platform's own cost windows held against ours, at every midnight that the telemetry covers.

A rolling window w at the midnight t stands for (t − w, t], a billing window for its start to t. They are held against
each other only where every day of the window is covered: a gap lowers both sums, each in its own way, and says nothing
of how they are made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.cost import currencies
from cloudxai_analysis.measures.frames import TIME, as_text, combinations, summed, typed, types

NOT_COVERED = "not every day of the window is covered"
NO_SAMPLE = "the gauge has no sample at midnight"
UNREADABLE = "the window's name says no whole days"
NOT_FINITE = "one of the two costs is not finite"
YOUNG = "the tenant came within the day before"

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_HOURS_OF = {"h": 1, "d": 24, "w": 168}
_HELD = types("currency ours theirs drift") | {"unknown": "str"}
_COUNTS = types("currency compared unknown median worst apart tenant at") | {"unknown": "int64"}


@dataclass(frozen=True)
class _Spans:
    """The days that each pair of a window's name and a midnight stands for, the midnights of one name side by side."""

    names: list[str]
    ends: NDArray[np.int64]  # days since the epoch, of the midnights
    starts: NDArray[np.float64]  # of each pair; NaN where the name does not say, infinite where midnight lies outside
    whole: NDArray[np.bool_]  # of each pair: every day is covered, and the gauge has begun


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
    schema = {window_label: "str", **_COUNTS}
    keys = [window_label, "currency"]
    known = held[held["unknown"] == ""]
    counts = held.groupby(keys, observed=True).size().rename("rows").to_frame()
    drift = known.groupby(keys, observed=True)["drift"]
    counts["compared"] = drift.size().reindex(counts.index, fill_value=0)
    counts["median"] = drift.median()
    known = known.assign(apart=(known["ours"] - known["theirs"]).abs(), size=known["drift"].abs())
    known = known.assign(material=known["apart"] >= least)
    order = known.sort_values(["material", "size"], ascending=False, kind="stable")
    first = order.drop_duplicates(keys).set_index(keys)
    counts = counts.join(first[["drift", "apart", "tenant", "at"]].rename(columns={"drift": "worst"}))
    counts["unknown"] = counts["rows"] - counts["compared"]
    counts["tenant"] = counts["tenant"].fillna("")
    return typed(counts.reset_index(), schema)


def _held(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, label: str, currency: str, late_minutes: float
) -> pd.DataFrame:
    schema = {"at": TIME, "tenant": "str", label: "str", **_HELD}
    days = _days(covered.loc[covered["covered"].astype(bool), "day"])
    theirs = _at_midnight(gauge, days + 1, label=label, currency=currency, late_minutes=late_minutes)
    names = sorted(theirs[label].drop_duplicates())
    if not names:
        return typed([], schema)
    spans = _spans(names, days, theirs.groupby(label)["end"].min(), rolling=label == "window")
    theirs["span"] = _places(theirs, spans, label)
    keys = ["span", "tenant", "currency"]
    theirs = summed(theirs[~np.isinf(spans.starts[theirs["span"]])], keys, "theirs")
    frame = theirs.merge(_own(ours, spans), how="outer", on=keys)
    span = frame["span"].to_numpy(dtype=np.int64)
    frame["at"] = pd.to_datetime(spans.ends[span % len(spans.ends)], unit="D", utc=True)
    frame[label] = np.array(spans.names, dtype=object)[span // len(spans.ends)]
    frame["ours"] = frame["ours"].fillna(0.0).where(spans.whole[span])
    frame["unknown"] = _reasons(frame, spans, _young(frame, ours))
    frame["drift"] = _drift(frame)
    return typed(frame.sort_values(["at", label, "tenant", "currency"], ignore_index=True), schema)


def _days(times: pd.Series) -> NDArray[np.int64]:
    return np.unique(_microseconds(times) // _DAY)


def _microseconds(times: pd.Series) -> NDArray[np.int64]:
    moments: NDArray[np.datetime64] = times.to_numpy("datetime64[us]")
    return moments.astype(np.int64)


def _at_midnight(
    gauge: pd.DataFrame, ends: NDArray[np.int64], *, label: str, currency: str, late_minutes: float
) -> pd.DataFrame:
    """The gauge's last samples before the midnights `ends`: end, tenant, label, currency, theirs."""
    hour = _microseconds(gauge["hour"])
    rows = gauge[(hour + _HOUR) % _DAY == 0]
    end = _microseconds(rows["hour"]) // _DAY + 1
    fresh = end * _DAY - _microseconds(rows["last_ts"].astype(TIME)) <= late_minutes * 60e6
    there = fresh & (rows["samples"] > 0).to_numpy() & np.isin(end, ends)
    rows, end = rows[there], end[there]
    frame = pd.DataFrame({name: as_text(rows[name]) for name in ("tenant", label)})
    frame["currency"] = as_text(currencies(rows, currency))
    return frame.assign(end=end, theirs=rows["last"].astype("float64"))


def _spans(names: list[str], days: NDArray[np.int64], since: pd.Series, *, rolling: bool) -> _Spans:
    ends = days + 1
    of_name = _rolling_starts if rolling else _billing_starts
    starts = np.concatenate([of_name(name, ends) for name in names])
    # Covered days from the first to each: a stretch is whole where as many are covered as it has.
    first = days[0]
    seen = np.concatenate([[0], np.cumsum(np.isin(np.arange(first, ends[-1]), days))])
    end = np.tile(ends, len(names))
    # Before its first sample a gauge is not missing: its platform did not export it yet.
    begun = end >= np.repeat(since.loc[names].to_numpy(), len(ends))
    inside = np.isfinite(starts) & (starts >= first) & begun
    start = np.where(inside, starts, end).astype(np.int64)
    whole = inside & (seen[end - first] - seen[start - first] == end - start)
    return _Spans(names, ends, starts, whole)


def _rolling_starts(name: str, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    found = re.fullmatch(r"([0-9]{1,4})([hdw])", name)
    hours = int(found[1]) * _HOURS_OF[found[2]] if found else 0
    return ends.astype(np.float64) - (hours / 24 if hours and hours % 24 == 0 else np.nan)


def _billing_starts(name: str, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    if name == "current":
        months = (ends - 1).astype("datetime64[D]").astype("datetime64[M]")
        return months.astype("datetime64[D]").astype(np.float64)
    try:
        window = parse_window(name)
    except UsageError:
        return np.full(len(ends), np.nan)
    start, end = window.start_ms * 1_000 // _DAY, window.end_ms * 1_000 // _DAY
    return np.where((start < ends) & (ends <= end), float(start), np.inf)


def _places(theirs: pd.DataFrame, spans: _Spans, label: str) -> NDArray[np.int64]:
    name: NDArray[np.int64] = pd.Index(spans.names).get_indexer(pd.Index(theirs[label])).astype(np.int64)
    end: NDArray[np.int64] = np.searchsorted(spans.ends, theirs["end"].to_numpy(dtype=np.int64))
    return name * len(spans.ends) + end


def _own(ours: pd.DataFrame, spans: _Spans) -> pd.DataFrame:
    """What each tenant costs us over each wholly covered span, where that is not 0: span, tenant, currency, ours."""
    place, tenants = combinations(ours, ["tenant", "currency"])
    day = _microseconds(ours["hour"]) // _DAY
    first, number = (int(day.min()), int(day.max() - day.min()) + 1) if len(day) else (0, 1)
    cost = ours["cost"].to_numpy(dtype="float64")
    finite = np.isfinite(cost)
    cell = place * number + day - first
    span = np.flatnonzero(spans.whole)
    end = np.clip(spans.ends[span % len(spans.ends)] - first, 0, number)
    start = np.clip(spans.starts[span] - first, 0, number).astype(np.int64)

    def over_spans(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        by_day = np.bincount(cell, weights=weights, minlength=len(tenants) * number).reshape(len(tenants), number)
        until = np.hstack([np.zeros((len(tenants), 1)), np.cumsum(by_day, axis=1)])
        return until[:, end] - until[:, start]

    total = over_spans(np.where(finite, cost, 0.0))
    if not finite.all():
        total[over_spans((~finite).astype("float64")) > 0] = np.inf
    tenant, at = np.nonzero(total)
    found = tenants.iloc[tenant].reset_index(drop=True)
    return found.assign(span=span[at], ours=total[tenant, at])


def _young(frame: pd.DataFrame, ours: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether a tenant had its first cost within the day before the midnight: the two see it from other moments on."""
    first = ours.groupby(as_text(ours["tenant"]))["hour"].min()
    later = first[first > ours["hour"].min()].to_dict()
    begun = pd.to_datetime(frame["tenant"].map(later), utc=True)
    return (frame["at"] - begun <= pd.Timedelta(days=1)).to_numpy()


def _reasons(frame: pd.DataFrame, spans: _Spans, young: NDArray[np.bool_]) -> NDArray[np.object_]:
    span = frame["span"].to_numpy(dtype=np.int64)
    reasons = [
        (np.isnan(spans.starts[span]), UNREADABLE),
        (~spans.whole[span], NOT_COVERED),
        (frame["theirs"].isna().to_numpy(), NO_SAMPLE),
        (young, YOUNG),
        (~np.isfinite(frame["ours"] + frame["theirs"]).to_numpy(), NOT_FINITE),
    ]
    return np.select([met for met, _ in reasons], [np.array(why, dtype=object) for _, why in reasons], default="")


def _drift(frame: pd.DataFrame) -> NDArray[np.float64]:
    known = (frame["unknown"] == "").to_numpy()
    difference = (frame["ours"] - frame["theirs"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = np.where(difference == 0, 0.0, difference / frame["theirs"].to_numpy())
    return np.where(known, drift, np.nan)
