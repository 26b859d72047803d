"""Alertmanager's routing tree, receivers and inhibitions, as they stand in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.matchers import Matcher, Operator, read_matchers

_YES = ("true", "yes", "on", "y")  # as YAML 1.1 has it, which Alertmanager reads
_ROUTE = frozenset({"receiver", "routes", "group_by", "match", "match_re", "matchers"})


@dataclass(eq=False)
class Route:
    """One node of the routing tree, with the settings that hold for it, inherited or its own.

    `group_by` is None where alerts are not grouped at all (`...`); `lines` are those of the
    settings that the route itself makes; `unread` is whether one of its matchers could not be read.
    """

    line: int
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = ()
    goes_on: bool = False
    lines: dict[str, int] = field(default_factory=dict)
    unread: bool = False
    parent: Route | None = None
    routes: list[Route] = field(default_factory=list)

    def __str__(self) -> str:
        said = ", ".join(map(str, self.matchers)) or ("the default route" if self.parent is None else "no matcher")
        return f"route to '{self.receiver}' ({said})"

    def walk(self) -> Iterator[Route]:
        """This route and all inside it, in the order in which they are asked."""
        yield self
        for route in self.routes:
            yield from route.walk()

    def path_matchers(self) -> list[Matcher]:
        """What an alert must be matched by to come here: the matchers of all routes above and its own."""
        return [*(self.parent.path_matchers() if self.parent else ()), *self.matchers]


class Receiver(NamedTuple):
    """Whom notifications go to; `integrations` are the kinds of it ('webhook', 'email', …), one for each entry."""

    name: str
    line: int
    integrations: tuple[str, ...] = ()


class Inhibition(NamedTuple):
    """While an alert matches `source`, those that match `target` and have the same values of `equal` are not sent."""

    line: int
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def __str__(self) -> str:
        source, target = (", ".join(map(str, side)) or "any alert" for side in (self.source, self.target))
        return f"inhibition of {target} by {source}"


@dataclass(eq=False)
class Routing:
    """One Alertmanager's configuration; `tree` is it as it stands in the file."""

    file: str
    tree: Node
    root: Route | None = None
    receivers: list[Receiver] = field(default_factory=list)
    inhibitions: list[Inhibition] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """Every route, in the order in which they are asked."""
        return list(self.root.walk()) if self.root else []

    def silent(self, route: Route) -> bool:
        """Whether the receiver of a route is there and sends nothing anywhere, while others do."""
        own = next((one for one in self.receivers if one.name == route.receiver), None)
        return own is not None and not own.integrations and any(one.integrations for one in self.receivers)


def load_routing(tree: Node, file: str) -> Routing | None:
    """The routing that a document is, or holds as Helm's values do; None of every other document."""
    config = next(filter(_configures, (tree, tree.get("alertmanager", "config"), tree.get("config"))), None)
    if config is None:
        return None
    top = config.get("route")
    return Routing(
        file,
        config,
        root=_route(top, None) if isinstance(top.value, dict) else None,
        receivers=list(map(_receiver, config.get("receivers").items())),
        inhibitions=[
            Inhibition(node.line, _matchers(node, "source_")[0], _matchers(node, "target_")[0], _texts(node, "equal"))
            for node in config.get("inhibit_rules").items()
        ],
    )


def _configures(place: Node) -> bool:
    """Whether it says what Alertmanager's configuration says."""
    route, receivers = place.get("route"), place.get("receivers").items()
    integrates = any(key.endswith("_configs") for one in receivers for key, _ in one.pairs())
    if any(map(route.has, _ROUTE)) and (receivers or route.has("receiver")):
        return True
    return integrates and all(one.has("name") for one in receivers)


def _receiver(node: Node) -> Receiver:
    integrations = [(key, one) for key, entries in node.pairs() for one in entries.items() if key.endswith("_configs")]
    kinds = tuple(key.removesuffix("_configs") for key, one in integrations if one.value is not None)
    return Receiver(node.get("name").text(), node.get("name").line, kinds)


def _route(node: Node, parent: Route | None) -> Route:
    matchers, unread = _matchers(node)
    group_by: tuple[str, ...] | None = _texts(node, "group_by")
    if not group_by:
        group_by = parent.group_by if parent else ()
    route = Route(
        node.line,
        node.get("receiver").text() or (parent.receiver if parent else ""),
        matchers,
        None if group_by is None or "..." in group_by else group_by,
        node.get("continue").text().lower() in _YES,
        node.key_lines,
        unread,
        parent,
    )
    route.routes = [_route(child, route) for child in node.get("routes").items() if isinstance(child.value, dict)]
    return route


def _matchers(node: Node, side: str = "") -> tuple[tuple[Matcher, ...], bool]:
    """The matchers of a route or of a side of an inhibition, and whether one of them could not be read."""
    old: tuple[tuple[str, Operator], ...] = (("match", "="), ("match_re", "=~"))
    read: list[Matcher | None] = [
        Matcher(name, operator, value.text(), value.line)
        for key, operator in old
        for name, value in node.get(side + key).pairs()
    ]
    for entry in node.get(f"{side}matchers").items():
        read += read_matchers(entry.text(), entry.line) or ([None] if entry.text() else [])
    usable = tuple(one for one in read if one is not None and one.usable)
    return usable, len(usable) < len(read)


def _texts(node: Node, key: str) -> tuple[str, ...]:
    return tuple(entry.text() for entry in node.get(key).items())
