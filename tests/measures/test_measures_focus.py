import csv
import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.focus import (
    NATIONAL_CURRENCIES,
    days_without_rows,
    focus_csv,
    focus_rows,
    focus_totals,
)

# Mandatory in the specification's 1.2, by its column pages ('MUST be present in a FOCUS dataset').
_BY_1_2 = """
BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost
PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName
"""
MANDATORY = _BY_1_2.split()
# Of these the specification allows a null where the charge is no correction, has no display name, is on no invoice.
NULLABLE = {"BillingAccountName", "ChargeClass", "InvoiceId"}
# Null against the specification, and the module says why.
KNOWINGLY_NULL = {"PricingQuantity", "PricingUnit"}


def daily_of(*rows, categorical=False):
    """One row per (day, tenant, currency, cost)."""
    frame = pd.DataFrame(rows, columns=["day", "tenant", "currency", "cost"])
    frame["day"] = pd.to_datetime(frame["day"], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    frame["cost"] = frame["cost"].astype("float64")
    return frame.astype({"tenant": "category", "currency": "category"}) if categorical else frame


def exported(daily, **names):
    return focus_rows(daily, **{"provider": "CloudxAi", "billing_account": "beta", **names})


def parsed(rows):
    """What a machine reads that knows nothing of ours."""
    return list(csv.DictReader(io.StringIO(focus_csv(rows), newline="")))


def covered_of(**days):
    moments = pd.to_datetime(list(days), format="d%Y%m%d", utc=True).as_unit("us")
    shares = list(days.values())
    return pd.DataFrame({"day": moments, "coverage": shares, "covered": [share >= 0.95 for share in shares]})


def test_a_day_of_a_tenant_is_a_row_with_half_open_periods():
    (row,) = parsed(exported(daily_of(("2026-12-31", "acme", "EUR", 12.5))))
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert {row[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")} == {"12.5"}
    assert (row["BillingCurrency"], row["SubAccountId"], row["SubAccountName"]) == ("EUR", "acme", "acme")
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == ("Usage", "Usage-Based")
    assert row["ProviderName"] == row["PublisherName"] == row["InvoiceIssuerName"] == row["ServiceName"] == "CloudxAi"
    assert (row["BillingAccountId"], row["x_CostBasis"]) == ("beta", "Estimate")
    assert row["x_SourceMetric"] == "tenant_cost_estimate"


def test_a_leap_day_is_the_last_of_its_month():
    (row,) = parsed(exported(daily_of(("2028-02-29", "acme", "EUR", 1.0))))
    assert (row["ChargePeriodEnd"], row["BillingPeriodEnd"]) == ("2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z")


def test_every_mandatory_column_is_there_and_only_the_stated_ones_are_null():
    rows = exported(daily_of(("2026-10-01", "acme", "EUR", 1.0)))
    assert set(MANDATORY) <= set(rows)
    null = {name for name, value in parsed(rows)[0].items() if value == ""}
    assert null == NULLABLE | KNOWINGLY_NULL | {"x_TelemetryCoverage", "x_TelemetryCovered"}


def test_columns_stand_in_the_specifications_order_and_ours_begin_with_x():
    names = list(exported(daily_of(("2026-10-01", "acme", "EUR", 1.0))))
    own = [name for name in names if name.startswith("x_")]
    assert names == sorted(set(names) - set(own)) + sorted(own)
    assert all(re.fullmatch(r"(x_)?([A-Z][a-z]+)+", name) for name in names)


def test_names_that_are_given_are_taken():
    names = {"publisher": "Lab", "invoice_issuer": "Bank", "service": "Chat", "billing_account_name": "Beta programme"}
    names |= {"service_category": "AI and Machine Learning", "metric": "cloud_cost"}
    (row,) = parsed(exported(daily_of(("2026-10-01", "acme", "EUR", 1.0)), **names))
    assert (row["PublisherName"], row["InvoiceIssuerName"], row["ServiceName"]) == ("Lab", "Bank", "Chat")
    assert (row["BillingAccountName"], row["x_SourceMetric"]) == ("Beta programme", "cloud_cost")
    assert row["ServiceCategory"] == "AI and Machine Learning"


@pytest.mark.parametrize(
    ("cost", "text"),
    # The specification's Numeric Format: no exponent, no sign before a positive value, no separators.
    [(1e-7, "0.0000001"), (1e22, "1" + "0" * 22), (-2.5, "-2.5"), (0.1 + 0.2, "0.30000000000000004"), (-0.0, "0")],
)
def test_numbers_keep_every_bit_and_have_no_exponent(cost, text):
    (row,) = parsed(exported(daily_of(("2026-10-01", "acme", "EUR", cost))))
    assert row["BilledCost"] == text
    assert float(row["BilledCost"]) == cost


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf])
def test_an_unknown_cost_is_null_and_never_0(cost):
    daily = daily_of(("2026-10-01", "acme", "EUR", cost), ("2026-10-01", "bolt", "EUR", 2.0))
    unknown, known = parsed(exported(daily))
    assert [unknown[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")] == [""] * 4
    assert (unknown["x_CostBasis"], known["x_CostBasis"]) == ("Unknown", "Estimate")
    assert focus_totals(exported(daily), daily).values.tolist() == [["EUR", 2, 2.0, 2.0, 0.0, 1]]


def test_hostile_names_come_back_unchanged():
    names = [
        "=cmd()",
        "@SUM(A1)",
        "+1",
        "a,b",
        'say "x"',
        "two\nlines",
        "a\rb",
        " padded ",
        "Ünïcode 🦊",
        "\x00nul",
        "-1",
    ]
    rows = exported(daily_of(*[("2026-10-01", name, "EUR", 1.0) for name in names]))
    assert sorted(row["SubAccountId"] for row in parsed(rows)) == sorted(names)


def test_a_cost_without_a_tenant_has_no_sub_account():
    (row,) = parsed(exported(daily_of(("2026-10-01", "", "EUR", 1.0))))
    assert (row["SubAccountId"], row["SubAccountName"], row["BilledCost"]) == ("", "", "1")


def test_rows_of_one_day_tenant_and_currency_are_one():
    daily = daily_of(
        ("2026-10-01 00:00", "acme", "EUR", 1.0),
        ("2026-10-01 23:00", "acme", "EUR", 0.5),
        ("2026-10-01", "acme", "USD", 4.0),
        categorical=True,
    )
    rows = exported(daily)
    assert rows[["BillingCurrency", "BilledCost"]].values.tolist() == [["EUR", 1.5], ["USD", 4.0]]
    assert focus_totals(rows, daily)[["currency", "exported", "difference"]].values.tolist() == [
        ["EUR", 1.5, 0.0],
        ["USD", 4.0, 0.0],
    ]


def test_totals_show_a_row_that_was_lost():
    daily = daily_of(("2026-10-01", "acme", "EUR", 1.0), ("2026-10-02", "acme", "EUR", 2.0))
    totals = focus_totals(exported(daily).iloc[1:], daily)
    assert totals[["given", "exported", "difference"]].values.tolist() == [[3.0, 2.0, -1.0]]


def test_a_day_without_telemetry_has_no_row_and_is_named():
    daily = daily_of(("2026-10-01", "acme", "EUR", 1.0), ("2026-10-03", "acme", "EUR", 1.0))
    covered = covered_of(d20261001=1.0, d20261002=0.0)
    rows = exported(daily, covered=covered)
    first, third = parsed(rows)
    assert (first["x_TelemetryCoverage"], first["x_TelemetryCovered"]) == ("1", "true")
    assert (third["x_TelemetryCoverage"], third["x_TelemetryCovered"]) == ("", "")
    month = {"start": pd.Timestamp("2026-10-01", tz="UTC"), "end": pd.Timestamp("2026-10-05", tz="UTC")}
    absent = days_without_rows(rows, **month, covered=covered)
    assert absent["day"].dt.day.tolist() == [2, 4]
    assert absent["coverage"].fillna(-1).tolist() == [0.0, -1.0]
    assert absent["covered"].tolist() == [False, pd.NA]
    assert days_without_rows(rows, **month)["covered"].isna().all()


def test_a_day_seen_in_part_says_so():
    daily = daily_of(("2026-10-01", "acme", "EUR", 1.0))
    (row,) = parsed(exported(daily, covered=covered_of(d20261001=0.6)))
    assert (row["x_TelemetryCoverage"], row["x_TelemetryCovered"], row["BilledCost"]) == ("0.6", "false", "1")


def test_no_costs_are_a_header_alone():
    nothing = daily_of(("2026-10-01", "acme", "EUR", 1.0)).iloc[:0]
    rows = exported(nothing, covered=covered_of(d20261001=1.0))
    assert parsed(rows) == []
    assert focus_csv(rows).count("\r\n") == 1
    assert rows.dtypes.equals(exported(daily_of(("2026-10-01", "acme", "EUR", 1.0))).dtypes)
    assert focus_totals(rows, nothing).empty
    day = {"start": pd.Timestamp("2026-10-01", tz="UTC"), "end": pd.Timestamp("2026-10-02", tz="UTC")}
    assert len(days_without_rows(rows, **day)) == 1


@pytest.mark.parametrize("currency", ["eur", "", "EURO", "XXX", "XAU", "DEM", "€"])
def test_what_is_no_currency_is_refused_by_name(currency):
    with pytest.raises(UsageError, match=re.escape(repr(currency))):
        exported(daily_of(("2026-10-01", "acme", "EUR", 1.0), ("2026-10-01", "bolt", currency, 1.0)))


def test_known_currencies_are_three_capitals():
    assert {"EUR", "USD", "GBP", "JPY", "CHF", "XOF"} <= NATIONAL_CURRENCIES
    assert all(re.fullmatch("[A-Z]{3}", code) for code in NATIONAL_CURRENCIES)


def test_an_empty_name_and_an_unknown_category_are_refused():
    daily = daily_of(("2026-10-01", "acme", "EUR", 1.0))
    with pytest.raises(UsageError, match="empty 'billing_account'"):
        exported(daily, billing_account=" ")
    with pytest.raises(UsageError, match="'Compute and more'"):
        exported(daily, service_category="Compute and more")


def test_the_same_costs_give_the_same_bytes_in_any_order():
    daily = daily_of(
        *[(f"2026-10-{day:02d}", f"t{tenant}", "EUR", day / 7 + tenant) for day in range(1, 31) for tenant in range(9)]
    )
    shuffled = daily.sample(frac=1, random_state=1).astype({"tenant": "category"})
    assert focus_csv(exported(daily)) == focus_csv(exported(shuffled))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 31),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.sampled_from(["EUR", "USD"]),
            st.floats(-1e12, 1e12),
        ),
        max_size=15,
        unique_by=lambda row: row[:3],
    )
)
def test_what_is_given_comes_out_bit_for_bit(rows):
    daily = daily_of(*[(f"2026-10-{day:02d}", *rest) for day, *rest in rows])
    read = [
        (row["ChargePeriodStart"], row["SubAccountId"], row["BillingCurrency"], float(row["BilledCost"]))
        for row in parsed(exported(daily))
    ]
    assert sorted(read) == sorted((f"2026-10-{day:02d}T00:00:00Z", *rest) for day, *rest in rows)
    totals = focus_totals(exported(daily), daily)
    assert np.all(totals["difference"] == 0)
