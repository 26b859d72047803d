"""Faults of `group_by`: tenants that come as one notification, and labels that separate nothing."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alert_shapes import Shape, ends
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.matchers import finite_values
from cloudxai_analysis.lint.routes import Route, Routing
from cloudxai_analysis.platform.contract import Contract

_NEAR = 0.8
_NAMED_AT_MOST = 3


def grouping_findings(routing: Routing, alerts: list[Shape], contract: Contract) -> Iterator[Finding]:
    """Every fault of how the routes group alerts."""
    if routing.root is None:
        return
    ending: dict[Route, list[Shape]] = {}
    for shape in alerts:
        for route, _ in ends(routing.root, shape):
            ending.setdefault(route, []).append(shape)
    yield from _lost_tenants(routing, ending, contract, bool(alerts))
    yield from _unknown_labels(routing, ending, contract)


def _lost_tenants(
    routing: Routing, ending: dict[Route, list[Shape]], contract: Contract, with_rules: bool
) -> Iterator[Finding]:
    tenant = contract.tenant_label
    losing: dict[Route, list[str]] = {}
    for route in routing.routes():
        if _keeps(route, tenant):
            continue
        if with_rules:
            names = [shape.rule.name for shape in ending.get(route, []) if shape.has(tenant) is True]
        else:
            names = [""] if "group_by" in route.own and _of_tenants(route, routing, contract) else []
        if names:
            # Said once, where the grouping was chosen, however many routes inherit it.
            losing.setdefault(_chooser(route), []).extend(names)
    for route, names in losing.items():
        grouped = ", ".join(label.name for label in route.group_by or ()) or "no label"
        distinct = [name for name in dict.fromkeys(names) if name]
        shown = ", ".join(distinct[:_NAMED_AT_MOST])
        more = f" and {len(distinct) - _NAMED_AT_MOST} more" if len(distinct) > _NAMED_AT_MOST else ""
        what = f"of {shown}{more} " if shown else ""
        said = f"Alerts {what}are grouped by {grouped}, not by '{tenant}'."
        line = route.own.get("group_by", route.line)
        yield found("routing/group-by-loses-tenant", file=routing.file, line=line, subject=str(route), message=said)


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


def _of_tenants(route: Route, routing: Routing, contract: Contract) -> bool:
    """Whether, without rules to tell, the file itself shows that tenants' alerts come to the route."""
    tenant = contract.tenant_label
    if route.parent is not None and any(matcher.name == tenant for matcher in route.path_matchers()):
        return True
    promised = {name for name in contract.alerts if name.lower().startswith(tenant)}
    for one in route.walk() if route.parent else routing.routes():
        for matcher in one.matchers:
            if matcher.name == "alertname" and not matcher.negative and any(map(matcher.accepts, promised)):
                return one is route or "group_by" not in one.own
    elsewhere = {label.name for one in routing.routes() for label in one.group_by or ()}
    elsewhere |= {label.name for inhibition in routing.inhibitions for label in inhibition.equal}
    elsewhere |= {matcher.name for one in routing.routes() for matcher in one.matchers}
    return tenant in elsewhere and route.parent is None


def _unknown_labels(routing: Routing, ending: dict[Route, list[Shape]], contract: Contract) -> Iterator[Finding]:
    known = {contract.tenant_label, "alertname", "severity", "job", "instance"}
    seen: set[int] = set()
    for route in routing.routes():
        if "group_by" not in route.own:
            continue
        below = [one for one in route.walk() if one.group_by == route.group_by]
        coming = [shape for one in below for shape in ending.get(one, [])]
        for label in route.group_by or ():
            if label.name in known or label.line in seen:
                continue
            near = get_close_matches(label.name.lower(), sorted(known), n=1, cutoff=_NEAR)
            nobody = bool(coming) and all(shape.has(label.name) is False for shape in coming)
            misspelt = near and not any(shape.has(label.name) is True for shape in coming)
            if not nobody and not misspelt:
                continue
            seen.add(label.line)
            meant = f"; is '{near[0]}' meant?" if near else "."
            said = f"No alert that comes here has a label '{label.name}'{meant}"
            yield found(
                "routing/group-by-unknown-label", file=routing.file, line=label.line, subject=str(route), message=said
            )
