"""Faults of `group_by` and of inhibitions beside the tenants: alerts that are mixed up, or kept back by others."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import product

from cloudxai_analysis.lint.alert_shapes import Shape
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.matchers import contradiction, covered, finite_values
from cloudxai_analysis.lint.routes import Inhibition, Route, Routing
from cloudxai_analysis.lint.routing import Beside

_NEAR = 0.8
_NAMED_AT_MOST = 3
_MOST_PAIRS = 20_000


@rule("routing/group-by-loses-tenant", of="routing")
def group_by_loses_tenant(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Routes whose notifications mix tenants, said once, where the grouping was chosen."""
    tenant = beside.contract.tenant_label
    losing: dict[Route, list[str]] = {}
    for route in routing.routes():
        coming = [shape.rule.name for shape, _ in beside.ending[route] if shape.has(tenant) is True]
        asks = not beside.alerts and "group_by" in route.own and _of_tenants(route, routing, beside)
        if (coming or asks) and not _keeps(route, tenant):
            losing.setdefault(_chooser(route), []).extend(coming)
    for route, names in losing.items():
        grouped = ", ".join(label.name for label in route.group_by or ()) or "no label"
        distinct = list(dict.fromkeys(names))
        more = f" and {len(distinct) - _NAMED_AT_MOST} more" if len(distinct) > _NAMED_AT_MOST else ""
        what = f"of {', '.join(distinct[:_NAMED_AT_MOST])}{more} " if distinct else ""
        said = f"Alerts {what}are grouped by {grouped}, not by '{tenant}'."
        yield Said(said, route.own.get("group_by", route.line), subject=str(route))


def _keeps(route: Route, tenant: str) -> bool:
    if route.group_by is None or tenant in [label.name for label in route.group_by]:
        return True
    # A route for one tenant mixes none.
    values = finite_values(route.path_matchers(), tenant)
    return values is not None and len(values) <= 1


def _chooser(route: Route) -> Route:
    """The route whose `group_by` holds for this one; the root where none has any."""
    above = route.ancestry()[::-1]
    return next((one for one in above if "group_by" in one.own and one.group_by == route.group_by), above[-1])


def _of_tenants(route: Route, routing: Routing, beside: Beside) -> bool:
    """Whether, without rules to tell, the file itself shows that tenants' alerts come to the route."""
    tenant = beside.contract.tenant_label
    if route.parent is not None:
        return any(matcher.name == tenant for matcher in route.path_matchers())
    promised = [name for name in beside.contract.alerts if name.lower().startswith(tenant)]
    of_name = [(one, matcher) for one in routing.routes() for matcher in one.matchers if matcher.name == "alertname"]
    if any(
        not matcher.negative and any(map(matcher.accepts, promised))
        for one, matcher in of_name
        if one is route or "group_by" not in one.own
    ):
        return True
    elsewhere = {label.name for one in routing.routes() for label in one.group_by or ()}
    elsewhere |= {label.name for inhibition in routing.inhibitions for label in inhibition.equal}
    return tenant in elsewhere | {matcher.name for one in routing.routes() for matcher in one.matchers}


@rule("routing/group-by-unknown-label", of="routing")
def group_by_unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Labels to group by that no alert has."""
    known = {beside.contract.tenant_label, "alertname", "severity", "job", "instance"}
    for route in routing.routes():
        below = [one for one in route.walk() if one.group_by == route.group_by] if "group_by" in route.own else []
        coming = [shape for one in below for shape, _ in beside.ending[one]]
        for label in route.group_by or () if below else ():
            near = get_close_matches(label.name.lower(), sorted(known), n=1, cutoff=_NEAR)
            has = [shape.has(label.name) for shape in coming]
            nobody = bool(coming) and all(one is False for one in has)
            if label.name not in known and (nobody or (near and True not in has)):
                meant = f"; is '{near[0]}' meant?" if near else "."
                said = f"No alert that comes here has a label '{label.name}'{meant}"
                yield Said(said, label.line, subject=str(route))


@rule("routing/inhibition-never", of="routing")
def inhibition_never(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions that never keep an alert back."""
    for inhibition in routing.inhibitions:
        said = _why_never(inhibition) or _never_equal(inhibition, *_sides(inhibition, beside))
        if said:
            yield Said(said, inhibition.line, subject=str(inhibition))


def _why_never(inhibition: Inhibition) -> str:
    source, target = inhibition.source, inhibition.target
    for side, matchers in (("source", source), ("target", target)):
        if excluding := contradiction(matchers):
            return f"Nothing can match its {side}, {', '.join(map(str, excluding))}: it excludes itself."
    for label in inhibition.equal:
        # What must be equal, and never is.
        if contradiction(matcher for matcher in (*source, *target) if matcher.name == label.name):
            return f"'{label.name}' must be equal, and source and target ask for different values of it."
    return ""


def _sides(inhibition: Inhibition, beside: Beside) -> tuple[list[Shape], list[Shape]]:
    return (
        [shape for shape in beside.alerts if shape.all_accepted(inhibition.source) is not False],
        [shape for shape in beside.alerts if shape.all_accepted(inhibition.target) is not False],
    )


def _never_equal(inhibition: Inhibition, sources: list[Shape], targets: list[Shape]) -> str:
    """Why no alert of the sources can have the same values as one of the targets, if none can."""
    if len(sources) * len(targets) > _MOST_PAIRS:
        return ""
    equal = [label.name for label in inhibition.equal]
    reasons = [_unequal(equal, source, target) for source, target in product(sources, targets)]
    return reasons[0] if reasons and all(reasons) else ""


def _unequal(equal: list[str], source: Shape, target: Shape) -> str:
    for name in equal:
        one, other = source.has(name), target.has(name)
        if one is not None and other is not None and one is not other:
            having, lacking = (source, target) if one else (target, source)
            return f"'{name}' must be equal, and only {having.rule.name} has it, not {lacking.rule.name}."
        # Names that differ today say nothing of an inhibition by severity: the same name with both is its very use.
        values = {side.exact.get(name) for side in (source, target)} - {None}
        if name != "alertname" and name in source.exact and name in target.exact and len(values) > 1:
            return f"'{name}' must be equal; {source.rule.name} and {target.rule.name} have different values of it."
    return ""


@rule("routing/inhibition-of-itself", of="routing")
def inhibition_of_itself(routing: Routing, _: Beside) -> Iterator[Said]:
    """Inhibitions whose source is among what they keep back: alerts that match both sides never inhibit each other."""
    for inhibition in routing.inhibitions:
        source, target = inhibition.source, inhibition.target
        if not source or not target or _why_never(inhibition) or not covered(source, target):
            continue
        if covered(target, source):
            yield Said("Source and target match the same alerts.", inhibition.line, subject=str(inhibition))
        elif finite_values(source, "alertname"):
            said = "Every alert of its source is one of its target, too, and is never kept back itself."
            yield Said(said, inhibition.line, assumed=True, subject=str(inhibition))


@rule("routing/inhibition-unknown-label", of="routing")
def inhibition_unknown_label(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Labels that must be equal, and that no alert of either side has."""
    for inhibition in routing.inhibitions:
        sources, targets = _sides(inhibition, beside)
        for label in inhibition.equal if sources and targets and not _why_never(inhibition) else ():
            nobody = all(shape.has(label.name) is False for shape in (*sources, *targets))
            if nobody and label.name != beside.contract.tenant_label:
                said = f"No alert of its source or target has a label '{label.name}', which must be equal."
                yield Said(said, label.line, subject=str(inhibition))


@rule("routing/inhibition-mixes-tenants", of="routing")
def inhibition_mixes_tenants(routing: Routing, beside: Beside) -> Iterator[Said]:
    """Inhibitions by which one tenant's alert keeps back those of all others."""
    tenant = beside.contract.tenant_label
    for inhibition in routing.inhibitions:
        sources, targets = _sides(inhibition, beside)
        one_tenant = [
            values
            for side in (inhibition.source, inhibition.target)
            if (values := finite_values(side, tenant)) is not None and len(values) <= 1
        ]
        equal = [label.name for label in inhibition.equal]
        if not equal or tenant in equal or one_tenant or _why_never(inhibition):
            continue
        of_source = [shape.rule.name for shape in sources if shape.has(tenant) is True]
        of_target = [shape.rule.name for shape in targets if shape.has(tenant) is True]
        if of_source and of_target and not _never_equal(inhibition, sources, targets):
            said = f"{of_source[0]} of one tenant keeps back {of_target[0]} of all: '{tenant}' need not be equal."
            yield Said(said, inhibition.line, subject=str(inhibition))
