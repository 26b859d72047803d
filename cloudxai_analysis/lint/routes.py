"""Alertmanager's routing tree, inhibitions and silences, and which receivers an alert reaches by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudxai_analysis.lint.matchers import Matcher

Labels = Mapping[str, str]
GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = 30.0, 300.0, 14_400.0


class Named(NamedTuple):
    """A name that stands in a file, with its line."""

    name: str
    line: int


@dataclass(eq=False)
class Route:
    """One node of the routing tree, with the settings that hold for it, inherited or its own.

    `group_by` is None where alerts are not grouped at all (`...`); `own` gives the lines of the settings that the route
    itself makes; `unread` is whether one of its matchers could not be read. Time intervals are never inherited.
    """

    line: int
    receiver: Named
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[Named, ...] | None = ()
    goes_on: bool = False
    group_wait: float = GROUP_WAIT
    group_interval: float = GROUP_INTERVAL
    repeat_interval: float = REPEAT_INTERVAL
    mute: tuple[Named, ...] = ()
    active: tuple[Named, ...] = ()
    own: dict[str, int] = field(default_factory=dict)
    unread: bool = False
    parent: Route | None = None
    routes: list[Route] = field(default_factory=list)

    def __str__(self) -> str:
        said = ", ".join(map(str, self.matchers)) or ("the default route" if self.parent is None else "no matcher")
        return f"route to '{self.receiver.name}' ({said})"

    def accepts(self, labels: Labels) -> bool:
        """Whether its own matchers match."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def walk(self) -> Iterator[Route]:
        """This route and all inside it, in the order in which they are asked."""
        waiting = [self]
        while waiting:
            route = waiting.pop()
            yield route
            waiting.extend(reversed(route.routes))

    def ancestry(self) -> list[Route]:
        """The routes from the root down to this one."""
        path, route = [], self
        while route is not None:
            path.append(route)
            route = route.parent  # type: ignore[assignment]
        return path[::-1]

    def path_matchers(self) -> list[Matcher]:
        """What an alert must be matched by to come here: its own matchers and those of all routes above."""
        return [matcher for route in self.ancestry() for matcher in route.matchers]


@dataclass(frozen=True)
class Receiver:
    """Whom notifications go to; `integrations` are the kinds of it ('webhook', 'email', …), one for each entry."""

    name: str
    line: int
    integrations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inhibition:
    """While an alert matches `source`, those that match `target` and have the same values of `equal` are not sent."""

    line: int
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[Named, ...] = ()

    def source_accepts(self, labels: Labels) -> bool:
        """Whether an alert of these labels can inhibit others."""
        return all(matcher.matches(labels) for matcher in self.source)

    def target_accepts(self, labels: Labels) -> bool:
        """Whether an alert of these labels can be inhibited."""
        return all(matcher.matches(labels) for matcher in self.target)


@dataclass(frozen=True)
class Silence:
    """Alerts that somebody wants to hear nothing of."""

    name: str
    line: int
    matchers: tuple[Matcher, ...]
    state: str = ""


@dataclass(eq=False)
class Routing:
    """One Alertmanager's configuration, or a list of silences, which has no `root`.

    `part` says that it is a tenant's or namespace's piece of a larger tree, whose default route stands elsewhere;
    `intervals` are the time intervals that are defined.
    """

    file: str
    root: Route | None = None
    receivers: list[Receiver] = field(default_factory=list)
    inhibitions: list[Inhibition] = field(default_factory=list)
    intervals: list[Named] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    part: bool = False

    def routes(self) -> list[Route]:
        """Every route, in the order in which they are asked."""
        return list(self.root.walk()) if self.root else []

    def receiver(self, name: str) -> Receiver | None:
        """The receiver of that name."""
        return next((receiver for receiver in self.receivers if receiver.name == name), None)


class RoutedTo(NamedTuple):
    """Where an alert ends: a receiver, by a route, grouped by these labels (None: each alert alone)."""

    receiver: str
    route: Route
    group_by: tuple[str, ...] | None


def routes_of(root: Route, labels: Labels) -> list[Route]:
    """The routes at which an alert ends: the deepest that match, the first of neighbours and those after a `continue`.

    Source: Alertmanager's docs, 'Route-related settings'.
    """
    if not root.accepts(labels):
        return []
    found: list[Route] = []
    for route in root.routes:
        below = routes_of(route, labels)
        found += below
        if below and not route.goes_on:
            break
    return found or [root]


def receivers_of(routing: Routing, labels: Labels) -> list[RoutedTo]:
    """Whom an alert of these labels is sent to, before inhibitions, silences and time intervals."""
    if routing.root is None:
        return []
    return [
        RoutedTo(
            route.receiver.name,
            route,
            None if route.group_by is None else tuple(label.name for label in route.group_by),
        )
        for route in routes_of(routing.root, labels)
    ]


def inhibited(routing: Routing, labels: Labels, firing: Iterable[Labels]) -> bool:
    """Whether one of the alerts that are `firing` keeps an alert of these labels from being sent.

    A label that both lack is equal. An alert that matches both sides of an inhibition is not inhibited by another that
    does so, and so never by itself. An alert that is inhibited inhibits others all the same. Source: Alertmanager's
    docs, 'Inhibition-related settings'.
    """
    alerts = list(firing)
    return any(_inhibits(inhibition, labels, alerts) for inhibition in routing.inhibitions)


def _inhibits(inhibition: Inhibition, labels: Labels, firing: Sequence[Labels]) -> bool:
    if not inhibition.target_accepts(labels):
        return False
    both = inhibition.source_accepts(labels)
    return any(
        inhibition.source_accepts(other)
        and all(other.get(label.name, "") == labels.get(label.name, "") for label in inhibition.equal)
        and not (both and inhibition.target_accepts(other))
        for other in firing
    )
