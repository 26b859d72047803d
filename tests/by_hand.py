"""Frames of one job written down in a test, moments as '09 03:20' of November 2026."""

from __future__ import annotations

from typing import Any

import pandas as pd

TIME = "datetime64[us, UTC]"
MOMENTS = {"first_ts", "last_ts", "hour", "day", "time", "start", "end", "started_at", "seen_at", "last_seen"} | {
    *("first_seen", "until", "before", "last_refusal")
}
LABELS = {"job", "instance", "tenant", "le"}


def at(text: Any) -> pd.Timestamp:
    """'09 03:20' of November 2026, or any other moment as it is written; NaT for ''."""
    if not isinstance(text, str) or not text:
        return pd.NaT if text == "" else text
    return pd.Timestamp(text if text.count("-") > 1 else f"2026-11-{text}", tz="UTC").as_unit("us")


def table(columns: str, *rows: Any, text: bool = True, **more: Any) -> pd.DataFrame:
    """One row per tuple; labels are text, or categories as the lake has them."""
    frame = pd.DataFrame(list(rows), columns=columns.split()).assign(**{"job": "cloudxai", **more})
    for name in MOMENTS & set(frame):
        frame[name] = pd.to_datetime(pd.Series([at(one) for one in frame[name]], dtype="object"), utc=True).astype(TIME)
    return frame.astype(dict.fromkeys(LABELS & set(frame), "str" if text else "category"))


def said(frame: pd.DataFrame, columns: str) -> list[list[Any]]:
    """Rows of these columns, moments as they were written, what is missing as None."""
    kept = frame[columns.split()].astype("object")
    return [[None if pd.isna(one) else _written(one) for one in row] for row in kept.to_numpy().tolist()]


def _written(one: Any) -> Any:
    return f"{one:%d %H:%M}" if isinstance(one, pd.Timestamp) else one
