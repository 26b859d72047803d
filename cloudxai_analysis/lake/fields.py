"""The names and units of a rollup's fields, and the ids of series: what writing and reading agree on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import LakeDamaged

INTEGERS = ("samples", "first_ts", "last_ts", "resets", "changes", "nan_samples", "stale_markers")
EDGES = ("first_point_ts", "last_point_ts", "last_point_is_value")
FLOATS = ("first", "last", "min", "max", "sum", "integral", "increase")
FIELDS = (*INTEGERS, *EDGES, *FLOATS)
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
HOLD_MS = 300_000


def series_ids(labels: Sequence[str]) -> NDArray[np.int64]:
    """Stable 64-bit ids of canonical label sets: the first eight bytes of their SHA-256, signed.

    Raises
    ------
    LakeDamaged
        Two label sets share an id; both are named.
    """
    ids = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True) for text in labels]
    seen: dict[int, str] = {}
    for number, text in zip(ids, labels, strict=True):
        if seen.setdefault(number, text) != text:
            raise LakeDamaged(f"Series {seen[number]} and {text} share the id {number}. Report this pair of labels.")
    return np.array(ids, dtype=np.int64)
