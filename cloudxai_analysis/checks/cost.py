"""Verdicts on what the tenants cost: gauges that are not what they are declared, and sums that differ."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.alert_words import rows_of
from cloudxai_analysis.checks.evidence import event, named, short, when
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.measures.cost_data import LEFT_OUT
from cloudxai_analysis.words.phrases import count, moment, money, monies, percent

_SECTION = "cost"
_OWNER = "the owner of the cost figures"
_FAULTS = {
    "negative": "was below 0",
    "infinite": "was infinite",
    "too large": "was over a trillion an hour",
    "not a number": "held no number",
    "too small": "was smaller than any amount",
    "currency": "named a currency that is no code of ISO 4217 in capitals",
    "left behind": "kept its last value after the tenant had left",
}


def semantics_check(
    breaks: pd.DataFrame,
    costs: pd.DataFrame,
    covered: pd.DataFrame,
    told: Collection[str],
    *,
    window: Window,
    least_days: int = 3,
) -> Check:
    """Whether the cost gauges behave as they are declared: `warn` where one does not.

    `breaks` as `measures.semantics.semantics_breaks` gives them, over the window and the week before, `costs` the
    tenants' costs of the window, `covered` the covered days, `told` the tenants whose gauge would have shown a break,
    as `measures.semantics.able_to_tell` names them. The value is the number of tenants; one event `semantics_break` per
    finding. `unknown` where there is no cost, where fewer than `least_days` days are covered, or no gauge could tell.
    """
    if len(breaks):
        return _broken(breaks)
    if costs.empty:
        return _unknown(
            "semantics", f"No tenant exported a cost estimate in {named(window)}: no gauge could be judged."
        )
    days = len(_covered_days(covered, window.with_history(1)))
    if days < least_days:
        return _unknown(
            "semantics",
            f"Whether cost gauges behave as declared is unknown: {count(days, 'covered day')} in {named(window)} and "
            f"the week before, {least_days} are needed.",
        )
    tenants = set(costs["tenant"].astype("str"))
    able = len(tenants & set(told))
    if not able:
        return _unknown(
            "semantics",
            f"Whether cost gauges behave as declared is unknown: none of {count(len(tenants), 'tenant')} was there and "
            f"changed its cost for long enough in {named(window)} and the week before.",
        )
    rest = len(tenants) - able
    more = f"; {rest} more {'was' if rest == 1 else 'were'} there too briefly, or changed too seldom, to tell"
    return Check(
        key="semantics",
        section=_SECTION,
        status="pass",
        finding=f"The cost gauges of {count(able, 'tenant')} behaved as declared as long as they were there, in "
        f"{named(window)} and the week before{more if rest else ''}.",
        value=0.0,
        unit="tenants",
        samples="every sample of the cost gauges, in the window and the week before",
        disproof="the code of the exporter, where it sets the gauge",
    )


def reconciliation_check(
    reconciliation: pd.DataFrame, covered: pd.DataFrame, *, window: Window, drift: float, least: float = 0.5
) -> Check:
    """Whether our sum over the last 7 days and the platform's own agree, tenant by tenant: `warn` on a drift.

    `reconciliation` as `measures.cost.reconciliation` gives it, `covered` the covered days. A tenant drifts where the
    relative difference exceeds `drift` and the difference `least` (in the currency: the few minutes of a tenant that
    just came tell nothing). The value is the largest relative difference among the tenants with a difference of
    `least`. `unknown` where there is nothing to hold against, or where a day is not covered: our own sum is short then.
    """
    common: dict[str, Any] = {"bound": drift, "bound_key": "reconciliation_drift", "unit": "share"}
    if reconciliation.empty:
        return _unknown(
            "reconciliation",
            f"Our 7-day cost up to {moment(window.end)} could be held against nothing: no process exports the "
            "platform's own 7-day cost.",
            **common,
        )
    frame = reconciliation.assign(away=(reconciliation["estimate"] - reconciliation["other"]).abs())
    material = frame[frame["away"] >= least]
    over = material[material["drift"].abs() > drift]
    largest = float(material["drift"].abs().max()) if len(material) else 0.0
    week = Window(window.end - WEEK, window.end)
    blind = len(list(week.days())) - len(_covered_days(covered, week))
    if len(over) and blind:
        return _unknown(
            "reconciliation",
            f"{count(len(over), 'tenant')} of {len(frame)} differ by over {percent(drift, 0)}, but "
            f"{count(blind, 'day')} of the 7 up to {moment(window.end)} are not covered, so our own sum is short.",
            value=largest,
            **common,
        )
    return (
        _drifted(over, len(frame), largest, window, common)
        if len(over)
        else Check(
            key="reconciliation",
            section=_SECTION,
            status="pass",
            finding=f"Our cost of the 7 days up to {moment(window.end)} agrees with the platform's own for "
            f"{count(len(frame), 'tenant')} ({_sums(frame)}), to within {percent(drift, 0)}.",
            value=largest,
            samples="our hourly integrals against the last sample of the 7-day gauge",
            disproof="a tenant that one of the two leaves out",
            **common,
        )
    )


def conservation_check(
    costs: pd.DataFrame, bills: pd.DataFrame | None = None, *, window: Window, drift: float, least: float = 0.95
) -> Check:
    """Whether the tenants' costs add up to a total from elsewhere: `warn` where the rest exceeds `drift` of it.

    `costs` by tenant over the window; `bills` as `Cost.bills` gives them, None or empty where none is configured, which
    is `unknown`, as is a bill of whose days the telemetry covers less than `least`. The value is the largest rest as a
    share of its total.
    """
    common: dict[str, Any] = {"bound": drift, "bound_key": "reconciliation_drift", "unit": "share"}
    if bills is None or bills.empty:
        held = f"the tenants' {_totals(costs, 'cost')}" if len(costs) else "the tenants' costs"
        return _unknown(
            "conservation",
            f"Whether {held} of {named(window)} are the whole cost is unknown: no total from elsewhere is configured.",
            **common,
        )
    known = bills[(bills["total"] > 0) & (bills["allocated"] > 0)]
    if known.empty:
        return _unknown(
            "conservation", f"No bill above 0 has a tenant's cost in {named(window)} to hold against it.", **common
        )
    share = (known["rest"] / known["total"]).abs()
    row = known.iloc[int(share.to_numpy().argmax())]
    over = float(share.max()) > drift
    side = "unallocated" if row["rest"] >= 0 else "allocated beyond the total"
    days = f"{row['start']:%Y-%m-%d} to {row['end']:%Y-%m-%d}"
    finding = (
        f"The tenants' costs of {days} are {money(row['allocated'], row['currency'])} of a total of "
        f"{money(row['total'], row['currency'])} ({short(row['source'])}): {money(abs(row['rest']), row['currency'])} "
        f"({percent(share.max())}) {side}"
    )
    if row["covered_share"] < least:
        seen = f"the telemetry covers {percent(row['covered_share'])} of those days, so that the tenants' sum is short"
        return _unknown("conservation", f"{finding}; {seen}.", value=float(share.max()), **common)
    return Check(
        key="conservation",
        section=_SECTION,
        status="warn" if over else "pass",
        finding=f"{finding}.",
        value=float(share.max()),
        size=f"{money(abs(row['rest']), row['currency'])} {side}",
        since=when(row["start"]) if over else None,
        samples="the tenants' costs over the bill's days against its total",
        disproof="a part of the total that no tenant causes",
        action="Find out which cost the tenants' estimates leave out before they are used for prices." if over else "",
        decides=_OWNER if over else "",
        **common,
    )


def cost_data_check(faults: pd.DataFrame, costs: pd.DataFrame, before: pd.DataFrame, *, window: Window) -> Check:
    """Whether the cost gauges hold numbers that a cost can be made of: `warn` where one does not, one event per cause.

    `faults` as `measures.cost_data.cost_faults` gives them, `before` those of the weeks that the window is compared
    with; the value is the number of tenants. `unknown` where no tenant has a cost.
    """
    if faults.empty and costs.empty:
        return _unknown(
            "cost_data", f"No tenant exported a cost estimate in {named(window)}: no sample could be judged."
        )
    if faults.empty:
        ago = f"; in the weeks before, that of {_faulty(before)}" if len(before) else ""
        return Check(
            key="cost_data",
            section=_SECTION,
            status="pass",
            finding=f"Every sample of the cost gauges in {named(window)} is a number of a tenant that is there{ago}.",
            value=0.0,
            unit="tenants",
            samples="every sample of the cost gauge, and the last one of each tenant's readiness",
            disproof="a tenant whose readiness is exported and that is gone all the same",
        )
    faults = faults.sort_values("tenants", ascending=False, kind="stable")
    top, examples = faults.iloc[0], _examples(faults.iloc[0])
    return Check(
        key="cost_data",
        section=_SECTION,
        status="warn",
        finding=f"In {named(window)} the cost gauge of {_faulty(faults)}.",
        value=float(faults["tenants"].sum()),
        unit="tenants",
        size=f"{count(faults['hours'].sum(), 'hour')} of wrong cost",
        since=when(faults["start"].min()),
        samples=f"the cost gauge of {examples} from {moment(top['start'])} to {moment(top['end'])}",
        disproof="a credit note that the platform means to show as a negative cost, or a tenant that is still served",
        action="Have the exporter drop the gauge of a tenant that has left, and never export what is no amount.",
        decides=_OWNER,
        events=tuple(
            event(f"cost_{row['cause'].replace(' ', '_')}", ", ".join(row["examples"]), row["start"], row["end"],
                  row["hours"], "hours")
            for row in rows_of(faults)
        ),
    )  # fmt: skip


def _examples(fault: Mapping[Hashable, Any] | pd.Series) -> str:
    return ", ".join(short(name) for name in fault["examples"])


def _faulty(faults: pd.DataFrame) -> str:
    left_out = "; such hours are in no sum" if faults["cause"].isin(LEFT_OUT).any() else ""
    return f"{', and of '.join(map(_fault, rows_of(faults)))}{left_out}"


def _fault(row: Mapping[Hashable, Any]) -> str:
    amount = f", {money(row['amount'], row['currency'])}" if pd.notna(row["amount"]) else ""
    return (
        f"{count(row['tenants'], 'tenant')} ({_examples(row)}) {_FAULTS[row['cause']]} for "
        f"{count(row['hours'], 'hour')} from {moment(row['start'])}{amount}"
    )


def _broken(breaks: pd.DataFrame) -> Check:
    grows = breaks["finding"] == "only_grows"
    frame = breaks.assign(
        size=breaks["rises"].where(grows, breaks["falls"]), unit=grows.map({True: "rises", False: "falls"})
    )
    frame = frame.sort_values("size", ascending=False, kind="stable", ignore_index=True)
    top, tenants = frame.iloc[0], frame["tenant"].nunique()
    span = f"from {moment(top['start'])} to {moment(top['end'])}"
    if top["finding"] == "only_grows":
        what = f"{count(top['rises'], 'rise')} and no fall {span}, though it is declared a rate"
    else:
        what = f"{count(top['falls'], 'fall')} within its billing window {span}, though it is declared to accumulate"
    lead = f"The cost gauge of {short(top['tenant'])}"
    many = f"The cost gauges of {count(tenants, 'tenant')} contradict their declaration; that of {short(top['tenant'])}"
    return Check(
        key="semantics",
        section=_SECTION,
        status="warn",
        finding=f"{lead if tenants == 1 else many} shows {what}.",
        value=float(tenants),
        unit="tenants",
        size=f"cost sums of {count(tenants, 'tenant')} are not what they seem",
        since=when(frame["start"].min()),
        samples=f"every sample of the cost gauge of {short(top['tenant'])}, {span}",
        disproof="a usage that really grew all that time without a single pause",
        action=f"Check in the exporter what the cost gauge of {short(top['tenant'])} holds before its cost is used.",
        decides=_OWNER,
        events=tuple(
            event("semantics_break", row["tenant"], row["start"], row["end"], row["size"], row["unit"])
            for row in rows_of(frame)
        ),
    )


def _drifted(over: pd.DataFrame, compared: int, largest: float, window: Window, common: dict[str, Any]) -> Check:
    top = over.iloc[int(over["away"].to_numpy().argmax())]
    return Check(
        key="reconciliation",
        section=_SECTION,
        status="warn",
        finding=f"Our cost of the 7 days up to {moment(window.end)} differs from the platform's own by over "
        f"{percent(common['bound'], 0)} for {len(over)} of {count(compared, 'tenant')}, most of all for "
        f"{short(top['tenant'])}: {money(top['estimate'], top['currency'])} against "
        f"{money(top['other'], top['currency'])}.",
        value=largest,
        size=f"{_totals(over, 'away')} between the two",
        since=window.end - timedelta(days=7),
        samples="our hourly integrals against the last sample of the 7-day gauge",
        disproof="a restart of the process that emptied its 7-day sum",
        action="Find out which of the two sums is right before either is shown to tenants.",
        decides=_OWNER,
        **common,
    )


def _unknown(key: str, finding: str, **more: Any) -> Check:
    return Check(key=key, section=_SECTION, status="unknown", finding=finding, **more)


def _covered_days(covered: pd.DataFrame, window: Window) -> pd.DataFrame:
    first = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return covered[covered["covered"].astype(bool) & (covered["day"] >= first) & (covered["day"] < window.end)]


def _totals(frame: pd.DataFrame, column: str) -> str:
    """The column's sums, by currency: costs in two currencies are never added up."""
    return monies(frame.groupby("currency", observed=True)[column].sum().to_dict())


def _sums(frame: pd.DataFrame) -> str:
    return f"{_totals(frame, 'estimate')} against {_totals(frame, 'other')}"
