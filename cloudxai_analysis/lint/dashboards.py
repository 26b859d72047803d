"""A dashboard of Grafana as it stands in a file: panels, their queries, units and legends, and the variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cloudxai_analysis.lint.grafana_variables import Plain, variables_in, without_variables
from cloudxai_analysis.lint.nodes import Node

_OTHER_SOURCES = (
    "loki", "elasticsearch", "influxdb", "graphite", "tempo", "jaeger", "cloudwatch", "mysql", "postgres", "mssql",
    "testdata", "stackdriver", "zipkin", "opentsdb", "azuremonitor", "clickhouse", "infinity",
)  # fmt: skip
DEEPEST_ROWS = 5


@dataclass(frozen=True)
class Target:
    """One query of a panel: its PromQL as it stands there and with Grafana's variables replaced."""

    ref_id: str
    expr: str
    line: int
    plain: Plain
    legend: str = ""
    legend_line: int = 0
    hidden: bool = False
    datasource: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel; `targets` are its queries of a Prometheus, `other_targets` counts all other queries."""

    title: str
    line: int
    kind: str
    number: int | None = None
    number_line: int = 0
    unit: str = ""
    unit_line: int = 0
    overridden: bool = False
    targets: tuple[Target, ...] = ()
    other_targets: int = 0
    datasource: str = ""
    datasource_line: int = 0
    ref_ids: tuple[tuple[str, int], ...] = ()
    library: bool = False
    transformed: bool = False
    repeat: frozenset[str] = frozenset()
    least_interval: bool = False

    @property
    def drawn(self) -> tuple[Target, ...]:
        """The queries that are not hidden."""
        return tuple(target for target in self.targets if not target.hidden)

    def __str__(self) -> str:
        return f"panel '{self.title}'" if self.title else f"panel {self.number}"


@dataclass(frozen=True)
class Variable:
    """One variable of the dashboard; `query` says where its values come from, `label` which label's they are.

    `several` is whether more than one value can be chosen at once.
    """

    name: str
    line: int
    kind: str
    query: str = ""
    selector: str = ""
    label: str = ""
    several: bool = False


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; `used` are the names of variables that appear in any text of it, with the line of the first."""

    file: str
    title: str
    line: int
    panels: tuple[Panel, ...] = ()
    variables: tuple[Variable, ...] = ()
    inputs: frozenset[str] = frozenset()
    used: dict[str, int] = field(default_factory=dict)

    def variable(self, name: str) -> Variable | None:
        """The variable of that name."""
        return next((variable for variable in self.variables if variable.name == name), None)


def load_dashboards(tree: Node, file: str) -> list[Dashboard]:
    """Every dashboard that a document is, or wraps as Grafana's API and Kubernetes' resources do."""
    bodies = [place for place in (tree, tree.get("dashboard"), tree.get("spec")) if _is_body(place)]
    return [_dashboard(body, file) for body in bodies[:1]]


def _is_body(node: Node) -> bool:
    panels = isinstance(node.get("panels").value, list) or isinstance(node.get("rows").value, list)
    told = any(node.has(key) for key in ("title", "templating", "schemaVersion", "uid", "time", "refresh"))
    return panels and told


def _dashboard(body: Node, file: str) -> Dashboard:
    inputs = frozenset(node.get("name").text() for node in body.get("__inputs").items())
    sources = {node.get("name").text(): node.get("pluginId").text().lower() for node in body.get("__inputs").items()}
    listed = body.get("templating", "list").items()
    for node in listed:
        if node.get("type").text() == "datasource":
            sources[node.get("name").text()] = node.get("query").text().lower()
    panels = tuple(_panel(node, sources, repeat) for node, repeat in _panel_nodes(body, 0, frozenset()))
    title = body.get("title")
    return Dashboard(
        file, title.text(), title.line if title.text() else body.line, panels,
        tuple(map(_variable, listed)), inputs, _used(body),
    )  # fmt: skip


def _panel_nodes(node: Node, depth: int, repeat: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """Panels in the order in which they are seen, each with the variables of which every repeat has one value.

    Those of old rows, and those that a collapsed row keeps inside; what follows an open row that is repeated is too.
    """
    of_row: frozenset[str] = frozenset()
    for inside in (*node.get("rows").items(), *node.get("panels").items()):
        if not isinstance(inside.value, dict):
            continue
        own = frozenset({inside.get("repeat").text(), inside.get("repeatByRow").text()}) - {""}
        if inside.get("type").text() == "row" or (not inside.has("type") and inside.has("panels")):
            of_row = own
        else:
            yield inside, repeat | own | of_row
        if depth < DEEPEST_ROWS:
            yield from _panel_nodes(inside, depth + 1, repeat | own)


def _panel(node: Node, sources: dict[str, str], repeat: frozenset[str]) -> Panel:
    kind, title, number = node.get("type").text(), node.get("title"), node.get("id")
    unit = _unit(node)
    own = _source(node.get("datasource"), sources)
    targets, others = [], 0
    entries = [target for target in node.get("targets").items() if isinstance(target.value, dict)]
    for target in entries:
        given = target.get("datasource")
        source = own if given.value is None or _is_other(own) else _source(given, sources)
        expr = target.get("expr")
        if not isinstance(expr.value, str) or _is_other(source):
            others += 1
        elif expr.text().strip():
            targets.append(_target(target, expr, source))
    return Panel(
        title=title.text(),
        line=title.line if title.text() else node.line,
        kind=kind,
        number=number.value if isinstance(number.value, int) else None,
        number_line=number.line,
        unit=unit.text(),
        unit_line=unit.line,
        overridden=_has_other_units(node),
        targets=tuple(targets),
        other_targets=others,
        datasource=_source_uid(node.get("datasource")),
        datasource_line=_source_line(node.get("datasource")),
        ref_ids=tuple((entry.get("refId").text(), entry.get("refId").line) for entry in entries if entry.has("refId")),
        library=node.has("libraryPanel"),
        transformed=bool(node.get("transformations").items()),
        repeat=repeat,
        least_interval=bool(node.get("interval").text()),
    )


def _target(node: Node, expr: Node, source: str) -> Target:
    legend = node.get("legendFormat")
    return Target(
        ref_id=node.get("refId").text(),
        expr=expr.text(),
        line=expr.line,
        plain=without_variables(expr.text()),
        legend=legend.text(),
        legend_line=legend.line,
        hidden=node.get("hide").value is True,
        datasource=source,
        instant=node.get("instant").value is True,
    )


def _has_other_units(node: Node) -> bool:
    """Whether some series of the panel have a unit or an axis of their own."""
    entries = node.get("fieldConfig", "overrides").items()
    overrides = [inside for entry in entries for inside in entry.get("properties").items()]
    second_axis = any(entry.get("yaxis").value == 2 for entry in node.get("seriesOverrides").items())
    return second_axis or any(inside.get("id").text() == "unit" for inside in overrides)


def _unit(node: Node) -> Node:
    """Where the panel's unit stands: today's field configuration, a gauge's or single value's, or an old left axis."""
    axes = node.get("yaxes").items()
    for place in (
        node.get("fieldConfig", "defaults", "unit"),
        node.get("format"),
        node.get("options", "fieldOptions", "defaults", "unit"),
    ):
        if isinstance(place.value, str):
            return place
    if axes and isinstance(axes[0].get("format").value, str):
        return axes[0].get("format")
    formats = node.get("y_formats").items()
    return formats[0] if formats else Node(None, node.line)


def _source(node: Node, sources: dict[str, str]) -> str:
    """The kind of a data source as far as it is said; '' where it is not."""
    kind = node.get("type").text().lower()
    if kind:
        return next((other for other in _OTHER_SOURCES if other in kind), kind)
    name = node.text() or node.get("uid").text()
    for used in variables_in(name):
        if used in sources:
            return next((other for other in _OTHER_SOURCES if other in sources[used]), sources[used])
    return next((other for other in _OTHER_SOURCES if other in name.lower()), "")


def _is_other(source: str) -> bool:
    """Whether a data source is surely none that speaks PromQL."""
    return source in _OTHER_SOURCES or ("-datasource" in source and "prometheus" not in source)


def _source_uid(node: Node) -> str:
    return node.get("uid").text() if isinstance(node.value, dict) else node.text()


def _source_line(node: Node) -> int:
    return node.get("uid").line if node.has("uid") else node.line


def _variable(node: Node) -> Variable:
    query = node.get("query")
    text = query.text() or query.get("query").text() or node.get("definition").text()
    selector, label = _label_values(text)
    name = node.get("name")
    several = node.get("multi").value is True or node.get("includeAll").value is True
    return Variable(name.text(), name.line, node.get("type").text(), text, selector, label, several)


def _label_values(query: str) -> tuple[str, str]:
    """Selector and label of `label_values(selector, label)`; '' for what is missing."""
    text = query.strip()
    if not (text.startswith("label_values(") and text.endswith(")")):
        return "", ""
    inside = text.removeprefix("label_values(")[:-1]
    selector, comma, label = inside.rpartition(",")
    return (selector.strip(), label.strip()) if comma else ("", inside.strip())


def _used(body: Node) -> dict[str, int]:
    """Variables that any text names, with the line where first; a variable's own name and value do not count."""
    used: dict[str, int] = {}
    waiting = [body]
    while waiting:
        node = waiting.pop()
        for key, inside in node.pairs():
            if key in ("current", "options", "__inputs", "__requires", "libraryPanel"):
                continue
            if key in ("repeat", "repeatByRow") and isinstance(inside.value, str):
                used.setdefault(inside.value, inside.line)
            waiting.append(inside)
        waiting += node.items()
        if isinstance(node.value, str) and ("$" in node.value or "[[" in node.value):
            for name in variables_in(node.value):
                used[name] = min(used.get(name, node.line), node.line)
    return used
