"""Alertmanager's routing tree, receivers and inhibitions, as they stand in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.matchers import Matcher, Operator, read_matchers

_ROUTE = frozenset({"receiver", "routes", "group_by", "match", "match_re", "matchers"})
_OLD: tuple[tuple[str, Operator], ...] = (("match", "="), ("match_re", "=~"))


class Route(NamedTuple):
    """One node of the routing tree, with its own matchers, and those of it and of all routes above."""

    node: Node
    receiver: str
    matchers: tuple[Matcher, ...]
    path: tuple[Matcher, ...]

    def __str__(self) -> str:
        return f"route to '{self.receiver}' ({', '.join(map(str, self.matchers)) or 'no matcher'})"


class Inhibition(NamedTuple):
    """While an alert matches `source`, those that match `target` and have the same values of `equal` are not sent."""

    line: int
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def __str__(self) -> str:
        source, target = (", ".join(map(str, side)) or "any alert" for side in (self.source, self.target))
        return f"inhibition of {target} by {source}"


class Routing(NamedTuple):
    """One Alertmanager's configuration, as it stands in the file."""

    file: str
    tree: Node

    @property
    def routed(self) -> bool:
        """Whether it has a tree of routes, and is not only receivers."""
        return isinstance(self.tree.get("route").value, dict)

    @property
    def receivers(self) -> list[Node]:
        """Its receivers."""
        return self.tree.get("receivers").items()

    @property
    def silent(self) -> bool:
        """Whether no receiver sends anything anywhere."""
        kinds = [entries for one in self.receivers for key, entries in one.pairs() if key.endswith("_configs")]
        return not any(entry.value is not None for entries in kinds for entry in entries.items())

    def routes(self) -> Iterator[Route]:
        """Every route, in the order in which they are asked."""
        return _routes(self.tree.get("route"), None)

    def inhibitions(self) -> Iterator[Inhibition]:
        """Every inhibition."""
        for node in self.tree.get("inhibit_rules").items():
            yield Inhibition(node.line, _matchers(node, "source_"), _matchers(node, "target_"), texts(node, "equal"))


def load_routing(tree: Node, file: str) -> Routing | None:
    """The routing that a document is, or holds as Helm's values do; None of every other document."""
    config = next(filter(_configures, (tree, tree.get("alertmanager", "config"), tree.get("config"))), None)
    return None if config is None else Routing(file, config)


def _configures(place: Node) -> bool:
    """Whether it says what Alertmanager's configuration says."""
    route, receivers = place.get("route"), place.get("receivers").items()
    integrates = any(key.endswith("_configs") for one in receivers for key, _ in one.pairs())
    if any(map(route.has, _ROUTE)) and (receivers or route.has("receiver")):
        return True
    return integrates and all(one.has("name") for one in receivers)


def _routes(node: Node, above: Route | None) -> Iterator[Route]:
    if isinstance(node.value, dict):
        matchers = _matchers(node)
        receiver, path = (above.receiver, above.path) if above else ("", ())
        route = Route(node, node.get("receiver").text() or receiver, matchers, path + matchers)
        yield route
        for child in node.get("routes").items():
            yield from _routes(child, route)


def _matchers(node: Node, side: str = "") -> tuple[Matcher, ...]:
    """The matchers of a route or of a side of an inhibition, but for those that cannot be read."""
    read = [
        Matcher(name, operator, value.text(), value.line)
        for key, operator in _OLD
        for name, value in node.get(side + key).pairs()
    ]
    for entry in node.get(f"{side}matchers").items():
        read += read_matchers(entry.text(), entry.line) or []
    return tuple(one for one in read if one.usable)


def texts(node: Node, key: str) -> tuple[str, ...]:
    """The texts of a list under that key."""
    return tuple(entry.text() for entry in node.get(key).items())
