"""The verdict on sudden costs, of single tenants and of all together."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import event, largest, named, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, money, monies, percent, signed

_TOGETHER = "all tenants together"


def anomalies_check(
    anomalies: pd.DataFrame, basis: pd.DataFrame, covered: pd.DataFrame, *, window: Window, currency: str, floor: float
) -> Check:
    """Whether a tenant, or all together, cost more than their calendar explains: `warn` where one did.

    `anomalies` as `measures.anomalies.cost_anomalies` gives them, `basis` as `anomaly_basis`, `covered` the covered
    hours. `currency` is that of rows that name none, `floor` the least excess of an hour. The value is the excess of
    the largest anomaly; one event `cost_spike` for each of a tenant, `cost_rise` of all together. `unknown` where no
    tenant has a cost, none has the history to be judged by, less than a day was seen, or what was found may be a rhythm
    of which too little was seen.
    """
    anomalies = anomalies.assign(
        currency=anomalies["currency"].astype("str").where(anomalies["currency"] != "", currency),
        who=[short(name) if name else _TOGETHER for name in anomalies["tenant"]],
    )
    sure = anomalies[anomalies["unknown"] == ""]
    maybe = anomalies[anomalies["unknown"] != ""]
    judged, tenants = int(basis["judged"].sum()), len(basis)
    inside = covered[(covered["hour"] >= window.start) & (covered["hour"] < window.end)]
    hours = int(inside["covered"].sum())
    common: dict[str, Any] = {"key": "anomalies", "section": "cost", "bound": floor, "bound_key": "cost_anomaly_floor"}
    if len(sure):
        return _anomalous(sure, len(maybe), window, common)
    if not tenants:
        finding = f"No tenant exported a cost estimate in {named(window)}: no cost could be judged."
        return Check(status="unknown", finding=finding, **common | {"bound": None, "bound_key": ""})
    if not judged or hours * 3600 < ONE_DAY:
        why = (
            f"none of {count(tenants, 'tenant')} has three covered weeks before it"
            if not judged
            else f"{count(hours, 'hour')} of it is too little to tell"
        )
        return Check(status="unknown", finding=f"Cost anomalies of {named(window)} are unknown: {why}.", **common)
    if len(maybe):
        top = largest(maybe, "excess")
        rises = f"{count(len(maybe), 'rise')} of cost in {named(window)} {'is' if len(maybe) == 1 else 'are'} usual"
        finding = f"Whether {rises} is unknown, for {top['unknown']}; the largest: {_said(top)}."
        return Check(status="unknown", finding=finding, value=float(top["excess"]), unit=top["currency"], **common)
    few = tenants - judged
    rest = f"; {few} more {'has' if few == 1 else 'have'} too little history" if few else ""
    return Check(
        status="pass",
        finding=f"None of {count(judged, 'tenant')}, nor all together, cost more in {named(window)} than its history "
        f"explains{rest}.",
        value=0.0,
        unit=currency,
        samples="the tenants' cost estimates, hour by hour, and the five weeks before",
        disproof="a bill or a usage log that shows a cost the estimate did not rise with",
        **common,
    )


def _anomalous(sure: pd.DataFrame, maybe: int, window: Window, common: dict[str, Any]) -> Check:
    top = largest(sure, "excess")
    tenants = sure.loc[sure["tenant"] != "", "tenant"].nunique()
    many = f"{count(len(sure), 'sudden cost')} of {count(tenants, 'tenant')}"
    together = ", and of all together," if (sure["tenant"] == "").any() else ""
    finding = _said(top) if len(sure) == 1 else f"{many}{together} in {named(window)}, the largest: {_said(top)}"
    more = f"; {count(maybe, 'other rise')} may be a rhythm of which too little was seen" if maybe else ""
    names = top["tenant"] == "" and top["generated"] >= top["excess"] / 2
    begun = moment(top["since"])
    return Check(
        status="warn",
        finding=f"{finding[:1].upper() if top['tenant'] == '' else finding[:1]}{finding[1:]}{more}.",
        value=float(top["excess"]),
        unit=str(top["currency"]),
        size=f"{_sum(sure)} beyond what was expected in {named(window)}",
        since=when(sure["since"].min()),
        samples=f"hourly cost of {top['who']} from {moment(top['start'])} to {moment(top['end'])}, {top['score']:.0f} "
        "robust standard deviations above what its calendar explains",
        disproof="a known job in those hours, or a change of what the estimate counts",
        action="Find the client that makes up tenant names: most of this cost is theirs."
        if names
        else f"Ask what {top['who']} ran from {begun}, and whether it should be billed or stopped.",
        decides="the owner of the cost figures",
        events=tuple(
            event(
                "cost_spike" if row["tenant"] else "cost_rise",
                row["tenant"] or _TOGETHER,
                row["start"],
                row["end"],
                row["excess"],
                row["currency"],
            )
            for row in sure.to_dict("records")
        ),
        **common,
    )


def _said(row: pd.Series) -> str:
    currency = row["currency"]
    begun = f"from {moment(row['since'])}" + (", before this window, on" if row["since"] < row["start"] else "")
    relative = row["excess"] / row["expected"] if row["expected"] > 0 else float("nan")
    rise = f", {signed(percent(relative, 0), relative)}" if relative < 10 else ""
    whose = "its" if row["tenant"] else "their"
    said = (
        f"{row['who']} cost {money(row['excess'], currency)} more than {whose} history explains {begun}, for "
        f"{count(row['hours'], 'hour')} ({money(row['cost'], currency)} instead of "
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
