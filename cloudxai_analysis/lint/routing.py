"""What is wrong with a routing beside the rules and the tenants: who is told of an alert, who by mistake, who never."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alert_shapes import Shape, ends, paging_severities, shapes, usual_severities
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.codes import Said, findings_of, found, rule
from cloudxai_analysis.lint.matchers import Matcher, contradiction, finite_values
from cloudxai_analysis.lint.routes import Route, Routing
from cloudxai_analysis.platform.contract import Contract

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_NEAR = 0.8
_NEAR_NAME = 0.84
# Names by which people everywhere say that a receiver is meant to send nothing.
_EMPTY_NAMES = ("null", "none", "blackhole", "black-hole", "devnull", "dev-null", "void", "drop", "noop", "nobody")
_NAMED_AT_MOST = 3
_EVERY = (("alertname", ".+"), ("alertname", ".*"))  # every alert has a name


@dataclass
class Beside:
    """What a routing is held against: the alerts of all rules, and the routes at which each of them can end."""

    alerts: list[Shape]
    contract: Contract
    ending: dict[Route, list[tuple[Shape, bool]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def names(self) -> list[str]:
        """The names of the alerts."""
        return sorted({shape.rule.name for shape in self.alerts})

    def labels(self) -> list[str]:
        """The labels that alerts have by their rules, or everywhere."""
        own = {label for shape in self.alerts for label in (*shape.exact, *shape.templated)}
        return sorted(own | {"alertname", "severity", "job", "instance", self.contract.tenant_label})


def routing_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' routings beside its rules."""
    alerts = shapes(corpus.rules, auditor.inference)
    findings: list[Finding] = []
    for routing in corpus.routings:
        beside = Beside(alerts, corpus.contract)
        for shape in alerts if routing.root is not None else ():
            for route, sure in ends(routing.root, shape):  # type: ignore[arg-type]
                beside.ending[route].append((shape, sure))
        findings += findings_of(routing, beside, of="routing", file=routing.file, line=routing.tree.line, subject="")
    whole = [routing for routing in corpus.routings if routing.root and not routing.part]
    return [*findings, *_misspelt_severities(whole, alerts, corpus.contract), *_default_only(whole, alerts)]


@rule("routing/never-matches", of="routing")
def never_matches(routing: Routing, _: Beside) -> Iterator[Said]:
    """Routes to which no alert can come."""
    dead: set[Route] = set()
    for route in routing.routes():
        if route.parent in dead:
            dead.add(route)
        elif route.parent is not None and (excluding := contradiction(route.path_matchers())):
            dead.add(route)
            own = "its matchers exclude each other" if contradiction(route.matchers) else ""
            said = own or "they exclude those of the routes above"
            shown = ", ".join(map(str, excluding))
            yield Said(f"Nothing can match {shown}: {said}.", route.line, subject=str(route))


@rule("routing/no-integration", of="routing")
def no_integration(routing: Routing, _: Beside) -> Iterator[Said]:
    """Receivers that hold no integration at all, so that no alert goes anywhere."""
    receivers = routing.receivers
    if receivers and routing.root is not None and not any(one.integrations for one in receivers):
        many = (
            f"None of the {len(receivers)} receivers has" if len(receivers) > 1 else "The only receiver does not have"
        )
        yield Said(f"{many} an integration: no alert goes anywhere.", receivers[0].line, subject=receivers[0].name)


@rule("routing/empty-receiver", of="routing")
def empty_receiver(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A receiver that routes name and that sends nothing, though its name does not say so."""
    if not any(one.integrations for one in routing.receivers):
        return
    paging = {route.receiver.name for route in _paging_nobody(routing, beside)}
    for route in routing.routes():
        receiver = routing.receiver(route.receiver.name)
        if "receiver" in route.own and receiver is not None and not receiver.integrations:
            meant = any(word in receiver.name.lower() for word in _EMPTY_NAMES) or route.parent is None
            if not meant and receiver.name not in paging:
                yield Said("It has no integration.", receiver.line, subject=receiver.name)


@rule("routing/paging-nobody", of="routing")
def paging_nobody(routing: Routing, beside: Beside) -> Iterator[Said]:
    """What is to wake someone, and ends where nothing is sent."""
    for route, names in _paging_nobody(routing, beside).items():
        said = f"Receiver '{route.receiver.name}' sends nothing anywhere{_of(names, ', and gets ')}."
        yield Said(said, route.receiver.line, subject=str(route))


def _paging_nobody(routing: Routing, beside: Beside) -> dict[Route, list[str]]:
    paging = paging_severities(beside.contract)
    silent: dict[Route, list[str]] = {}
    if routing.root is None:
        return silent
    for shape in beside.alerts:
        if shape.severity.lower() in paging:
            at = [route for route, _ in ends(routing.root, shape)]
            if all(_sends_nothing(routing, route) for route in at):
                silent.setdefault(at[0], []).append(shape.rule.name)
    for route in routing.routes():
        if _wakes(route, paging) and _sends_nothing(routing, route):
            silent.setdefault(route, [])
    return silent


def _wakes(route: Route, paging: frozenset[str]) -> bool:
    severities = finite_values(route.path_matchers(), "severity")
    return bool(severities) and not route.routes and all(value.lower() in paging for value in severities or ())


def _sends_nothing(routing: Routing, route: Route) -> bool:
    receiver = routing.receiver(route.receiver.name)
    # Where no receiver at all has an integration, that is said of all of them.
    return receiver is not None and not receiver.integrations and any(one.integrations for one in routing.receivers)


@rule("routing/paging-muted", of="routing")
def paging_muted(routing: Routing, beside: Beside) -> Iterator[Said]:
    """What is to wake someone, and is not sent at some times."""
    paging = paging_severities(beside.contract)
    for route in routing.routes():
        if not (route.mute or route.active):
            continue
        # Who sends the rest of the time elsewhere has a neighbour that goes on.
        waking = [shape.rule.name for shape, sure in beside.ending[route] if sure and shape.severity.lower() in paging]
        if not waking and (not _wakes(route, paging) or _told_elsewhere(route)):
            continue
        interval = (*route.mute, *route.active)[0]
        how = "not sent in" if route.mute else "sent only in"
        said = f"{_of(waking, '') or 'What is meant to wake someone'} is {how} time interval '{interval.name}'."
        yield Said(said, interval.line, subject=str(route))


def _told_elsewhere(route: Route) -> bool:
    """Whether the alerts of a route that is quiet at times go to a neighbour, too."""
    siblings = route.parent.routes if route.parent else [route]
    after = siblings[siblings.index(route) + 1 :]
    return (route.goes_on and bool(after)) or any(other.goes_on for other in siblings if other not in (route, *after))


@rule("routing/unknown-label", of="routing")
def unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A matcher on a label that is nearly one that alerts have."""
    labels = beside.labels()
    for what, matcher in _matchers(routing):
        known = matcher.name in labels or any(shape.has(matcher.name) for shape in beside.alerts)
        near = get_close_matches(matcher.name.lower(), labels, n=1, cutoff=_NEAR_NAME)
        if near and not known and (beside.alerts or near[0] in ("alertname", "severity")):
            said = f"No alert has a label '{matcher.name}'; is '{near[0]}' meant?"
            yield Said(said, matcher.line, subject=what)


@rule("routing/unknown-alert", of="routing")
def unknown_alert(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A matcher on a name that is nearly that of an alert; without rules, of one of the contract's."""
    for what, matcher, name, near in _strange_names(routing, beside):
        if near:
            yield Said(f"No rule makes an alert '{name}'; is '{near}' meant?", matcher.line, subject=what)


@rule("routing/alert-elsewhere", of="routing")
def alert_elsewhere(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A matcher that waits for an alert that no rule of these files makes."""
    for what, matcher, name, near in _strange_names(routing, beside):
        if beside.alerts and not near:
            yield Said(f"No rule of these files makes an alert '{name}'.", matcher.line, subject=what)


def _strange_names(routing: Routing, beside: Beside) -> Iterator[tuple[str, Matcher, str, str]]:
    """Each name of an alert that is asked for and nobody makes, and which known one it nearly is."""
    promised = sorted(beside.contract.alerts)
    for what, matcher in _matchers(routing):
        for name in sorted((matcher.values or frozenset()) - {""}) if matcher.name == "alertname" else ():
            if name not in (*beside.names, *promised):
                near = get_close_matches(name, beside.names or promised, n=1, cutoff=_NEAR)
                yield what, matcher, name, (near or [""])[0]


@rule("routing/no-alert-comes", of="routing")
def no_alert_comes(routing: Routing, beside: Beside) -> Iterator[Said]:
    """A value that is nearly one that rules set, and that none does set."""
    for what, matcher in _matchers(routing):
        setting = [shape for shape in beside.alerts if matcher.name in shape.exact]
        values = {shape.exact[matcher.name] for shape in setting}
        open_ = any(shape.has(matcher.name) is None for shape in beside.alerts if shape not in setting)
        if matcher.name == "alertname" or matcher.negative or open_ or not values:
            continue
        usual = usual_severities(beside.contract) if matcher.name == "severity" else frozenset()
        for value in sorted((matcher.values or frozenset()) - values - usual - {""}):
            near = get_close_matches(value, sorted(values), n=1, cutoff=_NEAR)
            if near and near[0].lower() != value.lower() and not matcher.accepts(near[0]):
                said = f"No rule sets {matcher.name} to '{value}'; is '{near[0]}' meant?"
                yield Said(said, matcher.line, subject=what)


def _matchers(routing: Routing) -> Iterator[tuple[str, Matcher]]:
    """Every matcher of routes, inhibitions and silences, with what it belongs to."""
    for route in routing.routes():
        yield from ((str(route), matcher) for matcher in route.matchers)
    for inhibition in routing.inhibitions:
        yield from (("inhibition's source", matcher) for matcher in inhibition.source)
        yield from (("inhibition's target", matcher) for matcher in inhibition.target)
    for silence in routing.silences:
        yield from ((f"silence '{silence.name}'", matcher) for matcher in silence.matchers)


@rule("routing/silence-never", of="routing")
def silence_never(routing: Routing, _: Beside) -> Iterator[Said]:
    """Silences that silence nothing."""
    for silence in routing.silences:
        if excluding := contradiction(silence.matchers):
            shown = ", ".join(map(str, excluding))
            said = f"No alert can match {shown}: the matchers exclude each other."
            yield Said(said, silence.line, subject=f"silence '{silence.name}'")


@rule("routing/silence-of-everything", of="routing")
def silence_of_everything(routing: Routing, _: Beside) -> Iterator[Said]:
    """Silences of every alert there is."""
    for silence in routing.silences:
        everything = [one.operator == "=~" and (one.name, one.value) in _EVERY for one in silence.matchers]
        if all(everything):
            yield Said("Its matchers match every alert.", silence.line, subject=f"silence '{silence.name}'")


def _default_only(routings: list[Routing], alerts: list[Shape]) -> Iterator[Finding]:
    """Alerts that no route takes but the default, in any of the routings; said once a routing."""
    trees = [(routing, routing.root) for routing in routings if routing.root and routing.root.routes]
    lost = [shape for shape in alerts if trees and all(ends(root, shape) == [(root, True)] for _, root in trees)]
    for routing, root in trees[:1] if lost else ():
        names = list(dict.fromkeys(shape.rule.name for shape in lost))
        said = f"No route but the default, to '{root.receiver.name}', takes {_of(names, '')}."
        place = {"file": routing.file, "line": root.line, "subject": str(root)}
        yield found("routing/default-only", message=said, **place)  # type: ignore[arg-type]


def _misspelt_severities(routings: list[Routing], alerts: list[Shape], contract: Contract) -> Iterator[Finding]:
    """Alerts of a severity for which no route asks, and which nearly is one that a route asks for."""
    usual = usual_severities(contract)
    matchers = [matcher for routing in routings for route in routing.routes() for matcher in route.matchers]
    asked = sorted({value for one in matchers if one.name == "severity" for value in one.values or ()})
    patterns = [one for one in matchers if one.name == "severity" and not one.negative]
    for shape in alerts:
        severity, one = shape.severity, shape.rule
        if not severity or severity in asked or any(pattern.accepts(severity) for pattern in patterns):
            continue
        same = [other for other in asked if other.lower() == severity.lower()]
        near = get_close_matches(severity, asked, n=1, cutoff=_NEAR) if severity not in usual else []
        if same or near:
            code = "routing/severity-case" if same else "routing/unknown-severity"
            said = (
                f"Severity '{severity}' of alert '{one.name}' is asked for by no route; is '{(same or near)[0]}' meant?"
            )
            line = one.line_of("labels", "severity")
            yield found(code, file=one.file, line=line, subject=one.name, message=said)


def _of(names: list[str], before: str) -> str:
    if not names:
        return ""
    shown = ", ".join(f"'{name}'" for name in names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{before}{shown}" + (f" and {more} more" if more > 0 else "")
