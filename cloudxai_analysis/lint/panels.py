"""Faults of dashboards: tenants that cannot be told apart, variables, units, legends, and panels that stay empty."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.auditor import Auditor, Place
from cloudxai_analysis.lint.codes import Said, findings_of, rule
from cloudxai_analysis.lint.dashboards import Dashboard, Panel, Target, Variable
from cloudxai_analysis.lint.expressions import Term
from cloudxai_analysis.lint.facts import Facts
from cloudxai_analysis.lint.grafana_variables import STAND_IN, variables_in, without_variables
from cloudxai_analysis.lint.rules import language_of
from cloudxai_analysis.lint.units import measured, misfit

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_LEGEND = re.compile(r"\{\{\s*([a-zA-Z_]\w*)\s*\}\}")
_NEED_QUERIES = frozenset(
    {"timeseries", "graph", "stat", "singlestat", "gauge", "bargauge", "table", "table-old", "heatmap", "piechart"}
    | {"barchart", "histogram", "state-timeline", "status-history"}
)
_MOST_FIXED_SECONDS = 300.0
_STAND_INS = re.compile(rf"{STAND_IN}(\w+)")
# Faults of a value that nobody has chosen yet.
_OF_VALUES = frozenset({"promql/selects-nothing", "promql/pattern-as-text"})
# The range of a selector, not the step of a subquery.
_RANGE_BY_INTERVAL = re.compile(r"\[\s*\$(?:__interval\b|\{__interval\})\s*\]")
_RANGE_BY_VARIABLE = re.compile(r"\[\s*(?:\$|\[\[)")
_OVER_TIME = frozenset({"timeseries", "graph"})
_SILENT_KINDS = frozenset({"adhoc", "groupby", "system", "switch", "datasource"})
# Who counts tenants, or ranks them, means all of them.
_MEAN_ALL = frozenset({"count", "group", "topk", "bottomk", "count_values"})


@dataclass
class Read:
    """A dashboard with its queries as expressions, by target."""

    dashboard: Dashboard
    auditor: Auditor
    expressions: dict[Target, Term] = field(default_factory=dict)

    def drawn(self, panel: Panel) -> Iterator[tuple[Target, Term]]:
        """The panel's queries that are shown and that no variable makes into another one."""
        for target in panel.drawn:
            if target in self.expressions and target.plain.certain:
                yield target, self.expressions[target]

    def facts(self, root: Term) -> Facts:
        """What is sure of an expression."""
        return self.auditor.inference.of(root)


def dashboard_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' dashboards, of their queries included."""
    findings: list[Finding] = []
    for dashboard in corpus.dashboards:
        read = Read(dashboard, auditor)
        findings += _queries(read)
        place = {"file": dashboard.file, "line": dashboard.line, "subject": dashboard.title}
        findings += findings_of(read, auditor, of="dashboard", **place)  # type: ignore[arg-type]
        for panel in dashboard.panels:
            place = {"file": dashboard.file, "line": panel.line, "subject": str(panel)}
            findings += findings_of(panel, read, of="panel", **place)  # type: ignore[arg-type]
    return findings


def _queries(read: Read) -> list[Finding]:
    """What is wrong with the dashboard's expressions, which are read on the way."""
    findings: list[Finding] = []
    file = read.dashboard.file
    for panel in read.dashboard.panels:
        for target in panel.targets:
            if language_of(target.expr) == "LogQL":
                continue
            place = Place(file, target.line, str(panel), "panel")
            root, faults = read.auditor.findings(target.plain.text, place)
            if root is not None:
                read.expressions[target] = root
            findings += [_restored(fault) for fault in faults if _is_meant(fault, target)]
    for variable in read.dashboard.variables:
        if variable.selector:
            place = Place(file, variable.line, f"variable '{variable.name}'", "panel")
            _, faults = read.auditor.findings(without_variables(variable.selector).text, place)
            findings += [fault for fault in faults if fault.code in ("promql/unknown-metric", "promql/not-on-server")]
    return findings


def _is_meant(fault: Finding, target: Target) -> bool:
    """Whether a fault is the query's own, not that of what stands in for a variable."""
    if fault.code == "promql/unread":
        return target.plain.certain and STAND_IN not in fault.message
    return STAND_IN not in fault.message or (target.plain.certain and fault.code not in _OF_VALUES)


def _restored(fault: Finding) -> Finding:
    """The fault with the variable's own name in place of what stood in for it."""
    return replace(fault, message=_STAND_INS.sub(r"$\1", fault.message))


@rule("dashboards/undefined-variable", of="dashboard")
def undefined_variable(read: Read, _: Auditor) -> Iterator[Said]:
    """A variable that a query asks for and nothing defines."""
    dashboard = read.dashboard
    defined = [variable.name for variable in dashboard.variables]
    asked = [
        (name, target.line, str(panel))
        for panel in dashboard.panels
        for target in panel.targets
        for name in target.plain.variables
    ]
    asked += [
        (name, one.line, f"variable '{one.name}'") for one in dashboard.variables for name in variables_in(one.query)
    ]
    for name, (line, subject) in {one[0]: one[1:] for one in reversed(asked)}.items():
        if name not in defined and not name.startswith("__") and name not in dashboard.inputs:
            near = get_close_matches(name, defined, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else "."
            yield Said(f"There is no variable '{name}'{meant}", line, subject=subject)


@rule("dashboards/unused-variable", of="dashboard")
def unused_variable(read: Read, _: Auditor) -> Iterator[Said]:
    """A variable whose choice changes nothing."""
    for variable in read.dashboard.variables:
        if variable.kind not in _SILENT_KINDS and variable.name and variable.name not in read.dashboard.used:
            said = f"Nothing in the dashboard uses variable '{variable.name}'."
            yield Said(said, variable.line, subject=f"variable '{variable.name}'")


@rule("dashboards/duplicate-panel-id", of="dashboard")
def duplicate_panel_id(read: Read, _: Auditor) -> Iterator[Said]:
    """Panels of one id."""
    seen: dict[int, Panel] = {}
    for panel in read.dashboard.panels:
        if panel.number is not None and panel.number in seen:
            said = f"Id {panel.number} is that of {seen[panel.number]}, too."
            yield Said(said, panel.number_line, subject=str(panel))
        elif panel.number is not None:
            seen[panel.number] = panel


@rule("dashboards/duplicate-ref-id", of="panel")
def duplicate_ref_id(panel: Panel, _: Read) -> Iterator[Said]:
    """Queries of one refId."""
    counts = Counter(name for name, _ in panel.ref_ids if name)
    for name, line in dict(panel.ref_ids).items():
        if counts[name] > 1:
            yield Said(f"{counts[name]} queries have the refId '{name}'.", line)


@rule("dashboards/nothing-drawn", of="panel")
def nothing_drawn(panel: Panel, _: Read) -> Iterator[str]:
    """A panel without a query that is shown."""
    if panel.library or panel.other_targets or panel.kind not in _NEED_QUERIES:
        return
    if not panel.targets:
        yield "It has no query."
    elif not panel.drawn and not panel.transformed:
        yield "All of its queries are hidden."


@rule("dashboards/wrong-unit", of="panel")
def wrong_unit(panel: Panel, read: Read) -> Iterator[Said]:
    """A unit that the values do not have."""
    for _, root in read.drawn(panel) if panel.unit and not panel.overridden else ():
        values = measured(root, read.auditor.metrics)
        wrong = misfit(panel.unit, values)
        if wrong:
            of = f" of {values.metric}" if values.metric else ""
            yield Said(f"The unit is wrong for the values{of}: {wrong}.", panel.unit_line)
            return


@rule("dashboards/legend-label", of="panel")
def legend_label(panel: Panel, read: Read) -> Iterator[Said]:
    """A legend by a label that the series do not have."""
    for target, root in read.drawn(panel) if not panel.transformed else ():
        labels = read.facts(root).labels
        names = _LEGEND.findall(target.legend)
        lost = [name for name in names if not labels.may_have(name)]
        # What still names something else can leave a hole on purpose.
        if lost:
            there = ", ".join(sorted(labels.sure)) or "none"
            said = f"The series have no label '{lost[0]}'; those that they have for sure: {there}."
            yield Said(said, target.legend_line)


@rule("dashboards/raw-counter", of="panel")
def raw_counter(panel: Panel, read: Read) -> Iterator[Said]:
    """A counter drawn as it stands."""
    for target, root in read.drawn(panel) if panel.kind in _OVER_TIME else ():
        facts = read.facts(root)
        if facts.kind == "counter" and not target.instant:
            said = f"{facts.metric} is a counter, {facts.because}, and is drawn as it is."
            yield Said(said, target.line, assumed=facts.assumed)


@rule("dashboards/several-values", of="panel")
def several_values(panel: Panel, read: Read) -> Iterator[Said]:
    """A variable of several values that is compared as one text."""
    for target in panel.targets:
        root = read.expressions.get(target)
        for term in root.selectors if root is not None else ():
            for matcher in term.matchers:
                name = matcher.value.removeprefix(STAND_IN)
                variable = read.dashboard.variable(name)
                asks = matcher.operator in ("=", "!=") and matcher.value.startswith(STAND_IN)
                if asks and variable is not None and variable.several and name not in panel.repeat:
                    said = f'{matcher.name}{matcher.operator}"${name}", of which several can be chosen.'
                    yield Said(said, target.line)


@rule("dashboards/interval-range", of="panel")
def interval_range(panel: Panel, read: Read) -> Iterator[Said]:
    """A rate over $__interval; a panel with a least interval of its own is safe."""
    for target in panel.targets if not panel.least_interval else ():
        root = read.expressions.get(target)
        rates = [one for one in root.walk() if one.form == "call" and one.name in ("rate", "increase")] if root else []
        if rates and _RANGE_BY_INTERVAL.search(target.expr):
            yield Said(f"{rates[0].name}() looks back over $__interval.", target.line)


@rule("dashboards/fixed-range", of="dashboard")
def fixed_range(read: Read, _: Auditor) -> Iterator[Said]:
    """Rates over a fixed range where most others follow the time range."""
    pairs = [
        (panel, target) for panel in read.dashboard.panels for target in panel.targets if target in read.expressions
    ]
    following = sum("__rate_interval" in target.plain.variables for _, target in pairs)
    fixed = [
        (panel, target)
        for panel, target in pairs
        if not _RANGE_BY_VARIABLE.search(target.expr) and not target.instant and _is_fixed(read.expressions[target])
    ]
    for panel, target in fixed if following >= 2 * len(fixed) else ():
        yield Said("rate() looks back over a fixed range.", target.line, subject=str(panel))


def _is_fixed(root: Term) -> bool:
    rates = [term for term in root.walk() if term.form == "call" and term.name in ("rate", "irate")]
    return any((part.seconds or 1e9) <= _MOST_FIXED_SECONDS for term in rates for part in term.parts)


@rule("dashboards/fixed-datasource", of="dashboard")
def fixed_datasource(read: Read, _: Auditor) -> Iterator[Said]:
    """A panel that asks one data source whatever is chosen."""
    panels = read.dashboard.panels
    chosen = [variable.name for variable in read.dashboard.variables if variable.kind == "datasource"]
    using = [panel for panel in panels if set(variables_in(panel.datasource)) & set(chosen)]
    for panel in panels if using else ():
        fixed = panel.datasource and not variables_in(panel.datasource) and not panel.datasource.startswith("-- ")
        if panel.targets and fixed and panel.datasource != "grafana":
            said = f"Its data source is '{panel.datasource}'; others here use ${chosen[0]}."
            yield Said(said, panel.datasource_line, subject=str(panel))


@rule("dashboards/no-tenant-variable", of="dashboard")
def no_tenant_variable(read: Read, __: Auditor) -> Iterator[str]:
    """Queries of tenants in a dashboard that lets nobody choose one."""
    shown = _shown(read)
    if shown and not _tenant_variables(read, shown):
        panel, _, selectors = shown[0]
        more = f"; {panel} and {len(shown) - 1} more queries show" if len(shown) > 1 else f", and {panel} shows"
        yield f"No variable chooses a tenant{more} {selectors[0].name}."


@rule("dashboards/ignores-tenant", of="dashboard")
def ignores_tenant(read: Read, auditor: Auditor) -> Iterator[Said]:
    """Queries that show all tenants whichever is chosen."""
    label = auditor.metrics.contract.tenant_label
    shown = _shown(read)
    variables = _tenant_variables(read, shown)
    for panel, target, selectors in shown if variables else ():
        deaf = [term for term in selectors if not _heeds(term, label)]
        if deaf and variables.isdisjoint(target.plain.variables):
            said = f"Its query of {deaf[0].name} does not select by '{label}'."
            yield Said(said, target.line, subject=str(panel))


def _shown(read: Read) -> list[tuple[Panel, Target, list[Term]]]:
    """The queries that are drawn with the selectors of tenants' series in them."""
    found = [
        (panel, target, list(_of_tenants(read.expressions[target], read.auditor, mean_all=False)))
        for panel in read.dashboard.panels
        for target in panel.drawn
        if target in read.expressions
    ]
    return [one for one in found if one[2]]


def _tenant_variables(read: Read, shown: list[tuple[Panel, Target, list[Term]]]) -> set[str]:
    label = read.auditor.metrics.contract.tenant_label
    selectors = [term for _, _, terms in shown for term in terms]
    matchers = [matcher for term in selectors for matcher in term.matchers if matcher.name == label]
    asked = {matcher.value.removeprefix(STAND_IN) for matcher in matchers if STAND_IN in matcher.value}
    return asked | {one.name for one in read.dashboard.variables if _is_tenants(one, label)}


def _is_tenants(variable: Variable, label: str) -> bool:
    return variable.label == label or variable.name.lower() in (label, f"{label}s")


def _heeds(term: Term, label: str) -> bool:
    return any(matcher.name == label and STAND_IN in matcher.value for matcher in term.matchers)


def shows_tenants(name: str, auditor: Auditor) -> bool:
    """Whether the series of that name are the contract's, or recorded from them, and told apart by tenant."""
    metrics = auditor.metrics
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
