"""Metrics, labels and matchers that nobody knows or that find nothing, and ranges that are too short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import DIFFERENCES, RATES, Term
from cloudxai_analysis.lint.matchers import Matcher, never, unusable
from cloudxai_analysis.lint.metrics import Metrics

Fault = tuple[str, str]
_LOOKS_LIKE_PATTERN = re.compile(r"\.[*+]|\w\|\w|\\[dwsDWS.]|\[[^\]]+\][*+]|^\^|[^$]\$$")
_NEED_TWO = RATES | DIFFERENCES


def metric_faults(root: Term, metrics: Metrics, *, scrape_seconds: float, evaluation_seconds: float) -> Iterator[Fault]:
    """Code and message of every fault of this kind in an expression."""
    for term in root.walk():
        if term.form == "selector":
            yield from _selected(term, metrics)
        elif term.form == "call":
            for part in term.parts:
                seconds = evaluation_seconds if part.name in metrics.recorded or ":" in part.name else scrape_seconds
                yield from _range(term, part, seconds)


def _selected(term: Term, metrics: Metrics) -> Iterator[Fault]:
    why = metrics.strange(term.name)
    if why:
        yield "promql/unknown-metric", f"Nobody knows metric {term.name}: {why}."
    new_name = metrics.renamed(term.name)
    if new_name:
        yield "promql/renamed-metric", f"Metric {term.name} is called {new_name} from v1.0 on."
    yield from _labels(term, metrics)
    if not term.alternatives and never(term.matchers):
        yield "promql/selects-nothing", f"No series can have all of {', '.join(map(str, term.matchers))}."
    for matcher in term.matchers:
        yield from _matcher(term, matcher, metrics)


def _labels(term: Term, metrics: Metrics) -> Iterator[Fault]:
    if not metrics.is_own(term.name) or term.name in metrics.recorded:
        return
    can_have, _ = metrics.labels(term.name)
    known = can_have or frozenset()
    for matcher in term.matchers:
        if matcher.name not in known:
            near = get_close_matches(matcher.name, known, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else ""
            yield (
                "promql/unknown-label",
                f"{term.name} has no label '{matcher.name}', says the contract{meant}",
            )


def _matcher(term: Term, matcher: Matcher, metrics: Metrics) -> Iterator[Fault]:
    pattern = matcher.operator in ("=~", "!~")
    if pattern and (why := unusable(matcher.value)):
        yield "promql/selects-nothing", f"The regular expression of {matcher} is none of RE2's: {why}."
    elif not pattern and _LOOKS_LIKE_PATTERN.search(matcher.value):
        yield "promql/pattern-as-text", f"{matcher} compares with the text itself, not with a regular expression."
    if metrics.is_own(term.name) and term.name not in metrics.recorded:
        _, sure = metrics.labels(term.name)
        if matcher.name in sure and never([matcher, Matcher(matcher.name, "!=", "")]):
            yield "promql/selects-nothing", f"{matcher}: every series of {term.name} has that label."
    if matcher.name == "job" and matcher.operator == "=" and matcher.value not in metrics.contract.jobs:
        near = get_close_matches(matcher.value, metrics.contract.jobs, n=1, cutoff=0.8)
        if near:
            yield "promql/selects-nothing", f"{matcher}: the contract's job is '{near[0]}'."
    if term.name in ("ALERTS", "ALERTS_FOR_STATE") and not pattern and matcher.operator == "=":
        if matcher.name == "alertname" and matcher.value not in metrics.alerts:
            near = get_close_matches(matcher.value, metrics.alerts, n=1, cutoff=0.7)
            meant = f"; is '{near[0]}' meant?" if near else ""
            yield "promql/selects-nothing", f"{matcher}: no rule has that name{meant}"
        elif matcher.name == "alertstate" and matcher.value not in ("pending", "firing"):
            yield "promql/selects-nothing", f"{matcher}: an alert is 'pending' or 'firing'."


def _range(call: Term, part: Term, seconds: float) -> Iterator[Fault]:
    """A range in which there are never two samples, or perhaps none."""
    if part.form != "selector" or part.seconds is None:
        return
    need = 2 if call.name in _NEED_TWO else 1
    if part.seconds < need * seconds:
        yield (
            "promql/short-range",
            f"{call}: {duration_text(part.seconds)} is shorter than {need} intervals of {duration_text(seconds)}."
            if need > 1
            else f"{call}: {duration_text(part.seconds)} is shorter than the interval of {duration_text(seconds)}.",
        )
