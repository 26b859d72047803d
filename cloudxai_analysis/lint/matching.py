"""Metrics and labels that nobody knows, matchers that find nothing, and vectors that never match each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.expressions import Term
from cloudxai_analysis.lint.facts import NOTHING, Labels
from cloudxai_analysis.lint.matchers import Matcher, contradiction, unusable
from cloudxai_analysis.lint.metrics import NAMES

_LOOKS_LIKE_PATTERN = re.compile(r"\.[*+]|\w\|\w|\\[dwsDWS.]|\[[^\]]+\][*+]|^\^|[^$]\$$")


@rule("promql/unknown-metric", of="selector")
def _unknown_metric(term: Term, asked: Asked) -> Iterator[Said]:
    why, assumed = asked.metrics.strange(term.name)
    if why:
        yield Said(f"Nobody knows metric {term.name}: {why}.", assumed=assumed)


@rule("promql/not-on-server", of="selector")
def _not_on_server(term: Term, asked: Asked) -> Iterator[str]:
    if asked.metrics.lacking(term.name) and not asked.metrics.strange(term.name)[0]:
        yield f"The server has no series of {term.name} today."


@rule("promql/renamed-metric", of="selector")
def _renamed_metric(term: Term, asked: Asked) -> Iterator[str]:
    new_name = asked.metrics.contract.renames.get(term.name, "")
    if new_name and new_name not in asked.root.metrics:
        yield f"Metric {term.name} is called {new_name} from v1.0 on."


@rule("promql/removed-metric", of="selector")
def _removed_metric(term: Term, _: Asked) -> Iterator[Said]:
    if new_name := NAMES["given_up"].get(term.name):
        yield Said(f"{term.name} is exported no more; its exporter says {new_name}.", assumed=True)


@rule("promql/unknown-label", of="selector")
def _unknown_label(term: Term, asked: Asked) -> Iterator[str]:
    known = asked.metrics.labels(term.name)[0]
    for matcher in term.matchers:
        if known is not None and matcher.name not in known:
            near = get_close_matches(matcher.name, known, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else ""
            yield f"{term.name} has no label '{matcher.name}', says the contract{meant}"


@rule("promql/selects-nothing", of="selector")
def _selects_nothing(term: Term, asked: Asked) -> Iterator[str]:
    excluding = [] if term.alternatives else contradiction(term.matchers)
    if excluding:
        yield f"No series can have all of {', '.join(map(str, excluding))}."
    sure = asked.metrics.labels(term.name)[1] if asked.metrics.is_own(term.name) else NOTHING
    for matcher in term.matchers:
        if why := unusable(matcher.value) if matcher.operator in ("=~", "!~") else "":
            yield f"The regular expression of {matcher} is none of RE2's: {why}."
        elif matcher.name in sure and contradiction([matcher, Matcher(matcher.name, "!=", "")]):
            yield f"{matcher}: every series of {term.name} has that label."
        elif matcher.operator == "=":
            yield from _misspelt_value(term, matcher, asked)


def _misspelt_value(term: Term, matcher: Matcher, asked: Asked) -> Iterator[str]:
    """Values that contract and rules know, nearly."""
    of_alerts = term.name in ("ALERTS", "ALERTS_FOR_STATE")
    if of_alerts and matcher.name == "alertstate" and matcher.value not in ("pending", "firing"):
        yield f"{matcher}: an alert is 'pending' or 'firing'."
    known = sorted(asked.metrics.alerts) if of_alerts and matcher.name == "alertname" else []
    known = list(asked.metrics.contract.jobs) if matcher.name == "job" else known
    near = get_close_matches(matcher.value, known, n=1, cutoff=0.8)
    if near and matcher.value not in known:
        yield f"{matcher}: is '{near[0]}' meant, which contract or rules know?"


@rule("promql/pattern-as-text", of="selector")
def _pattern_as_text(term: Term, _: Asked) -> Iterator[str]:
    for matcher in term.matchers:
        if matcher.operator in ("=", "!=") and _LOOKS_LIKE_PATTERN.search(matcher.value):
            yield f"{matcher} compares with the text itself, not with a regular expression."


@rule("promql/lost-label", of="aggregation")
def _grouped_by_lost_label(term: Term, asked: Asked) -> Iterator[str]:
    if asked.facts(term.parts[0]).aggregated:
        yield from _grouped_without(term, asked)


@rule("promql/unknown-label", of="aggregation")
def _grouped_by_unknown_label(term: Term, asked: Asked) -> Iterator[str]:
    if not asked.facts(term.parts[0]).aggregated:
        yield from _grouped_without(term, asked)


def _grouped_without(term: Term, asked: Asked) -> Iterator[str]:
    labels = asked.facts(term.parts[0]).labels
    for label in sorted(term.labels) if term.grouping == "by" else ():
        if not labels.may_have(label):
            yield f"{term.name} by ({label}), but {term.parts[0]} has no label '{label}'."


def _sides(term: Term, asked: Asked) -> list[tuple[Term, Labels]]:
    """The two vectors of an operation with their labels; none where one side is a number."""
    facts = [(part, asked.facts(part)) for part in term.parts]
    return [] if any(one.scalar for _, one in facts) else [(part, one.labels) for part, one in facts]


@rule("promql/lost-label", of="operation")
def _matched_by_lost_label(term: Term, asked: Asked) -> Iterator[str]:
    matching, sides = term.matching, _sides(term, asked)
    if matching is None or not sides:
        return
    for label in sorted(matching.labels) if matching.on else ():
        lacking = [part for part, labels in sides if not labels.may_have(label)]
        if len(lacking) == 2:
            yield f"on ({label}), but neither side of '{term.name}' has that label."
        elif lacking and not any(label in labels.sure for _, labels in sides):
            yield f"on ({label}), but {lacking[0]} has no label '{label}'."
    part, labels = sides[matching.group == "left"]
    for label in sorted(matching.include) if matching.group else ():
        if not labels.may_have(label):
            yield f"group_{matching.group} ({label}), but {part} has no label '{label}'."


@rule("promql/never-matches", of="operation")
def _never_matches(term: Term, asked: Asked) -> Iterator[str]:
    """Two vectors of which one surely has a label that the other surely lacks."""
    matching, sides = term.matching, _sides(term, asked)
    for (_, has), (part, lacks) in (sides, sides[::-1]) if sides and term.name != "or" else ():
        sure = has.sure - {"__name__"}
        if matching is not None:
            sure = sure & matching.labels if matching.on else sure - matching.labels - matching.include
        lost = sorted(label for label in sure if not lacks.may_have(label))
        if lost:
            on = matching is not None and matching.on
            said = ", ".join(f"'{label}'" for label in lost)
            matched = f"on ({', '.join(lost)})" if on else f"'{term.name}' matches all labels"
            yield f"{matched}, but {part} lacks {said}, which the other has."
            return


@rule("promql/one-sided-label", of="operation")
def _one_sided_label(term: Term, asked: Asked) -> Iterator[str]:
    """A label that a selector of one side asks for by its value, and that nothing of the other side speaks of."""
    sides = _sides(term, asked) if term.name in ("and", "unless") and term.matching is None else []
    if not sides or term.parts[0].metrics & term.parts[1].metrics:
        return
    lone: set[str] = set()
    for (part, labels), (other, others) in (sides, sides[::-1]):
        spoken = {matcher.name for one in other.selectors for matcher in one.matchers} | {"job", "instance"}
        for matcher in part.selectors[0].matchers if len(part.selectors) == 1 else ():
            pinned = matcher.operator == "=" and matcher.value and matcher.name in labels.sure
            if pinned and matcher.name not in spoken and others.may_have(matcher.name):
                lone.add(matcher.name)
    if lone:
        said = ", ".join(f"'{label}'" for label in sorted(lone))
        yield f"'{term.name}' matches all labels, and only one side asks for {said}: do the others have it, too?"
