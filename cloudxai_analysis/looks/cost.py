"""Looks at what the tenants cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.figures import cost as figures
from cloudxai_analysis.looks import Look
from cloudxai_analysis.looks.compose import compose
from cloudxai_analysis.phrases import count, money, percent, signed
from cloudxai_analysis.study import Study

NO_COST = "no tenant exported a cost estimate in this window"


def by_week(study: Study) -> Look:
    """Cost of each week of the history, and of this window."""
    currency = study.contract.currency
    weekly = study.cost.weekly_costs
    total = study.cost.costs["cost"].sum()
    before = study.cost.cost_movers["before"].sum()
    change = total - before
    note = (
        f"{signed(money(change, currency), change)} ({signed(percent(change / before), change)}) "
        "against the same stretch a week before."
        if before > 0
        else "There is no week before to compare with."
    )
    return compose(
        study,
        "cost-weeks",
        heading=f"The tenants cost {money(total, currency)} in {study.window.name}.",
        defined="cost",
        measure="measures.cost.weekly_costs",
        note=note,
        frame=weekly,
        caption=f"Cost by week, {currency}",
        role="cost",
        draw=lambda ax: figures.cost_by_week(ax, weekly, currency=currency, partial=study.partial),
        empty=NO_COST,
    )


def by_tenant(study: Study) -> Look:
    """Which tenants cost most."""
    currency, costs = study.contract.currency, study.cost.costs
    concentration = study.cost.concentration
    share = concentration["top10_share"].iloc[0] if len(concentration) else float("nan")
    gini = concentration["gini"].iloc[0] if len(concentration) else float("nan")
    return compose(
        study,
        "cost-tenants",
        heading=f"The ten largest of {count(len(costs), 'tenant')} cause {percent(share)} of the cost.",
        defined="cost",
        measure="measures.cost.tenant_costs",
        note=f"Gini coefficient {gini:.2f}; window {study.window.name}, {currency}.",
        frame=costs,
        caption=f"Cost by tenant in {study.window.name}, {currency}",
        role="cost",
        draw=lambda ax: figures.top_tenants(ax, costs, currency=currency),
        empty=NO_COST,
    )


def movers(study: Study) -> Look:
    """Whose cost moved most against the week before."""
    currency, frame = study.contract.currency, study.cost.cost_movers
    largest = frame.iloc[0] if len(frame) else None
    heading = (
        f"{largest['tenant']} moved most: {signed(money(largest['change'], currency), largest['change'])} "
        "against the week before."
        if largest is not None
        else "No tenant's cost can be compared with the week before."
    )
    return compose(
        study,
        "cost-movers",
        heading=heading,
        defined="movers",
        measure="measures.cost.cost_movers",
        note=f"{count((frame['change'] > 0).sum(), 'tenant')} cost more, {(frame['change'] < 0).sum()} less.",
        frame=frame,
        caption=f"Change of cost by tenant, {currency}",
        role="cost",
        draw=lambda ax: figures.movers(ax, frame),
        empty=NO_COST,
    )


def anomalies(study: Study) -> Look:
    """Hours that cost more than their history explains."""
    broken = study.cost.semantics_breaks["tenant"]
    frame, basis = study.cost.cost_anomalies, study.cost.anomaly_basis
    # A gauge that is not what it is declared to be shows no cost: it is the next look's matter.
    frame = frame[~frame["tenant"].isin(broken)].reset_index(drop=True)
    judged = int(basis["judged"].sum())
    return compose(
        study,
        "cost-anomalies",
        check="anomalies",
        defined="anomalies",
        measure="measures.anomalies.cost_anomalies",
        note=f"{judged} of {count(len(basis), 'tenant')} have three covered weeks before this one and could be judged.",
        frame=frame,
        caption=f"Cost anomalies, {study.contract.currency}",
        role="cost",
        draw=lambda ax: _draw_largest(ax, study, frame),
        empty="no hour of this window exceeded its history",
    )


def _draw_largest(ax: Any, study: Study, frame: pd.DataFrame) -> Any:
    largest = frame.loc[frame["excess"].idxmax()]
    return figures.anomaly(ax, study.cost.expected_course(largest["tenant"]), largest)


def semantics(study: Study) -> Look:
    """Which cost gauges contradict what the contract declares of them."""
    return compose(
        study,
        "cost-semantics",
        check="semantics",
        defined="semantics",
        measure="measures.semantics.semantics_breaks",
        note="A gauge that is not what it is declared to be makes every sum over it wrong.",
        frame=study.cost.semantics_breaks,
        caption="Cost gauges that contradict their declaration",
        role="cost",
        empty="every cost gauge behaved as declared",
    )


def reconciliation(study: Study) -> Look:
    """Whether our sum and the platform's own agree."""
    return compose(
        study,
        "cost-reconciliation",
        check="reconciliation",
        defined="reconciliation",
        measure="measures.cost.reconciliation",
        note="Only tenants whose process exports the rolling gauge (version 1.0 on) can be compared.",
        frame=study.cost.reconciliation,
        caption=f"Our 7-day cost against the platform's, {study.contract.currency}",
        role="cost_rolling",
        empty="no process of this version exports the rolling gauge",
    )


def billing(study: Study) -> Look:
    """What the platform's own billing-window gauge says."""
    frame = study.cost.billing_costs
    windows = frame[["billing_window", "currency"]].drop_duplicates()
    named = ", ".join(f"{row.billing_window} in {row.currency}" for row in windows.itertuples())
    return compose(
        study,
        "cost-billing",
        heading=f"The platform's own billing window holds {count(frame['tenant'].nunique(), 'tenant')}: {named}."
        if len(frame)
        else "No process exports a billing window yet.",
        defined="cost",
        measure="measures.cost.window_costs",
        note="The last sample of the accumulating gauge; it starts anew with each billing window.",
        frame=frame,
        caption="Cost accumulated in the billing window",
        role="cost_billing",
        empty="no process of this version exports the billing window",
    )
