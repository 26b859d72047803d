"""A dashboard of Grafana as it stands in a file, and what is wrong with its queries, variables, units and tenants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.auditor import Auditor, Place
from cloudxai_analysis.lint.codes import Said, findings_of, rule
from cloudxai_analysis.lint.expressions import Term
from cloudxai_analysis.lint.metrics import NAMES
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.rules import language_of
from cloudxai_analysis.lint.units import measured, misfit

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

STAND_IN = "grafana_variable_"
_STAND_INS = re.compile(rf"{STAND_IN}(\w+)")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+?)(?:\.[^:^\]]+)?(?::([^\]]+))?\]\]")
_NUMBER_FUNCTION = re.compile(
    r"(?:vector|topk|bottomk|quantile|limitk|limit_ratio|histogram_quantile|quantile_over_time)\s*"
    r"(?:(?:by|without)\s*\([^()]*\)\s*)?\(\s*\Z|\b(?:clamp(?:_min|_max)?|round|predict_linear)\s*\(.*,\s*\Z",
    re.DOTALL,
)
_OPERATOR = re.compile(r"(?:[-+*/%^]|[=!<>]=|[<>]|(?:[<>=!]=?)\s*bool|\batan2|@)\s*\Z")
_OFFSET = re.compile(r"\boffset\s+-?\Z")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?""", re.DOTALL)
_NAMES = NAMES["grafana"]
# Faults of a value that nobody has chosen yet.
_OF_VALUES = frozenset({"promql/selects-nothing", "promql/pattern-as-text"})
# Who counts tenants, or ranks them, means all of them.
_MEAN_ALL = frozenset({"count", "group", "topk", "bottomk", "count_values"})
_DEEPEST_ROWS = 5


class Plain(NamedTuple):
    """A text without variables; `certain` unless a variable stood for a name, function or whole expression."""

    text: str
    variables: tuple[str, ...]
    certain: bool


class Query(NamedTuple):
    """One query of a Prometheus in a panel, as it stands there and with Grafana's variables replaced.

    `unit` is the panel's, '' where some of its series have one of their own or the query is hidden; `repeat` are the
    variables of which every repeat of the panel has one value.
    """

    panel: str
    expr: str
    line: int
    plain: Plain
    hidden: bool
    unit: str
    unit_line: int
    repeat: frozenset[str]

    @property
    def subject(self) -> str:
        """The panel, as a finding names it."""
        return f"panel '{self.panel}'"


class Variable(NamedTuple):
    """One variable, of which `several` values may be chosen: those of `query`, as label_values(SELECTOR, LABEL)."""

    line: int
    query: str
    several: bool
    selector: str = ""
    label: str = ""


@dataclass(eq=False)
class Dashboard:
    """One dashboard; `inputs` are what its importer fills in, `expressions` the queries that could be read."""

    file: str
    title: str
    line: int
    queries: list[Query]
    variables: dict[str, Variable]
    inputs: frozenset[str]
    expressions: list[tuple[Query, Term]] = field(default_factory=list)


def load_dashboards(tree: Node, file: str) -> list[Dashboard]:
    """Every dashboard that a document is, or wraps as Grafana's API and Kubernetes' resources do."""
    bodies = [place for place in (tree, tree.get("dashboard"), tree.get("spec")) if _is_body(place)]
    return [_dashboard(body, file) for body in bodies[:1]]


def _is_body(node: Node) -> bool:
    panels = isinstance(node.get("panels").value, list) or isinstance(node.get("rows").value, list)
    return panels and any(node.has(key) for key in ("title", "templating", "schemaVersion", "uid", "time", "refresh"))


def _dashboard(body: Node, file: str) -> Dashboard:
    inputs, listed = body.get("__inputs").items(), body.get("templating", "list").items()
    sources = {node.get("name").text(): node.get("pluginId").text().lower() for node in inputs}
    for node in listed:
        if node.get("type").text() == "datasource":
            sources[node.get("name").text()] = node.get("query").text().lower()
    title = body.get("title")
    return Dashboard(
        file,
        title.text(),
        title.line if title.text() else body.line,
        [query for panel, repeat in _panels(body, 0, frozenset()) for query in _queries(panel, sources, repeat)],
        {node.get("name").text(): _variable(node) for node in listed},
        frozenset(node.get("name").text() for node in inputs),
    )


def _panels(node: Node, depth: int, repeat: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """Panels in the order in which they are seen, each with the variables of which every repeat has one value.

    Those of old rows, and those inside of collapsed rows, too; what follows an open row that is repeated is as well.
    """
    of_row: frozenset[str] = frozenset()
    for inside in (*node.get("rows").items(), *node.get("panels").items()):
        own = frozenset({inside.get("repeat").text(), inside.get("repeatByRow").text()}) - {""}
        if inside.get("type").text() == "row":
            of_row = own
        yield inside, repeat | own | of_row
        if depth < _DEEPEST_ROWS:
            yield from _panels(inside, depth + 1, repeat | own)


def _queries(panel: Node, sources: dict[str, str], repeat: frozenset[str]) -> Iterator[Query]:
    own, unit = _source(panel.get("datasource"), sources), _unit(panel)
    name = panel.get("title").text() or panel.get("id").text()
    for target in panel.get("targets").items():
        given, expr = target.get("datasource"), target.get("expr")
        source = own if given.value is None or _is_other(own) else _source(given, sources)
        if expr.text().strip() and not _is_other(source):
            plain, hidden = without_variables(expr.text()), target.get("hide").value is True
            drawn_in = "" if hidden else unit.text()
            yield Query(name, expr.text(), expr.line, plain, hidden, drawn_in, unit.line, repeat)


def _unit(panel: Node) -> Node:
    """Where the panel's unit stands: today's field configuration, a gauge's or single value's, or an old left axis."""
    overrides = [
        one.get("id").text()
        for entry in panel.get("fieldConfig", "overrides").items()
        for one in entry.get("properties").items()
    ]
    if "unit" in overrides or any(entry.get("yaxis").value == 2 for entry in panel.get("seriesOverrides").items()):
        return Node(None, panel.line)
    places = [panel.get("fieldConfig", "defaults", "unit"), panel.get("format")]
    places += [axis.get("format") for axis in panel.get("yaxes").items()[:1]]
    return next((place for place in places if isinstance(place.value, str)), Node(None, panel.line))


def _source(node: Node, sources: dict[str, str]) -> str:
    """The kind of a data source as far as it is said; '' where it is not."""
    name = node.text() or node.get("uid").text()
    chosen = next((sources[used] for used in variables_in(name) if used in sources), "")
    kind = node.get("type").text().lower() or chosen
    return next((other for other in _NAMES["other_sources"] if other in (kind or name.lower())), kind)


def _is_other(source: str) -> bool:
    """Whether a data source is surely none that speaks PromQL."""
    return source in _NAMES["other_sources"] or ("-datasource" in source and "prometheus" not in source)


def _variable(node: Node) -> Variable:
    query, line = node.get("query"), node.get("name").line
    text = (query.text() or query.get("query").text() or node.get("definition").text()).strip()
    several = node.get("multi").value is True or node.get("includeAll").value is True
    if not (text.startswith("label_values(") and text.endswith(")")):
        return Variable(line, text, several)
    selector, _, label = text.removeprefix("label_values(")[:-1].rpartition(",")
    return Variable(line, text, several, selector.strip(), label.strip())


# What stands in for a variable depends on where it stands: a duration inside brackets, a text inside quotes, a number
# where one is due, a name everywhere else.


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables in any text of a dashboard; not the groups of a pattern, such as $1."""
    return tuple(name for found in _VARIABLE.finditer(text) if not (name := _name(found)).isdigit())


def without_variables(text: str) -> Plain:
    """The PromQL text with plain PromQL in place of Grafana's variables."""
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    parts: list[str] = []
    names: list[str] = []
    certain, end = True, 0
    for found in _VARIABLE.finditer(text):
        name, start = _name(found), found.start()
        in_quotes = any(first < start < last for first, last in quoted)
        if name.isdigit() or (in_quotes and text[start - 1] == "\\"):
            continue
        names.append(name)
        instead, sure = (STAND_IN + name, True) if in_quotes else _instead(name, text[:start], text[found.end() :])
        certain = certain and sure
        parts += [text[end:start], instead]
        end = found.end()
    return Plain("".join([*parts, text[end:]]), tuple(names), certain)


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[4]


def _instead(name: str, before: str, after: str) -> tuple[str, bool]:
    """What stands in for a variable between two texts, and whether it is like it, whatever its value."""
    if before.rfind("[") > before.rfind("]") or _OFFSET.search(before):
        unit = re.match(r"(?:ms|[smhdwy])\b", after)
        return ("5" if unit else _NAMES["built_in"].get(name, "5m")), True
    if name in _NAMES["built_in"]:
        return _NAMES["built_in"][name], True
    if re.search(r"[\w:]\Z", before) or re.match(r"[\w$]", after):
        # Without underscores, so that its end can be seen in the name around it.
        return f"{STAND_IN}{name.replace('_', '')}", False
    if _NUMBER_FUNCTION.search(before) or _OPERATOR.search(before):
        return "1", False
    if re.match(r"\s*(?:by|without)?\s*\(", after) and before.rfind("{") <= before.rfind("}"):
        return "sum", False
    return f"{STAND_IN}{name}", False


def dashboard_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' dashboards, of their queries included."""
    findings: list[Finding] = []
    for one in corpus.dashboards:
        findings += _of_queries(one, auditor)
        findings += findings_of(one, auditor, of="dashboard", file=one.file, line=one.line, subject=one.title)
    return findings


def _of_queries(dashboard: Dashboard, auditor: Auditor) -> Iterator[Finding]:
    """What is wrong with the dashboard's expressions, which are read on the way."""
    file, dashboard.expressions = dashboard.file, []
    for query in dashboard.queries:
        if language_of(query.expr) == "LogQL":
            continue
        root, faults = auditor.findings(query.plain.text, Place(file, query.line, query.subject, "panel"))
        dashboard.expressions += [(query, root)] if root is not None else []
        for fault in faults:
            if _is_meant(fault, query):
                yield replace(fault, message=_STAND_INS.sub(r"$\1", fault.message))
    for name, variable in dashboard.variables.items():
        place = Place(file, variable.line, f"variable '{name}'", "panel")
        _, faults = auditor.findings(without_variables(variable.selector or "up").text, place)
        yield from (fault for fault in faults if fault.code in ("promql/unknown-metric", "promql/not-on-server"))


def _is_meant(fault: Finding, query: Query) -> bool:
    """Whether a fault is the query's own, not that of what stands in for a variable."""
    if fault.code == "promql/unread":
        return query.plain.certain and STAND_IN not in fault.message
    return STAND_IN not in fault.message or (query.plain.certain and fault.code not in _OF_VALUES)


@rule("dashboards/undefined-variable", of="dashboard")
def undefined_variable(one: Dashboard, _: Auditor) -> Iterator[Said]:
    """A variable that a query asks for and nothing defines, said once."""
    asked = [(name, query.line, query.subject) for query in one.queries for name in query.plain.variables]
    asked += [
        (name, it.line, f"variable '{own}'") for own, it in one.variables.items() for name in variables_in(it.query)
    ]
    first = {name: (line, subject) for name, line, subject in reversed(asked)}
    for name, (line, subject) in first.items():
        if name not in one.variables and not name.startswith("__") and name not in one.inputs:
            near = get_close_matches(name, one.variables, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else "."
            yield Said(f"There is no variable '{name}'{meant}", line, subject=subject)


@rule("dashboards/several-values", of="dashboard")
def several_values(one: Dashboard, _: Auditor) -> Iterator[Said]:
    """A variable of several values that is compared as one text."""
    several = {name for name, variable in one.variables.items() if variable.several}
    for query, root in one.expressions:
        for matcher in [matcher for term in root.selectors for matcher in term.matchers]:
            name = matcher.value.removeprefix(STAND_IN)
            if name != matcher.value and matcher.operator in ("=", "!=") and name in several - query.repeat:
                said = f'{matcher.name}{matcher.operator}"${name}", of which several can be chosen.'
                yield Said(said, query.line, subject=query.subject)


@rule("dashboards/wrong-unit", of="dashboard")
def wrong_unit(one: Dashboard, auditor: Auditor) -> Iterator[Said]:
    """A unit that the values do not have."""
    for query, root in one.expressions:
        values = measured(root, auditor.metrics)
        wrong = misfit(query.unit, values) if query.plain.certain else ""
        of = f" of {values.metric}" if values.metric else ""
        if wrong:
            yield Said(f"The unit is wrong for the values{of}: {wrong}.", query.unit_line, subject=query.subject)


@rule("dashboards/ignores-tenant", of="dashboard")
def ignores_tenant(one: Dashboard, auditor: Auditor) -> Iterator[Said]:
    """Queries that show all tenants whichever is chosen, where one can be chosen."""
    label = auditor.metrics.contract.tenant_label
    ignoring, asked = [], {name for name, it in one.variables.items() if label in (it.label, name.lower())}
    for query, root in one.expressions:
        for term in _of_tenants(root, auditor) if not query.hidden else ():
            values = [matcher.value for matcher in term.matchers if matcher.name == label]
            names = [value.removeprefix(STAND_IN) for value in values if STAND_IN in value]
            asked.update(names)
            ignoring += [(query, term)] if not names else []
    for query, term in ignoring if asked else ():
        if asked.isdisjoint(query.plain.variables):
            yield Said(f"Its query of {term.name} does not select by '{label}'.", query.line, subject=query.subject)


def _of_tenants(term: Term, auditor: Auditor) -> Iterator[Term]:
    """The selectors of tenants' series that are not only counted or ranked."""
    if term.form == "selector" and shows_tenants(term.name, auditor):
        yield term
    if term.form != "aggregation" or term.name not in _MEAN_ALL:
        for part in term.parts:
            yield from _of_tenants(part, auditor)


def shows_tenants(name: str, auditor: Auditor) -> bool:
    """Whether the series of that name are the contract's, or recorded from them, and told apart by tenant."""
    metrics = auditor.metrics
    label = metrics.contract.tenant_label
    if name in metrics.recorded:
        return label in auditor.inference.recorded(name).labels.sure
    metric = metrics.promised(name)
    return metric is not None and not {label, "tenant"}.isdisjoint(metric.labels)
