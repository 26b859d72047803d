"""Faults of routing that can be seen only beside the rules: who is told of an alert, who by mistake, and who never."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alert_shapes import Shape, ends, paging_severities, shapes, usual_severities
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.grouping_audits import grouping_findings
from cloudxai_analysis.lint.inhibition_audits import inhibition_findings, silence_findings
from cloudxai_analysis.lint.knowledge import Files
from cloudxai_analysis.lint.matchers import Matcher, finite_values
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.route_audits import route_findings
from cloudxai_analysis.lint.routes import Route, Routing

_NEAR = 0.8
_NEAR_NAME = 0.84
# Names by which people everywhere say that a receiver is meant to send nothing.
_EMPTY_NAMES = ("null", "none", "blackhole", "black-hole", "devnull", "dev-null", "void", "drop", "noop", "nobody")
_NAMED_AT_MOST = 3


def routing_findings(corpus: Files) -> list[Finding]:
    """Every fault of the corpus' routings, by themselves and against its rules."""
    metrics = Metrics(corpus.contract, corpus.rules)
    alerts = shapes(corpus.rules, metrics)
    findings: list[Finding] = []
    for routing in corpus.routings:
        audit = _Audit(routing, alerts, corpus)
        findings += route_findings(routing)
        findings += audit.unknown_alerts()
        findings += audit.unheard_pages()
        findings += grouping_findings(routing, alerts, corpus.contract)
        findings += inhibition_findings(routing, alerts, corpus.contract)
        findings += silence_findings(routing)
    whole = [routing for routing in corpus.routings if routing.root and not routing.part]
    findings += _unrouted(whole, alerts, usual_severities(corpus.contract))
    return list(dict.fromkeys(findings))


class _Audit:
    """One routing beside the alerts of all rules."""

    def __init__(self, routing: Routing, alerts: list[Shape], corpus: Files) -> None:
        self._routing = routing
        self._alerts = alerts
        self._names = sorted({shape.rule.name for shape in alerts})
        self._promised = sorted(corpus.contract.alerts)
        own = {label for shape in alerts for label in (*shape.exact, *shape.templated)}
        self._labels = sorted(own | {"alertname", "severity", "job", "instance", corpus.contract.tenant_label})
        self._paging = paging_severities(corpus.contract)
        self._severities = usual_severities(corpus.contract)

    def unknown_alerts(self) -> Iterator[Finding]:
        """Matchers that wait for an alert that no rule makes, and values that are nearly those that rules set."""
        for what, matchers in _places(self._routing):
            for matcher in matchers:
                if matcher.name == "alertname":
                    yield from self._unknown_name(what, matcher)
                elif self._is_misspelt(matcher.name):
                    near = get_close_matches(matcher.name.lower(), self._labels, n=1, cutoff=_NEAR_NAME)
                    said = f"No alert has a label '{matcher.name}'; is '{near[0]}' meant?"
                    yield self._say("routing/unknown-label", matcher.line, what, said)
                else:
                    yield from self._nearly(what, matcher)

    def _is_misspelt(self, label: str) -> bool:
        """Whether a label is nearly one that alerts have, and none that they may have."""
        if label in self._labels or any(shape.has(label) for shape in self._alerts):
            return False
        return bool(get_close_matches(label.lower(), self._labels, n=1, cutoff=_NEAR_NAME))

    def _unknown_name(self, what: str, matcher: Matcher) -> Iterator[Finding]:
        wanted = matcher.words.finite
        if matcher.negative or not wanted:
            # A pattern such as Kube.* speaks of no alert in particular.
            matched = any(matcher.accepts(name) for name in (*self._names, *self._promised))
            if matcher.negative or not self._names or matched or matcher.accepts("") is not False:
                return
            yield self._say("routing/unknown-alert", matcher.line, what, f"{matcher} matches no rule's name.")
            return
        for name in sorted(wanted - {""}):
            near = get_close_matches(name, self._names or self._promised, n=1, cutoff=_NEAR)
            if name in self._names or (not near and (not self._names or name in self._promised)):
                continue
            if name in self._promised and not self._names:
                continue
            meant = f"; is '{near[0]}' meant?" if near else "."
            yield self._say("routing/unknown-alert", matcher.line, what, f"No rule makes an alert '{name}'{meant}")

    def _nearly(self, what: str, matcher: Matcher) -> Iterator[Finding]:
        values = {shape.exact[matcher.name] for shape in self._alerts if matcher.name in shape.exact}
        if any(shape.has(matcher.name) is None for shape in self._alerts if matcher.name not in shape.exact):
            return
        usual = self._severities if matcher.name == "severity" else frozenset()
        for value in sorted((matcher.words.finite or frozenset()) - values - usual - {""}):
            same = [other for other in sorted(values) if other.lower() == value.lower()]
            if same:
                continue  # said once, at the rule
            near = get_close_matches(value, sorted(values), n=1, cutoff=_NEAR)
            if near and not matcher.accepts(near[0]) and not matcher.negative:
                said = f"No rule sets {matcher.name} to '{value}'; is '{near[0]}' meant?"
                yield self._say("routing/no-alert-comes", matcher.line, what, said)

    def unheard_pages(self) -> Iterator[Finding]:
        """Alerts that are to wake someone and end where nothing is sent, or not at some times."""
        root = self._routing.root
        if root is None:
            return
        silent: dict[Route, list[str]] = {}
        muted: dict[Route, list[str]] = {}
        for shape in self._alerts:
            if shape.severity.lower() not in self._paging:
                continue
            found = ends(root, shape)
            if all(self._sends_nothing(route) for route, _ in found):
                silent.setdefault(found[0][0], []).append(shape.rule.name)
            for route, certain in found:
                if certain and (route.mute or route.active) and len(found) == 1:
                    muted.setdefault(route, []).append(shape.rule.name)
        for route in self._routing.routes():
            severities = finite_values(route.path_matchers(), "severity")
            wakes = bool(severities) and all(value.lower() in self._paging for value in severities or ())
            if wakes and not route.routes:
                if self._sends_nothing(route):
                    silent.setdefault(route, [])
                # Who sends the rest of the time elsewhere has a neighbour that goes on.
                if (route.mute or route.active) and not _told_elsewhere(route):
                    muted.setdefault(route, [])
        for route, names in silent.items():
            said = f"Receiver '{route.receiver.name}' sends nothing anywhere{_of(names, ', and gets ')}."
            yield self._say("routing/paging-nobody", route.receiver.line, str(route), said)
        for route, names in muted.items():
            interval = (*route.mute, *route.active)[0]
            how = "not sent in" if route.mute else "sent only in"
            what = _of(names, "") or "What is meant to wake someone"
            said = f"{what} is {how} time interval '{interval.name}'."
            yield self._say("routing/paging-muted", interval.line, str(route), said)

    def _sends_nothing(self, route: Route) -> bool:
        receiver = self._routing.receiver(route.receiver.name)
        if receiver is None or receiver.integrations:
            return False
        # Where no receiver at all has an integration, they were left out of the file.
        left_out = not any(other.integrations for other in self._routing.receivers)
        return not left_out or receiver.name.lower() in _EMPTY_NAMES

    def _say(self, code: str, line: int, subject: str, message: str) -> Finding:
        return found(code, file=self._routing.file, line=line, subject=subject, message=message)


def _unrouted(routings: list[Routing], alerts: list[Shape], usual: frozenset[str]) -> Iterator[Finding]:
    """Rules whose alerts no route takes but the default, in any of the routings."""
    trees = [routing.root for routing in routings if routing.root and routing.root.routes]
    asked = sorted(
        {
            value
            for tree in trees
            for route in tree.walk()
            for matcher in route.matchers
            if matcher.name == "severity" and not matcher.negative
            for value in matcher.words.finite or ()
        }
    )
    for shape in alerts:
        if not trees or not all(ends(tree, shape) == [(tree, True)] for tree in trees):
            if asked and shape.severity and shape.severity not in asked:
                yield from _misspelt(shape, asked, usual)
            continue
        misspelt = list(_misspelt(shape, asked, usual)) if asked and shape.severity else []
        if misspelt:
            yield from misspelt
            continue
        rule = shape.rule
        told = sorted(f'{name}="{value}"' for name, value in shape.exact.items() if name != "alertname")
        labels = f"its labels are {', '.join(told)}" if told else "the rule sets no label"
        said = f"No route but the default, to '{trees[0].receiver.name}', takes alert '{rule.name}': {labels}."
        yield found("routing/default-only", file=rule.file, line=rule.line, subject=rule.name, message=said)


def _misspelt(shape: Shape, asked: list[str], usual: frozenset[str]) -> Iterator[Finding]:
    rule, severity = shape.rule, shape.severity
    if severity in asked:
        return
    same = [other for other in asked if other.lower() == severity.lower()]
    near = get_close_matches(severity, asked, n=1, cutoff=_NEAR)
    if not same and (not near or severity in usual):
        return
    code = "routing/severity-case" if same else "routing/unknown-severity"
    said = f"Severity '{severity}' of alert '{rule.name}' is asked for by no route; is '{(same or near)[0]}' meant?"
    line = rule.line_of("labels", "severity")
    yield found(code, file=rule.file, line=line, subject=rule.name, message=said)


def _places(routing: Routing) -> Iterator[tuple[str, tuple[Matcher, ...]]]:
    for route in routing.routes():
        yield str(route), route.matchers
    for inhibition in routing.inhibitions:
        yield "inhibition's source", inhibition.source
        yield "inhibition's target", inhibition.target
    for silence in routing.silences:
        if silence.state != "expired":
            yield f"silence '{silence.name}'", silence.matchers


def _told_elsewhere(route: Route) -> bool:
    """Whether the alerts of a route that is quiet at times go to a neighbour, too."""
    siblings = route.parent.routes if route.parent else []
    after = siblings[siblings.index(route) + 1 :] if route in siblings else []
    return (route.goes_on and bool(after)) or any(other.goes_on for other in siblings if other not in (route, *after))


def _of(names: list[str], before: str) -> str:
    if not names:
        return ""
    shown = ", ".join(f"'{name}'" for name in names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{before}{shown}" + (f" and {more} more" if more > 0 else "")
