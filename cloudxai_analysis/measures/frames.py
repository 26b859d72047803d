"""Frames with stated columns and types, also when they are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TIME = "datetime64[us, UTC]"


def typed(rows: Any, types: Mapping[str, str]) -> pd.DataFrame:
    """A frame of just the columns `types`, each of its type; `rows` is whatever a frame can be made of."""
    frame = pd.DataFrame(rows, columns=list(types))
    for column, kind in types.items():
        if kind == TIME:
            # A column of missing times alone has no zone that astype could keep.
            frame[column] = pd.to_datetime(frame[column], utc=True)
        elif kind == "str":
            frame[column] = as_text(frame[column])
    return frame.astype(dict(types))


def as_text(column: pd.Series) -> pd.Series:
    """A column of labels as text; of a categorical one each category is turned into text only once."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("str")
    categories = pd.Series(column.cat.categories).astype("str").array
    return pd.Series(categories.take(column.cat.codes.to_numpy()), index=column.index, name=column.name)


def mapped(column: pd.Series, values: Mapping[str, Any], default: Any) -> pd.Series:
    """What `values` has for each label of a column, `default` for the others; each category is looked up once."""
    label = column.astype("category")
    found = pd.Series([values.get(str(category), default) for category in label.cat.categories], dtype="object")
    looked_up = found.infer_objects().array.take(label.cat.codes.to_numpy())
    return pd.Series(looked_up, index=column.index)


def summed(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """`value` added up for each combination of the columns `keys`, sorted by them.

    What groupby does, by one integer a row instead of several columns: a fifth of its time over many rows.
    """
    number = np.zeros(len(frame), dtype=np.int64)
    for key in keys:
        codes, many = _ordered_codes(frame[key])
        number = number * many + codes
    group, known = pd.factorize(number)
    total = np.bincount(group, weights=frame[value].to_numpy(dtype="float64"), minlength=len(known))
    first = np.flatnonzero(~pd.Series(number).duplicated().to_numpy())
    order = np.argsort(known, kind="stable")
    found = frame[list(keys)].iloc[first[order]].reset_index(drop=True)
    return found.assign(**{value: total[order]})


def _ordered_codes(column: pd.Series) -> tuple[NDArray[np.int64], int]:
    """A number for each value, in the values' order, and one more than the largest of them."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        text = pd.Series(column.cat.categories).astype("str")
        rank = text.rank(method="dense").to_numpy(dtype=np.int64) - 1
        return rank[column.cat.codes.to_numpy()], int(rank.max(initial=0)) + 1
    codes, known = pd.factorize(column, sort=True)
    return codes.astype(np.int64), len(known) + 1
