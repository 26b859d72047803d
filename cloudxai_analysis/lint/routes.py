"""Alertmanager's routing tree, inhibitions and silences, as they stand in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudxai_analysis.lint.matchers import Matcher, MatcherUnreadable, Operator, read_matchers, unusable
from cloudxai_analysis.lint.nodes import Node

_YES = ("true", "yes", "on", "y")  # as YAML 1.1 has it, which Alertmanager reads
_CAMEL = re.compile(r"[A-Z]")
_OPERATORS: dict[tuple[bool, bool], Operator] = {
    (False, True): "=",
    (False, False): "!=",
    (True, True): "=~",
    (True, False): "!~",
}
_DEEPEST = 50
_ROUTE = frozenset({"receiver", "routes", "group_by", "match", "match_re", "matchers"})


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
    mute: tuple[Named, ...] = ()
    active: tuple[Named, ...] = ()
    own: dict[str, int] = field(default_factory=dict)
    unread: bool = False
    parent: Route | None = None
    routes: list[Route] = field(default_factory=list)

    def __str__(self) -> str:
        said = ", ".join(map(str, self.matchers)) or ("the default route" if self.parent is None else "no matcher")
        return f"route to '{self.receiver.name}' ({said})"

    def walk(self) -> Iterator[Route]:
        """This route and all inside it, in the order in which they are asked."""
        waiting = [self]
        while waiting:
            route = waiting.pop()
            yield route
            waiting.extend(reversed(route.routes))

    def ancestry(self) -> list[Route]:
        """The routes from the root down to this one."""
        path: list[Route] = []
        route: Route | None = self
        while route is not None:
            path.append(route)
            route = route.parent
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

    def __str__(self) -> str:
        source, target = (", ".join(map(str, side)) or "any alert" for side in (self.source, self.target))
        return f"inhibition of {target} by {source}"


@dataclass(frozen=True)
class Silence:
    """Alerts that somebody wants to hear nothing of."""

    name: str
    line: int
    matchers: tuple[Matcher, ...]


@dataclass(eq=False)
class Routing:
    """One Alertmanager's configuration, or a list of silences, which has no `root`.

    `part` says that it is a tenant's or namespace's piece of a larger tree, whose default route stands elsewhere;
    `tree` is the configuration as it stands in the file.
    """

    file: str
    tree: Node
    root: Route | None = None
    receivers: list[Receiver] = field(default_factory=list)
    inhibitions: list[Inhibition] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    part: bool = False

    def routes(self) -> list[Route]:
        """Every route, in the order in which they are asked."""
        return list(self.root.walk()) if self.root else []

    def receiver(self, name: str) -> Receiver | None:
        """The receiver of that name."""
        return next((receiver for receiver in self.receivers if receiver.name == name), None)


def load_routing(tree: Node, file: str) -> Routing | None:
    """The routing that a document is, whatever its form; None of every other document."""
    entries = tree.items()
    if entries and all(entry.has("matchers") and entry.has("startsAt") for entry in entries):
        expired = [entry for entry in entries if entry.get("status", "state").text() == "expired"]
        silences = [_silence(entry) for entry in entries if entry not in expired]
        return Routing(file, tree, silences=silences, part=True)
    found = configuration(tree)
    if found is None:
        return None
    top = _under(found, "route")
    return Routing(
        file,
        found,
        root=_route(top, None, 0) if isinstance(top.value, dict) else None,
        receivers=[_receiver(node) for node in found.get("receivers").items()],
        inhibitions=[_inhibition(node) for node in _under(found, "inhibit_rules").items()],
        part=tree.get("kind").text().endswith("AlertmanagerConfig"),
    )


def configuration(tree: Node) -> Node | None:
    """Where a document holds what Alertmanager is configured by; in Helm's values it is alertmanager.config."""
    if tree.get("kind").text().endswith("AlertmanagerConfig"):
        return tree.get("spec")
    for place in (tree, tree.get("alertmanager", "config"), tree.get("config")):
        route, receivers = place.get("route"), place.get("receivers").items()
        integrates = any(key.endswith("_configs") for one in receivers for key, _ in one.pairs())
        if any(route.has(key) for key in _ROUTE) and (receivers or integrates or route.has("receiver")):
            return place
        if integrates and all(one.has("name") for one in receivers):
            return place
    return None


def _receiver(node: Node) -> Receiver:
    kinds = [
        _snake(key).removesuffix("_configs")
        for key, entries in node.pairs()
        for entry in entries.items()
        if _snake(key).endswith("_configs") and entry.value is not None
    ]
    return Receiver(node.get("name").text(), node.get("name").line, tuple(kinds))


def _silence(node: Node) -> Silence:
    """One entry of what `amtool silence query -o json` gives."""
    matchers = [_of_mapping(inside) for inside in node.get("matchers").items()]
    return Silence(node.get("comment").text() or node.get("id").text(), node.line, tuple(matchers))


def _route(node: Node, parent: Route | None, depth: int) -> Route:
    name = node.get("receiver")
    inherited = parent.receiver if parent else Named("", node.line)
    route = Route(node.line, Named(name.text(), name.line) if name.text() else inherited, parent=parent)
    route.own = {_snake(key): line for key, line in node.key_lines.items()}
    route.matchers, route.unread = _matchers(node, "match", "match_re", "matchers")
    route.goes_on = node.get("continue").text().lower() in _YES
    labels = _names(node, "group_by")
    route.group_by = parent.group_by if parent else ()
    if labels:
        route.group_by = None if any(label.name == "..." for label in labels) else labels
    route.mute, route.active = _names(node, "mute_time_intervals"), _names(node, "active_time_intervals")
    children = [child for child in node.get("routes").items() if isinstance(child.value, dict)]
    route.routes = [_route(child, route, depth + 1) for child in children if depth < _DEEPEST]
    return route


def _inhibition(node: Node) -> Inhibition:
    source, target = (
        _matchers(node, f"{side}_match", f"{side}_match_re", f"{side}_matchers")[0] for side in ("source", "target")
    )
    return Inhibition(node.line, source, target, _names(node, "equal"))


def _matchers(node: Node, equal: str, regular: str, either: str) -> tuple[tuple[Matcher, ...], bool]:
    """The matchers of a route or of a side of an inhibition, and whether one of them could not be read."""
    found: list[Matcher] = []
    unread = False
    old: tuple[tuple[str, Operator], ...] = ((equal, "="), (regular, "=~"))
    for key, operator in old:
        found += [Matcher(name, operator, value.text(), value.line) for name, value in node.get(key).pairs()]
    # A resource has its matchers as mappings; `sourceMatch` and `targetMatch` are lists of them, too.
    for entry in (*_under(node, either).items(), *_under(node, equal).items()):
        try:
            found += [_of_mapping(entry)] if isinstance(entry.value, dict) else read_matchers(entry.text(), entry.line)
        except MatcherUnreadable:
            unread = True
    bad = [one for one in found if not one.name or (one.operator in ("=~", "!~") and unusable(one.value))]
    return tuple(one for one in found if one not in bad), unread or bool(bad)


def _of_mapping(node: Node) -> Matcher:
    kind = node.get("matchType").text()
    if kind not in _OPERATORS.values():
        regular = node.get("isRegex").value is True or node.get("regex").value is True
        kind = _OPERATORS[regular, node.get("isEqual").value is not False]
    return Matcher(node.get("name").text(), kind, node.get("value").text(), node.line)  # type: ignore[arg-type]


def _names(node: Node, key: str) -> tuple[Named, ...]:
    return tuple(Named(entry.text(), entry.line) for entry in _under(node, key).items())


def _under(node: Node, key: str) -> Node:
    """What stands under a key in Alertmanager's spelling, or in the operator's."""
    if node.has(key):
        return node.get(key)
    first, *others = key.split("_")
    return node.get(first + "".join(part.capitalize() for part in others))


def _snake(key: str) -> str:
    return _CAMEL.sub(lambda found: f"_{found[0].lower()}", key)
