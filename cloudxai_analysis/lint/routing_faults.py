"""What is wrong with a routing beside the rules and the tenants: who is told of an alert, who by mistake, who never."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding, Said, findings_of, rule
from cloudxai_analysis.lint.alerts import named
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.lint.facts import Inference, Labels
from cloudxai_analysis.lint.matchers import Matcher, contradiction, covered
from cloudxai_analysis.lint.metrics import NAMES, TARGET_LABELS, meant
from cloudxai_analysis.lint.routing import Route, Routing
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Contract

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus


@dataclass(frozen=True)
class Shape:
    """One alerting rule's alerts: the labels whose values the rule itself sets, and what its expression leaves open.

    `decided` are labels that rules of this corpus set themselves: an alert has one of them only by
    its rule, or if its expression speaks of it.
    """

    rule: Rule
    exact: dict[str, str]
    templated: frozenset[str]
    labels: Labels
    decided: frozenset[str]

    def has(self, label: str) -> bool | None:
        """Whether the alert has the label; None where it may."""
        if label in self.exact:
            return bool(self.exact[label])
        if label in self.templated:
            return None
        if label in self.labels.sure:
            return True
        # A server may put labels of its own place on every alert that it sends.
        may = self.labels.may_have(label) and label not in self.decided
        return None if may or label in TARGET_LABELS - {"job", "instance"} else False

    def accepts(self, matcher: Matcher) -> bool | None:
        """Whether the matcher matches these alerts; None where some of them, perhaps."""
        if matcher.name in self.exact:
            return matcher.accepts(self.exact[matcher.name])
        has, empty = self.has(matcher.name), matcher.accepts("")
        if has is False:
            return empty
        # Such a matcher only tells a label that is there from one that is not.
        asks_presence = (matcher.operator in ("=", "!=") and not matcher.value) or matcher.value == ".+"
        return not empty if has and asks_presence and empty is not None else None

    def all_accepted(self, matchers: Iterable[Matcher]) -> bool | None:
        """Whether all of the matchers match these alerts; None where some of them, perhaps."""
        answers = {self.accepts(matcher) for matcher in matchers}
        return False if False in answers else None if None in answers else True


def shapes(rules: Iterable[Rule], inference: Inference) -> list[Shape]:
    """The shape of each alerting rule that has a name."""
    alerts = [rule for rule in rules if rule.kind == "alert" and rule.name and "{{" not in rule.name]
    decided = frozenset(label for rule in alerts for label in rule.labels)
    found = []
    for one in alerts:
        try:
            labels, settled = inference.of(parse(one.expr)).labels, decided
        except Unparsed:
            labels, settled = Labels(), frozenset()
        exact = {name: value for name, value in one.labels.items() if "{{" not in value} | {"alertname": one.name}
        found.append(Shape(one, exact, frozenset(one.labels) - frozenset(exact), labels, settled))
    return found


def ends(root: Route, shape: Shape) -> list[tuple[Route, bool]]:
    """The routes at which the rule's alerts can end, each with whether all of them surely do."""
    found: list[tuple[Route, bool]] = []
    sure = True
    for route in root.routes:
        accepted = shape.all_accepted(route.matchers)
        if accepted and route.unread:
            accepted = None
        if accepted is False:
            continue
        found += [(end, certain and sure and accepted is True) for end, certain in ends(route, shape)]
        if accepted and not route.goes_on:
            return found
        if accepted is None and not route.goes_on:
            sure = False
    if not any(certain for _, certain in found):
        found.append((root, not found))
    return found


@dataclass
class Beside:
    """What a routing is held against: the alerts of all rules, and the routes at which each of them can end."""

    alerts: list[Shape]
    contract: Contract
    ending: dict[Route, list[Shape]] = field(default_factory=lambda: defaultdict(list))

    @property
    def paging(self) -> set[str]:
        """The severities that wake someone: the contract's, and those that mean it everywhere."""
        return {*NAMES["paging"], *(one.severity.lower() for one in self.contract.alerts.values() if one.paging)}

    def tenants(self, matchers: Iterable[Matcher]) -> list[str]:
        """The names of the alerts that may match and have the tenant's label, unless only one tenant's are matched."""
        matchers, tenant = tuple(matchers), self.contract.tenant_label
        of_one = any(one.name == tenant and one.operator == "=" for one in matchers)
        alike = [one for one in self.alerts if one.has(tenant) and one.all_accepted(matchers) is not False]
        return [one.rule.name for one in alike] if not of_one else []


def routing_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' routings beside its rules."""
    alerts = shapes(corpus.rules, auditor.inference)
    findings: list[Finding] = []
    for routing in corpus.routings:
        beside = Beside(alerts, corpus.contract)
        for shape in alerts if routing.root else ():
            for route, _ in ends(routing.root, shape):  # type: ignore[arg-type]
                beside.ending[route].append(shape)
        findings += findings_of(routing, beside, of="routing", file=routing.file, line=routing.tree.line)
    return findings


@rule("routing")
def _never_matches(routing: Routing, _: Beside) -> Iterator[Said]:
    """Routes to which no alert can come; said of the outermost."""
    dead: set[Route] = set()
    for route in routing.routes():
        excluding = contradiction(route.path_matchers())
        if excluding and route.parent not in dead:
            said = f"Nothing can match {', '.join(map(str, excluding))}, of this route and those above it."
            yield Said("routing/never-matches", said, route.line, str(route))
        if excluding:
            dead.add(route)


@rule("routing")
def _nobody_is_told(routing: Routing, beside: Beside) -> Iterator[Said]:
    """What ends where nothing is sent: everything, or what is to wake someone."""
    receivers, root = routing.receivers, routing.root
    if receivers and root is not None and not any(one.integrations for one in receivers):
        said = "No receiver has an integration: no alert goes anywhere."
        yield Said("routing/no-integration", said, receivers[0].line, receivers[0].name)
    for route in filter(routing.silent, routing.routes()):
        lost = [
            shape.rule.name
            for shape in beside.ending[route]
            if shape.exact.get("severity", "").lower() in beside.paging
            and all(routing.silent(end) for end, _ in ends(root, shape))  # type: ignore[arg-type]
        ]
        if lost:
            said = f"Receiver '{route.receiver}' sends nothing anywhere, and gets {named(lost)}."
            yield Said("routing/paging-nobody", said, route.lines.get("receiver", route.line), str(route))


@rule("routing")
def _unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A label that is matched, grouped by or must be equal, and is nearly one that alerts have."""
    own = {label for shape in beside.alerts for label in (*shape.exact, *shape.templated)} | {"alertname", "severity"}
    own |= {"instance", beside.contract.tenant_label} if beside.alerts else set()
    asked = []
    for route in routing.routes():
        asked += [(str(route), one.name, one.line) for one in route.matchers]
        if "group_by" in route.lines:
            asked += [(str(route), label, route.lines["group_by"]) for label in route.group_by or ()]
    for one in routing.inhibitions:
        asked += [(str(one), matcher.name, matcher.line) for matcher in (*one.source, *one.target)]
        asked += [(str(one), label, one.line) for label in one.equal]
    for what, label, line in asked:
        near = get_close_matches(label.lower(), sorted(own), n=1, cutoff=0.84)
        if near and label not in own and not any(shape.has(label) for shape in beside.alerts):
            yield Said("routing/unknown-label", f"No alert has a label '{label}'{meant(near)}", line, what)


@rule("routing")
def _group_by_loses_tenant(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Routes whose notifications mix tenants, said once, where the grouping was chosen."""
    tenant = beside.contract.tenant_label
    losing: dict[Route, list[str]] = defaultdict(list)
    for route in routing.routes():
        coming = {shape.rule.name for shape in beside.ending[route]} & set(beside.tenants(route.path_matchers()))
        chooser = route
        while chooser.parent and chooser.parent.group_by == route.group_by and "group_by" not in chooser.lines:
            chooser = chooser.parent
        if coming and route.group_by is not None and tenant not in route.group_by:
            losing[chooser] += sorted(coming)
    for route, names in losing.items():
        grouped = ", ".join(route.group_by or ()) or "no label"
        said = f"Alerts of {named(names)} are grouped by {grouped}, not by '{tenant}'."
        yield Said("routing/group-by-loses-tenant", said, route.lines.get("group_by", route.line), str(route))


@rule("routing")
def _inhibitions(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions whose source is among what they keep back, and those by which one tenant keeps back all others."""
    tenant = beside.contract.tenant_label
    for one in routing.inhibitions:
        if one.source and one.target and covered(one.source, one.target):
            # Alerts that match both sides never inhibit each other.
            same = covered(one.target, one.source)
            if same or any(matcher.name == "alertname" for matcher in one.source):
                said = "Every alert of its source is one of its target, too, and is never kept back itself."
                yield Said("routing/inhibition-of-itself", said, one.line, str(one), assumed=not same)
        sources, targets = beside.tenants(one.source), beside.tenants(one.target)
        if sources and targets and one.equal and tenant not in one.equal:
            said = f"{sources[0]} of one tenant keeps back {targets[0]} of all: '{tenant}' need not be equal."
            yield Said("routing/inhibition-mixes-tenants", said, one.line, str(one))
