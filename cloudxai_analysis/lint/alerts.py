"""What is wrong with alerts and recording rules: by themselves, and beside each other, the contract and a server.

Whether a template can be read at all is promtool's to say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudxai_analysis.lint import Finding, Said, findings_of, found, rule
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.expressions import COMPARISONS, Term, Unparsed, parse
from cloudxai_analysis.lint.facts import Inference, Labels
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.rules import Rule, duration_text

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

# Alerts that are meant to fire at all times, so that their silence tells that alerting is broken.
_SIGN_OF_LIFE = re.compile(r"watch.?dog|dead.?man|heart.?beat|always.?fir|keep.?alive|dms|inhibit", re.IGNORECASE)
# Series that are there only while something is so.
_THERE_ONLY_WHILE = ("_info", "_reason", "_taint", "_labels", "_metadata", "_alert", "_alerts")
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_]\w*)")
# Where the dot is moved it stands for something else, as a series that the text asks for by query().
_OWN_LABEL = re.compile(r"\$labels\.([a-zA-Z_]\w*)")
_TESTED = re.compile(r"^-?\s*(?:if|with|else if)\b")
_VARIABLE = re.compile(r"\$(?:labels\.\w+|value\b)")
_VALUE = re.compile(r"^-?\s*(?:\$value|\.Value)\b")
_MOVES_DOT = re.compile(r"\{\{-?\s*(?:range|with|block|define|template)\b")
_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Alert:
    """One alerting rule with its expression, None where that cannot be read, and the labels of its series."""

    rule: Rule
    root: Term | None
    labels: Labels

    @property
    def is_sign_of_life(self) -> bool:
        """Whether it is meant to fire at all times."""
        severity = self.rule.labels.get("severity", "").lower()
        return bool(_SIGN_OF_LIFE.search(self.rule.name)) or severity in ("none", "heartbeat")


def rule_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' rules, but for those of their form."""
    findings: list[Finding] = []
    read: list[tuple[Rule, Term]] = []
    alerts: dict[str, list[Alert]] = defaultdict(list)
    for one in corpus.rules:
        place = (one.file, one.expr_line, one.name, one.kind)
        root, faults = auditor.findings(one.expr, *place, evaluation_seconds=one.interval_seconds)
        findings += [fault for fault in faults if fault.code == "files/templated" or not one.templated]
        if one.templated:
            continue
        read += [(one, root)] if root is not None else []
        if one.kind == "alert":
            alert = Alert(one, root, Labels() if root is None else auditor.inference.of(root).labels)
            alerts[one.file].append(alert)
            known = auditor.inference
            findings += findings_of(alert, known, of="alert", file=one.file, line=one.line, subject=one.name)
    for file, own in alerts.items():
        findings += findings_of(own, corpus, of="alerts", file=file, line=own[0].rule.line)
    if not corpus.templated:
        findings += _without_absent(read, auditor.metrics)
    return [*findings, *_twice(read)]


@rule("alert")
def _condition(alert: Alert, inference: Inference) -> Iterator[Said]:
    """Alerts that always fire, or for whatever value."""
    root, line = alert.root, alert.rule.expr_line
    if root is None or alert.is_sign_of_life:
        return
    # Some hold at certain hours only, and inhibit others then.
    if not any(term.form == "selector" or (term.form == "call" and not term.parts) for term in root.walk()):
        yield Said("rules/constant-alert", f"{root} asks for no metric.", line)
    names = [term.name for term in root.selectors]
    if root.does in COMPARISONS and root.as_bool:
        yield Said("rules/no-condition", f"{root}, with bool, returns a series at all times.", line)
    elif names and not inference.of(root).filtered and not any(name.endswith(_THERE_ONLY_WHILE) for name in names):
        # A selector with conditions of its own can be meant as one of presence.
        selects = any(matcher.name not in ("job", "instance") for term in root.selectors for matcher in term.matchers)
        computed = any(term.form in ("call", "aggregation") for term in root.walk())
        sure = computed or any(map(inference.metrics.promised, names))
        if sure or not selects:
            said = f"{root} is compared with nothing."
            yield Said("rules/no-condition", said, line, assumed=selects or not sure)


@rule("alert")
def _absent_without_for(alert: Alert, _: Inference) -> Iterator[Said]:
    """None on absence: each restart of the server sets it off."""
    waiting = [alert.root] if alert.root and not alert.rule.for_seconds else []
    while waiting:
        term = waiting.pop()
        if term.does in ("or", "and") or term.compares:
            waiting += reversed(term.parts)
        elif term.does == "absent":
            yield Said("rules/absent-without-for", f"{term} holds at once, without `for`.", alert.rule.expr_line)
            return


@rule("alert")
def _texts(alert: Alert, _: Inference) -> Iterator[Said]:
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
            closed = text.count("{{") == text.count("}}")
            for outside in dict.fromkeys(_VARIABLE.findall(_ACTION.sub(" ", text))) if closed else ():
                said = f"`{name}`: {outside} stands outside of {{{{ }}}}."
                yield Said("rules/unexpanded-template", said, line)
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


@rule("alerts")
def _no_severity(alerts: list[Alert], corpus: Corpus) -> Iterator[Said]:
    """Alerts without one, said once a file, at the first of them."""
    lacking = [one.rule for one in alerts if not one.rule.labels.get("severity") and "severity" not in one.labels.sure]
    if lacking and lacking[0].file not in corpus.templated:
        said = f"No severity: {named(one.name for one in lacking)}."
        yield Said("rules/no-severity", said, lacking[0].line, lacking[0].name)


@rule("alerts")
def _differs(alerts: list[Alert], corpus: Corpus) -> Iterator[Said]:
    """Alerts that wait or weigh otherwise than the contract promises, or that the server has loaded otherwise."""
    for one in (alert.rule for alert in alerts if alert.rule.file not in corpus.templated):
        promised, severity = corpus.contract.alerts.get(one.name), one.labels.get("severity", "")
        if promised is not None and (severity, one.for_seconds) != (promised.severity, promised.for_seconds):
            has = f"`for` {duration_text(one.for_seconds)}, severity '{severity}'"
            said = f"It has {has}; the contract promises {duration_text(promised.for_seconds)}, '{promised.severity}'."
            yield Said("rules/differs-from-contract", said, one.line, one.name)
        loaded = [_as_loaded(its) for its in corpus.loaded_alerts or () if its.name == one.name]
        differing = [[key for key, value in _as_loaded(one).items() if its[key] != value] for its in loaded]
        if corpus.loaded_alerts is not None and not loaded:
            said = "The server has loaded no alert of this name."
            yield Said("rules/differs-from-server", said, one.line, one.name)
        elif differing and all(differing):
            said = f"The server has it with another {' and '.join(min(differing, key=len))}."  # type: ignore[arg-type]
            yield Said("rules/differs-from-server", said, one.line, one.name)


def _as_loaded(one: Any) -> dict[str, object]:
    """What file and server are held against each other by; a server writes expressions anew."""
    try:
        expression: object = parse(one.expr)
    except Unparsed:
        expression = one.expr.split()
    waits = {"`for`": one.for_seconds, "`keep_firing_for`": one.keep_firing_for_seconds}
    return {**waits, "labels": dict(one.labels), "expression": expression}


def _without_absent(rules: list[tuple[Rule, Term]], metrics: Metrics) -> Iterator[Finding]:
    """The first alert on each gauge of the contract, where no rule asks whether any of its metrics is missing.

    A gauge says that something is so, a counter that something happened: it may not be there
    before. One process exports them all, so that the absence of one of them tells of the others.
    """
    missed = {name for _, root in rules for term in root.walk() for part in _missed(term) for name in part.metrics}
    recorded = {name for one, root in rules if one.kind == "record" and one.name in missed for name in root.metrics}
    first: dict[str, Rule] = {}
    if any(metrics.promised(name) is not None for name in missed | recorded):
        return
    for one, root in rules:
        for name in sorted(root.metrics) if one.kind == "alert" else ():
            metric = metrics.promised(name)
            if metric is not None and metrics.is_own(name) and metric.scope == "target" and metric.kind == "gauge":
                first.setdefault(metric.name, one)
    for name, one in first.items():
        said = f"The alert relies on {name}, and no alert asks for absent({name}), or of another of its metrics."
        yield found("rules/no-absent", said, one.file, one.expr_line, one.name)


def _missed(term: Term) -> tuple[Term, ...]:
    """The parts of which the term returns something when they are empty."""
    if term.does in ("absent", "absent_over_time"):
        return term.parts
    if term.does == "or" and any(one.does == "vector" for one in term.parts[1].walk()):
        return term.parts[:1]
    return term.parts[1:] if term.does == "unless" else ()


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
