"""The labels that the series of a part of an expression have for sure, can have, or lack for sure."""

from __future__ import annotations

from dataclasses import dataclass

from cloudxai_analysis.lint.expressions import Term

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a vector: at most those in `only` (None: any), none in `lacks`, surely those in `sure`."""

    only: frozenset[str] | None = None
    lacks: frozenset[str] = NOTHING
    sure: frozenset[str] = NOTHING

    def may_have(self, label: str) -> bool:
        """Whether a series of it can have the label."""
        return label not in self.lacks and (self.only is None or label in self.only)

    def without(self, labels: frozenset[str]) -> Labels:
        """What is left when these are taken away."""
        only = None if self.only is None else self.only - labels
        return Labels(only, self.lacks | labels, self.sure - labels)

    def kept(self, labels: frozenset[str]) -> Labels:
        """What is left when only these are kept; who names a label expects it to be there."""
        there = frozenset(label for label in labels if self.may_have(label))
        return Labels(there, NOTHING, there)

    def added(self, labels: frozenset[str]) -> Labels:
        """What it is when these are put in."""
        only = None if self.only is None else self.only | labels
        return Labels(only, self.lacks - labels, self.sure | labels)

    def either(self, other: Labels) -> Labels:
        """What holds for series of the one and of the other."""
        only = None if self.only is None or other.only is None else self.only | other.only
        return Labels(
            only, frozenset(label for label in self.lacks if not other.may_have(label)), self.sure & other.sure
        )

    def both(self, other: Labels) -> Labels:
        """What holds for series whose labels are those of the one and of the other."""
        only = other.only if self.only is None else self.only if other.only is None else self.only & other.only
        return Labels(only, self.lacks | other.lacks, self.sure | other.sure)


ANYTHING = Labels()


def matched_labels(labels: Labels, term: Term) -> Labels:
    """The labels of the series that the selector's matchers leave."""
    if term.alternatives:
        return Labels(labels.only)
    there, gone = set(), set()
    for matcher in term.matchers:
        if (matcher.operator == "=" and matcher.value) or (matcher.operator == "!=" and not matcher.value):
            there.add(matcher.name)
        elif matcher.operator == "=":
            gone.add(matcher.name)
        elif matcher.operator == "=~" and matcher.accepts("") is False:
            there.add(matcher.name)
    return labels.added(frozenset(there)).without(frozenset(gone)) if there or gone else labels


def absent_labels(term: Term) -> Labels:
    """The labels of an absent(): those that its selector says are equal to something."""
    selector = term.parts[0] if term.parts else None
    if selector is None or selector.form != "selector":
        return Labels(NOTHING)
    equal = frozenset(m.name for m in selector.matchers if m.operator == "=" and m.value)
    return Labels(equal, NOTHING, equal)


def relabelled(labels: Labels, term: Term) -> Labels:
    """The labels after a label_replace() or label_join()."""
    written = frozenset({term.parts[1].text})
    only = None if labels.only is None else labels.only | written
    return Labels(only, labels.lacks - written, labels.sure | written)


def joined_labels(term: Term, left: Labels, right: Labels) -> Labels:
    """The labels of the result of an operation of two vectors."""
    matching = term.matching
    if term.name in ("and", "unless"):
        return left
    if term.name == "or":
        return left.either(right)
    if matching is None:
        return left.both(right)
    if matching.group:
        many = left if matching.group == "left" else right
        return many.added(matching.include) if matching.include else many
    if matching.on:
        return left.kept(matching.labels)
    return left.both(right).without(matching.labels)
