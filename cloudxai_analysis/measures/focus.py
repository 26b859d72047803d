"""Daily costs as rows of the FinOps FOCUS 1.2 specification, for finance: a stated subset.

Source: focus.finops.org/focus-specification/v1-2, its columns and its handling of currencies,
times, nulls, numbers and strings. PricingQuantity and PricingUnit are null, which it forbids for
usage: the gauge gives money and no quantity. Without unit prices it asks that List, Contracted and
Effective Cost match Billed Cost: all four hold the estimate, as x_CostBasis says.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.frames import TIME, summed, typed, types

# Codes of ISO 4217 that begin with X are no nation's, but for those that several share.
NATIONAL_CURRENCY = "[A-WYZ][A-Z]{2}|XAF|XCD|XCG|XOF|XPF"
_COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
_TIMES = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
_NULLS = ("BillingAccountName", "ChargeClass", "InvoiceId", "PricingQuantity", "PricingUnit")
_OWN = {"x_CostBasis": "str", "x_SourceMetric": "str", "x_TelemetryCoverage": "float64", "x_TelemetryCovered": "str"}


def focus_rows(
    daily: pd.DataFrame, covered: pd.DataFrame, *, provider: str, billing_account: str, metric: str
) -> pd.DataFrame:
    """One row per UTC day, tenant and currency of `daily` (with its cost), sorted by them.

    `covered` (day, coverage, covered) says how much of each day the telemetry saw. Columns are
    FOCUS 1.2's, in its order, nulls as missing values, then our own with `x_`. Raises UsageError
    where a currency is no national one of ISO 4217.
    """
    costs = typed(summed(daily, ["day", "tenant", "currency"], "cost"), types("day tenant currency cost"))
    odd = sorted(set(costs.loc[~costs["currency"].str.fullmatch(NATIONAL_CURRENCY), "currency"]))
    if odd:
        some = ", ".join(repr(code) for code in odd[:5])
        raise UsageError(
            f"FOCUS export of costs in {some} ({len(odd)} in all). BillingCurrency must be a national currency of "
            "ISO 4217, as 'EUR': correct the gauge's `currency` label, or the contract's `currency`."
        )
    month, seen = costs["day"].dt.tz_localize(None).dt.to_period("M"), covered.set_index("day")
    found = {
        # Adding 0 makes a negative zero, whose sign FOCUS forbids, a plain one.
        **dict.fromkeys(_COSTS, costs["cost"] + 0.0),
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceName"), provider),
        **dict.fromkeys(("SubAccountId", "SubAccountName"), costs["tenant"].mask(costs["tenant"] == "")),
        **{"BillingAccountId": billing_account, "BillingCurrency": costs["currency"]},
        "BillingPeriodStart": month.dt.start_time.dt.tz_localize("UTC"),
        "BillingPeriodEnd": (month + 1).dt.start_time.dt.tz_localize("UTC"),
        **{"ChargePeriodStart": costs["day"], "ChargePeriodEnd": costs["day"] + pd.Timedelta(days=1)},
        **{"ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ServiceCategory": "Other"},
        "ChargeDescription": f"Estimate of the tenant's use by {metric}, best effort; no invoice.",
        **{"x_CostBasis": "Estimate", "x_SourceMetric": metric},
        "x_TelemetryCoverage": costs["day"].map(seen["coverage"]),
        "x_TelemetryCovered": costs["day"].map(seen["covered"].map({True: "true", False: "false"})),
    }
    kinds = dict.fromkeys((*_COSTS, "PricingQuantity"), "float64") | dict.fromkeys(_TIMES, TIME) | _OWN
    names = [*sorted({*found, *_NULLS} - _OWN.keys()), *_OWN]
    return typed(pd.DataFrame(found, index=costs.index), {name: kinds.get(name, "str") for name in names})


def days_without_rows(rows: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """The UTC days of [start, end) that the export says nothing of: their cost is unknown."""
    days = pd.date_range(start, end, freq="D", inclusive="left").as_unit("us")
    return days[~days.isin(rows["ChargePeriodStart"])]


def focus_csv(rows: pd.DataFrame) -> str:
    """`rows` as CSV (RFC 4180, CRLF), the same on every machine; to be written as UTF-8.

    Numbers have the shortest decimals that give the same 64 bits back, without exponent. Text is
    unchanged, also where a spreadsheet would run it ('=cmd()'): SubAccountId joins with other
    tables, FOCUS forbids to alter it, and a machine imports the file.
    """
    return rows.to_csv(
        index=False,
        lineterminator="\r\n",
        date_format="%Y-%m-%dT%H:%M:%SZ",
        float_format=lambda number: np.format_float_positional(number, unique=True, trim="-"),
    )
