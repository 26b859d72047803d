"""Cards of what the tenants cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.cards.compose import Maker, Words, card
from cloudxai_analysis.study.cost import GENERATED
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, money, percent, signed

WHOLE = 0.999  # share of the expected scrapes from which on a sum is of the whole window
LARGEST = 10  # tenants that are told apart from all others
A_CENT = 0.01
reconciliation, agreement, bills = (Maker(f"cost-{name}") for name in ("reconciliation", "agreement", "bills"))


@card("cost-weeks")
def by_week(study: Study, _: pd.DataFrame) -> Words:
    """Cost of each week of the history, and of this window."""
    topic, movers = study.cost, study.cost.cost_movers
    change, relative = topic.change
    generated = (movers["tenant"] == GENERATED) & (movers["currency"] == study.contract.currency)
    names, currency = movers.loc[generated, "change"].sum(), study.contract.currency
    totals = topic.costs.groupby("currency")["cost"].sum().to_dict()
    share = topic.covered_share
    return {
        "heading": "cost" if totals else "none",
        "totals": totals,
        "in_part": "" if share > WHOLE else f", of which the telemetry shows {percent(share)}",
        "note": "compared" if pd.notna(relative) else "unknown",
        "change": change,
        "relative": relative,
        "compared": _compared(study),
        "by_names": f", {signed(money(names, currency), names)} of it by generated names" if names else "",
    }


def _compared(study: Study) -> str:
    """Over which hours two weeks are held against each other, where it is not all of them."""
    hours, whole = study.cost.compared_hours, study.window.duration.total_seconds() / 3600
    return "" if hours == whole else f", over the {count(hours, 'hour')} that are covered in both"


@card("cost-tenants")
def by_tenant(study: Study, _: pd.DataFrame) -> Words:
    """Which tenants cost most."""
    topic, concentration = study.cost, study.cost.concentration
    share, gini = concentration[["top10_share", "gini"]].iloc[0] if len(concentration) else (float("nan"),) * 2
    real = len(topic.real_costs)
    names = len(topic.costs) - real
    return {
        "heading": "many" if real > LARGEST else "few" if real else "none",
        "real": real,
        "share": share,
        "gini": gini,
        "pooled": f" {count(names, 'generated name')} are counted apart, as one row." if names else "",
    }


@card("cost-month")
def month(study: Study, frame: pd.DataFrame) -> Words:
    """What the calendar month has cost so far, and where it is likely to end."""
    own, month_ = frame[frame["currency"] == study.contract.currency], study.cost.month
    found: Words = {"month": month_.name, "until": f"{study.seen.end:%Y-%m-%d}", "uncovered": ""}
    if own.empty:
        return found | {"heading": "unknown", "drawn": False}
    row, unknown = own.iloc[0], int(own["days_unknown"].iloc[0])
    if unknown:
        are = "is" if unknown == 1 else "are"
        found["uncovered"] = f" {count(unknown, 'day')} of it {are} not covered, and may have cost more."
    heading = "so_far" if pd.isna(row["median"]) else "likely"
    if not row["days_left"]:
        heading = "over"
    if row["until"] - pd.Timedelta(days=unknown) <= month_.start:
        heading = "unknown"
    return found | {"heading": heading, "row": row}


@card("cost-budgets")
def budgets(study: Study, _: pd.DataFrame) -> Words:
    """How full the tenants' budgets are, and when each will be spent."""
    return {"month": study.cost.month.name}


@card("cost-movers")
def movers(study: Study, frame: pd.DataFrame) -> Words:
    """Whose cost moved most against the week before."""
    if frame.empty:
        return {"heading": "unknown"}
    moved = abs(frame["change"].iloc[0]) >= A_CENT / 2
    return {"heading": "moved" if moved else "still", "largest": frame.iloc[0], "compared": _compared(study)}


@card("cost-anomalies")
def anomalies(study: Study, frame: pd.DataFrame) -> Words:
    """Hours that cost more than their history explains."""
    basis, sure = study.cost.anomaly_basis, frame[frame["unknown"] == ""]
    shown = sure if len(sure) else frame
    top: Any = shown.loc[shown["excess"].idxmax()] if len(shown) else None
    return {
        "judged": int(basis["judged"].sum()),
        "basis": len(basis),
        "largest": top,
        "expected": lambda: study.cost.expected_course(top["tenant"], top["currency"]),
    }


@card("cost-semantics")
def semantics(study: Study, frame: pd.DataFrame) -> Words:
    """Which cost gauges contradict what the contract declares of them."""
    return _gauge(study, frame.iloc[0]) if len(frame) else {}


@card("cost-data")
def data(study: Study, frame: pd.DataFrame) -> Words:
    """Which samples of the cost gauge no cost can be made of."""
    return _gauge(study, frame.iloc[0]) if len(frame) else {}


def _gauge(study: Study, found: pd.Series) -> Words:
    """The course of the gauge that a finding speaks of; of a cause the first of its tenants."""
    from cloudxai_analysis.figures.labels import shortened

    tenant = str(found["tenant"] if "tenant" in found else found["examples"][0])
    said = f"{found['rises']:,} rises, {found['falls']:,} falls" if "rises" in found else str(found["cause"])
    return {
        "tenant": tenant,
        "unit": study.contract["cost"].unit.replace("currency", study.contract.currency),
        "marked": (found["start"].to_pydatetime(), found["end"].to_pydatetime()),
        "message": f"{shortened(tenant, 24)}: {said}",
    }


@card("cost-billing")
def billing(_: Study, frame: pd.DataFrame) -> Words:
    """What the platform's own billing-window gauge says."""
    windows = frame[["billing_window", "currency"]].drop_duplicates()
    heading = "held" if len(frame) else "none"
    return {
        "heading": heading,
        "windows": ", ".join(f"{row.billing_window} in {row.currency}" for row in windows.itertuples()),
    }


@card("cost-per-tenant")
def per_tenant(study: Study, _: pd.DataFrame) -> Words:
    """What a tenant costs on average, day by day."""
    frame = study.within(study.cost.per_tenant, "day", study.history)
    own = frame[(frame["currency"] == study.contract.currency) & frame["cost_per_tenant"].notna()]
    own = study.within(own, "day")
    mean = own["cost"].sum() / own["tenants"].sum() if len(own) else float("nan")
    return {"heading": "known" if len(own) else "unknown", "table": frame, "mean": mean}
