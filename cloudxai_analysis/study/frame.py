"""A frame of a study: what a measure makes of other frames, said in one line and made at its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

Made = TypeVar("Made")
ANY_METRIC = "*"


class Topic:
    """The frames of one topic of a study."""

    def __init__(self, study: Study) -> None:
        self.study = study


class value(Generic[Made]):  # noqa: N801 -- read like a function where a topic lists what it has
    """What `measure` makes of what is given by name: once, at its first use.

    A name is that of a frame of the same topic, else a path from the study, such as `telemetry.up`, `seen` or
    `bounds.availability`; another `frame` or `value` is made in place, and anything else is handed on as it is. With
    `within` only the rows whose column of this name lies in the window `over` are kept. `roles` are the metrics that
    the measure itself reads, by their roles in the contract.
    """

    def __init__(
        self,
        measure: Callable[..., Made],
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

    @overload
    def __get__(self, topic: None, owner: type[Topic]) -> value[Made]: ...

    @overload
    def __get__(self, topic: Topic, owner: type[Topic]) -> Made: ...

    def __get__(self, topic: Topic | None, owner: type[Topic]) -> value[Made] | Made:
        if topic is None:
            return self
        try:
            return topic.__dict__.setdefault(self.name, self.made(topic))
        except Exception as error:
            error.add_note(f"while making {owner.__name__.lower()}.{self.name} of {', '.join(self.inputs)}")
            raise

    def made(self, topic: Topic) -> Made:
        """It, made anew for a topic of a study."""
        given = [_found(topic, one) for one in self.given]
        named = {key: _found(topic, one) for key, one in self.named.items()}
        found: Any = self.measure(*given, **named)
        return topic.study.within(found, self.within, _found(topic, self.over)) if self.within else found

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is made of: names as they were given, and `role …` of each metric that is read."""
        return tuple(dict.fromkeys(self._inputs()))

    def _inputs(self) -> Iterator[str]:
        for one in (*self.given, *self.named.values(), *([self.over] if self.within else [])):
            if isinstance(one, value):
                yield from one.inputs
            elif isinstance(one, str) and one != "study":
                yield one
        yield from (f"role {role}" for role in self.roles)


class frame(value[Made]):  # noqa: N801 -- as above
    """A `value` that is a table, and so listed in `study.frames`."""


def just(given: Made) -> value[Made]:
    """A text that is handed on as it is, and no name."""
    return value(lambda: given)


def samples(role: str, window: str = "history", *, says: str = "", **how: Any) -> frame[Any]:
    """Raw samples of the metric that plays a role, over a window of the study."""
    return frame(partial(_read, "samples", role, **how), "study", window, says=says, roles=(role,))


def hours(role: str, window: str = "history", *, says: str = "", **how: Any) -> frame[Any]:
    """Hourly rollups of the metric that plays a role, over a window of the study."""
    return frame(partial(_read, "hours", role, **how), "study", window, says=says, roles=(role,))


def part(name: str, within: str, over: str = "seen", *, says: str) -> frame[Any]:
    """The rows of another frame that lie in a window of the study."""
    return frame(same, name, within=within, over=over, says=says)


def same(found: Any) -> Any:
    """What it is given."""
    return found


def _read(kind: str, role: str, study: Study, window: Any, **how: Any) -> Any:
    return getattr(study, kind)(role, window, **how)


def _found(topic: Topic, given: Any) -> Any:
    if isinstance(given, value):
        return given.made(topic)
    if not isinstance(given, str):
        return given
    return getattr(topic, given) if hasattr(type(topic), given) or given == "study" else attrgetter(given)(topic.study)
