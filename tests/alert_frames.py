"""Frames of alerts and of the ledger, each row written down in a test; clocks are of Wed 11 Nov 2026, UTC."""

from __future__ import annotations

from typing import Any

import pandas as pd

TIME = "datetime64[us, UTC]"
TIMES = {"fired_at", "resolved_at", "pending_at", "ended_at", "start", "end", "acknowledged_at", "time"}


def at(clock: Any) -> Any:
    """'10:00', '2026-11-10 10:00', or None where it is not known."""
    if not isinstance(clock, str):
        return pd.NaT if pd.isna(clock) else clock
    return pd.Timestamp(clock if "-" in clock else f"2026-11-11 {clock}", tz="UTC")


def times(clocks: Any) -> pd.Series:
    """These moments as a column."""
    return pd.Series(pd.to_datetime([at(clock) for clock in clocks], utc=True)).astype(TIME)


def table(columns: str, usual: tuple[Any, ...], rows: Any, **more: Any) -> pd.DataFrame:
    """Rows of these columns, the last of them as usual where a row is shorter."""
    names = columns.split()
    frame = pd.DataFrame(
        [(*row, *usual[len(row) - len(names) :][: len(names) - len(row)]) for row in rows], columns=names
    )
    frame = frame.assign(**{name: times(frame[name]) for name in TIMES & set(names)})
    return frame.astype(
        dict.fromkeys({"id", "alertname", "tenant", "instance", "judgement"} & set(names), "str")
    ).assign(**more)


def episodes(*rows: Any, **more: Any) -> pd.DataFrame:
    """One row per (alertname, fired_at, minutes, judgement, tenant, instance)."""
    frame = table("alertname fired_at minutes judgement tenant instance", ("true", "acme", ""), rows)
    frame["seconds"] = frame["minutes"].astype("float64") * 60
    frame["resolved_at"] = frame["fired_at"] + pd.to_timedelta(frame["seconds"], unit="s")
    return frame.assign(**{"severity": "page", "cut_start": False, "cut_end": False, "incident": "", **more})


def spaced(*judgements: str, apart: str = "2h", alertname: str = "Breach") -> pd.DataFrame:
    """Episodes of one rule with these judgements, so far apart from each other, from 1 November on."""
    begun = pd.date_range("2026-11-01", periods=len(judgements), freq=apart, tz="UTC", unit="us")
    return episodes(*((alertname, time, 5, said) for time, said in zip(begun, judgements, strict=True)))


def incidents(*rows: Any) -> pd.DataFrame:
    """One row per (id, start, end, tenant, alerts)."""
    return table("id start end tenant alerts", ("10:20", "", ()), rows, summary="")


def pendings(*rows: Any) -> pd.DataFrame:
    """One row per (alertname, pending_at, ended_at, tenant)."""
    return table("alertname pending_at ended_at tenant", ("",), rows, instance="")


def labels(*rows: Any) -> pd.DataFrame:
    """One row per (fired_at, judgement), of the rule Breach and the tenant acme."""
    return table("fired_at judgement alertname tenant", ("Breach", "acme"), rows, by="ada")


def complete(start: str = "2026-11-09", end: str = "2026-11-16") -> pd.DataFrame:
    """For which time the ledger is declared complete."""
    return table("start end", (), [(start, end)], by="ada")
