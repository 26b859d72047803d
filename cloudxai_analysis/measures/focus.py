"""Daily costs as rows of the FinOps FOCUS 1.2 specification, for finance: a stated subset.

Source: FinOps Open Cost and Usage Specification 1.2, focus.finops.org/focus-specification/v1-2: the sections Columns,
Column Naming and Ordering, Currency Format, Date/Time Format, Null Handling, Numeric Format and String Handling.

All 21 columns that 1.2 asks of every dataset are there, and those of its others that the telemetry can fill. One of its
rules is broken knowingly: PricingQuantity and PricingUnit are null, which it forbids for usage: the gauge gives money
and no quantity, and a made-up one would be worse. Where unit prices are null, 1.2 asks that List, Contracted and
Effective Cost match Billed Cost: all four hold the estimate, InvoiceId is null (on no invoice), x_CostBasis says it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.frames import TIME, as_text, summed, typed, types

# ISO 4217's codes of national currencies in force at some time since 2025; its funds, metals and test codes left out.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
NATIONAL_CURRENCIES = frozenset(_CODES.split())
_COLUMNS = {
    **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity"), "float64"),
    **dict.fromkeys(("BillingAccountId", "BillingAccountName", "BillingCurrency"), "str"),
    **dict.fromkeys(("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"), TIME),
    **dict.fromkeys(("ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "InvoiceId"), "str"),
    **dict.fromkeys(("InvoiceIssuerName", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory"), "str"),
    **dict.fromkeys(("ServiceName", "SubAccountId", "SubAccountName"), "str"),
}
_OWN = {"x_CostBasis": "str", "x_SourceMetric": "str", "x_TelemetryCoverage": "float64", "x_TelemetryCovered": "str"}
_ALWAYS = {
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "ServiceCategory": "Other",
    "x_CostBasis": "Estimate",
}


def focus_rows(
    daily: pd.DataFrame,
    *,
    provider: str,
    billing_account: str,
    metric: str = "tenant_cost_estimate",
    covered: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per UTC day, tenant and currency of `daily` (day, tenant, currency, cost), sorted by them.

    Publisher, invoice issuer and service are the provider. `covered` (day, coverage, covered) says how much of each day
    the telemetry saw.

    Columns: FOCUS 1.2's, in its order, nulls as missing values; then our own: x_CostBasis ('Estimate'), x_SourceMetric,
    x_TelemetryCoverage (share of the day's expected scrapes, 0..1) and x_TelemetryCovered ('true', 'false'); the last
    two are null for a day not in `covered`.

    Raises
    ------
    UsageError
        A currency is no national one of ISO 4217.
    """
    odd = sorted(set(as_text(daily["currency"].drop_duplicates())) - NATIONAL_CURRENCIES)
    if odd:
        some = ", ".join(repr(code) for code in odd[:5])
        raise UsageError(
            f"FOCUS export of costs in {some} ({len(odd)} in all). BillingCurrency must be a national currency of "
            "ISO 4217, as 'EUR': correct the gauge's `currency` label, or the contract's `currency`."
        )
    given = daily.assign(day=daily["day"].astype(TIME).dt.floor("D"))
    costs = typed(summed(given, ["day", "tenant", "currency"], "cost"), types("day tenant currency cost"))
    month = costs["day"].dt.tz_localize(None).dt.to_period("M")
    frame = pd.DataFrame(_ALWAYS, index=costs.index).reindex(columns=[*sorted(_COLUMNS), *_OWN])
    # Adding 0 makes a negative zero, whose sign FOCUS forbids, a plain one.
    for name in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"):
        frame[name] = costs["cost"] + 0.0
    for name in ("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceName"):
        frame[name] = provider
    frame["BillingAccountId"], frame["BillingCurrency"] = billing_account, costs["currency"]
    frame["BillingPeriodStart"] = month.dt.start_time.dt.tz_localize("UTC")
    frame["BillingPeriodEnd"] = (month + 1).dt.start_time.dt.tz_localize("UTC")
    frame["ChargePeriodStart"], frame["ChargePeriodEnd"] = costs["day"], costs["day"] + pd.Timedelta(days=1)
    frame["ChargeDescription"] = f"Estimate of the tenant's use by {metric}, best effort; no invoice."
    frame["SubAccountId"] = frame["SubAccountName"] = costs["tenant"].mask(costs["tenant"] == "")
    frame["x_SourceMetric"] = metric
    if covered is not None:
        seen = covered.set_index("day")
        frame["x_TelemetryCoverage"] = costs["day"].map(seen["coverage"])
        frame["x_TelemetryCovered"] = costs["day"].map(seen["covered"].map({True: "true", False: "false"}))
    return typed(frame, {**{name: _COLUMNS[name] for name in sorted(_COLUMNS)}, **_OWN})


def days_without_rows(rows: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """The UTC days of [start, end) that the export says nothing of: their cost is unknown and not 0."""
    days = pd.date_range(start, end, freq="D", inclusive="left").as_unit("us")
    return days[~days.isin(rows["ChargePeriodStart"])]


def focus_csv(rows: pd.DataFrame) -> str:
    """`rows` as CSV (RFC 4180, CRLF), the same characters for the same rows on every machine; to be written as UTF-8.

    A null is an empty field. Numbers have the shortest decimals that give the same 64 bits back, without exponent or
    separators; times are ISO 8601 in UTC. Text is unchanged, also where a spreadsheet would run it ('=cmd()'):
    SubAccountId joins with other tables, FOCUS' String Handling forbids to alter it, and a machine imports the file.
    """
    return rows.to_csv(
        index=False,
        lineterminator="\r\n",
        date_format="%Y-%m-%dT%H:%M:%SZ",
        float_format=lambda number: np.format_float_positional(number, unique=True, trim="-"),
    )
