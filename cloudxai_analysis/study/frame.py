"""A frame of a study: what a measure makes of other frames, said in one line, made at its first use, and listed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.measures.frames import described

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

ANY_METRIC = "*"


class Topic:
    """The frames of one topic of a study."""

    def __init__(self, study: Study) -> None:
        self.study = study


# By name; `study.py` puts those of a study in.
TOPICS: dict[str, type[Topic]] = {}


class value:  # noqa: N801 -- read like a function where a topic lists what it has
    """What `measure` makes of what is given by name: once, at its first use.

    A name is that of a frame of the same topic, else a path from the study, such as `telemetry.up`,
    `seen` or `bounds.availability`; another `frame` or `value` is made in place, and anything else
    is handed on as it is. With `within` only the rows whose column of this name lies in the window
    `over` are kept. `roles` are the metrics that the measure itself reads, by their roles in the
    contract.
    """

    def __init__(
        self,
        measure: Callable[..., Any],
        *given: Any,
        within: str = "",
        over: str = "seen",
        says: str = "",
        roles: tuple[str, ...] = (),
        **named: Any,
    ) -> None:
        self.measure, self.given, self.named = measure, given, named
        self.within, self.over, self.roles = within, over, roles
        self.__doc__ = says or (measure.__doc__ or "").partition("\n")[0]
        self.name = ""

    def __set_name__(self, owner: type[Topic], name: str) -> None:
        self.name = name

    def __get__(self, topic: Topic | None, owner: type[Topic]) -> Any:
        if topic is None:
            return self
        try:
            return topic.__dict__.setdefault(self.name, self.made(topic))
        except Exception as error:
            error.add_note(f"while making {owner.__name__.lower()}.{self.name} of {', '.join(self.inputs)}")
            raise

    def made(self, topic: Topic) -> Any:
        """It, made anew for a topic of a study."""
        given = [_found(topic, one) for one in self.given]
        named = {key: _found(topic, one) for key, one in self.named.items()}
        found: Any = self.measure(*given, **named)
        return topic.study.within(found, self.within, _found(topic, self.over)) if self.within else found

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is made of: names as they were given, and `role …` of each metric that is read."""
        found: list[str] = []
        for one in (*self.given, *self.named.values(), *([self.over] if self.within else [])):
            if isinstance(one, value):
                found += one.inputs
            elif isinstance(one, str) and one != "study":
                found.append(one)
        return tuple(dict.fromkeys([*found, *(f"role {role}" for role in self.roles)]))


class frame(value):  # noqa: N801 -- as above
    """A `value` that is a table, and so listed in `study.frames`."""


def just(given: str) -> value:
    """A text that is handed on as it is, and no name."""
    return value(lambda: given)


def read(what: str, role: str, window: str = "history", *, says: str = "", **how: Any) -> frame:
    """The `samples` or hourly rollups, `hours`, of the metric that plays a role, over a window of the study."""
    made = lambda study, over: getattr(study, what)(role, over, **how)  # noqa: E731
    return frame(made, "study", window, says=says, roles=(role,))


samples, hours = partial(read, "samples"), partial(read, "hours")


def part(name: str, within: str, over: str = "seen", *, says: str) -> frame:
    """The rows of another frame that lie in a window of the study."""
    return frame(same, name, within=within, over=over, says=says)


def same(found: Any) -> Any:
    """What it is given."""
    return found


def _found(topic: Topic, given: Any) -> Any:
    if isinstance(given, value):
        return given.made(topic)
    if not isinstance(given, str):
        return given
    return getattr(topic, given) if hasattr(type(topic), given) or given == "study" else attrgetter(given)(topic.study)


@cache
def values() -> dict[str, value]:
    """All that the topics hold, frames and single values, as `topic.name`."""
    return {
        f"{topic}.{name}": one
        for topic, held in TOPICS.items()
        for name, one in vars(held).items()
        if isinstance(one, value) and not name.startswith("_")
    }


@cache
def inputs_of(name: str) -> tuple[str, ...]:
    """What a frame is made of, at one remove: frames and values as `topic.name`, paths of the study, `role …`."""

    def settled(given: str) -> str:
        own = f"{name.partition('.')[0]}.{given}"
        if own in values():
            return own
        return next((known for known in values() if f"{given}.".startswith(f"{known}.")), given)

    return tuple(dict.fromkeys(map(settled, values()[name].inputs)))


def roots_of(name: str) -> set[str]:
    """All that a frame is made of at any remove."""
    own = inputs_of(name)
    return set(own).union(*(roots_of(one) for one in own if one in values()))


def place_of(function: Callable[..., Any]) -> str:
    """File, line and name of a function, as 'checks/cardinality.py:57 headroom'; just the name where it is not ours."""
    function = inspect.unwrap(getattr(function, "func", function))
    name, code = getattr(function, "__name__", "").replace("<lambda>", ""), getattr(function, "__code__", None)
    package = Path(__file__).parents[1]
    if code is None or not Path(code.co_filename).is_relative_to(package):
        return name
    return f"{Path(code.co_filename).relative_to(package)}:{code.co_firstlineno} {name}".strip()


def listed(word: str = "") -> pd.DataFrame:
    """Every frame, or those whose name, sentence or columns hold a word.

    Columns: frame, says, columns (with their units), inputs (what it is made of), measure (the
    function that makes it).
    """
    rows = []
    for name, one in values().items():
        if isinstance(one, frame):
            columns = ", ".join(_columns(name))
            inputs = ", ".join(inputs_of(name))
            # Without the line, which moves with every change of the file, and with it a notebook's output.
            made_by = re.sub(r":[0-9]+ ", " ", place_of(one.measure))
            rows.append((name, one.__doc__ or "", columns, inputs, made_by))
    kept = [row for row in rows if word.lower() in " ".join(row[:3]).lower()]
    return pd.DataFrame(kept, columns=["frame", "says", "columns", "inputs", "measure"], dtype="str")


def _columns(name: str) -> Iterator[str]:
    """The columns that the measure's docstring tells, each with its unit."""
    measure = values()[name].measure
    try:
        told = described(values()[inputs_of(name)[0]].measure if measure is same else measure)
    except ValueError:  # it adds to what it is given
        return
    for row in told.itertuples():
        yield f"{row.column} [{row.unit}]" if row.unit else str(row.column)
