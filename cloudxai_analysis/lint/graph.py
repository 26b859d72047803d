"""Who looks at what: from the metric to the rule, the route and the receiver, and from the metric to the panel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.dashboards import STAND_IN, shows_tenants
from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.matchers import Matcher
from cloudxai_analysis.lint.routing_faults import ends, shapes

if TYPE_CHECKING:
    import pandas as pd

_STAND_INS = re.compile(rf"{STAND_IN}[a-zA-Z0-9]+")
_EDGE = ["source_kind", "source", "target_kind", "target", "file", "line"]
Edge = tuple[str, str, str, str, str, int]


class Look(NamedTuple):
    """A rule or panel that reads a metric of the contract in which tenants are told apart."""

    kind: Literal["rule", "panel"]
    name: str
    metric: str
    file: str
    line: int


def edge_frame(corpus: Corpus) -> pd.DataFrame:
    """Every step from metric to receiver or panel; alerts go to each route at which they can end.

    Columns: source_kind, source, target_kind, target, file (text), line (where it is written).
    """
    import pandas as pd

    return pd.DataFrame(list(dict.fromkeys(_edges(corpus))), columns=_EDGE)


def _edges(corpus: Corpus) -> Iterator[Edge]:
    for look, expression in _looks(corpus):
        for metric in sorted(expression.metrics):
            yield "metric", metric, look.kind, look.name, look.file, look.line
    for rule in corpus.rules:
        if rule.kind == "record":
            yield "rule", rule.name, "metric", rule.name, rule.file, rule.line
    alerts = shapes(corpus.rules, Auditor(corpus).inference)
    for routing in corpus.routings:
        for shape in alerts if routing.root else ():
            for route, _ in ends(routing.root, shape):  # type: ignore[arg-type]
                yield "rule", shape.rule.name, "route", f"{routing.file}:{route.line}", routing.file, route.line
        for route in routing.routes():
            yield "route", f"{routing.file}:{route.line}", "receiver", route.receiver, routing.file, route.line


def unused_metrics(corpus: Corpus, samples_per_second: Mapping[str, float]) -> list[tuple[str, float, bool]]:
    """The metrics that no rule and no panel looks at, the dearest first: name, samples a second, whether promised.

    A selector that names its metric by a pattern, or in part by a variable of a dashboard, looks at
    each that fits.
    """
    names: set[str] = set()
    patterns: list[Matcher] = []
    for selector in [selector for _, expression in _looks(corpus) for selector in expression.selectors]:
        names.add(selector.name)
        # What is nothing but a variable could be any metric, which says nothing.
        if STAND_IN in selector.name and not _STAND_INS.fullmatch(selector.name):
            patterns.append(Matcher("__name__", "=~", _STAND_INS.sub(".+", selector.name)))
        patterns += [matcher for matcher in selector.matchers if matcher.name == "__name__"]
    promised = Auditor(corpus).metrics.promised
    unused = [
        (name, rate, promised(name) is not None)
        for name, rate in samples_per_second.items()
        if name not in names and not any(pattern.accepts(name) for pattern in patterns)
    ]
    return sorted(unused, key=lambda one: (-one[1], one[0]))


def looks_at_tenants(corpus: Corpus) -> list[Look]:
    """Rules and panels that read tenants' series: while a guard refuses labels, tenants are missing from them."""
    auditor = Auditor(corpus)
    return [
        look._replace(metric=metric)
        for look, expression in _looks(corpus)
        for metric in sorted(expression.metrics)
        if shows_tenants(metric, auditor)
    ]


def _looks(corpus: Corpus) -> Iterator[tuple[Look, Term]]:
    """Every rule and panel, its metric left open, with its expression, where that can be read."""
    looks = [(Look("rule", rule.name, "", rule.file, rule.line), rule.expr) for rule in corpus.rules]
    looks += [
        (Look("panel", f"{board.title} / {query.panel}", "", board.file, query.line), query.plain.text)
        for board in corpus.dashboards
        for query in board.queries
    ]
    for look, text in looks:
        try:
            yield look, parse(text)
        except Unparsed:
            continue
