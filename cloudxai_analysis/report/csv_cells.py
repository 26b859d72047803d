"""Tables as CSV that a spreadsheet reads as data, never as formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(frame: pd.DataFrame, file: Path) -> None:
    """Write `frame` in UTF-8, times in ISO 8601; text that a spreadsheet would run gets an apostrophe in front.

    The rule is OWASP's on CSV injection; numbers stay numbers, negative ones included.
    """
    safe = pd.DataFrame({name: _safe(frame[name]) for name in frame.columns}, columns=frame.columns)
    safe.columns = [neutral(str(name)) for name in frame.columns]
    safe.to_csv(file, index=False, encoding="utf-8", lineterminator="\n")


def neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS) else value


def _safe(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.map(lambda time: None if pd.isna(time) else time.isoformat(), na_action=None).astype("object")
    if pd.api.types.is_numeric_dtype(column):
        return column
    joined = column.map(lambda value: ", ".join(map(str, value)) if isinstance(value, tuple | list) else value)
    return joined.astype("object").map(neutral)
