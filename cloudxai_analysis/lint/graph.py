"""Who looks at what: from the metric to the rule and the panel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.expressions import STAND_IN, Term, readable
from cloudxai_analysis.lint.matchers import Matcher

_STAND_INS = re.compile(rf"{STAND_IN}[a-zA-Z0-9]+")


class Look(NamedTuple):
    """A rule or panel that reads a metric of the contract in which tenants are told apart."""

    kind: Literal["rule", "panel"]
    name: str
    metric: str
    file: str
    line: int


def unused_metrics(corpus: Corpus, samples_per_second: Mapping[str, float]) -> list[tuple[str, float, bool]]:
    """The metrics that no rule and no panel looks at, the dearest first: name, samples a second, whether promised.

    A selector that names its metric by a pattern, or in part by a variable of a dashboard, looks at
    each that fits.
    """
    names: set[str] = set()
    patterns: list[Matcher] = []
    for selector in (selector for _, expression in _looks(corpus) for selector in expression.selectors):
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
        if _shows_tenants(metric, auditor)
    ]


def _shows_tenants(name: str, auditor: Auditor) -> bool:
    """Whether the series of that name are the contract's, or recorded from them, and told apart by tenant."""
    metrics = auditor.metrics
    label = metrics.contract.tenant_label
    if name in metrics.recorded:
        return label in auditor.recorded(name).labels.sure
    metric = metrics.promised(name)
    return metric is not None and not {label, "tenant"}.isdisjoint(metric.labels)


def _looks(corpus: Corpus) -> Iterator[tuple[Look, Term]]:
    """Every rule and panel, its metric left open, with its expression, where that can be read."""
    looks = [(Look("rule", rule.name, "", rule.file, rule.line), rule.expr) for rule in corpus.rules]
    looks += [
        (Look("panel", f"{board.title} / {query.panel}", "", board.file, query.line), query.text)
        for board in corpus.dashboards
        for query in board.queries
    ]
    return ((look, term) for look, text in looks if (term := readable(text)) is not None)
