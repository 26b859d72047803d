"""A frame's cells as text, the same in a notebook and on the page."""

from __future__ import annotations

from typing import Any

import pandas as pd

LABELS = {
    "seen_at": "first sample (UTC)",
    "started_at": "started (UTC)",
    "fired_at": "fired (UTC)",
    "pending_at": "pending (UTC)",
    "resolved_at": "resolved (UTC)",
    "alertname": "rule",
    "trials": "alert groups",
    "trials_if": "alert groups if",
}


def table_cells(frame: pd.DataFrame) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Columns (name, label, whether numeric) and rows of text of a frame."""
    columns = [
        {
            "name": str(name),
            "label": _label(str(name), frame[name]),
            "numeric": pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]),
        }
        for name in frame.columns
    ]
    texts = [_texts(frame[name]) for name in frame.columns]
    return columns, [list(row) for row in zip(*texts, strict=True)]


def text_table(frame: pd.DataFrame, rows: int = 10) -> str:
    """The first rows of a frame as aligned text."""
    columns, cells = table_cells(frame.head(rows))
    shown = pd.DataFrame(cells, columns=[column["label"] for column in columns])
    more = f"\n… {len(frame) - rows} more rows" if len(frame) > rows else ""
    return shown.to_string(index=False, max_colwidth=40) + more


def _label(name: str, column: pd.Series) -> str:
    if name in LABELS:
        return LABELS[name]
    zone = " (UTC)" if pd.api.types.is_datetime64_any_dtype(column) else ""
    return name.replace("_", " ") + zone


def _texts(column: pd.Series) -> list[str]:
    if pd.api.types.is_datetime64_any_dtype(column):
        known = column.dropna()
        whole_days = bool((known == known.dt.floor("D")).all())
        return column.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M").fillna("–").tolist()
    return [_text(value) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
