"""Frames with stated columns and types, also when they are empty.

A measure says its columns once, in its docstring: `Columns: start, end (NaT where it goes on), minutes.` `columns.toml`
has the type of each name, its unit and its meaning, also of one measure alone, as `outages.minutes`; a word in brackets
takes its place. The frame is made from the same line, so that it cannot say anything else.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TIME = "datetime64[us, UTC]"
_TYPES = {
    **{"time": TIME, "text": "str", "number": "float64", "count": "int64"},
    **{"flag": "bool", "flag?": "boolean", "label": "category", "any": "object"},
}
# A name, what stands in brackets behind it (brackets within included), and what parts it from the next one.
_COLUMN = re.compile(r"(\w+)(?: \(((?:[^()]|\([^()]*\))*)\))?(, and |, | and |[.;]|$)")


def typed(rows: Any, schema: Mapping[str, str] | Callable[..., Any]) -> pd.DataFrame:
    """A frame of just the columns of `schema`, or those that a measure says it gives, each of its type.

    `rows` is whatever a frame can be made of.
    """
    types = columns_of(schema) if callable(schema) else schema
    frame = pd.DataFrame(rows, columns=list(types))
    for column, kind in types.items():
        if kind == TIME:
            # A column of missing times alone has no zone that astype could keep.
            frame[column] = pd.to_datetime(frame[column], utc=True)
        elif kind == "str":
            frame[column] = as_text(frame[column])
    return frame.astype(dict(types))


def types(names: str) -> dict[str, str]:
    """The type of each of some columns, by `columns.toml`."""
    return {name: _TYPES[_kind(name)] for name in names.split()}


@cache
def columns_of(measure: Callable[..., Any]) -> dict[str, str]:
    """The type of each column that a measure's docstring names."""
    return {name: _TYPES[_kind(name, of=measure.__name__)] for name, _ in _said(measure)}


def described(measure: Callable[..., Any]) -> pd.DataFrame:
    """The columns that a measure's docstring names: column, type, unit ('' for none), meaning."""
    return _described(_said(measure), of=getattr(measure, "__name__", ""))


def usual(names: Iterable[str]) -> pd.DataFrame:
    """What columns of these names hold wherever they stand, as `described` has it; '' where nothing tells."""
    return _described((name, "") for name in names)


def _described(said: Iterable[tuple[str, str]], *, of: str = "") -> pd.DataFrame:
    rows = []
    for name, note in said:
        own, usual = _dictionary().get(f"{of}.{name}", ""), _dictionary().get(name, "")
        told = own or usual
        unit = re.search(r"\[(.*?)\]", told)
        meaning = note or own.partition(": ")[2] or usual.partition(": ")[2]
        rows.append((name, _kind(name, of=of) if told else "", unit[1] if unit else "", meaning))
    return pd.DataFrame(rows, columns=["column", "type", "unit", "meaning"], dtype="str")


@cache
def _dictionary() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))


def _kind(name: str, *, of: str = "") -> str:
    told = _dictionary().get(f"{of}.{name}") or _dictionary()[name]
    return re.split(r"[ :]", told, maxsplit=1)[0]


def _said(measure: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Each column of a docstring with what stands in brackets behind it, up to the end of the sentence."""
    text = " ".join((inspect.getdoc(measure) or "").split()).partition("Columns: ")[2]
    while text:
        found = _COLUMN.match(text)
        if not found:
            part = re.split(r"[.,;]", text)[0]
            raise ValueError(f"The columns of {measure.__qualname__} are not told as 'name (what it is)': '{part}'.")
        yield found[1], found[2] or ""
        text = text[found.end() :] if found[3] not in ".;" else ""


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
    """`value` added up for each combination of the columns `keys`, sorted by them."""
    number, first = _numbered(frame, keys)
    total = np.bincount(number, weights=frame[value].to_numpy(dtype="float64"), minlength=len(first))
    return frame[list(keys)].iloc[first].reset_index(drop=True).assign(**{value: total})


def combinations(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """For each row the place of its combination of the columns `keys` of labels, and the combinations in order."""
    number, first = _numbered(frame, keys)
    return number, frame[list(keys)].iloc[first].reset_index(drop=True).apply(as_text)


def _numbered(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row the place of its combination of the keys in their order, and the first row of each combination.

    Labels are sorted as text once a combination and not once a row.
    """
    number, _ = pd.factorize(frame.groupby(list(keys), observed=True, sort=False).ngroup())
    first = np.flatnonzero(~pd.Series(number).duplicated())
    known = frame[list(keys)].iloc[first].reset_index(drop=True)
    labels = known.select_dtypes(["category"])
    order = known.assign(**{name: as_text(known[name]) for name in labels}).sort_values(list(keys)).index.to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[number], first[order]
