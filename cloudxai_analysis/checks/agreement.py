"""The verdict on agreement: whether the platform's own cost windows are computed as ours are."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import named, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, moment, money, percent

_SECTION = "cost"


def agreement_check(counts: pd.DataFrame, *, window: Window, drift: float, least: float = 0.5) -> Check:
    """Whether the v1.0 cost gauges agree with our integral at covered midnights: `warn` on a drift above `drift`.

    `counts` with gauge, named (the labelled window), currency, compared, unknown, median, worst, apart, tenant, at; one
    row per labelled window, as `Cost.agreement` gives them. A drift counts where the two are `least` apart in the
    currency. The value is the largest drift. `unknown` where nothing could be compared.
    """
    check = partial(
        Check, key="agreement", section=_SECTION, unit="share", bound=drift, bound_key="reconciliation_drift"
    )
    compared = counts[counts["compared"] > 0]
    if compared.empty:
        why = (
            "it exports none" if counts.empty else "no day of their windows is covered, or no sample lies at a midnight"
        )
        finding = f"Whether the platform's cost windows are computed as ours is unknown in {named(window)}: {why}."
        return check(status="unknown", finding=finding)
    away = compared["worst"].abs().where(compared["apart"] >= least, 0.0)
    top = compared.loc[away.idxmax()]
    check = partial(
        check,
        value=float(away.max()),
        samples="the gauges' last sample before each covered midnight, against our hourly integrals",
        disproof="a rolling window that the platform means to be another one than its label says",
    )
    midnights = count(compared["compared"].sum(), "comparison")
    worst = f"{percent(away.max(), 2)} for {short(top['tenant'])} at {moment(top['at'])}"
    if not away.any():
        amount = money(least, top["currency"])
        finding = f"The platform's cost windows agree with ours in {midnights}, each to within {amount}."
        return check(status="pass", finding=finding)
    if away.max() <= drift:
        finding = f"The platform's cost windows agree with ours in {midnights}; most apart by {worst}."
        return check(status="pass", finding=finding)
    return check(
        status="warn",
        finding=f"The platform's cost window '{short(top['named'])}' differs from ours by {worst}, of {midnights}.",
        size=f"{(away > drift).sum()} of {count(len(compared), 'labelled window')}",
        since=when(top["at"]),
        action="Find out which of the two is wrong before version 1.0 shows these costs to tenants.",
        decides="the owner of the cost figures",
    )
