"""Alertmanager's routing tree, receivers and inhibitions as they stand in a file, and what is wrong with them beside
the rules and the tenants: routes that never match, labels that nobody has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from cloudxai_analysis.lint import Finding, Said, findings_of, rule
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.expressions import readable
from cloudxai_analysis.lint.matchers import Matcher, Operator, contradiction, covered, read_matchers
from cloudxai_analysis.lint.metrics import meant
from cloudxai_analysis.lint.rules import Rule

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

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


class Sent(NamedTuple):
    """The alerts of one rule: the labels that all of them have with the same value, and those that they surely have."""

    name: str
    labels: dict[str, str]
    has: frozenset[str]

    def may_match(self, matchers: Iterable[Matcher]) -> bool:
        """Whether there can be such an alert that all of the matchers match."""
        return all(one.accepts(self.labels[one.name]) for one in matchers if one.name in self.labels)


class Beside(NamedTuple):
    """What a routing is held against."""

    alerts: list[Sent]
    tenant: str

    def of_tenants(self, matchers: Iterable[Matcher]) -> list[str]:
        """The names of the alerts that may match and have the tenant's label, unless only one tenant's are matched."""
        matchers = tuple(matchers)
        if any(one.name == self.tenant and one.operator == "=" for one in matchers):
            return []
        return [one.name for one in self.alerts if self.tenant in one.has and one.may_match(matchers)]


def routing_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' routings beside its rules."""
    alerts = [_sent(one, auditor) for one in corpus.rules if one.kind == "alert" and "{{" not in one.name]
    beside = Beside(alerts, corpus.contract.tenant_label)
    return [
        finding
        for one in corpus.routings
        for finding in findings_of(one, beside, of="routing", file=one.file, line=one.tree.line)
    ]


def _sent(one: Rule, auditor: Auditor) -> Sent:
    sure = auditor.of(readable(one.expr)).labels.sure
    labels = {name: value for name, value in one.labels.items() if "{{" not in value} | {"alertname": one.name}
    return Sent(one.name, labels, sure.union(one.labels, labels))


@rule("routing")
def _never_matches(routing: Routing, _: Beside) -> Iterator[Said]:
    """Routes to which no alert can come; said of the outermost."""
    for route in routing.routes():
        excluding = contradiction(route.path)
        if excluding and not contradiction(route.path[: -len(route.matchers)] if route.matchers else route.path):
            said = f"Nothing can match {', '.join(map(str, excluding))}, of this route and those above it."
            yield Said("routing/never-matches", said, route.node.line, str(route))


@rule("routing")
def _nobody_is_told(routing: Routing, _: Beside) -> Iterator[Said]:
    if routing.routed and routing.receivers and routing.silent:
        name, said = routing.receivers[0].get("name"), "No receiver has an integration: no alert goes anywhere."
        yield Said("routing/no-integration", said, name.line, name.text())


@rule("routing")
def _unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A label that is matched, grouped by or must be equal, and is nearly one that alerts have."""
    own = {label for alert in beside.alerts for label in alert.labels} | {"alertname", "severity"}
    own |= {"instance", beside.tenant} if beside.alerts else set()
    known = own.union(*(alert.has for alert in beside.alerts))
    named = [
        (route, route.matchers, texts(route.node, "group_by"), route.node.key_lines.get("group_by", 0))
        for route in routing.routes()
    ] + [(one, one.source + one.target, one.equal, one.line) for one in routing.inhibitions()]
    for what, matchers, labels, line in named:
        for label, at in [*((one.name, one.line) for one in matchers), *((label, line) for label in labels)]:
            near = get_close_matches(label.lower(), sorted(own), n=1, cutoff=0.84)
            if near and label not in known:
                yield Said("routing/unknown-label", f"No alert has a label '{label}'{meant(near)}", at, str(what))


@rule("routing")
def _inhibitions(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions whose source is among what they keep back, and those by which one tenant keeps back all others."""
    for one in routing.inhibitions():
        if one.source and one.target and covered(one.source, one.target):
            # Alerts that match both sides never inhibit each other.
            same = covered(one.target, one.source)
            if same or any(matcher.name == "alertname" for matcher in one.source):
                said = "Every alert of its source is one of its target, too, and is never kept back itself."
                yield Said("routing/inhibition-of-itself", said, one.line, str(one), assumed=not same)
        sources, targets = beside.of_tenants(one.source), beside.of_tenants(one.target)
        if sources and targets and one.equal and beside.tenant not in one.equal:
            said = f"{sources[0]} of one tenant keeps back {targets[0]} of all: '{beside.tenant}' need not be equal."
            yield Said("routing/inhibition-mixes-tenants", said, one.line, str(one))
