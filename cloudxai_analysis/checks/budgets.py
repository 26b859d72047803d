"""The verdict on budgets: which tenants spend more than what was set aside for them."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import event, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, money

_SECTION = "cost"


def budgets_check(budgets: pd.DataFrame, *, month: Window) -> Check:
    """Whether budgets last the month: `warn` where one is spent or will be before the month ends.

    `budgets` as `measures.cost_course.budget_course` gives them; one event `budget_spent` for each that is spent. The
    value is the number of budgets that do not last. `unknown` without a budget, or where no course is known.
    """
    check = partial(Check, key="budgets", section=_SECTION)
    if budgets.empty:
        finding = "Whether tenants keep to their budgets is unknown: the settings name no budget."
        return check(status="unknown", finding=finding)
    check = partial(
        check,
        unit="budgets",
        samples="the tenants' daily costs since the month began, and the weeks before",
        disproof="a bill that charges less than the estimate says",
    )
    spent = budgets[budgets["answer"] == "spent"]
    over = budgets[budgets["answer"].isin(["spent", "will be spent"])]
    if over.empty and (budgets["answer"] == "unknown").any():
        finding = f"Whether the budgets last to the end of {month.name} is unknown: no day of it is covered."
        return check(status="unknown", finding=finding)
    if over.empty:
        top = budgets.iloc[0]
        finding = (
            f"{_all(len(budgets))} to the end of {month.name}; the fullest is that of {short(top['tenant'])}, "
            f"{money(top['spent'], top['currency'])} of {money(top['budget'], top['currency'])}."
        )
        return check(status="pass", finding=finding, value=0.0)
    many = f", and {count(len(over) - 1, 'other budget')} will not last either" if len(over) > 1 else ""
    return check(
        status="warn",
        finding=f"{_said(over.iloc[0])}{many}.",
        value=float(len(over)),
        size=f"{count(len(over), 'budget')} of {len(budgets)}",
        since=when(spent["spent_on"].min()) if len(spent) else None,
        action=f"Agree with the owner of {short(over.iloc[0]['tenant'])} on its budget or on its use.",
        decides="the tenants' owners",
        events=tuple(
            event(
                "budget_spent", row["tenant"], row["spent_on"], month.end, row["spent"] - row["budget"], row["currency"]
            )
            for row in spent.to_dict("records")
        ),
    )


def _all(number: int) -> str:
    return "The one budget lasts" if number == 1 else f"All {number} budgets last"


def _said(row: pd.Series) -> str:
    day, currency = row["spent_on"], row["currency"]
    amounts = f"{money(row['spent'], currency)} of {money(row['budget'], currency)}"
    if row["answer"] == "spent":
        return f"{short(row['tenant'])} has spent its month's budget since {day:%a} {day.day} {day:%b}: {amounts}"
    return (
        f"{short(row['tenant'])} is likely to have spent its month's budget on {day:%a} {day.day} {day:%b}: {amounts}"
    )
