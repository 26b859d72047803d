"""Frames written down in a test, moments as '09 03:20' of November 2026, or as a clock alone of Wednesday the 11th."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

TIME = "datetime64[us, UTC]"
MOMENTS = {
    *("first_ts", "last_ts", "hour", "day", "time", "start", "end", "started_at", "seen_at", "last_seen", "first_seen"),
    *("until", "before", "last_refusal", "since", "at", "fired_at", "resolved_at", "pending_at", "ended_at"),
    *("acknowledged_at", "spent_on"),
}
LABELS = {"job", "instance", "tenant", "le"}
TEXTS = {"id", "alertname", "judgement"}


def at(text: Any) -> Any:
    """'09 03:20' of November 2026, '03:20' of its 11th, '10-31', or another moment in full; NaT for what is none."""
    if not isinstance(text, str) or not text:
        return pd.NaT if text is None or text == "" else text
    if "-" not in text:
        text = f"11-{'' if ' ' in text or ':' not in text else '11 '}{text}"
    return pd.Timestamp(f"2026-{text}" if text.count("-") == 1 else text, tz="UTC").as_unit("us")


def times(moments: Iterable[Any]) -> pd.Series:
    """These moments as a column."""
    return pd.to_datetime(pd.Series([at(one) for one in moments], dtype="object"), utc=True).astype(TIME)


def table(columns: Any, *rows: Any, usual: tuple[Any, ...] = (), text: bool = True, **more: Any) -> pd.DataFrame:
    """One row per tuple, its last cells as usual where it is shorter, or per dictionary of the columns.

    Labels are text, or categories as the lake has them; who has an instance and no job is of the job cloudxai.
    """
    names = columns.split() if isinstance(columns, str) else list(columns)
    filled = [row if isinstance(row, dict) else (*row, *usual[len(row) - len(names) + len(usual) :]) for row in rows]
    frame = pd.DataFrame(filled, columns=names).assign(**more)
    if "instance" in frame and "job" not in frame:
        frame["job"] = "cloudxai"
    for name in MOMENTS & set(frame):
        frame[name] = times(frame[name])
    kinds = dict.fromkeys(LABELS & set(frame), "str" if text else "category") | dict.fromkeys(TEXTS & set(frame), "str")
    return frame.astype(kinds)


def said(frame: pd.DataFrame, columns: str) -> list[list[Any]]:
    """Rows of these columns, moments as they were written, what is missing as None."""
    kept = frame[columns.split()].astype("object")
    return [[None if pd.isna(one) else _written(one) for one in row] for row in kept.to_numpy().tolist()]


def _written(one: Any) -> Any:
    return f"{one:%d %H:%M}" if isinstance(one, pd.Timestamp) else one


def episodes(*rows: Any, **more: Any) -> pd.DataFrame:
    """One row per (alertname, fired_at, minutes, judgement, tenant, instance)."""
    frame = table("alertname fired_at minutes judgement tenant instance", *rows, usual=("true", "acme", ""), job="")
    frame["seconds"] = frame.pop("minutes").astype("float64") * 60
    frame["resolved_at"] = frame["fired_at"] + pd.to_timedelta(frame["seconds"], unit="s")
    return frame.assign(**{"severity": "page", "cut_start": False, "cut_end": False, "incident": "", **more})


def spaced(*judgements: str, apart: str = "2h", alertname: str = "Breach") -> pd.DataFrame:
    """Episodes of one rule with these judgements, so far apart from each other, from 1 November on."""
    begun = pd.date_range("2026-11-01", periods=len(judgements), freq=apart, tz="UTC", unit="us")
    return episodes(*((alertname, time, 5, said) for time, said in zip(begun, judgements, strict=True)))


def incidents(*rows: Any) -> pd.DataFrame:
    """One row per (id, start, end, tenant, alerts)."""
    return table("id start end tenant alerts", *rows, usual=("10:20", "", ()), summary="")


def pendings(*rows: Any) -> pd.DataFrame:
    """One row per (alertname, pending_at, ended_at, tenant)."""
    return table("alertname pending_at ended_at tenant", *rows, usual=("",), instance="")


def labels(*rows: Any) -> pd.DataFrame:
    """One row per (fired_at, judgement), of the rule Breach and the tenant acme."""
    return table("fired_at judgement alertname tenant", *rows, usual=("Breach", "acme"), by="ada")


def complete(start: str = "09", end: str = "16") -> pd.DataFrame:
    """For which time the ledger is declared complete."""
    return table("start end", (start, end), by="ada")
