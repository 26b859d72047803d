"""Vectors that are matched or added up by labels that one of them lacks."""

from __future__ import annotations

from collections.abc import Iterator

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.expressions import SET_OPERATORS, Term

_NO_MATCHER = frozenset({"__name__"})


def _both_vectors(term: Term, asked: Asked) -> bool:
    return not any(asked.facts(part).scalar for part in term.parts)


@rule("promql/lost-label", of="aggregation")
def grouped_by_lost_label(term: Term, asked: Asked) -> Iterator[str]:
    """A grouping by a label that was aggregated away before."""
    inside = asked.facts(term.parts[0])
    if term.grouping == "by" and inside.aggregated:
        for label in sorted(term.labels):
            if not inside.labels.may_have(label):
                yield f"{term.name} by ({label}), but {term.parts[0]} has no label '{label}'."


@rule("promql/unknown-label", of="aggregation")
def grouped_by_unknown_label(term: Term, asked: Asked) -> Iterator[str]:
    """A grouping by a label that a metric of the contract does not have."""
    inside = asked.facts(term.parts[0])
    if term.grouping == "by" and not inside.aggregated:
        for label in sorted(term.labels):
            if not inside.labels.may_have(label):
                yield f"{term.name} by ({label}), but {term.parts[0]} has no label '{label}'."


@rule("promql/lost-label", of="operation")
def matched_by_lost_label(term: Term, asked: Asked) -> Iterator[str]:
    """A match, or a label to be carried over, by what a side does not have."""
    matching = term.matching
    if matching is None or not _both_vectors(term, asked):
        return
    sides = [asked.facts(part).labels for part in term.parts]
    for label in sorted(matching.labels) if matching.on else ():
        lacking = [place for place in (0, 1) if not sides[place].may_have(label)]
        if len(lacking) == 2:
            yield f"on ({label}), but neither side of '{term.name}' has that label."
        elif lacking and label not in sides[not lacking[0]].sure:
            yield f"on ({label}), but {term.parts[lacking[0]]} has no label '{label}'."
    if matching.group:
        one = 1 if matching.group == "left" else 0
        for label in sorted(matching.include):
            if not sides[one].may_have(label):
                yield f"group_{matching.group} ({label}), but {term.parts[one]} has no label '{label}'."


@rule("promql/never-matches", of="operation")
def never_matches(term: Term, asked: Asked) -> Iterator[str]:
    """Two vectors of which one surely has a label that the other surely lacks."""
    if not _both_vectors(term, asked) or term.name == "or":
        return
    matching = term.matching
    sides = [asked.facts(part).labels for part in term.parts]
    if matching is not None and matching.on:
        for label in sorted(matching.labels):
            lacking = [place for place in (0, 1) if not sides[place].may_have(label)]
            if len(lacking) == 1 and label in sides[not lacking[0]].sure:
                yield f"on ({label}), but {term.parts[lacking[0]]} has no label '{label}'."
        return
    ignored = matching.labels | (matching.include if matching.group else frozenset()) if matching else frozenset()
    for has, lacks in ((0, 1), (1, 0)):
        sure = sides[has].sure - ignored - _NO_MATCHER
        lost = sorted(label for label in sure if not sides[lacks].may_have(label))
        if lost:
            said = ", ".join(f"'{label}'" for label in lost)
            yield f"'{term.name}' matches all labels, but {term.parts[lacks]} lacks {said}, which the other has."
            return


@rule("promql/one-sided-label", of="operation")
def one_sided_label(term: Term, asked: Asked) -> Iterator[str]:
    """A label that a selector of one side asks for by its value, and that nothing of the other side speaks of."""
    if term.name not in ("and", "unless") or term.matching is not None or not _both_vectors(term, asked):
        return
    left, right = ({matcher.name for one in part.selectors for matcher in one.matchers} for part in term.parts)
    alike = {part_name for part in term.parts[:1] for part_name in part.metrics} & term.parts[1].metrics
    pinned = [
        {m.name for one in part.selectors for m in one.matchers if m.operator == "=" and m.value}
        & asked.facts(part).labels.sure
        for part in term.parts
    ]
    lone = (pinned[0] - right if len(term.parts[0].selectors) == 1 else set()) | (
        pinned[1] - left if len(term.parts[1].selectors) == 1 else set()
    )
    lone = {label for label in lone if all(asked.facts(part).labels.may_have(label) for part in term.parts)}
    if lone - {"job", "instance"} and not alike:
        said = ", ".join(f"'{label}'" for label in sorted(lone - {"job", "instance"}))
        yield f"'{term.name}' matches all labels, and only one side asks for {said}: do the others have it, too?"


@rule("promql/many-to-one", of="operation")
def many_to_one(term: Term, asked: Asked) -> Iterator[Said]:
    """Sides of which several series would match the same one: a query fails when it is evaluated."""
    matching = term.matching
    if matching is None or term.name in SET_OPERATORS or not _both_vectors(term, asked):
        return
    sides = [asked.facts(part).labels for part in term.parts]
    if matching.on and not all(side.may_have(label) for side in sides for label in matching.labels):
        return
    tenant = asked.metrics.contract.tenant_label
    for place, side in ((0, "left"), (1, "right")):
        part, labels = term.parts[place], sides[place]
        if matching.group == side:
            continue
        sure = {tenant} & labels.sure
        grouped = part.labels if not matching.group and part.form == "aggregation" and part.grouping == "by" else set()
        spread = {
            label
            for label in sure | grouped
            if (label in matching.labels) is not matching.on and not _pinned(part, label) and label in labels.sure
        } - matching.include
        if spread:
            said = ", ".join(f"'{label}'" for label in sorted(spread))
            how = f"by which '{term.name}' does not match, without group_{side}"
            # Of labels that only are grouped by, one may follow from the other, as a region from its zone.
            yield Said(f"Series of {part} may differ in {said}, {how}.", assumed=not spread & sure)


def _pinned(term: Term, label: str) -> bool:
    """Whether a matcher leaves only one value of the label."""
    matchers = [matcher for inside in term.selectors for matcher in inside.matchers]
    return any(matcher.name == label and matcher.operator == "=" for matcher in matchers)
