"""Isolation: outages laid beside each other by hand, and correlation against scipy's and numpy's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from cloudxai_analysis.measures.isolation import isolation_breaches, isolation_correlation

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


def gauges(**down):
    """A day of minutes for each tenant, 0 in the named ranges; the tenants are scraped 20 s after the platform."""
    time = pd.date_range(START + pd.Timedelta(seconds=20), periods=1_440, freq="min", unit="us")
    frames = []
    for tenant, ranges in down.items():
        value = np.ones(1_440)
        for first, length in ranges:
            value[first : first + length] = 0
        frames.append(pd.DataFrame({"time": time, "value": value, "tenant": tenant}))
    return pd.concat(frames, ignore_index=True)


def platform(*outages, until=1_440):
    """The platform over a day, or up to a minute of it: not ready in the named ranges, which are in order."""
    edges = [0, *(edge for first, length in outages for edge in (first, first + length)), until]
    time = pd.Series(START + pd.to_timedelta(edges, unit="min")).astype("datetime64[us, UTC]")
    return pd.DataFrame({"start": time[:-1], "end": time.shift(-1)[:-1], "ready": [1.0, *[0.0, 1.0] * len(outages)]})


def test_correlation_is_numpys_and_its_chance_is_scipys():
    frame = gauges(a=[(598, 22)], b=[(100, 30), (615, 10)], c=[(10, 5)], d=[])
    found = isolation_correlation(frame, platform((600, 20))).set_index("tenant")
    assert list(found.index) == ["a", "b", "c"]
    outage = np.isin(np.arange(1_440), range(600, 620))
    for tenant in found.index:
        down = frame.loc[frame["tenant"] == tenant, "value"].to_numpy() == 0
        row = found.loc[tenant]
        table = [[row["both"], row["tenant_only"]], [row["global_only"], row["neither"]]]
        assert row["phi"] == pytest.approx(np.corrcoef(down, outage)[0, 1])
        assert row["p"] == pytest.approx(fisher_exact(table, alternative="greater")[1], rel=1e-6)
    # By hand, over three tenants: the smallest p times 3, the second times 3 / 2.
    ordered = np.sort(found["p"].to_numpy())
    assert found["p_adjusted"].min() == pytest.approx(min(3 * ordered[0], 1.5 * ordered[1], ordered[2]))


def test_where_one_never_changes_nothing_correlates():
    found = isolation_correlation(gauges(a=[(1, 2)]), platform())
    assert np.isnan(found["phi"].iloc[0])
    assert (found["p"].iloc[0], found["both"].iloc[0]) == (1, 0)
    assert isolation_correlation(gauges(a=[]), platform((1, 2))).empty
    assert isolation_correlation(gauges(a=[(1, 2)])[:0], platform()).empty


def test_scrapes_at_which_nobody_knows_of_the_platform_count_for_neither():
    """Of a day it is known until noon: 720 scrapes, 2 of them with both."""
    found = isolation_correlation(gauges(a=[(100, 2), (1_000, 30)]), platform((90, 20), until=720))
    assert found.iloc[0][["both", "tenant_only", "global_only", "neither"]].tolist() == [2, 0, 18, 700]
    assert isolation_correlation(gauges(a=[(1, 2)]), platform()[:0]).empty
