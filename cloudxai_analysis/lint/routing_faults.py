"""What is wrong with a routing beside the rules and the tenants: routes that never match, labels that nobody has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from cloudxai_analysis.lint import Finding, Said, findings_of, rule
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.lint.matchers import Matcher, contradiction, covered
from cloudxai_analysis.lint.metrics import meant
from cloudxai_analysis.lint.routing import Routing, texts
from cloudxai_analysis.lint.rules import Rule

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus


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
    try:
        sure = auditor.inference.of(parse(one.expr)).labels.sure
    except Unparsed:
        sure = frozenset()
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
        name = routing.receivers[0].get("name")
        yield Said(
            "routing/no-integration", "No receiver has an integration: no alert goes anywhere.", name.line, name.text()
        )


@rule("routing")
def _unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A label that is matched, grouped by or must be equal, and is nearly one that alerts have."""
    own = {label for alert in beside.alerts for label in alert.labels} | {"alertname", "severity"}
    own |= {"instance", beside.tenant} if beside.alerts else set()
    known = own.union(*(alert.has for alert in beside.alerts))
    asked: list[tuple[str, str, int]] = []
    for route in routing.routes():
        asked += [(str(route), one.name, one.line) for one in route.matchers]
        grouped = route.node.key_lines.get("group_by", 0)
        asked += [(str(route), label, grouped) for label in texts(route.node, "group_by")]
    for one in routing.inhibitions():
        asked += [(str(one), matcher.name, matcher.line) for matcher in (*one.source, *one.target)]
        asked += [(str(one), label, one.line) for label in one.equal]
    for what, label, line in asked:
        near = get_close_matches(label.lower(), sorted(own), n=1, cutoff=0.84)
        if near and label not in known:
            yield Said("routing/unknown-label", f"No alert has a label '{label}'{meant(near)}", line, what)


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
