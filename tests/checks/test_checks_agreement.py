import pandas as pd

from cloudxai_analysis.checks.agreement import agreement_check
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")
AT = pd.Timestamp("2026-11-12", tz="UTC")
COLUMNS = ["gauge", "named", "currency", "compared", "unknown", "median", "worst", "apart", "tenant", "at"]


def check(*rows):
    return agreement_check(pd.DataFrame(rows, columns=COLUMNS), window=WEEK, drift=0.05)


def test_gauges_that_agree_pass_with_the_largest_drift():
    found = check(
        ("r", "7d", "EUR", 80, 0, 0.0, 0.002, 2.0, "acme", AT),
        ("b", "2026-11", "EUR", 5, 0, 0.0, -0.004, 3.0, "otter", AT),
    )
    assert (found.status, found.value, found.bound) == ("pass", 0.004, 0.05)
    assert found.finding == (
        "The platform's cost windows agree with ours in 85 comparisons; most apart by 0.40 % for otter at "
        "Thu 12 Nov, 00:00 UTC."
    )


def test_a_gauge_that_differs_warns_with_window_tenant_and_time():
    found = check(("r", "7d", "EUR", 80, 0, -0.1, -0.5, 9.0, "acme", AT))
    assert (found.status, found.value) == ("warn", 0.5)
    assert found.finding == (
        "The platform's cost window '7d' differs from ours by 50.00 % for acme at Thu 12 Nov, 00:00 UTC, of 80 "
        "comparisons."
    )
    assert found.since == AT.to_pydatetime()


def test_nothing_to_compare_is_unknown():
    assert "it exports none" in check().finding
    nothing = check(("r", "7d", "EUR", 0, 90, float("nan"), float("nan"), float("nan"), "", pd.NaT))
    assert (nothing.status, nothing.value) == ("unknown", None)


def test_a_few_cents_are_no_drift():
    found = check(("r", "7d", "EUR", 80, 0, 0.0, -0.3, 0.08, "acme", AT))
    assert found.status == "pass"
    assert found.finding == "The platform's cost windows agree with ours in 80 comparisons, each to within 0.50 EUR."
