"""Isolation: outages laid beside each other by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from cloudxai_analysis.measures.readiness import isolation_breaches

START = pd.Timestamp("2026-11-12", tz="UTC")
END = START + pd.Timedelta(days=1)
MINUTE = pd.Timedelta(minutes=1)


def outages(*rows):
    """Rows of (tenant, first minute, minutes or None)."""
    frame = pd.DataFrame(rows, columns=["tenant", "first", "minutes"])
    start = START + frame["first"].astype("int64") * MINUTE
    end = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    some = frame["minutes"].notna()
    end[some] = start[some] + frame.loc[some, "minutes"].astype(float) * MINUTE
    return pd.DataFrame({"tenant": frame["tenant"], "start": start, "end": end})


def breaches(tenants, *, first=600, minutes=20, seen=50):
    return isolation_breaches(outages(("", first, minutes)), outages(*tenants), seen=seen, end=END).iloc[0]


def test_a_tenant_that_went_before_the_global_state_is_a_finding():
    # Both from 600 to 620, either from 598 to 620: 20 / 22.
    row = breaches([("acme", 598, 22), ("other", 100, 5)])
    assert (row["verdict"], row["tenants"], row["nearest"], row["lead_seconds"]) == ("tenant", 1, "acme", 120)
    assert row["overlap"] == pytest.approx(20 / 22)


def test_of_several_the_one_that_overlaps_most_is_named():
    row = breaches([("a", 596, 40), ("b", 600, 20)])
    assert (row["verdict"], row["tenants"], row["nearest"], row["overlap"]) == ("tenant", 2, "b", 1)


@pytest.mark.parametrize(
    "tenant",
    [("acme", 590, 30), ("acme", 602, 18), ("acme", 599, 5), ("acme", 500, 400), ("acme", 100, 20)],
    ids=["began too early", "began later", "ended soon", "was long not ready", "at another time"],
)
def test_what_does_not_resemble_the_outage_is_no_finding(tenant):
    row = breaches([tenant])
    assert (row["verdict"], row["tenants"], row["nearest"]) == ("alone", 0, "")


def test_an_outage_of_most_tenants_is_the_platforms_own():
    assert breaches([(f"t{n}", 600, 20) for n in range(25)], seen=50)["verdict"] == "platform"
    assert breaches([(f"t{n}", 600, 20) for n in range(24)], seen=50)["verdict"] == "tenant"
    assert breaches([("only", 600, 20)], seen=1)["verdict"] == "platform"


def test_outages_that_go_on_last_to_the_end():
    row = breaches([("acme", 599, None)], minutes=None)
    assert (row["verdict"], row["end"]) == ("tenant", END)


def test_no_outage_has_no_row():
    nothing = isolation_breaches(outages(), outages(("a", 1, 1)), seen=3, end=END)
    assert nothing.empty
    assert nothing["lead_seconds"].dtype == "float64"
