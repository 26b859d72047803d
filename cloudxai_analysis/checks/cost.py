"""Checks of what the tenants cost: sudden costs, gauges that are not what they are declared, sums that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, event, events_of, finds, found, largest
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.measures.cost_data import CAUSES, LEFT_OUT
from cloudxai_analysis.measures.semantics import ONLY_GROWS
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, money, monies, percent, short, signed

LEAST_DAYS = 3  # covered, under which no gauge is judged by its declared semantics
LEAST_AMOUNT = 0.5  # in the currency: the few minutes of a tenant that just came tell nothing
_TOGETHER = "all tenants together"


@finds("anomalies")
def anomalies(case: Case) -> Found:
    """Whether a tenant, or all together, cost more than their calendar explains: the excess of the largest anomaly."""
    study, every = case.study, case.study.cost.cost_stretches
    every = every.assign(
        currency=every["currency"].astype("str").where(every["currency"] != "", study.contract.currency),
        who=[short(name) if name else _TOGETHER for name in every["tenant"]],
    )
    sure, maybe = every[every["unknown"] == ""], every[every["unknown"] != ""]
    judged, tenants = int(case.rows["judged"].sum()), len(case.rows)
    if len(sure):
        return _anomalous(sure, len(maybe))
    hours = int(study.within(study.telemetry.covered_hours, window=study.observed)["covered"].sum())
    if not judged:
        return found("unjudged", tenants=tenants)
    if hours * 3600 < ONE_DAY:
        return found("early", hours=hours)
    if len(maybe):
        top = largest(maybe, "excess")
        return found(
            "rhythm",
            top["excess"],
            unit=top["currency"],
            top=top,
            maybe=len(maybe),
            said=_said(top),
            are=_are(len(maybe)),
        )
    few = tenants - judged
    rest = f"; {few} more {_are(few, 'has', 'have')} too little history" if few else ""
    return found("none", 0, unit=study.contract.currency, judged=judged, rest=rest)


def _are(number: int, one: str = "is", many: str = "are") -> str:
    return one if number == 1 else many


def _anomalous(sure: pd.DataFrame, maybe: int) -> Found:
    top, of_all = largest(sure, "excess"), sure["tenant"] == ""
    said, one = _said(top), len(sure) == 1
    places = sure.assign(place=sure["tenant"].where(~of_all, _TOGETHER), unit=sure["currency"])
    kinds = ["cost_rise" if together else "cost_spike" for together in of_all]
    return found(
        "one" if one else "several",
        top["excess"],
        unit=str(top["currency"]),
        since=sure["since"].min(),
        events=[
            event(kind, row["place"], row["start"], row["end"], row["excess"], row["unit"])
            for kind, row in zip(kinds, places.to_dict("records"), strict=True)
        ],
        top=top,
        sure=len(sure),
        tenants=sure.loc[~of_all, "tenant"].nunique(),
        together=", and of all together," if of_all.any() else "",
        said=said[:1].upper() + said[1:] if one and not top["tenant"] else said,
        more=f"; {count(maybe, 'other rise')} may be a rhythm of which too little was seen" if maybe else "",
        beyond=_sum(sure),
        to_do="Find the client that makes up tenant names: most of this cost is theirs."
        if not top["tenant"] and top["generated"] >= top["excess"] / 2
        else f"Ask what {top['who']} ran from {moment(top['since'])}, and whether it should be billed or stopped.",
    )


def _said(row: pd.Series) -> str:
    currency = row["currency"]
    begun = f"from {moment(row['since'])}" + (", before this window, on" if row["since"] < row["start"] else "")
    relative = row["excess"] / row["expected"] if row["expected"] > 0 else float("nan")
    rise = f", {signed(percent(relative, 0), relative)}" if relative < 10 else ""
    said = (
        f"{row['who']} cost {money(row['excess'], currency)} more than {'its' if row['tenant'] else 'their'} history "
        f"explains {begun}, for {count(row['hours'], 'hour')} ({money(row['cost'], currency)} instead of "
        f"{money(row['expected'], currency)}{rise})"
    )
    if row["unseen"]:
        said += f", {row['unseen']} of which were not wholly seen and may have cost more"
    if row["generated"] > 0:
        said += f", in which generated names cost {money(row['generated'], currency)}"
    return said


def _sum(sure: pd.DataFrame) -> str:
    """By currency what single tenants cost too much in all, or all together, whichever is more: one is in the other."""
    by = sure.assign(together=sure["tenant"] == "").groupby(["currency", "together"])["excess"].sum()
    return monies(by.groupby("currency").max().to_dict())


@finds("semantics")
def semantics(case: Case) -> Found:
    """Whether the cost gauges behave as they are declared: the number of tenants whose gauge does not."""
    study, breaks = case.study, case.study.cost.semantics_breaks
    if len(breaks):
        return _broken(breaks)
    tenants = set(study.cost.costs["tenant"].astype("str"))
    if not tenants:
        return found("nothing")
    days = _covered_days(case, study.observed.with_history(1))
    if days < LEAST_DAYS:
        return found("few_days", days=days, least=LEAST_DAYS)
    able = len(tenants & set(study.cost.able_to_tell))
    if not able:
        return found("unable", tenants=len(tenants))
    rest = len(tenants) - able
    more = f"; {rest} more {_are(rest, 'was', 'were')} there too briefly, or changed too seldom, to tell"
    return found("declared", 0, able=able, more=more if rest else "")


def _broken(breaks: pd.DataFrame) -> Found:
    grows = breaks["finding"] == ONLY_GROWS
    size, unit = breaks["rises"].where(grows, breaks["falls"]), grows.map({True: "rises", False: "falls"})
    frame = breaks.assign(size=size, unit=unit).sort_values("size", ascending=False, kind="stable", ignore_index=True)
    top, tenants = frame.iloc[0], frame["tenant"].nunique()
    many = f"The cost gauges of {count(tenants, 'tenant')} contradict their declaration; that of {short(top['tenant'])}"
    return found(
        top["finding"],
        tenants,
        since=frame["start"].min(),
        events=events_of(frame, "semantics_break", "tenant", "size", "unit"),
        top=top,
        whose=many if tenants > 1 else f"The cost gauge of {short(top['tenant'])}",
    )


@finds("reconciliation")
def reconciliation(case: Case) -> Found:
    """Whether our sum of 7 days and the platform's own agree, tenant by tenant: the largest relative difference.

    Only of tenants whose two sums are `LEAST_AMOUNT` apart.
    """
    end, frame = case.study.observed.end, case.rows.assign(away=(case.rows["estimate"] - case.rows["other"]).abs())
    material = frame[frame["away"] >= LEAST_AMOUNT]
    over = material[material["drift"].abs() > case.bound]
    value = float(material["drift"].abs().max()) if len(material) else 0.0
    if over.empty:
        return found("agree", value, ours=_totals(frame, "estimate"), theirs=_totals(frame, "other"))
    week = Window(end - WEEK, end)
    blind = len(list(week.days())) - _covered_days(case, week)
    if blind:
        return found("uncovered", value, over=len(over), blind=blind)
    top = largest(over, "away")
    return found("drifted", value, since=week.start, over=len(over), top=top, away=_totals(over, "away"))


@finds("agreement")
def agreement(case: Case) -> Found:
    """Whether the v1.0 cost gauges agree with our integral at covered midnights: the largest drift."""
    counts = case.study.cost.agreement
    compared = counts[counts["compared"] > 0]
    if compared.empty:
        return found("uncovered" if len(counts) else "nothing")
    away = compared["worst"].abs().where(compared["apart"] >= LEAST_AMOUNT, 0.0)
    top, value = compared.loc[away.idxmax()], away.max()
    drifted = value > case.bound
    return found(
        "drifted" if drifted else "near" if value else "exact",
        value,
        since=top["at"] if drifted else None,
        top=top,
        compared=compared["compared"].sum(),
        least=LEAST_AMOUNT,
        drifting=(away > case.bound).sum(),
        windows=len(compared),
    )


@finds("conservation")
def conservation(case: Case) -> Found:
    """Whether the tenants' costs add up to a total from elsewhere: the largest rest as a share of its total."""
    study, bills = case.study, case.study.cost.bills
    if bills.empty:
        return found("nothing", costs=_totals(study.cost.costs, "cost") if len(study.cost.costs) else "costs")
    known = bills[(bills["total"] > 0) & (bills["allocated"] > 0)]
    if known.empty:
        return found("none")
    share = (known["rest"] / known["total"]).abs()
    row, value = known.iloc[int(share.to_numpy().argmax())], float(share.max())
    side = "unallocated" if row["rest"] >= 0 else "allocated beyond the total"
    said = (
        f"The tenants' costs of {row['start']:%Y-%m-%d} to {row['end']:%Y-%m-%d} are "
        f"{money(row['allocated'], row['currency'])} of a total of {money(row['total'], row['currency'])} "
        f"({short(row['source'])}): {money(abs(row['rest']), row['currency'])} ({percent(value)}) {side}"
    )
    over = value > case.bound
    words: Words = {"row": row, "side": side, "said": said}
    if row["covered_share"] < study.bounds.coverage:
        return found("uncovered", value, **words)
    return found("apart" if over else "whole", value, since=row["start"] if over else None, **words)


@finds("cost_data")
def cost_data(case: Case) -> Found:
    """Whether the cost gauges hold numbers that a cost can be made of: the number of tenants whose gauge does not."""
    cost = case.study.cost
    faults = cost.faults.sort_values("tenants", ascending=False, kind="stable")
    if faults.empty and cost.costs.empty:
        return found("nothing")
    if faults.empty:
        before = f"; in the weeks before, that of {_faulty(cost.faults_before)}" if len(cost.faults_before) else ""
        return found("sound", 0, before=before)
    kinds = [f"cost_{cause.replace(' ', '_')}" for cause in faults["cause"]]
    return found(
        "faulty",
        faults["tenants"].sum(),
        since=faults["start"].min(),
        events=[
            event(kind, ", ".join(row["examples"]), row["start"], row["end"], row["hours"], "hours")
            for kind, row in zip(kinds, faults.to_dict("records"), strict=True)
        ],
        top=faults.iloc[0],
        examples=_examples(faults.iloc[0]),
        faulty=_faulty(faults),
        hours=faults["hours"].sum(),
    )


def _examples(fault: Mapping[Any, Any] | pd.Series) -> str:
    return ", ".join(short(name) for name in fault["examples"])


def _faulty(faults: pd.DataFrame) -> str:
    left_out = "; such hours are in no sum" if faults["cause"].isin(LEFT_OUT).any() else ""
    return f"{', and of '.join(map(_fault, faults.to_dict('records')))}{left_out}"


def _fault(row: Mapping[Any, Any]) -> str:
    amount = f", {money(row['amount'], row['currency'])}" if pd.notna(row["amount"]) else ""
    return (
        f"{count(row['tenants'], 'tenant')} ({_examples(row)}) {CAUSES[row['cause']]} for "
        f"{count(row['hours'], 'hour')} from {moment(row['start'])}{amount}"
    )


@finds("budgets")
def budgets(case: Case) -> Found:
    """Whether budgets last the month: the number of those that do not."""
    rows, month = case.rows, case.study.cost.month
    spent, over = rows[rows["answer"] == "spent"], rows[rows["answer"].isin(["spent", "will be spent"])]
    if over.empty:
        unknown = (rows["answer"] == "unknown").any()
        every = "The one budget lasts" if len(rows) == 1 else f"All {len(rows)} budgets last"
        words: Words = {"month": month.name, "top": rows.iloc[0], "all": every}
        return found("uncovered", **words) if unknown else found("last", 0, **words)
    beyond = spent.assign(end=month.end, over=spent["spent"] - spent["budget"], unit=spent["currency"])
    return found(
        "spent" if over.iloc[0]["answer"] == "spent" else "likely",
        len(over),
        since=spent["spent_on"].min(),
        events=events_of(beyond, "budget_spent", "tenant", "over", "unit", start="spent_on"),
        top=over.iloc[0],
        others=f", and {count(len(over) - 1, 'other budget')} will not last either" if len(over) > 1 else "",
    )


def _covered_days(case: Case, window: Window) -> int:
    covered = case.study.telemetry.covered
    first = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return int((covered["covered"].astype(bool) & (covered["day"] >= first) & (covered["day"] < window.end)).sum())


def _totals(frame: pd.DataFrame, column: str) -> str:
    """The column's sums, by currency: costs in two currencies are never added up."""
    return monies(frame.groupby("currency", observed=True)[column].sum().to_dict())
