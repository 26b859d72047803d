"""Who looks at what: from the metric to the rule, the route and the receiver, and from the metric to the panel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from cloudxai_analysis.lint.alert_shapes import ends, shapes
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.grafana_variables import STAND_IN
from cloudxai_analysis.lint.matchers import Matcher
from cloudxai_analysis.lint.panels import shows_tenants

if TYPE_CHECKING:
    import pandas as pd

_STAND_INS = re.compile(rf"{STAND_IN}[a-zA-Z0-9]+")
Kind = Literal["metric", "rule", "route", "receiver", "panel"]


@dataclass(frozen=True, order=True)
class Edge:
    """One step; `file` and `line` say where it is written."""

    source_kind: Kind
    source: str
    target_kind: Kind
    target: str
    file: str
    line: int


class Unused(NamedTuple):
    """A metric that no rule and no panel looks at, and what it costs."""

    metric: str
    samples_per_second: float
    promised: bool


class Look(NamedTuple):
    """A rule or panel that reads a metric of the contract in which tenants are told apart."""

    kind: Literal["rule", "panel"]
    name: str
    metric: str
    file: str
    line: int


class _Reading(NamedTuple):
    kind: Literal["rule", "panel"]
    name: str
    expression: Term
    file: str
    line: int


def edges(corpus: Corpus) -> list[Edge]:
    """Every step from metric to receiver or panel; alerts go to each route at which they can end."""
    found: dict[Edge, None] = {}
    for reading in _readings(corpus):
        for metric in sorted(reading.expression.metrics):
            edge = Edge("metric", metric, reading.kind, reading.name, reading.file, reading.line)
            found[edge] = None
    for rule in corpus.rules:
        if rule.kind == "record":
            found[Edge("rule", rule.name, "metric", rule.name, rule.file, rule.line)] = None
    auditor = Auditor.of(corpus)
    alerts = shapes(corpus.rules, auditor.inference)
    for routing in corpus.routings:
        if routing.root is None:
            continue
        for shape in alerts:
            for route, _ in ends(routing.root, shape):
                where = f"{routing.file}:{route.line}"
                found[Edge("rule", shape.rule.name, "route", where, routing.file, route.line)] = None
        for route in routing.routes():
            where = f"{routing.file}:{route.line}"
            name = route.receiver
            found[Edge("route", where, "receiver", name.name, routing.file, name.line)] = None
    return list(found)


def edge_frame(corpus: Corpus) -> pd.DataFrame:
    """The steps as a frame: source_kind, source, target_kind, target, file as text, line as a whole number."""
    import pandas as pd

    columns = ["source_kind", "source", "target_kind", "target", "file", "line"]
    return pd.DataFrame(list(map(asdict, edges(corpus))), columns=columns)


def unused_metrics(corpus: Corpus, samples_per_second: Mapping[str, float]) -> list[Unused]:
    """Which of the metrics named in `samples_per_second` no rule and no panel looks at, the dearest first.

    A selector that names its metric by a pattern, or in part by a variable of a dashboard, looks at each that fits.
    What a rule records is looked at only if somebody looks at it in turn.
    """
    names: set[str] = set()
    patterns: list[Matcher] = []
    for reading in _readings(corpus):
        for selector in reading.expression.selectors:
            if STAND_IN in selector.name:
                # What is nothing but a variable could be any metric, which says nothing.
                if not re.fullmatch(rf"{STAND_IN}[a-zA-Z0-9]+", selector.name):
                    patterns.append(Matcher("__name__", "=~", _STAND_INS.sub(".+", selector.name)))
            elif selector.name:
                names.add(selector.name)
            patterns += [matcher for matcher in selector.matchers if matcher.name == "__name__"]
    promised = Auditor.of(corpus).metrics.promised
    unused = [
        Unused(name, rate, promised(name) is not None)
        for name, rate in samples_per_second.items()
        if name not in names and not any(pattern.accepts(name) for pattern in patterns)
    ]
    return sorted(unused, key=lambda one: (-one.samples_per_second, one.metric))


def looks_at_tenants(corpus: Corpus) -> list[Look]:
    """Rules and panels that read tenants' series: while a guard refuses labels, tenants are missing from them."""
    auditor = Auditor.of(corpus)
    return [
        Look(reading.kind, reading.name, metric, reading.file, reading.line)
        for reading in _readings(corpus)
        for metric in sorted(reading.expression.metrics)
        if shows_tenants(metric, auditor)
    ]


def _readings(corpus: Corpus) -> Iterator[_Reading]:
    for rule in corpus.rules:
        expression = _parsed(rule.expr)
        if expression is not None:
            yield _Reading("rule", rule.name, expression, rule.file, rule.line)
    for dashboard in corpus.dashboards:
        for panel in dashboard.panels:
            for target in panel.targets:
                expression = _parsed(target.plain.text)
                if expression is not None:
                    yield _Reading(
                        "panel", f"{dashboard.title} / {panel.title}", expression, dashboard.file, target.line
                    )


def _parsed(text: str) -> Term | None:
    try:
        return parse(text)
    except Unparsed:
        return None
