"""Faults of dashboards: tenants that cannot be told apart, variables, units, legends, and panels that stay empty."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.dashboard_tenants import tenant_faults
from cloudxai_analysis.lint.dashboards import Dashboard, Panel, Target
from cloudxai_analysis.lint.expression_audits import Auditor, Place
from cloudxai_analysis.lint.expressions import Expression
from cloudxai_analysis.lint.grafana_variables import STAND_IN, variables_in, without_variables
from cloudxai_analysis.lint.knowledge import Files, auditor_of
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.units import measured, misfit

Fault = tuple[str, int, str, str]  # code, line, subject, message
_LEGEND = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
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


def dashboard_findings(corpus: Files) -> list[Finding]:
    """Every fault of the corpus' dashboards, of their queries included."""
    findings: list[Finding] = []
    auditor = auditor_of(corpus)
    for dashboard in corpus.dashboards:
        read = _Read(dashboard, auditor)
        findings += read.findings
        faults = [
            *tenant_faults(dashboard, read.expressions, auditor),
            *_variables(dashboard),
            *_numbers(dashboard),
            *_ranges(dashboard, read.expressions),
            *_sources(dashboard),
        ]
        for panel in dashboard.panels:
            faults += [*_form(panel), *_units(panel, read.expressions, auditor.metrics)]
            faults += _legends(panel, read.expressions, auditor)
            faults += _raw_counters(panel, read.expressions, auditor)
            faults += _several(panel, dashboard, read.expressions)
        findings += [
            found(code, file=dashboard.file, line=line, subject=subject, message=message)
            for code, line, subject, message in dict.fromkeys(faults)
        ]
    return findings


class _Read:
    """The queries of a dashboard as expressions, by target, with what is wrong with them."""

    def __init__(self, dashboard: Dashboard, auditor: Auditor) -> None:
        self.expressions: dict[Target, Expression] = {}
        self.findings: list[Finding] = []
        for panel in dashboard.panels:
            for target in panel.targets:
                place = Place(dashboard.file, target.line, str(panel), "panel")
                expression, faults = auditor.findings(target.plain.text, place)
                if expression is not None:
                    self.expressions[target] = expression
                self.findings += [_restored(fault) for fault in faults if _is_meant(fault, target, expression)]
        for variable in dashboard.variables:
            if variable.selector:
                place = Place(dashboard.file, variable.line, f"variable '{variable.name}'", "panel")
                _, faults = auditor.findings(without_variables(variable.selector).text, place)
                self.findings += [fault for fault in faults if fault.code == "promql/unknown-metric"]


def _is_meant(fault: Finding, target: Target, expression: Expression | None) -> bool:
    """Whether a fault is the query's own, not that of what stands in for a variable, or of another language."""
    if expression is None:
        says_prometheus = "prometheus" in target.datasource
        looks_like_logs = target.expr.lstrip().startswith("{") or "|=" in target.expr or "| json" in target.expr
        return target.plain.certain and (says_prometheus or not looks_like_logs)
    if STAND_IN not in fault.message:
        return True
    return target.plain.certain and fault.code not in _OF_VALUES


def _restored(fault: Finding) -> Finding:
    """The fault with the variable's own name in place of what stood in for it."""
    return replace(fault, message=_STAND_INS.sub(r"$\1", fault.message))


def _variables(dashboard: Dashboard) -> Iterator[Fault]:
    defined = [variable.name for variable in dashboard.variables]
    asked: dict[str, tuple[int, str]] = {}
    for panel in dashboard.panels:
        for target in panel.targets:
            for name in target.plain.variables:
                asked.setdefault(name, (target.line, str(panel)))
    for variable in dashboard.variables:
        for name in variables_in(variable.query):
            asked.setdefault(name, (variable.line, f"variable '{variable.name}'"))
    for name, (line, subject) in asked.items():
        if name not in defined and not name.startswith("__") and name not in dashboard.inputs:
            near = get_close_matches(name, defined, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else "."
            yield "dashboards/undefined-variable", line, subject, f"There is no variable '{name}'{meant}"
    for variable in dashboard.variables:
        silent = variable.kind in ("adhoc", "groupby", "system", "switch") or not variable.name
        if not silent and variable.name not in dashboard.used:
            said = f"Nothing in the dashboard uses variable '{variable.name}'."
            yield "dashboards/unused-variable", variable.line, f"variable '{variable.name}'", said


def _numbers(dashboard: Dashboard) -> Iterator[Fault]:
    seen: dict[int, Panel] = {}
    for panel in dashboard.panels:
        if panel.number is None:
            continue
        if panel.number in seen:
            said = f"Id {panel.number} is that of {seen[panel.number]}, too."
            yield "dashboards/duplicate-panel-id", panel.number_line, str(panel), said
        seen.setdefault(panel.number, panel)


def _form(panel: Panel) -> Iterator[Fault]:
    counts = Counter(name for name, _ in panel.ref_ids if name)
    for name, line in reversed(panel.ref_ids):
        if counts[name] > 1:
            counts[name] = 0
            yield "dashboards/duplicate-ref-id", line, str(panel), f"Two queries have the refId '{name}'."
    if panel.library or panel.other_targets or panel.kind not in _NEED_QUERIES:
        return
    if not panel.targets:
        yield "dashboards/nothing-drawn", panel.line, str(panel), "It has no query."
    elif not panel.drawn and not panel.transformed:
        yield "dashboards/nothing-drawn", panel.line, str(panel), "All of its queries are hidden."


def _units(panel: Panel, expressions: dict[Target, Expression], metrics: Metrics) -> Iterator[Fault]:
    if not panel.unit or panel.overridden:
        return
    for target in panel.drawn:
        if target not in expressions or not target.plain.certain:
            continue
        values = measured(expressions[target].root, metrics)
        wrong = misfit(panel.unit, values)
        if wrong:
            of = f" of {values.metric}" if values.metric else ""
            said = f"The unit is wrong for the values{of}: {wrong}."
            yield "dashboards/wrong-unit", panel.unit_line, str(panel), said
            return


def _legends(panel: Panel, expressions: dict[Target, Expression], auditor: Auditor) -> Iterator[Fault]:
    for target in panel.drawn:
        if target not in expressions or not target.plain.certain:
            continue
        auditor.inference.forget()
        labels = auditor.inference.of(expressions[target].root).labels
        for name in _LEGEND.findall(target.legend):
            if name and not labels.may_have(name):
                there = ", ".join(sorted(labels.sure)) or "none"
                said = f"The series have no label '{name}'; those that they have for sure: {there}."
                yield "dashboards/legend-label", target.legend_line, str(panel), said


def _raw_counters(panel: Panel, expressions: dict[Target, Expression], auditor: Auditor) -> Iterator[Fault]:
    if panel.kind not in _OVER_TIME:
        return
    for target in panel.drawn:
        if target in expressions and target.plain.certain and not target.instant:
            auditor.inference.forget()
            facts = auditor.inference.of(expressions[target].root)
            if facts.kind == "counter":
                said = f"{facts.metric} is a counter, {facts.because}, and is drawn as it is."
                yield "dashboards/raw-counter", target.line, str(panel), said


def _several(panel: Panel, dashboard: Dashboard, expressions: dict[Target, Expression]) -> Iterator[Fault]:
    for target in panel.targets:
        if target not in expressions:
            continue
        for term in expressions[target].root.walk():
            for matcher in term.matchers:
                variable = dashboard.variable(matcher.value.removeprefix(STAND_IN))
                if matcher.operator not in ("=", "!=") or not matcher.value.startswith(STAND_IN) or not variable:
                    continue
                if variable.several:
                    said = f'{matcher.name}{matcher.operator}"${variable.name}", of which several can be chosen.'
                    yield "dashboards/several-values", target.line, str(panel), said


def _ranges(dashboard: Dashboard, expressions: dict[Target, Expression]) -> Iterator[Fault]:
    fixed: list[tuple[Panel, Target]] = []
    following = 0
    for panel in dashboard.panels:
        for target in panel.targets:
            if target not in expressions:
                continue
            rates = [t for t in expressions[target].root.walk() if t.form == "call" and t.name in ("rate", "increase")]
            if rates and _RANGE_BY_INTERVAL.search(target.expr):
                said = f"{rates[0].name}() looks back over $__interval."
                yield "dashboards/interval-range", target.line, str(panel), said
            following += "__rate_interval" in target.plain.variables
            if not _RANGE_BY_VARIABLE.search(target.expr) and not target.instant and _is_fixed(expressions[target]):
                fixed.append((panel, target))
    if following >= 2 * len(fixed):
        for panel, target in fixed:
            yield "dashboards/fixed-range", target.line, str(panel), "rate() looks back over a fixed range."


def _is_fixed(expression: Expression) -> bool:
    return any(
        term.name in ("rate", "irate") and any((part.seconds or 1e9) <= _MOST_FIXED_SECONDS for part in term.parts)
        for term in expression.root.walk()
        if term.form == "call"
    )


def _sources(dashboard: Dashboard) -> Iterator[Fault]:
    chosen = [variable.name for variable in dashboard.variables if variable.kind == "datasource"]
    if not chosen:
        return
    using = [panel for panel in dashboard.panels if set(variables_in(panel.datasource)) & set(chosen)]
    for panel in dashboard.panels:
        fixed = panel.datasource and not variables_in(panel.datasource) and not panel.datasource.startswith("-- ")
        if using and panel.targets and fixed and panel.datasource != "grafana":
            said = f"Its data source is '{panel.datasource}'; others here use ${chosen[0]}."
            yield "dashboards/fixed-datasource", panel.datasource_line, str(panel), said
