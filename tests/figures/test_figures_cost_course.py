import numpy as np
import pandas as pd

from cloudxai_analysis.figures import cost_course as figures
from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.ground.window import parse_window

MONTH = parse_window("2026-11")


def drawn(*, median=300.0, left=15, days=15):
    day = pd.date_range("2026-11-01", periods=days, freq="D", tz="UTC", unit="us")
    course = pd.DataFrame(
        {"day": day, "spent": 10.0 * np.arange(1, days + 1), "covered": [False] + [True] * (days - 1)}
    )
    ends = {"low95": median - 20, "low80": median - 10, "median": median, "high80": median + 10, "high95": median + 20}
    row = pd.Series({"spent": 10.0 * days, "days_left": left, **ends})
    return figures.month_course(new_axes(), course, row, month=MONTH, currency="EUR")


def test_the_title_says_the_likely_end_and_its_interval():
    ax = drawn()
    assert ax.get_title(loc="left") == "300 EUR likely by the month's end, 80 % between 290 EUR and 310 EUR"
    assert {text.get_text() for text in ax.texts} >= {"150 EUR spent", "median 300 EUR"}


def test_a_month_that_is_over_or_cannot_be_projected_says_so():
    assert drawn(left=0).get_title(loc="left") == "150 EUR in the whole month"
    assert "too little history" in drawn(median=np.nan).get_title(loc="left")


def budgets(*rows):
    columns = ["tenant", "currency", "budget", "spent", "spent_share", "median", "high80", "answer"]
    return figures.budgets(new_axes(), pd.DataFrame(rows, columns=columns), month=MONTH)


def test_budgets_are_lanes_with_the_fullest_on_top():
    ax = budgets(
        ("a", "EUR", 100, 110, 1.1, 200.0, 210.0, "spent"), ("b", "EUR", 100, 10, 0.1, np.nan, np.nan, "will last")
    )
    assert ax.get_title(loc="left") == "1 of 2 budgets will not last"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlim()[1] > 2


def test_one_budget_is_named_and_none_is_said():
    ax = budgets(("a", "EUR", 100, 10, 0.1, 20.0, 30.0, "will last"))
    assert ax.get_title(loc="left") == "The budget of a will last"
    assert any("no budget" in text.get_text() for text in budgets().texts)


def test_a_thousand_budgets_stay_readable():
    ax = budgets(*((f"t{n}", "EUR", 100, n, n / 100, 20.0, 30.0, "will last") for n in range(1_000)))
    assert len(ax.get_yticks()) < 25
    assert "of 1000 budgets" in ax.texts[-1].get_text()
