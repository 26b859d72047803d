"""FOCUS rows as a machine reads them that knows nothing of ours."""

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.focus import days_without_rows, focus_csv, focus_rows

# Mandatory in the specification's 1.2, by its column pages ('MUST be present in a FOCUS dataset').
_BY_1_2 = """
BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost
PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName
"""
# The specification allows these nulls where the charge is no correction, has no display name, is on no invoice; the two
# of a price are null against it, and the module says why.
NULL = {"BillingAccountName", "ChargeClass", "InvoiceId", "PricingQuantity", "PricingUnit"}
COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
NAMES = ["=cmd()", "@SUM(A1)", "a,b", 'say "x"', "two\nlines", "a\rb", " padded ", "Ünïcode 🦊", "\x00nul", "-1"]
DAYS = pd.to_datetime(["2026-10-01", "2026-10-02", "2026-10-03"], utc=True).as_unit("us")
COVERED = pd.DataFrame({"day": DAYS, "coverage": [1.0, 0.0, 0.6], "covered": [True, False, False]})


def daily_of(*rows):
    """One row per (day, tenant, currency, cost)."""
    frame = pd.DataFrame(rows, columns=["day", "tenant", "currency", "cost"]).astype({"cost": "float64"})
    return frame.assign(day=pd.to_datetime(frame["day"], utc=True, format="ISO8601").astype("datetime64[us, UTC]"))


def exported(daily):
    return focus_rows(daily, COVERED, provider="CloudxAi", billing_account="beta", metric="cloud_cost")


def parsed(daily):
    return list(csv.DictReader(io.StringIO(focus_csv(exported(daily)), newline="")))


def test_a_row_is_a_day_of_a_tenant_in_the_specifications_words():
    (row,) = parsed(daily_of(("2026-12-31", "acme", "EUR", 12.5)))
    expected = {
        **{"ChargePeriodStart": "2026-12-31T00:00:00Z", "ChargePeriodEnd": "2027-01-01T00:00:00Z"},
        **{"BillingPeriodStart": "2026-12-01T00:00:00Z", "BillingPeriodEnd": "2027-01-01T00:00:00Z"},
        **dict.fromkeys(COSTS, "12.5"),
        **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName", "ServiceName"), "CloudxAi"),
        **{"BillingCurrency": "EUR", "SubAccountId": "acme", "SubAccountName": "acme", "BillingAccountId": "beta"},
        **{"ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ServiceCategory": "Other"},
        **{"x_CostBasis": "Estimate", "x_SourceMetric": "cloud_cost"},
    }
    assert row | expected == row
    names = list(row)
    own = [name for name in names if name.startswith("x_")]
    assert set(_BY_1_2.split()) <= set(names)
    assert names == sorted(set(names) - set(own)) + sorted(own)
    assert {name for name, value in row.items() if not value} == NULL | {"x_TelemetryCoverage", "x_TelemetryCovered"}
    (leap,) = parsed(daily_of(("2028-02-29", "acme", "EUR", 1.0)))
    assert (leap["ChargePeriodEnd"], leap["BillingPeriodEnd"]) == ("2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("cost", "text"),
    # The specification's Numeric Format: no exponent, no sign before a positive value, no separators. No cost is null.
    [
        *((1e-7, "0.0000001"), (1e22, "1" + "0" * 22), (-2.5, "-2.5"), (0.1 + 0.2, "0.30000000000000004"), (-0.0, "0")),
        (float("nan"), ""),
    ],
)
def test_numbers_keep_every_bit_and_have_no_exponent(cost, text):
    (row,) = parsed(daily_of(("2026-10-01", "acme", "EUR", cost)))
    assert [row[name] for name in COSTS] == [text] * 4


def test_coverage_is_told_and_a_day_without_telemetry_has_no_row_and_is_named():
    daily = daily_of(*[(f"2026-10-0{day}", "acme", "EUR", 1.0) for day in (1, 3, 5)])
    told = [(row["x_TelemetryCoverage"], row["x_TelemetryCovered"]) for row in parsed(daily)]
    assert told == [("1", "true"), ("0.6", "false"), ("", "")]
    start, end = pd.Timestamp("2026-10-01", tz="UTC"), pd.Timestamp("2026-10-06", tz="UTC")
    assert days_without_rows(exported(daily), start=start, end=end).day.tolist() == [2, 4]
    assert focus_csv(exported(daily[:0])).count("\r\n") == 1


@pytest.mark.parametrize("currency", ["eur", "", "EURO", "XXX", "XAU", "€"])
def test_what_is_no_currency_is_refused_by_name(currency):
    with pytest.raises(UsageError, match=re.escape(repr(currency))):
        exported(daily_of(("2026-10-01", "acme", "XOF", 1.0), ("2026-10-01", "bolt", currency, 1.0)))


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 31),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(NAMES),
            st.sampled_from(["EUR", "USD"]),
            st.floats(-1e12, 1e12),
        ),
        max_size=15,
        unique_by=lambda row: row[:3],
    )
)
def test_what_is_given_comes_out_bit_for_bit_and_in_any_order_the_same(rows):
    daily = daily_of(*[(f"2026-10-{day:02d}", *rest) for day, *rest in rows])
    columns = ("ChargePeriodStart", "SubAccountId", "BillingCurrency")
    read = [(*(row[name] for name in columns), float(row["BilledCost"])) for row in parsed(daily)]
    assert sorted(read) == sorted((f"2026-10-{day:02d}T00:00:00Z", *rest) for day, *rest in rows)
    shuffled = daily.sample(frac=1, random_state=1).astype({"tenant": "category", "currency": "category"})
    assert focus_csv(exported(daily)) == focus_csv(exported(shuffled))
