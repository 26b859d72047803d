"""Whether a dashboard lets people look at one tenant, and whether its panels heed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudxai_analysis.lint.dashboards import Dashboard, Panel, Target, Variable
from cloudxai_analysis.lint.expression_audits import Auditor
from cloudxai_analysis.lint.expressions import Expression, Term
from cloudxai_analysis.lint.grafana_variables import STAND_IN
from cloudxai_analysis.lint.metrics import Metrics

# Who counts tenants, or ranks them, means all of them.
_MEAN_ALL = frozenset({"count", "group", "topk", "bottomk", "count_values"})


def tenant_faults(
    dashboard: Dashboard, expressions: Mapping[Target, Expression], auditor: Auditor
) -> Iterator[tuple[str, int, str, str]]:
    """Code, line, subject and message of each fault of this kind."""
    label = auditor.metrics.contract.tenant_label
    shown: list[tuple[Panel, Target, list[Term]]] = []
    for panel in dashboard.panels:
        for target in panel.drawn:
            if target in expressions:
                selectors = list(_of_tenants(expressions[target].root, auditor, mean_all=False))
                if selectors:
                    shown.append((panel, target, selectors))
    if not shown:
        return
    variables = {variable.name for variable in dashboard.variables if _is_tenants(variable, label)}
    variables |= {
        matcher.value.removeprefix(STAND_IN)
        for _, _, selectors in shown
        for term in selectors
        for matcher in term.matchers
        if matcher.name == label and STAND_IN in matcher.value
    }
    if not variables:
        panel, _, selectors = shown[0]
        said = f"No variable chooses a tenant; {panel} and {len(shown) - 1} more queries show {selectors[0].name}."
        if len(shown) == 1:
            said = f"No variable chooses a tenant, and {panel} shows {selectors[0].name}."
        yield "dashboards/no-tenant-variable", dashboard.line, dashboard.title, said
        return
    for panel, target, selectors in shown:
        deaf = [term for term in selectors if not _heeds(term, label)]
        if deaf and not any(name in target.plain.variables for name in variables):
            said = f"Its query of {deaf[0].name} does not select by '{label}'."
            yield "dashboards/ignores-tenant", target.line, str(panel), said


def _is_tenants(variable: Variable, label: str) -> bool:
    return variable.label == label or variable.name.lower() in (label, f"{label}s")


def _heeds(term: Term, label: str) -> bool:
    return any(matcher.name == label and STAND_IN in matcher.value for matcher in term.matchers)


def shows_tenants(name: str, auditor: Auditor) -> bool:
    """Whether the series of that name are the contract's, or recorded from them, and told apart by tenant."""
    metrics: Metrics = auditor.metrics
    label = metrics.contract.tenant_label
    if name in metrics.recorded:
        return label in auditor.inference.recorded(name).labels.sure
    metric = metrics.promised(name)
    return metric is not None and not {label, "tenant"}.isdisjoint(metric.labels)


def _of_tenants(term: Term, auditor: Auditor, *, mean_all: bool) -> Iterator[Term]:
    """The selectors of tenants' series that are not only counted or ranked."""
    if term.form == "selector":
        if not mean_all and shows_tenants(term.name, auditor):
            yield term
        return
    mean_all = mean_all or (term.form == "aggregation" and term.name in _MEAN_ALL)
    for part in term.parts:
        yield from _of_tenants(part, auditor, mean_all=mean_all)
