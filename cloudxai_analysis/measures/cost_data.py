"""Cost gauges whose samples no cost can be made of: no amount of money, or left behind by a tenant that is gone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.cost import MOST, currencies
from cloudxai_analysis.measures.frames import mapped, typed

_SMALLEST = np.finfo("float64").tiny  # of a normal number
CAUSES = {
    "negative": "was below 0",
    "infinite": "was infinite",
    "too large": "was over a trillion an hour",
    "not a number": "held no number",
    "too small": "was smaller than any amount",
    "currency": "named a currency that is no code of ISO 4217 in capitals",
    "left behind": "kept its last value after the tenant had left",
}
LEFT_OUT = ("negative", "infinite", "too large")  # of every sum: `measures.cost.is_amount`
_EXAMPLES = 3
_HOUR = pd.Timedelta(hours=1)


def cost_faults(
    cost_hours: pd.DataFrame, tenant_hours: pd.DataFrame, *, currency: str, least_hours: int = 24
) -> pd.DataFrame:
    """What is wrong with the samples of a cost gauge of rates, one row per cause and currency.

    `cost_hours` of the gauge, `tenant_hours` of a metric that every living tenant has. An hour with a value below 0
    ('negative'), infinite, or beyond any amount ('too large') is in no sum. 'not a number': one with NaN; 'too
    small': of a denormal number; 'currency': its label is none of ISO 4217's codes; 'left behind': a tenant keeps
    its last value, unchanged, for `least_hours` hours or more after its own last sample, while others are still seen.

    Columns: cause, tenants (number), examples (tuple of at most three), hours (number, over all of them), start, end,
    amount (cost of those hours in the currency, left out of the sums or wrongly in them; unknown where they hold no
    finite number), currency.
    """
    if cost_hours.empty:
        return typed([], cost_faults)
    frame = cost_hours[["series_id", "hour", "tenant", "samples", "min", "max", "nan_samples", "changes", "integral"]]
    label = cost_hours["currency"].astype("str") if "currency" in cost_hours else pd.Series("", index=frame.index)
    frame = frame.assign(currency=currencies(cost_hours, currency).astype("str"))
    seen, largest = frame["samples"] > 0, np.maximum(frame["max"], frame["integral"] / 3600)
    infinite = seen & (np.isinf(frame["min"]) | np.isinf(frame["max"]))
    found = {
        "negative": frame[seen & (frame["min"] < 0) & ~infinite],
        "infinite": frame[infinite],
        "too large": frame[~infinite & (largest > MOST)],
        "not a number": frame[frame["nan_samples"] > 0],
        "too small": frame[seen & (frame["max"] > 0) & (frame["max"] < _SMALLEST)],
        "currency": frame[(label != "") & ~label.str.fullmatch("[A-Z]{3}")],
        "left behind": _left_behind(frame, tenant_hours, least_hours=least_hours),
    }
    rows = [
        _row(cause, str(unit), own) for cause in CAUSES for unit, own in found[cause].groupby("currency", observed=True)
    ]
    return typed(rows, cost_faults)


def _left_behind(frame: pd.DataFrame, tenant_hours: pd.DataFrame, *, least_hours: int) -> pd.DataFrame:
    """The hours of gauges that rest after their tenant has gone."""
    there = tenant_hours[tenant_hours["samples"] > 0]
    if there.empty:
        return frame.iloc[:0]
    last = there.groupby("tenant", observed=True)["hour"].max()
    gone = mapped(frame["tenant"], {str(tenant): hour for tenant, hour in last.items()}, pd.Timestamp(0, tz="UTC"))
    # Beyond the last hour in which anybody was seen, nobody is known to be gone.
    after = frame[(frame["hour"] > gone) & (frame["hour"] <= there["hour"].max()) & (frame["samples"] > 0)]
    unchanged = after.groupby("series_id")["changes"].transform("sum") == 0
    long = after.groupby("series_id")["hour"].transform("nunique") >= least_hours
    return after[unchanged & long]


def _row(cause: str, currency: str, own: pd.DataFrame) -> dict[str, object]:
    told = cause != "not a number" and (own["integral"].abs() <= MOST * 3600).all()
    return {
        "cause": cause,
        "tenants": own["tenant"].nunique(),
        "examples": tuple(sorted(map(str, own["tenant"].unique()))[:_EXAMPLES]),
        "hours": len(own),
        "start": own["hour"].min(),
        "end": own["hour"].max() + _HOUR,
        "amount": own["integral"].sum() / 3600 if told else float("nan"),
        "currency": currency,
    }
