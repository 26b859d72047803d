"""Frames with stated columns and types, also when they are empty.

A measure says its columns once, in its docstring: `Columns: start, end (NaT where it goes on),
minutes.` `columns.toml` has the type of each name, its unit and its meaning, also of one measure
alone, as `outages.minutes`; a word in brackets takes its place. The frame is made from the same
line, so that it cannot say anything else.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TIME = "datetime64[us, UTC]"
TARGET = ["job", "instance"]
_TYPES = {
    **{"time": TIME, "text": "str", "number": "float64", "count": "int64"},
    **{"flag": "bool", "flag?": "boolean", "label": "category", "any": "object"},
}
_DICTIONARY: dict[str, str] = tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))
# A name, what stands in brackets behind it (brackets within included), and what parts it from the next one.
_COLUMN = re.compile(r"(\w+)(?: \(((?:[^()]|\([^()]*\))*)\))?(, and |, | and |[.;]|$)")


def typed(rows: Any, schema: Mapping[str, str] | Callable[..., Any], by: str = "") -> pd.DataFrame:
    """A frame of just the columns of `schema`, or those that a measure says it gives, each of its type.

    `rows` is whatever a frame can be made of, or a list of frames; `by` names what it is sorted by,
    with a minus before what falls.
    """
    if isinstance(rows, list) and any(isinstance(part, pd.DataFrame) for part in rows):
        rows = pd.concat(rows, ignore_index=True)
    types = columns_of(schema) if callable(schema) else schema
    frame = pd.DataFrame(rows, columns=list(types))
    for column, kind in types.items():
        if kind == TIME:
            # A column of missing times alone has no zone that astype could keep.
            frame[column] = pd.to_datetime(frame[column], utc=True)
        elif kind == "str":
            frame[column] = as_text(frame[column])
    return ordered(frame.astype(dict(types)), by) if by else frame.astype(dict(types))


def ordered(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """A frame sorted by some columns, those with a minus before their name from the largest on, and numbered anew."""
    names = by.split()
    up = [not name.startswith("-") for name in names]
    return frame.sort_values([name.lstrip("-") for name in names], ascending=up, ignore_index=True)


def types(names: str) -> dict[str, str]:
    """The type of each of some columns, by `columns.toml`."""
    return {name: _TYPES[_kind(name)] for name in names.split()}


@cache
def columns_of(measure: Callable[..., Any]) -> dict[str, str]:
    """The type of each column that a measure's docstring names."""
    return {name: _TYPES[_kind(name, measure.__name__)] for name, _ in _said(measure)}


def described(measure: Callable[..., Any]) -> pd.DataFrame:
    """The columns that a measure's docstring names: column, type, unit ('' for none), meaning."""
    return usual(_said(measure), of=getattr(measure, "__name__", ""))


def usual(said: Iterable[tuple[str, str]], *, of: str = "") -> pd.DataFrame:
    """What columns hold, each with its note or '', wherever they stand or in the frame `of` a measure."""
    rows = []
    for name, note in said:
        own, usually = _DICTIONARY.get(f"{of}.{name}", ""), _DICTIONARY.get(name, "")
        unit = re.search(r"\[(.*?)\]", own or usually)
        meaning = note or own.partition(": ")[2] or usually.partition(": ")[2]
        rows.append((name, _kind(name, of) if own or usually else "", unit[1] if unit else "", meaning))
    return pd.DataFrame(rows, columns=["column", "type", "unit", "meaning"], dtype="str")


def _kind(name: str, of: str = "") -> str:
    told = _DICTIONARY.get(f"{of}.{name}") or _DICTIONARY[name]
    return re.split(r"[ :]", told, maxsplit=1)[0]


def _said(measure: Callable[..., Any]) -> list[tuple[str, str]]:
    """Each column of a docstring with what stands in brackets behind it, up to the end of the sentence."""
    text = " ".join((inspect.getdoc(measure) or "").split()).partition("Columns: ")[2]
    said = []
    while text:
        found = _COLUMN.match(text)
        if not found:
            part = re.split(r"[.,;]", text)[0]
            raise ValueError(f"The columns of {measure.__qualname__} are not told as 'name (what it is)': '{part}'.")
        said.append((found[1], found[2] or ""))
        text = text[found.end() :] if found[3] not in ".;" else ""
    return said


def as_text(column: pd.Series) -> pd.Series:
    """A column of labels as text; of a categorical one each category is turned into text only once."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("str")
    categories = pd.Series(column.cat.categories).astype("str").array
    return pd.Series(categories.take(column.cat.codes.to_numpy()), index=column.index, name=column.name)


def with_text(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A frame whose labels in these columns are text."""
    return frame.assign(**{name: as_text(frame[name]) for name in columns})


def sure(covered: pd.DataFrame, by: str = "day") -> pd.Series:
    """The days, or hours, that are covered, of a frame as `telemetry.covered_periods` gives it."""
    return covered.loc[covered["covered"].astype(bool), by]


def micros(times: pd.Series) -> NDArray[np.int64]:
    """Times in microseconds since the epoch."""
    return times.to_numpy("datetime64[us]").astype(np.int64)


def mapped(column: pd.Series, values: Mapping[str, Any], default: Any) -> pd.Series:
    """What `values` has for each label of a column, `default` for the others."""
    text = as_text(column)
    return text.map({label: values.get(label, default) for label in text.unique()})


def summed(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """`value` added up for each combination of the columns `keys`, sorted by them."""
    number, known = combinations(frame, keys)
    total = np.bincount(number, weights=frame[value].to_numpy(dtype="float64"), minlength=len(known))
    return known.assign(**{value: total})


def combinations(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """For each row the place of its combination of the columns `keys`, and the combinations in order, labels as text.

    Labels are sorted as text once a combination and not once a row.
    """
    number, _ = pd.factorize(frame.groupby(list(keys), observed=True, sort=False).ngroup())
    first = ~pd.Series(number).duplicated().to_numpy()
    known = frame.loc[first, list(keys)].reset_index(drop=True)
    known = with_text(known, known.select_dtypes(["category"])).sort_values(list(keys))
    place = np.empty(len(known), dtype=np.int64)
    place[known.index.to_numpy()] = np.arange(len(known))
    return place[number], known.reset_index(drop=True)
