"""Faults of inhibitions and silences: those that never keep an alert back, and those that keep back too much."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alert_shapes import Shape
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.matchers import Matcher, covered, finite_values, never
from cloudxai_analysis.lint.routes import Inhibition, Routing
from cloudxai_analysis.platform.contract import Contract

_MOST_PAIRS = 20_000


def inhibition_findings(routing: Routing, alerts: list[Shape], contract: Contract) -> Iterator[Finding]:
    """Every fault of the inhibitions, by themselves and against the alerts of the rules."""
    for inhibition in routing.inhibitions:
        for code, line, message in _faults(inhibition, alerts, contract):
            yield found(code, file=routing.file, line=line, subject=_name(inhibition), message=message)


def silence_findings(routing: Routing) -> Iterator[Finding]:
    """Silences that silence nothing, and those that silence everything."""
    for silence in routing.silences:
        if silence.state == "expired":
            continue
        subject, line = f"silence '{silence.name}'", silence.line
        if never(silence.matchers):
            shown = ", ".join(map(str, silence.matchers))
            yield found(
                "routing/silence-never",
                file=routing.file,
                line=line,
                subject=subject,
                message=f"No alert can match {shown}: the matchers exclude each other.",
            )
        elif covered([Matcher("alertname", "!=", "")], silence.matchers):  # every alert has a name
            yield found(
                "routing/silence-of-everything",
                file=routing.file,
                line=line,
                subject=subject,
                message="Its matchers match every alert.",
            )


def _faults(inhibition: Inhibition, alerts: list[Shape], contract: Contract) -> Iterator[tuple[str, int, str]]:
    source, target, line = inhibition.source, inhibition.target, inhibition.line
    for side, matchers in (("source", source), ("target", target)):
        if never(matchers):
            shown = ", ".join(map(str, matchers))
            yield "routing/inhibition-never", line, f"Nothing can match its {side}, {shown}: it excludes itself."
            return
    equal = [label.name for label in inhibition.equal]
    for name in equal:
        # What must be equal, and never is.
        if never(m for m in (*source, *target) if m.name == name):
            said = f"'{name}' must be equal, and source and target ask for different values of it."
            yield "routing/inhibition-never", line, said
            return
    if covered(source, target) and covered(target, source):
        yield "routing/inhibition-of-itself", line, "Source and target match the same alerts."
        return
    sources = [shape for shape in alerts if shape.all_accepted(source) is not False]
    targets = [shape for shape in alerts if shape.all_accepted(target) is not False]
    if sources and targets:
        never_equal = _never_equal(equal, sources, targets)
        if never_equal:
            yield "routing/inhibition-never", line, never_equal
            return
        unknown = [
            label
            for label in inhibition.equal
            if label.name != contract.tenant_label
            and all(shape.has(label.name) is False for shape in (*sources, *targets))
        ]
        for label in unknown:
            said = f"No alert of its source or target has a label '{label.name}', which must be equal."
            yield "routing/inhibition-unknown-label", label.line, said
    if not equal and _is_general(inhibition):
        yield "routing/inhibition-too-wide", line, "It has no label that must be equal."
    elif contract.tenant_label not in equal:
        mixed = _mixed_tenants(inhibition, sources, targets, contract.tenant_label)
        if mixed:
            yield "routing/inhibition-mixes-tenants", line, mixed


def _is_general(inhibition: Inhibition) -> bool:
    """Whether its source is no alert in particular, so that nothing says that it explains the whole target."""
    names = finite_values(inhibition.source, "alertname")
    if names is not None:
        return False
    return not any(m.name == "alertname" and not m.negative for m in inhibition.source)


def _never_equal(equal: list[str], sources: list[Shape], targets: list[Shape]) -> str:
    """Why no alert of the sources can have the same values as one of the targets, if none can."""
    if len(sources) * len(targets) > _MOST_PAIRS:
        return ""
    reasons = [_unequal(equal, source, target) for source, target in product(sources, targets)]
    return reasons[0] if reasons and all(reasons) else ""


def _unequal(equal: list[str], source: Shape, target: Shape) -> str:
    for name in equal:
        one, other = source.has(name), target.has(name)
        if one is not None and other is not None and one is not other:
            having, lacking = (source, target) if one else (target, source)
            return f"'{name}' must be equal, and only {having.rule.name} has it, not {lacking.rule.name}."
        # Names that differ today say nothing of an inhibition by severity: the same name with both is its very use.
        if (
            name != "alertname"
            and name in source.exact
            and name in target.exact
            and source.exact[name] != target.exact[name]
        ):
            return f"'{name}' must be equal; {source.rule.name} and {target.rule.name} have different values of it."
    return ""


def _mixed_tenants(inhibition: Inhibition, sources: list[Shape], targets: list[Shape], tenant: str) -> str:
    for matchers in (inhibition.source, inhibition.target):
        values = finite_values(matchers, tenant)
        if values is not None and len(values) <= 1:
            return ""
    of_source = [shape.rule.name for shape in sources if shape.has(tenant) is True]
    of_target = [shape.rule.name for shape in targets if shape.has(tenant) is True]
    if not of_source or not of_target:
        return ""
    return f"{of_source[0]} of one tenant keeps back {of_target[0]} of all: '{tenant}' need not be equal."


def _name(inhibition: Inhibition) -> str:
    source, target = (", ".join(map(str, side)) or "any alert" for side in (inhibition.source, inhibition.target))
    return f"inhibition of {target} by {source}"
