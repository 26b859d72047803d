"""Looks at what the tenants cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import cost as figures
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.study.cost import GENERATED
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, moment, money, monies, percent, signed

NO_COST = "no tenant's cost estimate was seen in this window"
WHOLE = 0.999  # share of the expected scrapes from which on a sum is of the whole window


def by_week(study: Study) -> Look:
    """Cost of each week of the history, and of this window."""
    currency = study.contract.currency
    weekly, (change, relative) = study.cost.weekly_costs, study.cost.change
    movers = study.cost.cost_movers
    names = movers.loc[(movers["tenant"] == GENERATED) & (movers["currency"] == currency), "change"].sum()
    by_names = f", {signed(money(names, currency), names)} of it by generated names" if names else ""
    totals = study.cost.costs.groupby("currency")["cost"].sum().to_dict()
    note = (
        f"{signed(money(change, currency), change)} ({signed(percent(relative), relative)}) against the week "
        f"before{_compared(study)}{by_names}."
        if pd.notna(relative)
        else "How the week before compares is unknown: under 24 hours are covered in both, or they cost nothing then."
    )
    return compose(
        study,
        "cost-weeks",
        heading=f"The tenants cost {monies(totals)} in {study.window.name}{_in_part(study)}."
        if totals
        else f"No tenant's cost estimate was seen in {study.observed.name}.",
        defined="cost",
        measure="measures.cost.weekly_costs",
        note=note,
        frame=weekly,
        caption=f"Cost by week, {currency}",
        role="cost",
        draw=lambda ax: figures.cost_by_week(ax, weekly, currency=currency, partial=study.partial, change=relative),
        empty=NO_COST,
    )


def _compared(study: Study) -> str:
    """Over which hours two weeks are held against each other, where it is not all of them."""
    hours, whole = study.cost.compared_hours, study.window.duration.total_seconds() / 3600
    return "" if hours == whole else f", over the {count(hours, 'hour')} that are covered in both"


def _in_part(study: Study) -> str:
    """What a sum must say of itself where the telemetry does not cover its window."""
    share = study.cost.covered_share
    return "" if share > WHOLE else f", of which the telemetry shows {percent(share)}"


def by_tenant(study: Study) -> Look:
    """Which tenants cost most."""
    currency, costs = study.contract.currency, study.cost.pooled_costs
    real, names = study.cost.real_costs, len(study.cost.costs) - len(study.cost.real_costs)
    concentration = study.cost.concentration
    share = concentration["top10_share"].iloc[0] if len(concentration) else float("nan")
    gini = concentration["gini"].iloc[0] if len(concentration) else float("nan")
    return compose(
        study,
        "cost-tenants",
        heading=f"The ten largest of {len(real)} tenants cause {percent(share)} of their cost."
        if len(real) > 10
        else f"{count(len(real), 'tenant')} caused all of the cost."
        if len(real)
        else f"No tenant's cost estimate was seen in {study.observed.name}.",
        defined="cost",
        measure="measures.cost.tenant_costs",
        note=f"Gini coefficient {gini:.2f}; window {study.window.name}, {currency}."
        + (f" {count(names, 'generated name')} are counted apart, as one row." if names else ""),
        frame=costs,
        caption=f"Cost by tenant in {study.window.name}, {currency}",
        role="cost",
        draw=lambda ax: figures.top_tenants(ax, costs, currency=currency),
        empty=NO_COST,
    )


def month(study: Study) -> Look:
    """What the calendar month has cost so far, and where it is likely to end."""
    currency, topic = study.contract.currency, study.cost
    frame = topic.month_projection
    own = frame[frame["currency"] == currency]
    row = own.iloc[0] if len(own) else None
    unknown = int(row["days_unknown"]) if row is not None else 0
    if row is None or row["until"] - pd.Timedelta(days=unknown) <= topic.month.start:
        heading = f"What {topic.month.name} cost is unknown: none of its days is covered."
    elif not row["days_left"]:
        heading = f"{topic.month.name} cost {money(row['spent'], currency)}."
    elif pd.isna(row["median"]):
        spent = f"{money(row['spent'], currency)} up to {moment(row['until'])}"
        heading = f"{topic.month.name} cost {spent}; its end cannot be projected."
    else:
        heading = (
            f"{topic.month.name} is likely to cost {money(row['median'], currency)}, with 80 % between "
            f"{money(row['low80'], currency)} and {money(row['high80'], currency)}."
        )
    short = f" {count(unknown, 'day')} of it {'is' if unknown == 1 else 'are'} not covered, and may have cost more."
    return compose(
        study,
        "cost-month",
        heading=heading,
        defined="projection",
        measure="measures.cost_course.month_projection",
        note=f"Costs in {currency} by UTC day, up to {study.seen.end:%Y-%m-%d}.{short if unknown else ''}",
        frame=frame,
        caption=f"Projection of {topic.month.name} by currency",
        role="cost",
        draw=lambda ax: (
            figures.month_course(ax, topic.month_course, row, month=topic.month, currency=currency)
            if row is not None
            else None
        ),
        empty=NO_COST,
    )


def budgets(study: Study) -> Look:
    """How full the tenants' budgets are, and when each will be spent."""
    frame, month_ = study.cost.budgets, study.cost.month
    return compose(
        study,
        "cost-budgets",
        check="budgets",
        defined="budget",
        measure="measures.cost_course.budget_course",
        note=f"Budgets are for the calendar month in UTC, here {month_.name}, and in {study.contract.currency}.",
        frame=frame,
        caption=f"Budgets of {month_.name}, {study.contract.currency}",
        role="cost",
        empty="the settings name no budget: docs/howto/configure-an-environment.md says how",
    )


def movers(study: Study) -> Look:
    """Whose cost moved most against the week before."""
    currency, frame = study.contract.currency, study.cost.cost_movers
    largest = frame.iloc[0] if len(frame) else None
    heading = (
        f"{largest['tenant']} moved most: {signed(money(largest['change'], currency), largest['change'])} "
        f"against the week before{_compared(study)}."
        if largest is not None and abs(largest["change"]) >= 0.005
        else f"No tenant's cost moved by a cent against the week before{_compared(study)}."
        if largest is not None
        else "No tenant's cost can be compared with the week before: under 24 hours with costs are covered in both."
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
        empty="no tenant's cost could be compared",
    )


def anomalies(study: Study) -> Look:
    """Hours that cost more than their history explains."""
    frame, basis = study.cost.cost_stretches, study.cost.anomaly_basis
    judged = int(basis["judged"].sum())
    return compose(
        study,
        "cost-anomalies",
        check="anomalies",
        measure="measures.anomalies.cost_anomalies",
        note=f"Judged by three covered weeks before: {judged} of {count(len(basis), 'tenant')}.",
        frame=frame,
        caption=f"Cost anomalies, {study.contract.currency}",
        role="cost",
        draw=lambda ax: _draw_largest(ax, study, frame),
        empty="nothing was found in what could be judged",
    )


def _draw_largest(ax: Any, study: Study, frame: pd.DataFrame) -> Any:
    sure = frame[frame["unknown"] == ""]
    shown = sure if len(sure) else frame
    largest = shown.loc[shown["excess"].idxmax()]
    return figures.anomaly(ax, study.cost.expected_course(largest["tenant"], largest["currency"]), largest)


def semantics(study: Study) -> Look:
    """Which cost gauges contradict what the contract declares of them."""
    return compose(
        study,
        "cost-semantics",
        check="semantics",
        measure="measures.semantics.semantics_breaks",
        note="A gauge that is not what it is declared to be makes every sum over it wrong.",
        frame=study.cost.semantics_breaks,
        caption="Cost gauges that contradict their declaration",
        role="cost",
        draw=lambda ax: _draw_gauge(ax, study, study.cost.semantics_breaks.iloc[0]),
        empty="no break was found in what could be judged",
    )


def _draw_gauge(ax: Any, study: Study, found: pd.Series) -> Any:
    """The course of the gauge that a finding speaks of; of a cause the first of its tenants."""
    tenant = str(found["tenant"] if "tenant" in found else found["examples"][0])
    said = f"{found['rises']:,} rises, {found['falls']:,} falls" if "rises" in found else str(found["cause"])
    return figures.gauge_course(
        ax,
        study.cost.cost_hours,
        tenant=tenant,
        unit=study.contract["cost"].unit.replace("currency", study.contract.currency),
        marked=(found["start"].to_pydatetime(), found["end"].to_pydatetime()),
        message=f"{shortened(tenant, 24)}: {said}",
    )


def reconciliation(study: Study) -> Look:
    """Whether our sum and the platform's own agree."""
    return compose(
        study,
        "cost-reconciliation",
        check="reconciliation",
        measure="measures.cost.reconciliation",
        note="Only tenants whose process exports the rolling gauge (version 1.0 on) can be compared.",
        frame=study.cost.reconciliation,
        caption=f"Our 7-day cost against the platform's, {study.contract.currency}",
        role="cost_rolling",
        empty="no process of this version exports the rolling gauge",
    )


def agreement(study: Study) -> Look:
    """Whether the platform computes its cost windows as we do."""
    frame = study.cost.agreement
    return compose(
        study,
        "cost-agreement",
        check="agreement",
        measure="measures.agreement.rolling_agreement",
        note=f"{count(frame['unknown'].sum(), 'comparison')} more could not be made: no sample at midnight, or a day "
        "of the window that is not covered.",
        frame=frame,
        caption="The platform's cost windows against ours, at each covered midnight",
        role="cost_rolling",
        empty="no process exports a cost window of its own",
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


def per_tenant(study: Study) -> Look:
    """What a tenant costs on average, day by day."""
    currency = study.contract.currency
    frame = study.within(study.cost.per_tenant, "day", study.history)
    own = study.within(frame[(frame["currency"] == currency) & frame["cost_per_tenant"].notna()], "day")
    mean = own["cost"].sum() / own["tenants"].sum() if len(own) else float("nan")
    return compose(
        study,
        "cost-per-tenant",
        heading=f"An active tenant cost {money(mean, currency)} a day in {study.window.name}."
        if len(own)
        else f"What an active tenant cost a day in {study.window.name} is unknown: none of its days is covered.",
        defined="per_tenant",
        measure="measures.unit_costs.cost_per_tenant",
        note="Mean over covered days. More tenants at the same cost each is growth; the same tenants at a higher cost "
        "is not.",
        frame=frame,
        caption=f"Cost per tenant and day, {currency}",
        role="cost",
        draw=lambda ax: figures.cost_per_tenant(ax, frame, currency=currency),
        empty=NO_COST,
    )


def data(study: Study) -> Look:
    """Which samples of the cost gauge no cost can be made of."""
    return compose(
        study,
        "cost-data",
        check="cost_data",
        measure="measures.cost_data.cost_faults",
        note="One row per cause: what such hours add to the sums, or take off them, stands in the amount.",
        frame=study.cost.faults,
        caption="Faults of the cost gauge by cause",
        role="cost",
        draw=lambda ax: _draw_gauge(ax, study, study.cost.faults.iloc[0]),
        empty="no fault was found in what was seen",
    )


def bills(study: Study) -> Look:
    """How much of each bill the tenants' costs explain."""
    return compose(
        study,
        "cost-bills",
        check="conservation",
        measure="measures.cost.conservation",
        note="The rest is shown as unallocated and never spread over the tenants.",
        frame=study.cost.bills,
        caption="Bills against the tenants' costs of their days",
        role="cost",
        empty="no bill is configured for these weeks",
    )
