"""Checks of what the tenants cost: sudden costs, wrong gauges, sums that differ."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, by_drills, event, events_of, finds, found, largest
from cloudxai_analysis.ground.window import DAY, WEEK, Window
from cloudxai_analysis.measures.agreement import LEAST_AMOUNT
from cloudxai_analysis.measures.drills import drilled, simulated, whole_hours
from cloudxai_analysis.measures.semantics import CAUSES, LEFT_OUT, ONLY_GROWS
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, moment, money, monies, percent, rise, several, short

LEAST_DAYS = 3  # covered, under which no gauge is judged by its declared semantics
_TOGETHER = "all tenants together"
_BUT_NEWCOMERS = f"{_TOGETHER}, newcomers aside,"


@finds("anomalies")
def anomalies(case: Case) -> Found:
    """Whether somebody cost more than the calendar explains: the excess of the largest anomaly."""
    study, every = case.study, case.study.cost.cost_stretches
    every = every.assign(
        currency=every["currency"].astype("str").where(every["currency"] != "", study.contract.currency),
        who=[short(name) if name else _BUT_NEWCOMERS for name in every["tenant"]],
    )
    own = _in_drills(study, every)
    of_drills, every = own[own != ""].value_counts(sort=False), every[own == ""]
    sure, maybe = every[every["unknown"] == ""], every[every["unknown"] != ""]
    judged, tenants = int(case.rows["judged"].sum()), len(case.rows)
    hours = int(study.within(study.telemetry.covered_hours, window=study.observed)["covered"].sum())
    if len(sure):
        return _anomalous(sure, len(maybe), f"; beside them {by_drills(of_drills)}" if len(of_drills) else "")
    if not judged:
        return found("unjudged", tenants=tenants)
    if hours * 3600 < ONE_DAY:
        return found("early", hours=hours)
    if len(maybe):
        top = largest(maybe, "excess")
        return found("rhythm", top["excess"], unit=top["currency"], top=top, maybe=len(maybe), said=_said(top))
    if len(of_drills):
        return found("drilled", 0, unit=study.contract.currency, drills=by_drills(of_drills))
    few = tenants - judged
    rest = f"; of {few} more too little history is known" if few else ""
    return found("none", 0, unit=study.contract.currency, judged=judged, rest=rest)


def _in_drills(study: Study, stretches: pd.DataFrame) -> pd.Series:
    """By which drill each stretch came about; '' of one that is no drill's.

    That of all together is a drill's where, without what the tenants of drills cost in it, less is
    left than is told.
    """
    drills = whole_hours(study.ledger.drills())
    own = drilled(stretches, drills, start="start", end="end")
    hours = study.cost.hourly_costs if len(drills) else pd.DataFrame()
    for place, row in stretches[stretches["tenant"] == ""].iterrows() if len(drills) else ():
        for drill in drills.itertuples():
            inside = (hours["hour"] >= row["start"]) & (hours["hour"] < row["end"])
            theirs = inside & simulated(hours["tenant"].astype("str"), drill.tenants)
            cost = hours.loc[theirs & (hours["currency"] == row["currency"]), "cost"].sum()
            held = row["start"] >= drill.start and row["end"] <= drill.end
            if held and drill.tenants and row["excess"] - cost < study.bounds.cost_anomaly_floor:
                own[place] = drill.summary
    return own


def _anomalous(sure: pd.DataFrame, maybe: int, beside: str) -> Found:
    top, of_all, said = largest(sure, "excess"), sure["tenant"] == "", _said(largest(sure, "excess"))
    to_do = f"Ask what {top['who']} ran from {moment(top['since'])}, and whether it should be billed or stopped."
    if not top["tenant"] and top["generated"] >= top["excess"] / 2:
        to_do = "Find the client that makes up tenant names: most of this cost is theirs."
    # What single tenants cost too much, or all together, whichever is more: one is in the other.
    beyond = sure.groupby(["currency", of_all])["excess"].sum().groupby("currency").max()
    return found(
        "one" if len(sure) == 1 else "several",
        top["excess"],
        unit=top["currency"],
        since=sure["since"].min(),
        events=[
            event("cost_spike" if name else "cost_rise", name or _TOGETHER, start, end, excess, unit)
            for name, start, end, excess, unit in sure[["tenant", "start", "end", "excess", "currency"]].to_numpy()
        ],
        top=top,
        sure=len(sure),
        tenants=sure.loc[~of_all, "tenant"].nunique(),
        together=", and of all together," if of_all.any() else "",
        said=said[:1].upper() + said[1:] if len(sure) == 1 and not top["tenant"] else said,
        more=(f"; {count(maybe, 'other rise')} may be a rhythm of which too little was seen" if maybe else "") + beside,
        beyond=monies(beyond.to_dict()),
        to_do=to_do,
    )


def _said(row: pd.Series) -> str:
    amounts = {name: money(row[name], row["currency"]) for name in ("excess", "cost", "expected", "generated")}
    begun = ", before this window, on" if row["since"] < row["start"] else ""
    relative = row["excess"] / row["expected"] if row["expected"] > 0 else float("nan")
    more = f", {rise(relative, 0)}" if relative < 10 else ""
    unseen = f", {row['unseen']} of which were not wholly seen and may have cost more" if row["unseen"] else ""
    names = f", in which generated names cost {amounts['generated']}" if row["generated"] > 0 else ""
    return (
        f"{row['who']} cost {amounts['excess']} more than {'its' if row['tenant'] else 'their'} history explains from "
        f"{moment(row['since'])}{begun}, for {count(row['hours'], 'hour')} ({amounts['cost']} instead of "
        f"{amounts['expected']}{more}){unseen}{names}"
    )


@finds("unserved")
def unserved(case: Case) -> Found:
    """Whether tenants cost something while they were not ready: the cost of that time, in the contract's currency."""
    study, own = case.study, case.study.contract.currency
    every = study.within(study.cost.unserved_costs, "day")
    tenants = every.groupby(["tenant", "currency"], as_index=False)[["cost", "amount", "rest"]].sum()
    over, maybe = (tenants[amount > case.bound] for amount in (tenants["amount"], tenants["amount"] + tenants["rest"]))
    value = every.loc[every["currency"] == own, "amount"].sum() if (case.rows["currency"] == own).any() else None
    words: Words = {
        "amounts": _totals(tenants, "amount") if len(tenants) else money(0, own),
        "rest": f"; of {_totals(tenants, 'rest')} no readiness is known" if tenants["rest"].any() else "",
    }
    if over.empty:
        return found("unseen" if len(maybe) else "little", value, unit=own, **words)
    paid = every[every["tenant"].isin(over["tenant"]) & (every["amount"] > 0)]
    days = paid.assign(end=paid["day"] + DAY, unit=paid["currency"])
    return found(
        "paid",
        value,
        unit=own,
        since=paid["day"].min(),
        events=events_of(days, "unserved_cost", "tenant", "amount", "unit", start="day"),
        top=largest(over, "amount"),
        tenants=len(over),
        **words,
    )


@finds("semantics")
def semantics(case: Case) -> Found:
    """Whether the cost gauges behave as they are declared: how many tenants' gauges do not."""
    study, breaks = case.study, case.study.cost.semantics_breaks
    if len(breaks):
        return _broken(breaks)
    tenants = set(study.cost.costs["tenant"].astype("str"))
    days, able = _covered_days(case, study.observed.with_history(1)), len(tenants & set(study.cost.able_to_tell))
    if not tenants:
        return found("nothing")
    if days < LEAST_DAYS:
        return found("few_days", days=days, least=LEAST_DAYS)
    if not able:
        return found("unable", tenants=len(tenants))
    rest = len(tenants) - able
    more = f"; {rest} more came too late, or changed too seldom, to tell" if rest else ""
    return found("declared", 0, able=able, more=more)


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
    """Whether our sum of 7 days and the platform's own agree: the largest relative difference."""
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
    """Whether the v1.0 cost gauges agree with ours at covered midnights: the largest drift."""
    counts = case.study.cost.agreement
    compared = counts[counts["compared"] > 0]
    if compared.empty:
        return found("uncovered" if len(counts) else "nothing")
    away = compared["worst"].abs().where(compared["apart"] >= LEAST_AMOUNT, 0.0)
    top, value, drifting = compared.loc[away.idxmax()], away.max(), int((away > case.bound).sum())
    return found(
        "drifted" if drifting else "near" if value else "exact",
        value,
        since=top["at"] if drifting else None,
        top=top,
        compared=compared["compared"].sum(),
        least=LEAST_AMOUNT,
        drifting=drifting,
        windows=len(compared),
    )


@finds("conservation")
def conservation(case: Case) -> Found:
    """Whether the tenants' costs add up to a total from elsewhere: the largest share of rest."""
    study, bills = case.study, case.study.cost.bills
    if bills.empty:
        return found("nothing", costs=_totals(study.cost.costs, "cost") if len(study.cost.costs) else "costs")
    known = bills[(bills["total"] > 0) & (bills["allocated"] > 0)]
    if known.empty:
        return found("none")
    row = largest(known.assign(share=(known["rest"] / known["total"]).abs()), "share")
    side, over = "unallocated" if row["rest"] >= 0 else "allocated beyond the total", row["share"] > case.bound
    allocated, total, rest = (money(abs(row[name]), row["currency"]) for name in ("allocated", "total", "rest"))
    said = (
        f"The tenants' costs of {row['start']:%Y-%m-%d} to {row['end']:%Y-%m-%d} are {allocated} of a total of {total} "
        f"({short(row['source'])}): {rest} ({percent(row['share'])}) {side}"
    )
    blind = row["covered_share"] < study.bounds.coverage
    since = row["start"] if over and not blind else None
    answer = "uncovered" if blind else "apart" if over else "whole"
    return found(answer, row["share"], since=since, row=row, side=side, said=said)


@finds("cost_data")
def cost_data(case: Case) -> Found:
    """Whether the cost gauges hold what a cost can be made of: how many tenants' gauges do not."""
    cost = case.study.cost
    faults = cost.faults.sort_values("tenants", ascending=False, kind="stable")
    if faults.empty and cost.costs.empty:
        return found("nothing")
    if faults.empty:
        before = f"; in the weeks before, that of {_faulty(cost.faults_before)}" if len(cost.faults_before) else ""
        return found("sound", 0, before=before)
    return found(
        "faulty",
        faults["tenants"].sum(),
        since=faults["start"].min(),
        events=[
            event(f"cost_{cause.replace(' ', '_')}", ", ".join(names), start, end, hours, "hours")
            for cause, names, start, end, hours in faults[["cause", "examples", "start", "end", "hours"]].to_numpy()
        ],
        top=faults.iloc[0],
        examples=several(faults.iloc[0]["examples"]),
        faulty=_faulty(faults),
        hours=faults["hours"].sum(),
    )


def _faulty(faults: pd.DataFrame) -> str:
    said = []
    for row in faults.to_dict("records"):
        amount = f", {money(row['amount'], row['currency'])}" if pd.notna(row["amount"]) else ""
        whose = f"{count(row['tenants'], 'tenant')} ({several(row['examples'])}) {CAUSES[row['cause']]}"
        said.append(f"{whose} for {count(row['hours'], 'hour')} from {moment(row['start'])}{amount}")
    left_out = "; such hours are in no sum" if faults["cause"].isin(LEFT_OUT).any() else ""
    return f"{', and of '.join(said)}{left_out}"


@finds("budgets")
def budgets(case: Case) -> Found:
    """Whether budgets last the month: the number of those that do not."""
    rows, month = case.rows, case.study.cost.month
    spent, over = rows[rows["answer"] == "spent"], rows[rows["answer"].isin(["spent", "will be spent"])]
    if over.empty and (rows["answer"] == "unknown").any():
        return found("uncovered", month=month.name)
    if over.empty:
        return found("last", 0, month=month.name, top=rows.iloc[0], budgets=len(rows))
    beyond = spent.assign(end=month.end, over=spent["spent"] - spent["budget"], unit=spent["currency"])
    return found(
        "likely" if spent.empty else "spent",
        len(over),
        since=spent["spent_on"].min(),
        events=events_of(beyond, "budget_spent", "tenant", "over", "unit", start="spent_on"),
        top=over.iloc[0],
        others=f", and {count(len(over) - 1, 'other budget')} will not last either" if len(over) > 1 else "",
    )


def _covered_days(case: Case, window: Window) -> int:
    whole = Window(window.start.replace(hour=0, minute=0, second=0, microsecond=0), window.end)
    return int(case.study.within(case.study.telemetry.covered, "day", whole)["covered"].astype(bool).sum())


def _totals(frame: pd.DataFrame, column: str) -> str:
    """The column's sums, by currency: costs in two currencies are never added up."""
    return monies(frame.groupby("currency", observed=True)[column].sum().to_dict())
