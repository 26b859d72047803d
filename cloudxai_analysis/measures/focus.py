"""Daily costs as rows of the FinOps FOCUS 1.2 specification, for finance.

Source: FinOps Open Cost and Usage Specification 1.2, focus.finops.org/focus-specification/v1-2: the sections Columns,
Column Naming and Ordering, Currency Format, Date/Time Format, Null Handling, Numeric Format and String Handling.

All 21 columns that 1.2 asks of every dataset are there, and those of its others that the telemetry can fill. Two of its
rules are broken knowingly. PricingQuantity and PricingUnit are null, which it forbids for usage: the gauge gives money
and no quantity, and a made-up one would be worse. A cost is null where the telemetry gives none: 0 would say 'free'.
Where unit prices are null, 1.2 asks that List, Contracted and Effective Cost match Billed Cost: all four hold the
estimate, InvoiceId is null (on no invoice), and x_CostBasis says it.
"""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.frames import TIME, as_text, summed, typed, types

SERVICE_CATEGORIES = (
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Multicloud",
    "Networking",
    "Other",
    "Security",
    "Storage",
    "Web",
)
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
    "BilledCost": "float64",
    "BillingAccountId": "str",
    "BillingAccountName": "str",
    "BillingCurrency": "str",
    "BillingPeriodEnd": TIME,
    "BillingPeriodStart": TIME,
    "ChargeCategory": "str",
    "ChargeClass": "str",
    "ChargeDescription": "str",
    "ChargeFrequency": "str",
    "ChargePeriodEnd": TIME,
    "ChargePeriodStart": TIME,
    "ContractedCost": "float64",
    "EffectiveCost": "float64",
    "InvoiceId": "str",
    "InvoiceIssuerName": "str",
    "ListCost": "float64",
    "PricingQuantity": "float64",
    "PricingUnit": "str",
    "ProviderName": "str",
    "PublisherName": "str",
    "ServiceCategory": "str",
    "ServiceName": "str",
    "SubAccountId": "str",
    "SubAccountName": "str",
    "x_CostBasis": "str",
    "x_SourceMetric": "str",
    "x_TelemetryCoverage": "float64",
    "x_TelemetryCovered": "str",
}
_UNKNOWN = "The telemetry gives no finite cost of this tenant on this day."


def focus_rows(
    daily: pd.DataFrame,
    *,
    provider: str,
    billing_account: str,
    billing_account_name: str | None = None,
    publisher: str | None = None,
    invoice_issuer: str | None = None,
    service: str | None = None,
    service_category: str = "Other",
    metric: str = "tenant_cost_estimate",
    covered: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per UTC day, tenant and currency of `daily` (day, tenant, currency, cost), sorted by them.

    Publisher, invoice issuer and service are the provider where they are not given. `covered` (day, coverage, covered)
    says how much of each day the telemetry saw.

    Columns: FOCUS 1.2's, in its order, nulls as missing values: BilledCost, ContractedCost, EffectiveCost, ListCost
    (the estimate in BillingCurrency; null where it is NaN or infinite), BillingAccountId, BillingAccountName,
    BillingCurrency (ISO 4217), BillingPeriodStart and BillingPeriodEnd (the UTC month), ChargeCategory, ChargeClass
    (null), ChargeDescription, ChargeFrequency, ChargePeriodStart and ChargePeriodEnd (the UTC day, end excluded),
    InvoiceId (null), InvoiceIssuerName, PricingQuantity and PricingUnit (null), ProviderName, PublisherName,
    ServiceCategory, ServiceName, SubAccountId and SubAccountName (the tenant; null for ''). Then our own: x_CostBasis
    ('Estimate', or 'Unknown' where the costs are null), x_SourceMetric, x_TelemetryCoverage (share of the day's
    expected scrapes, 0..1) and x_TelemetryCovered ('true', 'false'); these two are null for a day not in `covered`.

    Raises
    ------
    UsageError
        A currency is no national one of ISO 4217, a name that must not be null is empty, or the service category is
        none of FOCUS 1.2.
    """
    names = {"provider": provider, "billing_account": billing_account}
    names |= {"publisher": publisher or provider, "invoice_issuer": invoice_issuer or provider}
    names |= {"service": service or provider}
    _check(names, service_category, daily["currency"])
    costs = _by_day(daily)
    # Adding 0 makes a negative zero, whose sign FOCUS forbids, a plain one.
    cost = costs["cost"].where(np.isfinite(costs["cost"])) + 0.0
    month = costs["day"].dt.tz_localize(None).dt.to_period("M")
    tenant = costs["tenant"].mask(costs["tenant"] == "")
    described = f"Estimate of the tenant's use by {metric}, best effort; no invoice."
    rows = {
        "BillingAccountId": names["billing_account"],
        "BillingAccountName": billing_account_name or None,
        "BillingCurrency": costs["currency"],
        "BillingPeriodEnd": (month + 1).dt.start_time.dt.tz_localize("UTC"),
        "BillingPeriodStart": month.dt.start_time.dt.tz_localize("UTC"),
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": np.where(cost.notna(), described, _UNKNOWN),
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": costs["day"] + pd.Timedelta(days=1),
        "ChargePeriodStart": costs["day"],
        "InvoiceId": None,
        "InvoiceIssuerName": names["invoice_issuer"],
        "PricingQuantity": None,
        "PricingUnit": None,
        "ProviderName": names["provider"],
        "PublisherName": names["publisher"],
        "ServiceCategory": service_category,
        "ServiceName": names["service"],
        "SubAccountId": tenant,
        "SubAccountName": tenant,
        "x_CostBasis": np.where(cost.notna(), "Estimate", "Unknown"),
        "x_SourceMetric": metric,
    }
    rows |= dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost)
    frame = pd.DataFrame(rows, index=costs.index).reindex(columns=list(_COLUMNS))
    return typed(_with_coverage(frame, covered), _COLUMNS)


def focus_totals(rows: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    """What `focus_rows` made, added up and held against the costs that it was given, one row per currency.

    Columns: currency, rows, given (sum of the finite costs of `daily`), exported (sum of BilledCost), difference
    (exported − given; under 1e-9 of the sum where nothing was lost: days of several rows are added in another
    order), unknown (rows without a cost).
    """
    given = daily[np.isfinite(daily["cost"])].groupby(as_text(daily["currency"]), observed=True)["cost"]
    exported = rows.groupby("BillingCurrency", observed=True)["BilledCost"]
    totals = pd.DataFrame({"rows": exported.size(), "exported": exported.agg(_exact), "known": exported.count()})
    totals["given"] = given.agg(_exact) if len(daily) else 0.0
    totals["given"] = totals["given"].fillna(0.0)
    totals["difference"] = totals["exported"] - totals["given"]
    totals["unknown"] = totals["rows"] - totals["known"]
    return typed(totals.rename_axis("currency").reset_index(), focus_totals)


def days_without_rows(
    rows: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp, covered: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The UTC days of [start, end) that the export says nothing of: their cost is unknown and not 0.

    Columns: day, coverage (share of its expected scrapes, NaN where not in `covered`), covered (missing there).
    """
    days = pd.date_range(start, end, freq="D", inclusive="left").as_unit("us")
    absent = pd.DataFrame({"day": days[~days.isin(rows["ChargePeriodStart"])]})
    if covered is None:
        return typed(absent, days_without_rows)
    return typed(
        absent.merge(covered[["day", "coverage", "covered"]].astype({"day": TIME}), how="left", on="day"),
        days_without_rows,
    )


def focus_csv(rows: pd.DataFrame) -> str:
    """`rows` as CSV (RFC 4180, CRLF), the same characters for the same rows on every machine; to be written as UTF-8.

    A null is an empty field. Numbers have the shortest decimals that give the same 64 bits back, without exponent or
    separators; times are ISO 8601 in UTC. Text is unchanged, also where a spreadsheet would run it ('=cmd()'):
    SubAccountId joins with other tables, FOCUS' String Handling forbids to alter it, and a machine imports the file.
    People look at `report.csv_cells.write_csv`'s tables instead, or import the columns as text.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(rows.columns)
    writer.writerows(zip(*(_cells(rows[column]) for column in rows), strict=True))
    return stream.getvalue()


def _check(names: dict[str, str], service_category: str, currencies: pd.Series) -> None:
    for name, value in names.items():
        if not value.strip():
            raise UsageError(f"FOCUS export with an empty '{name}'. FOCUS 1.2 allows no null there: name it.")
    if service_category not in SERVICE_CATEGORIES:
        known = ", ".join(SERVICE_CATEGORIES)
        raise UsageError(f"FOCUS export with service category {service_category!r}. FOCUS 1.2 knows {known}.")
    odd = sorted(set(as_text(currencies.drop_duplicates())) - NATIONAL_CURRENCIES)
    if odd:
        some = ", ".join(repr(code) for code in odd[:5])
        raise UsageError(
            f"FOCUS export of costs in {some} ({len(odd)} in all). BillingCurrency must be a national currency of "
            "ISO 4217, as 'EUR': correct the gauge's `currency` label, or the contract's `currency`."
        )


def _by_day(daily: pd.DataFrame) -> pd.DataFrame:
    """`daily` with one row per day, tenant and currency, as text."""
    if daily.empty:
        return typed([], types("day tenant currency cost"))
    rows = daily.assign(day=daily["day"].astype(TIME).dt.floor("D"))
    return typed(summed(rows, ["day", "tenant", "currency"], "cost"), types("day tenant currency cost"))


def _with_coverage(frame: pd.DataFrame, covered: pd.DataFrame | None) -> pd.DataFrame:
    if covered is None:
        return frame
    seen = covered.set_index("day")
    share = frame["ChargePeriodStart"].map(seen["coverage"])
    whole = frame["ChargePeriodStart"].map(seen["covered"].map({True: "true", False: "false"}))
    return frame.assign(x_TelemetryCoverage=share, x_TelemetryCovered=whole)


def _exact(values: pd.Series) -> float:
    return math.fsum(values.dropna())


def _cells(column: pd.Series) -> list[str | None]:
    if pd.api.types.is_datetime64_any_dtype(column):
        text = column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    elif pd.api.types.is_numeric_dtype(column):
        text = column.map(lambda value: np.format_float_positional(value, unique=True, trim="-"), na_action="ignore")
    else:
        text = column
    return list(text.astype("object").where(column.notna(), None))
