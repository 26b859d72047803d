import pandas as pd

from cloudxai_analysis.checks.budgets import budgets_check
from cloudxai_analysis.ground.window import parse_window

MONTH = parse_window("2026-11")
COLUMNS = ["tenant", "currency", "budget", "spent", "answer", "spent_on"]


def check(*rows):
    return budgets_check(pd.DataFrame(rows, columns=COLUMNS), month=MONTH)


def on(day):
    return pd.Timestamp(f"2026-11-{day}", tz="UTC")


def test_a_spent_budget_warns_with_the_day_and_an_event():
    found = check(
        ("marlin", "EUR", 300.0, 330.0, "spent", on("12")), ("otter", "EUR", 500.0, 200.0, "will be spent", on("28"))
    )
    assert (found.status, found.value) == ("warn", 2.0)
    assert found.finding == (
        "marlin has spent its month's budget since Thu 12 Nov: 330 EUR of 300 EUR, and 1 other budget will not last "
        "either."
    )
    assert [(one["place"], one["size"], one["unit"]) for one in found.events] == [("marlin", 30.0, "EUR")]
    assert found.since == on("12").to_pydatetime()


def test_a_budget_that_will_be_spent_warns_with_the_day():
    found = check(("otter", "EUR", 500.0, 200.0, "will be spent", on("28")))
    assert found.finding == ("otter is likely to have spent its month's budget on Sat 28 Nov: 200 EUR of 500 EUR.")
    assert (found.status, found.events) == ("warn", ())


def test_budgets_that_last_pass_and_the_fullest_is_named():
    found = check(("a", "EUR", 100.0, 40.0, "will last", pd.NaT), ("b", "EUR", 100.0, 4.0, "will last", pd.NaT))
    assert (found.status, found.value) == ("pass", 0.0)
    assert found.finding == (
        "All 2 budgets last to the end of 2026-11; the fullest is that of a, 40.00 EUR of 100 EUR."
    )


def test_without_budgets_or_a_covered_day_it_is_unknown():
    assert check().status == "unknown"
    found = check(("a", "EUR", 100.0, 40.0, "unknown", pd.NaT))
    assert (found.status, found.value) == ("unknown", None)
    assert "no day of it is covered" in found.finding
