"""The objective: how fast its error budget burns, and whether it will last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import columns_of, typed
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES
from cloudxai_analysis.measures.time_seen import seconds_before, seconds_within

# Burn rate, long and short window, and the share of 30 days' budget that is gone when the first warns (Google, The Site
# Reliability Workbook, chapter 5, table 5-8; the fourth, 3 over a day, is that of 10 % in a day).
PAIRS = (
    (14.4, pd.Timedelta(hours=1), pd.Timedelta(minutes=5)),
    (6.0, pd.Timedelta(hours=6), pd.Timedelta(minutes=30)),
    (3.0, pd.Timedelta(days=1), pd.Timedelta(hours=2)),
    (1.0, pd.Timedelta(days=3), pd.Timedelta(hours=6)),
)
_DAY = pd.Timedelta(days=1)


def burn_rates(readiness: pd.DataFrame, *, slo: float, at: pd.Timestamp, days: int = 30) -> pd.DataFrame:
    """How many times faster than allowed the error budget burns before `at`, over the Workbook's pairs of windows.

    `readiness` as `measures.readiness.global_readiness` gives it. A rate of 1 uses up exactly the budget of `days` days
    in `days` days.

    Columns: threshold, long_hours, short_minutes, budget_share (of the budget, gone when the long window reaches the
    threshold), burn_long, burn_short (share of the time seen that was not ready / (1 - slo); NaN where nothing was
    seen), burning (both over the threshold, and more lost than one scrape may cost; missing where one is not known).
    The shorter window ends the alert soon after the errors end.
    """
    now = pd.DatetimeIndex([at])
    rows = []
    for threshold, long, short in PAIRS:
        in_long, in_short, burning = (found[0] for found in _burns(readiness, now, threshold, long, short, slo))
        rows.append(
            {
                **_pair(threshold, long, short, days),
                "burn_long": in_long,
                "burn_short": in_short,
                "burning": pd.NA if np.isnan(in_long + in_short) else bool(burning),
            }
        )
    return typed(rows, burn_rates)


def burn_stretches(readiness: pd.DataFrame, window: Window, *, slo: float, days: int = 30) -> pd.DataFrame:
    """Stretches of a window in which the budget burnt faster than a pair's threshold, judged at each minute.

    `readiness` should begin three days before the window.

    Columns: threshold, long_hours, start, end (NaT where it goes on at the window's end), most (highest rate over the
    long window), budget_share (of `days` days' budget, used by the errors of the stretch and its long window).
    """
    now = pd.date_range(window.start, window.end, freq="min", unit="us", inclusive="right")
    rows: list[dict[str, Any]] = []
    for threshold, long, short in PAIRS:
        over_long, _, burning = _burns(readiness, now, threshold, long, short, slo)
        begins = np.flatnonzero(burning & ~np.append(False, burning[:-1]))
        ends = np.flatnonzero(burning & ~np.append(burning[1:], False)) if len(burning) else begins
        rows += [
            {
                "threshold": threshold,
                "long_hours": long / pd.Timedelta(hours=1),
                "start": now[begin],
                "end": now[end + 1] if end + 1 < len(now) else pd.NaT,
                "most": over_long[begin : end + 1].max(),
                "budget_share": over_long[begin : end + 1].max() * (long / (days * _DAY)),
            }
            for begin, end in zip(begins, ends, strict=True)
        ]
    found = typed(rows, burn_stretches)
    return found.sort_values(["start", "threshold"], ascending=[True, False], ignore_index=True)


def budget_course(
    readiness: pd.DataFrame,
    outages: pd.DataFrame,
    *,
    slo: float,
    end: pd.Timestamp,
    days: int = 30,
    ahead_days: int = 7,
) -> pd.DataFrame:
    """What is left of a rolling error budget, for how many outages it has room, and how likely more come, as one row.

    `outages` as `measures.readiness.outages` gives them. No date is named: outages come at random, and a date from a
    few of them seldom comes true.

    Columns: seen_minutes (of the `days` days), allowed_minutes, used_minutes, remaining_share (NaN where nothing was
    seen), outages (of the `days` days), usual_minutes (their mean; NaN without one), room (of how many more of these
    there is; NaN without one), chance (0 to 1, that more than that come within `ahead_days`, by a Poisson of the
    frequency seen; NaN without one).
    """
    from scipy.stats import poisson

    begin = end - days * _DAY
    known = readiness[readiness["end"] > begin]
    own = outages[outages["start"] >= begin]
    allowed = (1 - slo) * days * 24 * 60
    edges = pd.DatetimeIndex([begin, end])
    used, seen = (float(seconds_within(part, edges)[0]) / 60 for part in (known[known["ready"] == 0], known))
    row: dict[str, Any] = dict.fromkeys(columns_of(budget_course), np.nan)
    row |= {"seen_minutes": seen, "allowed_minutes": allowed, "outages": len(own)}
    if seen:
        row |= {"used_minutes": used, "remaining_share": 1 - used / allowed if allowed else np.nan}
    if len(own):
        seen_days = (end - max(known["start"].min(), begin)) / _DAY
        usual = float(own["minutes"].mean())
        room = max(0.0, (allowed - row["used_minutes"]) // usual)
        expected = ahead_days * len(own) / seen_days
        row |= {"usual_minutes": usual, "room": room, "chance": float(poisson.sf(room, expected))}
    return typed([row], budget_course)


def _pair(threshold: float, long: pd.Timedelta, short: pd.Timedelta, days: int) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "long_hours": long / pd.Timedelta(hours=1),
        "short_minutes": short / pd.Timedelta(minutes=1),
        "budget_share": threshold * (long / (days * _DAY)),
    }


def _burns(
    readiness: pd.DataFrame,
    now: pd.DatetimeIndex,
    threshold: float,
    long: pd.Timedelta,
    short: pd.Timedelta,
    slo: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Rates over a pair's windows, and where both are over its threshold; what one scrape may have cost burns nothing.

    A rate is the share of the time seen before each of `now` that was not ready, as a multiple of what is allowed.
    """
    down = readiness[readiness["ready"] == 0]
    rates, lost = [], np.zeros(len(now))
    for over in (short, long):
        lost, seen = (seconds_before(part, now) - seconds_before(part, now - over) for part in (down, readiness))
        rates.append(np.divide(lost, seen * (1 - slo), out=np.full(len(now), np.nan), where=seen > 0))
    burning = (np.minimum(*rates) > threshold) & (lost > OUTAGE_MINUTES * 60)
    return rates[1], rates[0], burning
