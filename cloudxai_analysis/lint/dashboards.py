"""A dashboard of Grafana as it stands in a file, and what is wrong with its queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from cloudxai_analysis.lint import Finding, Said, findings_of, rule
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.metrics import NAMES
from cloudxai_analysis.lint.rules import language_of

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

STAND_IN = "grafana_variable_"
_STAND_INS = re.compile(rf"{STAND_IN}(\w+)")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+?)(?:\.[^:^\]]+)?(?::([^\]]+))?\]\]")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?""", re.DOTALL)
_OTHER_SOURCES, _BUILT_IN = NAMES["grafana"]["other_sources"], NAMES["grafana"]["built_in"]
_MOST_TRIALS = 81
# Faults of a value that nobody has chosen yet.
_OF_VALUES = ("promql/selects-nothing",)
# Who counts tenants, or ranks them, means all of them.
_MEAN_ALL = frozenset({"count", "group", "topk", "bottomk", "count_values"})
_DEEPEST_ROWS = 5


class Plain(NamedTuple):
    """A text without variables; `certain` unless a variable stood for a name, a number or a function."""

    text: str
    variables: tuple[str, ...]
    certain: bool


class Query(NamedTuple):
    """One query of a Prometheus in a panel, as it stands there and with Grafana's variables replaced.

    `repeat` are the variables of which every repeat of the panel has one value.
    """

    panel: str
    expr: str
    line: int
    plain: Plain
    hidden: bool
    repeat: frozenset[str]

    @property
    def subject(self) -> str:
        """The panel, as a finding names it."""
        return f"panel '{self.panel}'"


@dataclass(eq=False)
class Dashboard:
    """One dashboard; `several` are its variables of which several values may be chosen, `labels` those of the values.

    `expressions` are the queries that could be read.
    """

    file: str
    title: str
    line: int
    queries: list[Query]
    labels: dict[str, str]
    several: frozenset[str]
    expressions: list[tuple[Query, Term]] = field(default_factory=list)


def load_dashboard(tree: Node, file: str) -> Dashboard | None:
    """The dashboard that a document is, or wraps as Grafana's API and Kubernetes' resources do."""
    body = next(filter(_is_body, (tree, tree.get("dashboard"), tree.get("spec"))), None)
    if body is None:
        return None
    inputs, listed = body.get("__inputs").items(), body.get("templating", "list").items()
    sources = {node.get("name").text(): node.get("pluginId").text().lower() for node in inputs}
    variables = {node.get("name").text(): node for node in listed}
    for name, node in variables.items():
        if node.get("type").text() == "datasource":
            sources[name] = node.get("query").text().lower()
    return Dashboard(
        file,
        body.get("title").text(),
        body.get("title").line,
        [query for panel, repeat in _panels(body, 0, frozenset()) for query in _queries(panel, sources, repeat)],
        {name: _label(node) for name, node in variables.items()},
        frozenset(
            name for name, node in variables.items() if True in (node.get("multi").value, node.get("includeAll").value)
        ),
    )


def _is_body(node: Node) -> bool:
    panels = isinstance(node.get("panels").value, list) or isinstance(node.get("rows").value, list)
    return panels and any(node.has(key) for key in ("title", "templating", "schemaVersion", "uid", "time", "refresh"))


def _label(node: Node) -> str:
    """The label whose values a variable takes, as label_values(SELECTOR, LABEL)."""
    query = node.get("query")
    text = (query.text() or query.get("query").text() or node.get("definition").text()).strip()
    return text[:-1].rpartition(",")[2].strip() if text.startswith("label_values(") and text.endswith(")") else ""


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
    own, name = _source(panel.get("datasource"), sources), panel.get("title").text() or panel.get("id").text()
    for target in panel.get("targets").items():
        given, expr = target.get("datasource"), target.get("expr")
        source = own if given.value is None or _is_other(own) else _source(given, sources)
        if expr.text().strip() and not _is_other(source):
            hidden = target.get("hide").value is True
            yield Query(name, expr.text(), expr.line, without_variables(expr.text()), hidden, repeat)


def _source(node: Node, sources: dict[str, str]) -> str:
    """The kind of a data source as far as it is said; '' where it is not."""
    name = node.text() or node.get("uid").text()
    chosen = next((sources[used] for used in variables_in(name) if used in sources), "")
    kind = node.get("type").text().lower() or chosen
    return next((other for other in _OTHER_SOURCES if other in (kind or name.lower())), kind)


def _is_other(source: str) -> bool:
    """Whether a data source is surely none that speaks PromQL."""
    return source in _OTHER_SOURCES or ("-datasource" in source and "prometheus" not in source)


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables in any text of a dashboard; not the groups of a pattern, such as $1."""
    return tuple(name for found in _VARIABLE.finditer(text) if not (name := _name(found)).isdigit())


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[4]


def without_variables(text: str) -> Plain:
    """The PromQL text with plain PromQL in place of Grafana's variables.

    A duration stands in inside of brackets, a text inside of quotes, and everywhere else what can be parsed there: a
    number, a name, or a function.
    """
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    parts: list[list[str]] = []
    names: list[str] = []
    certain, end = True, 0
    for found in _VARIABLE.finditer(text):
        name, (start, stop) = _name(found), found.span()
        in_quotes = any(first < start < last for first, last in quoted)
        if name.isdigit() or (in_quotes and text[start - 1] == "\\"):
            continue
        names.append(name)
        instead = STAND_IN + name if in_quotes else _number_or_duration(name, text[:start], text[stop:])
        certain = certain and bool(instead)
        parts += [[text[end:start]], [instead] if instead else _names_or_numbers(name, text[:start], text[stop:])]
        end = stop
    trials = list(islice(map("".join, product(*parts, [text[end:]])), _MOST_TRIALS))
    return Plain(next(filter(_can_be_parsed, trials), trials[0]), tuple(names), certain)


def _number_or_duration(name: str, before: str, after: str) -> str:
    """What any value of a variable is like where it stands: a range, an offset, one of Grafana's own; else ''."""
    if before.rfind("[") > before.rfind("]") or re.search(r"\boffset\s+-?\Z", before):
        return "5" if re.match(r"(?:ms|[smhdwy])\b", after) else _BUILT_IN.get(name, "5m")
    return str(_BUILT_IN.get(name, ""))


def _names_or_numbers(name: str, before: str, after: str) -> list[str]:
    if re.search(r"[\w:]\Z", before) or re.match(r"[\w$]", after):
        # Without underscores, so that its end can be seen in the name around it.
        return [f"{STAND_IN}{name.replace('_', '')}"]
    return ["1", STAND_IN + name, "sum"]


def _can_be_parsed(text: str) -> bool:
    try:
        return bool(parse(text))
    except Unparsed:
        return False


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
        root, faults = auditor.findings(query.plain.text, file, query.line, query.subject, "panel")
        dashboard.expressions += [(query, root)] if root is not None else []
        for fault in faults:
            if _is_meant(fault, query):
                yield replace(fault, message=_STAND_INS.sub(r"$\1", fault.message))


def _is_meant(fault: Finding, query: Query) -> bool:
    """Whether a fault is the query's own, not that of what stands in for a variable."""
    if fault.code == "promql/unread":
        return query.plain.certain and STAND_IN not in fault.message
    return STAND_IN not in fault.message or (query.plain.certain and fault.code not in _OF_VALUES)


@rule("dashboard")
def _several_values(one: Dashboard, _: Auditor) -> Iterator[Said]:
    """A variable of several values that is compared as one text."""
    for query, root in one.expressions:
        for matcher in [matcher for term in root.selectors for matcher in term.matchers]:
            name = matcher.value.removeprefix(STAND_IN)
            if name != matcher.value and matcher.operator in ("=", "!=") and name in one.several - query.repeat:
                said = f'{matcher.name}{matcher.operator}"${name}", of which several can be chosen.'
                yield Said("dashboards/several-values", said, query.line, query.subject)


@rule("dashboard")
def _ignores_tenant(one: Dashboard, auditor: Auditor) -> Iterator[Said]:
    """Queries that show all tenants whichever is chosen, where one can be chosen."""
    label = auditor.metrics.contract.tenant_label
    asked = {name for name, of in one.labels.items() if label in (of, name.lower())}
    ignoring = []
    for query, root in one.expressions:
        for term in _of_tenants(root, auditor) if not query.hidden else ():
            values = [matcher.value for matcher in term.matchers if matcher.name == label]
            names = [value.removeprefix(STAND_IN) for value in values if STAND_IN in value]
            asked.update(names)
            ignoring += [(query, term)] if not names else []
    for query, term in ignoring if asked else ():
        if asked.isdisjoint(query.plain.variables):
            said = f"Its query of {term.name} does not select by '{label}'."
            yield Said("dashboards/ignores-tenant", said, query.line, query.subject)


def _of_tenants(term: Term, auditor: Auditor) -> Iterator[Term]:
    """The selectors of tenants' series that are not only counted or ranked."""
    if term.form == "selector" and shows_tenants(term.name, auditor):
        yield term
    if term.does not in _MEAN_ALL:
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
