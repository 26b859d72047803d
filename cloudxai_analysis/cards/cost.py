"""Cards of what the tenants cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card, plain
from cloudxai_analysis.cards.tiles import WHOLE, change_by_names
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, money, percent, signed

LARGEST = 10  # tenants that are told apart from all others
A_CENT = 0.01
__getattr__ = plain("cost")


@card("cost-weeks")
def by_week(study: Study, _: pd.DataFrame) -> Words:
    """Cost of each week of the history, and of this window."""
    topic, currency, names = study.cost, study.contract.currency, change_by_names(study)
    change, relative = topic.change
    totals, share = topic.costs.groupby("currency")["cost"].sum().to_dict(), topic.covered_share
    return {
        "heading": "cost" if totals else "none",
        "totals": totals,
        "in_part": "" if share > WHOLE else f", of which the telemetry shows {percent(share)}",
        "note": "compared" if pd.notna(relative) else "unknown",
        "change": change,
        "relative": relative,
        "weekly": relative if study.window.period == "week" else float("nan"),
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
    pooled = f" {count(names, 'generated name')} are counted apart, as one row." if names else ""
    heading = "many" if real > LARGEST else "few" if real else "none"
    return {"heading": heading, "real": real, "share": share, "gini": gini, "pooled": pooled}


@card("cost-month")
def month(study: Study, frame: pd.DataFrame) -> Words:
    """What the calendar month has cost so far, and where it is likely to end."""
    own, month_ = frame[frame["currency"] == study.contract.currency], study.cost.month
    found: Words = {"month": month_.name, "until": f"{study.seen.end:%Y-%m-%d}", "uncovered": ""}
    if own.empty:
        return found | {"heading": "unknown", "drawn": False}
    row, unknown = own.iloc[0], int(own["days_unknown"].iloc[0])
    if unknown:
        found["uncovered"] = f" Not covered, so that it may have cost more: {count(unknown, 'day')}."
    heading = "so_far" if pd.isna(row["median"]) else "likely" if row["days_left"] else "over"
    nothing = row["until"] - pd.Timedelta(days=unknown) <= month_.start
    return found | {"heading": "unknown" if nothing else heading, "row": row}


@card("cost-movers")
def movers(study: Study, frame: pd.DataFrame) -> Words:
    """Whose cost moved most against the window before."""
    if frame.empty:
        return {}
    moved = abs(frame["change"].iloc[0]) >= A_CENT / 2
    return {"heading": "moved" if moved else "still", "largest": frame.iloc[0], "compared": _compared(study)}


@card("cost-anomalies")
def anomalies(study: Study, frame: pd.DataFrame) -> Words:
    """Hours that cost more than their history explains."""
    basis, sure = study.cost.anomaly_basis, frame[frame["unknown"] == ""]
    top: Any = (sure if len(sure) else frame).nlargest(1, "excess").squeeze()
    expected = lambda: study.cost.expected_course(top["tenant"], top["currency"])  # noqa: E731 -- drawn, or not
    return {"judged": int(basis["judged"].sum()), "basis": len(basis), "largest": top, "expected": expected}


@card("cost-per-tenant")
def per_tenant(study: Study, _: pd.DataFrame) -> Words:
    """What a tenant costs on average, day by day."""
    frame = study.within(study.cost.per_tenant, "day", study.history)
    own = study.within(frame[(frame["currency"] == study.contract.currency) & frame["cost_per_tenant"].notna()], "day")
    mean = own["cost"].sum() / own["tenants"].sum() if len(own) else float("nan")
    return {"heading": "known" if len(own) else "unknown", "table": frame, "mean": mean}
