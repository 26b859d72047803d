"""Every frame of a study by name: what it says, of which frames and metrics it is made, and which are made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.frames import described, usual
from cloudxai_analysis.study.alerts import Alerts
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.cost import Cost
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, same, value
from cloudxai_analysis.study.readiness import Readiness
from cloudxai_analysis.study.telemetry import Telemetry

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

TOPICS: dict[str, type[Topic]] = {
    topic.__name__.lower(): topic for topic in (Telemetry, Cardinality, Cost, Alerts, Readiness)
}


@cache
def values() -> dict[str, value[Any]]:
    """All that the topics hold, frames and single values, as `topic.name`."""
    return {
        f"{topic}.{name}": one
        for topic, held in TOPICS.items()
        for name, one in vars(held).items()
        if isinstance(one, value) and not name.startswith("_")
    }


def place_of(function: Callable[..., Any]) -> str:
    """File, line and name of a function, as 'checks/cardinality.py:57 headroom'; just the name of a builtin one."""
    function = inspect.unwrap(getattr(function, "func", function))
    name, code = getattr(function, "__name__", "").replace("<lambda>", ""), getattr(function, "__code__", None)
    if code is None:
        return name
    return f"{Path(code.co_filename).relative_to(Path(__file__).parents[1])}:{code.co_firstlineno} {name}".strip()


@cache
def inputs_of(name: str) -> tuple[str, ...]:
    """What a frame is made of, at one remove: frames and values as `topic.name`, paths of the study, `role …`."""
    topic = name.partition(".")[0]
    return tuple(dict.fromkeys(_settled(topic, given) for given in values()[name].inputs))


def roots_of(name: str) -> set[str]:
    """All that a frame is made of at any remove."""
    found: set[str] = set()
    left = [name]
    while left:
        fresh = set(inputs_of(left.pop())) - found
        found |= fresh
        left += [one for one in fresh if one in values()]
    return found


def _settled(topic: str, given: str) -> str:
    if f"{topic}.{given}" in values():
        return f"{topic}.{given}"
    return next((name for name in values() if f"{given}.".startswith(f"{name}.")), given)


class Entry:
    """One frame of a study: what it `says`, and the function that makes it as `measure`."""

    def __init__(self, study: Study, name: str) -> None:
        self._study, self._value, self.name = study, values()[name], name
        self.says = self._value.__doc__ or ""
        self.measure = place_of(self._value.measure)

    @property
    def frame(self) -> pd.DataFrame:
        """The frame itself, made if it was not yet."""
        topic, _, attribute = self.name.partition(".")
        return getattr(getattr(self._study, topic), attribute)

    @property
    def columns(self) -> pd.DataFrame:
        """Column, type, unit and meaning, by the measure's docstring; none where that tells none."""
        of = values()[self.inputs[0]].measure if self._value.measure is same else self._value.measure
        try:
            return described(of)
        except ValueError:  # it adds to what it is given
            return usual([])

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is made of, at one remove."""
        return inputs_of(self.name)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it is made of, at any remove, as the contract names them."""
        roles = {root.removeprefix("role ") for root in roots_of(self.name) if root.startswith("role ")}
        contract = self._study.contract.metrics.items()
        return tuple(metric.name for role, metric in contract if {role, ANY_METRIC} & roles)

    def __repr__(self) -> str:
        return f"{self.name}: {self.says}\n\n{self.columns.to_string(index=False) if len(self.columns) else ''}".strip()


class Catalogue:
    """Every frame of a study: `frames.find("outage")`, `frames["readiness.outages"]`."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __iter__(self) -> Iterator[str]:
        return (name for name, one in values().items() if isinstance(one, frame))

    def __getitem__(self, name: str) -> Entry:
        if name in values():
            return Entry(self._study, name)
        found = [one for one in self if name == one.partition(".")[2]]
        if len(found) == 1:
            return Entry(self._study, found[0])
        if found:
            raise UsageError(f"There are several frames '{name}': {', '.join(found)}. Name one with its topic.")
        near = list(self.find(name.rpartition(".")[2].split("_")[0])["frame"])
        hint = f"Near are {', '.join(near)}." if near else "`study.frames` lists all."
        raise UsageError(f"There is no frame '{name}'. {hint}")

    def find(self, word: str = "") -> pd.DataFrame:
        """The frames whose name, sentence or columns hold a word; all of them without one.

        Columns: frame, says, columns (with their units).
        """
        rows = []
        for one in map(self.__getitem__, self):
            columns = zip(one.columns["column"], one.columns["unit"], strict=True)
            named = ", ".join(f"{column} [{unit}]" if unit else column for column, unit in columns)
            rows.append((one.name, one.says, named))
        kept = [row for row in rows if word.lower() in " ".join(row).lower()]
        return pd.DataFrame(kept, columns=["frame", "says", "columns"], dtype="str")

    def made_of(self, root: str) -> list[str]:
        """The frames and values that are made of something, at any remove: of a frame, `ledger`, `role cost`."""
        return [name for name in values() if root in roots_of(name)]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        return self.find().to_string(index=False)

    def _repr_html_(self) -> str:
        return self.find().to_html(index=False)
