"""What is wrong with alerts and recording rules: by themselves, and beside each other, the contract and a server.

Whether a template can be read at all is promtool's to say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudxai_analysis.lint import Finding, Said, findings_of, found, rule
from cloudxai_analysis.lint.auditor import Auditor, Labels
from cloudxai_analysis.lint.expressions import COMPARISONS, RATES, SET_OPERATORS, Term, readable
from cloudxai_analysis.lint.rules import Rule, duration_text

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_]\w*)")
# Where the dot is moved it stands for something else, as a series that the text asks for by query().
_OWN_LABEL = re.compile(r"\$labels\.([a-zA-Z_]\w*)")
_TESTED = re.compile(r"^-?\s*(?:if|with|else if)\b")
_VALUE = re.compile(r"^-?\s*(?:\$value|\.Value)\b")
_MOVES_DOT = re.compile(r"\{\{-?\s*(?:range|with|block|define|template)\b")
_NAMED_AT_MOST = 3
_FILTERS = SET_OPERATORS | {"absent", "absent_over_time"}


class Alert(NamedTuple):
    """One alerting rule with its expression, None where that cannot be read, and the labels of its series."""

    rule: Rule
    root: Term | None
    labels: Labels


def rule_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' rules, but for those of their form."""
    findings: list[Finding] = []
    read: list[tuple[Rule, Term]] = []
    for one in corpus.rules:
        root, faults = auditor.findings(one.expr, one.file, one.expr_line, one.name, one.kind)
        if one.templated:
            findings += [fault for fault in faults if fault.code == "files/templated"]
            continue
        findings += faults
        read += [(one, root)] if root is not None else []
        if one.kind == "alert":
            alert = Alert(one, root, auditor.of(root).labels)
            findings += findings_of(alert, auditor, of="alert", file=one.file, line=one.line, subject=one.name)
    return [*findings, *_twice(read)]


@rule("alert")
def _no_condition(alert: Alert, auditor: Auditor) -> Iterator[Said]:
    """Alerts, or one side of their `or`, that fire for whatever value."""
    root, line, metrics = alert.root, alert.rule.expr_line, auditor.metrics
    for side in root.sides(["or"]) if root is not None else ():
        terms, names = list(side.walk()), side.metrics - {"ALERTS"}
        computed = any(term.does in RATES or term.form == "aggregation" for term in terms)
        filtered = any(term.compares or term.does in _FILTERS for term in terms)
        # What is recorded may hold a condition, and what no contract promises may be there only while something is so.
        known = (computed or all(map(metrics.promised, names))) and names.isdisjoint(metrics.recorded)
        if side.does in COMPARISONS and side.as_bool:
            yield Said("rules/no-condition", f"{side}, with bool, returns a series at all times.", line)
        elif names and known and not filtered:
            asked = {matcher.name for term in side.selectors for matcher in term.matchers}
            unsure = bool(asked - {"job", "instance"}) or any(":" in name for name in names)
            yield Said("rules/no-condition", f"{side} is compared with nothing.", line, assumed=unsure)


@rule("alert")
def _absent_without_for(alert: Alert, _: Auditor) -> Iterator[Said]:
    """None on absence: each restart of the server sets it off."""
    sides = alert.root.sides(["or", "and"], compared=True) if alert.root and not alert.rule.for_seconds else ()
    for term in [one for one in sides if one.does == "absent"][:1]:
        yield Said("rules/absent-without-for", f"{term} holds at once, without `for`.", alert.rule.expr_line)


@rule("alert")
def _texts(alert: Alert, _: Auditor) -> Iterator[Said]:
    """Labels and annotations that do not say what they are meant to say."""
    one = alert.rule
    for table, texts in (("labels", one.labels), ("annotations", one.annotations)):
        for name, text in texts.items():
            line, actions = one.line_of(table, name), _ACTION.findall(text)
            moves = _MOVES_DOT.search(text)
            named_labels = (_OWN_LABEL if moves else _LABEL).findall(" ".join(actions))
            tested = _LABEL.findall(" ".join(filter(_TESTED.match, actions)))
            asked = [label for label in dict.fromkeys(named_labels) if label not in (*tested, *alert.labels.sure)]
            for said in _lost_labels(alert, asked):
                yield Said("rules/lost-template-label", f"`{name}`: {said}", line)
            if table == "labels" and any(map(_VALUE.match, actions)):
                yield Said("rules/label-of-value", f"`{name}`: the label holds the value.", line)


def _lost_labels(alert: Alert, labels: list[str]) -> Iterator[str]:
    """What is wrong with the labels that a template names."""
    # Alerts that are series again have the severity of their own rules.
    knows = alert.root is not None and not any(metric.startswith("ALERTS") for metric in alert.root.metrics)
    for label in labels:
        if not alert.labels.may_have(label):
            has = ", ".join(sorted(alert.labels.only or ())) or "none like that"
            yield f"the expression's series have no label '{label}'; they have {has}."
        elif knows and label == "severity" and label in alert.rule.labels:
            yield "'severity' is the alert's own, and a template sees only labels of the expression's series."


@rule("alert")
def _differs(alert: Alert, auditor: Auditor) -> Iterator[Said]:
    """Alerts that wait or weigh otherwise than the contract promises, or that the server has loaded otherwise."""
    one, corpus = alert.rule, auditor.corpus
    if one.file in corpus.templated:
        return
    promised, severity = corpus.contract.alerts.get(one.name), one.labels.get("severity", "")
    if promised is not None and (severity, one.for_seconds) != (promised.severity, promised.for_seconds):
        has = f"`for` {duration_text(one.for_seconds)}, severity '{severity}'"
        said = f"It has {has}; the contract promises {duration_text(promised.for_seconds)}, '{promised.severity}'."
        yield Said("rules/differs-from-contract", said)
    loaded = [_as_loaded(its) for its in corpus.loaded_alerts or () if its.name == one.name]
    differing = [[key for key, value in _as_loaded(one).items() if its[key] != value] for its in loaded]
    if corpus.loaded_alerts is not None and not loaded:
        yield Said("rules/differs-from-server", "The server has loaded no alert of this name.")
    elif differing and all(differing):
        said = f"The server has it with another {' and '.join(min(differing, key=len))}."  # type: ignore[arg-type]
        yield Said("rules/differs-from-server", said)


def _as_loaded(one: Any) -> dict[str, object]:
    """What file and server are held against each other by; a server writes expressions anew."""
    waits = {"`for`": one.for_seconds, "`keep_firing_for`": one.keep_firing_for_seconds}
    return {**waits, "labels": dict(one.labels), "expression": readable(one.expr) or one.expr.split()}


def _twice(rules: Iterable[tuple[Rule, Term]]) -> Iterator[Finding]:
    """Rules that do the same: in one file, and, said once a pair of files, in two, which one server may load."""
    first: dict[object, Rule] = {}
    copied: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for one, root in rules:
        earlier = first.setdefault((one.kind, one.name, frozenset(one.labels.items()), root), one)
        if earlier.file != one.file:
            copied[one.file, earlier.file].append(one)
        elif earlier is not one:
            said = f"The rule on line {earlier.line} has the same name, labels and expression."
            yield found("rules/duplicate", said, one.file, one.line, one.name)
    for (file, other), same in copied.items():
        said = f"{other} has the same: {named(one.name for one in same)}."
        yield found("rules/copied", said, file, same[0].line, same[0].name)


def named(names: Iterable[str]) -> str:
    """The first few of the names, each once, and how many more there are."""
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _NAMED_AT_MOST
    return ", ".join(f"'{name}'" for name in distinct[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
