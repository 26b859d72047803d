"""Frames with stated columns and types, also when they are empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

TIME = "datetime64[us, UTC]"


def typed(rows: Any, types: Mapping[str, str]) -> pd.DataFrame:
    """A frame of just the columns `types`, each of its type; `rows` is whatever a frame can be made of."""
    frame = pd.DataFrame(rows, columns=list(types))
    for column, kind in types.items():
        if kind == TIME:
            # A column of missing times alone has no zone that astype could keep.
            frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame.astype(dict(types))
