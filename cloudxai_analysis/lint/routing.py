"""What is wrong with a routing beside the rules and the tenants: who is told of an alert, who by mistake, who never."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alert_shapes import Shape, ends, paging_severities, shapes, usual_severities
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.codes import Said, findings_of, found, rule
from cloudxai_analysis.lint.matchers import Matcher, contradiction, covered, finite_values
from cloudxai_analysis.lint.routes import Inhibition, Route, Routing
from cloudxai_analysis.platform.contract import Contract

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_NEAR, _NEAR_LABEL = 0.8, 0.84
_NAMED_AT_MOST = 3


@dataclass
class Beside:
    """What a routing is held against: the alerts of all rules, and the routes at which each of them can end."""

    alerts: list[Shape]
    contract: Contract
    ending: dict[Route, list[Shape]] = field(default_factory=lambda: defaultdict(list))

    def matched(self, matchers: Iterable[Matcher]) -> list[Shape]:
        """The alerts that may match."""
        matchers = tuple(matchers)
        return [shape for shape in self.alerts if shape.all_accepted(matchers) is not False]


def routing_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' routings beside its rules."""
    alerts = shapes(corpus.rules, auditor.inference)
    findings: list[Finding] = []
    for routing in corpus.routings:
        beside = Beside(alerts, corpus.contract)
        for shape in alerts if routing.root else ():
            for route, _ in ends(routing.root, shape):  # type: ignore[arg-type]
                beside.ending[route].append(shape)
        findings += findings_of(routing, beside, of="routing", file=routing.file, line=routing.tree.line, subject="")
    whole = [routing for routing in corpus.routings if routing.root and not routing.part]
    return [*findings, *_misspelt_severities(whole, alerts, corpus.contract), *_default_only(whole, alerts)]


@rule("routing/never-matches", of="routing")
def never_matches(routing: Routing, _: Beside) -> Iterator[Said]:
    """Routes to which no alert can come; said of the outermost."""
    dead: set[Route] = set()
    for route in routing.routes():
        excluding = contradiction(route.path_matchers())
        if excluding and route.parent not in dead:
            above = "" if contradiction(route.matchers) else "those of the routes above "
            shown = ", ".join(map(str, excluding))
            yield Said(
                f"Nothing can match {shown}: matchers {above}exclude each other.", route.line, subject=str(route)
            )
        if excluding:
            dead.add(route)


@rule("routing/no-integration", of="routing")
def no_integration(routing: Routing, _: Beside) -> Iterator[Said]:
    """Receivers that hold no integration at all, so that no alert goes anywhere."""
    receivers = routing.receivers
    if receivers and routing.root is not None and not any(one.integrations for one in receivers):
        said = "No receiver has an integration: no alert goes anywhere."
        yield Said(said, receivers[0].line, subject=receivers[0].name)


@rule("routing/paging-nobody", of="routing")
def paging_nobody(routing: Routing, beside: Beside) -> Iterator[Said]:
    """What is to wake someone, and ends where nothing is sent."""
    paging = paging_severities(beside.contract)
    for route in filter(routing.silent, routing.routes()):
        lost = [
            shape.rule.name
            for shape in beside.ending[route]
            if shape.severity.lower() in paging and all(routing.silent(end) for end, _ in ends(routing.root, shape))  # type: ignore[arg-type]
        ]
        severities = finite_values(route.path_matchers(), "severity") if not route.routes else None
        if lost or (severities and all(value.lower() in paging for value in severities)):
            gets = f", and gets {_some(lost)}" if lost else ""
            line = route.lines.get("receiver", route.line)
            yield Said(f"Receiver '{route.receiver}' sends nothing anywhere{gets}.", line, subject=str(route))


@rule("routing/unknown-label", of="routing")
def unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A label that is matched, grouped by or must be equal, and is nearly one that alerts have."""
    own = {label for shape in beside.alerts for label in (*shape.exact, *shape.templated)}
    usual = {"alertname", "severity"} | ({"instance", beside.contract.tenant_label} if beside.alerts else set())
    asked = [(what, matcher.name, matcher.line) for what, matcher in _matchers(routing)]
    grouped = [
        (str(route), label, route.lines["group_by"])
        for route in routing.routes()
        for label in route.group_by or ()
        if "group_by" in route.lines
    ]
    equal = [(str(one), label, one.line) for one in routing.inhibitions for label in one.equal]
    for what, label, line in (*asked, *grouped, *equal):
        near = get_close_matches(label.lower(), sorted(own | usual), n=1, cutoff=_NEAR_LABEL)
        known = label in own | usual or any(shape.has(label) for shape in beside.alerts)
        if near and not known:
            yield Said(f"No alert has a label '{label}'; is '{near[0]}' meant?", line, subject=what)


@rule("routing/unknown-alert", of="routing")
def unknown_alert(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A matcher on a name that is nearly that of an alert; without rules, of one of the contract's."""
    promised = sorted(beside.contract.alerts)
    names = sorted({shape.rule.name for shape in beside.alerts})
    for what, matcher in _matchers(routing):
        for name in sorted(matcher.values or ()) if matcher.name == "alertname" else ():
            near = get_close_matches(name, names or promised, n=1, cutoff=_NEAR)
            if near and name not in (*names, *promised):
                yield Said(f"No rule makes an alert '{name}'; is '{near[0]}' meant?", matcher.line, subject=what)


def _matchers(routing: Routing) -> Iterator[tuple[str, Matcher]]:
    """Every matcher of routes and inhibitions, with what it belongs to."""
    for route in routing.routes():
        yield from ((str(route), matcher) for matcher in route.matchers)
    for one in routing.inhibitions:
        yield from ((str(one), matcher) for matcher in (*one.source, *one.target))


@rule("routing/group-by-loses-tenant", of="routing")
def group_by_loses_tenant(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Routes whose notifications mix tenants, said once, where the grouping was chosen."""
    tenant = beside.contract.tenant_label
    losing: dict[Route, list[str]] = {}
    for route in routing.routes():
        coming = [shape.rule.name for shape in beside.ending[route] if shape.has(tenant) is True]
        mixes = route.group_by is not None and tenant not in route.group_by
        if coming and mixes and not _of_one(route.path_matchers(), tenant):
            chooser = route
            while chooser.parent and chooser.parent.group_by == route.group_by and "group_by" not in chooser.lines:
                chooser = chooser.parent
            losing.setdefault(chooser, []).extend(coming)
    for route, names in losing.items():
        grouped = ", ".join(route.group_by or ()) or "no label"
        said = f"Alerts of {_some(names)} are grouped by {grouped}, not by '{tenant}'."
        yield Said(said, route.lines.get("group_by", route.line), subject=str(route))


@rule("routing/inhibition-never", of="routing")
def inhibition_never(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions that never keep an alert back."""
    for one in routing.inhibitions:
        if said := _why_never(one, beside):
            yield Said(said, one.line, subject=str(one))


def _why_never(one: Inhibition, beside: Beside) -> str:
    for side, matchers in (("source", one.source), ("target", one.target)):
        if excluding := contradiction(matchers):
            return f"Nothing can match its {side}, {', '.join(map(str, excluding))}: it excludes itself."
    sources, targets = beside.matched(one.source), beside.matched(one.target)
    for label in one.equal:
        if contradiction(matcher for matcher in (*one.source, *one.target) if matcher.name == label):
            return f"'{label}' must be equal, and source and target ask for different values of it."
        having, other = ({shape.has(label) for shape in side} for side in (sources, targets))
        if sources and targets and {True, False} == having | other and len(having) == len(other) == 1:
            return f"'{label}' must be equal, and only the alerts of one side have it."
    return ""


@rule("routing/inhibition-of-itself", of="routing")
def inhibition_of_itself(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions whose source is among what they keep back: alerts that match both sides never inhibit each other."""
    for one in routing.inhibitions:
        if not one.source or not one.target or _why_never(one, beside) or not covered(one.source, one.target):
            continue
        if covered(one.target, one.source):
            yield Said("Source and target match the same alerts.", one.line, subject=str(one))
        elif finite_values(one.source, "alertname"):
            said = "Every alert of its source is one of its target, too, and is never kept back itself."
            yield Said(said, one.line, assumed=True, subject=str(one))


@rule("routing/inhibition-mixes-tenants", of="routing")
def inhibition_mixes_tenants(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions by which one tenant's alert keeps back those of all others."""
    tenant = beside.contract.tenant_label
    for one in routing.inhibitions:
        of_one = _of_one(one.source, tenant) or _of_one(one.target, tenant)
        sources, targets = (
            [shape.rule.name for shape in beside.matched(side) if shape.has(tenant)]
            for side in (one.source, one.target)
        )
        decided = not one.equal or tenant in one.equal or of_one or _why_never(one, beside)
        if sources and targets and not decided:
            said = f"{sources[0]} of one tenant keeps back {targets[0]} of all: '{tenant}' need not be equal."
            yield Said(said, one.line, subject=str(one))


def _of_one(matchers: Iterable[Matcher], tenant: str) -> bool:
    """Whether only one tenant's alerts are matched, or none's."""
    values = finite_values(matchers, tenant)
    return values is not None and len(values) <= 1


def _default_only(routings: list[Routing], alerts: list[Shape]) -> Iterator[Finding]:
    """Alerts that no route takes but the default, in any of the routings; said once, at the first."""
    trees = [(routing, routing.root) for routing in routings if routing.root and routing.root.routes]
    lost = [shape for shape in alerts if all(ends(root, shape) == [(root, True)] for _, root in trees)]
    for routing, root in trees[:1] if lost else ():
        said = f"No route but the default, to '{root.receiver}', takes {_some(shape.rule.name for shape in lost)}."
        yield found("routing/default-only", file=routing.file, line=root.line, subject=str(root), message=said)


def _misspelt_severities(routings: list[Routing], alerts: list[Shape], contract: Contract) -> Iterator[Finding]:
    """Alerts of a severity for which no route asks, and which nearly is one that a route asks for."""
    usual = usual_severities(contract)
    matchers = [one for routing in routings for _, one in _matchers(routing) if one.name == "severity"]
    asked = sorted({value for one in matchers for value in one.values or ()})
    for shape in alerts:
        severity, one = shape.severity, shape.rule
        if not severity or severity in asked or any(m.accepts(severity) for m in matchers if not m.negative):
            continue
        near = [other for other in asked if other.lower() == severity.lower()]
        near = near or (get_close_matches(severity, asked, n=1, cutoff=_NEAR) if severity not in usual else [])
        if near:
            said = f"Severity '{severity}' of alert '{one.name}' is asked for by no route; is '{near[0]}' meant?"
            line = one.line_of("labels", "severity")
            yield found("routing/unknown-severity", file=one.file, line=line, subject=one.name, message=said)


def _some(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _NAMED_AT_MOST
    return ", ".join(f"'{name}'" for name in distinct[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
