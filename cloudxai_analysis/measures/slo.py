"""The objective: between which bounds availability lies, how fast its error budget burns, and when it will be gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.window import Window

_BOUNDS = {
    "samples": "int64",
    "availability": "float64",
    "low": "float64",
    "high": "float64",
    "known_minutes": "float64",
    "unknown_minutes": "float64",
    "known_share": "float64",
}
_RATES = {
    "threshold": "float64",
    "long_hours": "float64",
    "short_minutes": "float64",
    "budget_share": "float64",
    "burn_long": "float64",
    "burn_short": "float64",
    "burning": "boolean",
}
_STRETCHES = {
    "threshold": "float64",
    "long_hours": "float64",
    "start": TIME,
    "end": TIME,
    "most": "float64",
    "budget_share": "float64",
}
_EXHAUSTION = {
    "answer": "str",
    "at": TIME,
    "allowed_minutes": "float64",
    "used_minutes": "float64",
    "remaining_share": "float64",
    "recent_minutes": "float64",
    "recent_days": "int64",
}
# Burn rate, long and short window, and the share of 30 days' budget that is gone when the first warns (Google, The Site
# Reliability Workbook, chapter 5, table 5-8; the fourth, 3 over a day, is that of 10 % in a day).
PAIRS = (
    (14.4, pd.Timedelta(hours=1), pd.Timedelta(minutes=5)),
    (6.0, pd.Timedelta(hours=6), pd.Timedelta(minutes=30)),
    (3.0, pd.Timedelta(days=1), pd.Timedelta(hours=2)),
    (1.0, pd.Timedelta(days=3), pd.Timedelta(hours=6)),
)
_DAY = pd.Timedelta(days=1)
_EPOCH = pd.Timestamp(0, tz="UTC")
_MICROSECONDS = pd.Timedelta(microseconds=1)


def availability_bounds(readiness: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Availability over a window with what it could be at worst and at best, as one row.

    `readiness` as `measures.readiness.global_readiness` gives it. Each sample stands for one step, the median one of
    its day; the rest of the window is unknown, and is neither up nor down.

    Columns: samples, availability (mean of the samples; NaN without any), low (all unknown time down), high (all of it
    up), known_minutes, unknown_minutes, known_share (0 to 1).
    """
    inside = readiness[(readiness["time"] >= window.start) & (readiness["time"] < window.end)]
    whole = window.duration.total_seconds() / 60
    by_day = _by_day(inside)
    known = (by_day["samples"] * by_day["step"]).clip(upper=24 * 60)
    ready = known * by_day["ready"] / by_day["samples"]
    total, up = min(float(known.sum()), whole), float(ready.sum())
    # What a day's jitter adds beyond the window is nobody's time.
    up = min(up, total)
    row: dict[str, Any] = {
        "samples": len(inside),
        "availability": inside["ready"].mean() if len(inside) else np.nan,
        "low": up / whole,
        "high": (up + whole - total) / whole,
        "known_minutes": total,
        "unknown_minutes": whole - total,
        "known_share": total / whole,
    }
    return typed([row], _BOUNDS)


def burn_rates(readiness: pd.DataFrame, *, slo: float, at: pd.Timestamp, days: int = 30) -> pd.DataFrame:
    """How many times faster than allowed the error budget burns before `at`, over the Workbook's pairs of windows.

    A rate of 1 uses up exactly the budget of `days` days in `days` days.

    Columns: threshold, long_hours, short_minutes, budget_share (of the budget, gone when the long window reaches the
    threshold), burn_long, burn_short (error ratio / (1 - slo); NaN without a sample in the window), burning (both over
    the threshold; missing where one is not known). The shorter window ends the alert soon after the errors end.
    """
    moments, errors = _cumulated(readiness)
    now = np.array([_number(at)])
    rows = [
        {
            **_pair(threshold, long, short, days),
            "burn_long": (in_long := _ratio(moments, errors, now, long)[0] / (1 - slo)),
            "burn_short": (in_short := _ratio(moments, errors, now, short)[0] / (1 - slo)),
            "burning": pd.NA if np.isnan(in_long + in_short) else min(in_long, in_short) > threshold,
        }
        for threshold, long, short in PAIRS
    ]
    return typed(rows, _RATES)


def burn_stretches(readiness: pd.DataFrame, window: Window, *, slo: float, days: int = 30) -> pd.DataFrame:
    """Stretches of a window in which the budget burnt faster than a pair's threshold, judged at each sample.

    `readiness` should begin three days before the window. A stretch ends at the first sample that is not over it.

    Columns: threshold, long_hours, start, end (NaT where it goes on at the window's end), most (highest rate over the
    long window), budget_share (of `days` days' budget, used by the errors of the stretch and its long window).
    """
    moments, errors = _cumulated(readiness)
    inside = (moments >= _number(pd.Timestamp(window.start))) & (moments < _number(pd.Timestamp(window.end)))
    # Judged just after a sample, which is the last of its windows.
    now = moments[inside] + 1
    rows: list[dict[str, Any]] = []
    for threshold, long, short in PAIRS:
        over_long = _ratio(moments, errors, now, long) / (1 - slo)
        burning = np.minimum(over_long, _ratio(moments, errors, now, short) / (1 - slo)) > threshold
        begins = np.flatnonzero(burning & ~np.append(False, burning[:-1]))
        ends = np.flatnonzero(burning & ~np.append(burning[1:], False)) if len(burning) else begins
        rows += [
            {
                "threshold": threshold,
                "long_hours": long / pd.Timedelta(hours=1),
                "start": _moment(now[begin] - 1),
                "end": _moment(now[end + 1] - 1) if end + 1 < len(now) else pd.NaT,
                "most": over_long[begin : end + 1].max(),
                "budget_share": over_long[begin : end + 1].max() * (long / (days * _DAY)),
            }
            for begin, end in zip(begins, ends, strict=True)
        ]
    found = typed(rows, _STRETCHES)
    return found.sort_values(["start", "threshold"], ascending=[True, False], ignore_index=True)


def budget_exhaustion(
    readiness: pd.DataFrame, *, slo: float, end: pd.Timestamp, days: int = 30, recent_days: int = 7
) -> pd.DataFrame:
    """When a rolling error budget will be used up if the coming days are like the last ones, as one row.

    The window rolls on: each coming day brings the mean errors of the `recent_days` whole days before `end` that have a
    sample, and takes away those of the day that leaves.

    Columns: answer ('unknown' without a sample, 'exhausted', 'will be exhausted', 'lasts'), at (the end of the day on
    which the sum reaches what is allowed; missing where it lasts), allowed_minutes, used_minutes, remaining_share,
    recent_minutes (not ready, a day), recent_days (of them with a sample).
    """
    last = end.floor("D")
    by_day = _used_by_day(readiness, last, days)
    allowed = (1 - slo) * days * 24 * 60
    used = float(by_day.sum())
    recent = by_day.iloc[-recent_days:].dropna()
    pace = float(recent.mean()) if len(recent) else np.nan
    row: dict[str, Any] = {
        "answer": "unknown",
        "allowed_minutes": allowed,
        "used_minutes": used if by_day.notna().any() else np.nan,
        "remaining_share": 1 - used / allowed if by_day.notna().any() else np.nan,
        "recent_minutes": pace,
        "recent_days": len(recent),
    }
    if np.isnan(pace):
        return typed([row], _EXHAUSTION)
    if used >= allowed:
        return typed([row | {"answer": "exhausted", "at": last}], _EXHAUSTION)
    ahead = np.cumsum(pace - by_day.fillna(0.0).to_numpy()) + used
    over = ahead >= allowed
    if not over.any():
        return typed([row | {"answer": "lasts"}], _EXHAUSTION)
    return typed([row | {"answer": "will be exhausted", "at": last + (int(over.argmax()) + 1) * _DAY}], _EXHAUSTION)


def _used_by_day(readiness: pd.DataFrame, last: pd.Timestamp, days: int) -> pd.Series:
    """Minutes not ready on each of the `days` days before `last`; NaN of a day without a sample."""
    wanted = pd.date_range(last - days * _DAY, last, freq="D", inclusive="left", unit="us")
    by_day = _by_day(readiness)
    return ((by_day["samples"] - by_day["ready"]) * by_day["step"]).reindex(wanted)


def _by_day(readiness: pd.DataFrame) -> pd.DataFrame:
    """Samples, how many of them are ready, and the median minutes from one to the next, by day."""
    ordered = readiness.sort_values("time", kind="stable")
    minutes = ordered["time"].diff().dt.total_seconds() / 60
    by_day = ordered.assign(step=minutes).groupby(ordered["time"].dt.floor("D"))
    found = by_day.agg(samples=("ready", "size"), ready=("ready", "sum"), step=("step", "median"))
    # A day with a single sample has no step of its own: that of the others, else it stands for no known time.
    return found.assign(step=found["step"].fillna(found["step"].median()).fillna(0.0))


def _pair(threshold: float, long: pd.Timedelta, short: pd.Timedelta, days: int) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "long_hours": long / pd.Timedelta(hours=1),
        "short_minutes": short / pd.Timedelta(minutes=1),
        "budget_share": threshold * (long / (days * _DAY)),
    }


def _cumulated(readiness: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times in microseconds, in order, and before each and after the last the sum of the errors so far."""
    ordered = readiness.sort_values("time", kind="stable")
    moments = ordered["time"].dt.as_unit("us").astype("int64").to_numpy()
    return moments, np.append(0.0, np.cumsum(1.0 - ordered["ready"].to_numpy(dtype="float64")))


def _ratio(
    moments: NDArray[np.int64], errors: NDArray[np.float64], now: NDArray[np.int64], over: pd.Timedelta
) -> NDArray[np.float64]:
    """Share of the samples that are errors, over the time before each of `now`; NaN without a sample."""
    begin = np.searchsorted(moments, now - over // _MICROSECONDS, side="left")
    end = np.searchsorted(moments, now, side="left")
    many = end - begin
    return np.divide(errors[end] - errors[begin], many, out=np.full(len(now), np.nan), where=many > 0)


def _number(moment: pd.Timestamp) -> int:
    return int((moment - _EPOCH) // _MICROSECONDS)


def _moment(number: np.int64) -> pd.Timestamp:
    return pd.Timestamp(int(number), unit="us", tz="UTC")
