"""What can be seen of rules only beside each other: what they all lack, what stands twice, what nobody watches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alerts import Alert, alert_of
from cloudxai_analysis.lint.auditor import Auditor, Place
from cloudxai_analysis.lint.codes import Said, findings_of, found, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.metrics import NAMES, Metrics
from cloudxai_analysis.lint.rules import Rule

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*")
_NAMED_AT_MOST = 3


@dataclass
class RuleFile:
    """The rules of one file with their expressions, as far as they can be read, and its alerts."""

    name: str
    rules: list[tuple[Rule, Term | None]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    templated: bool = False


def rule_findings(corpus: Corpus, auditor: Auditor) -> list[Finding]:
    """Every fault of the corpus' rules, but for those of their form."""
    findings: list[Finding] = []
    files: dict[str, RuleFile] = {}
    for one in corpus.rules:
        file = files.setdefault(one.file, RuleFile(one.file, templated=one.file in corpus.templated))
        findings += _of_rule(one, file, auditor, corpus)
    for file in files.values():
        line = file.rules[0][0].line
        findings += findings_of(file, corpus, of="file", file=file.name, line=line, subject="")
        findings += _lacking(file) if not file.templated else ()
    everything = [pair for file in files.values() for pair in file.rules]
    if not corpus.templated:
        findings += _without_absent(everything, auditor.metrics)
    return [*findings, *_twice(everything)]


def _of_rule(one: Rule, file: RuleFile, auditor: Auditor, corpus: Corpus) -> list[Finding]:
    interval = one.interval_seconds or float(corpus.contract.evaluation_interval_seconds)
    root: Term | None = None
    findings: list[Finding] = []
    if one.expr.strip():
        place = Place(one.file, one.expr_line, one.name, one.kind)
        root, findings = auditor.findings(one.expr, place, evaluation_seconds=interval)
    if one.templated:
        file.templated = True
        findings = [finding for finding in findings if finding.code == "files/templated"]
    file.rules.append((one, root))
    if one.kind == "alert":
        # What is not known, but assumed, is not held against a group that is evaluated more often.
        alert = alert_of(one, root, auditor.inference, evaluation=interval, scrape=corpus.scrape_seconds or 0.0)
        file.alerts.append(alert)
        if not one.templated:
            findings += findings_of(
                alert, auditor.inference, of="alert", file=one.file, line=one.line, subject=one.name
            )
    return findings


def _said(code: str, one: Rule, message: str, line: int = 0) -> Finding:
    return found(code, file=one.file, line=line or one.line, subject=one.name, message=message)


def _lacking(file: RuleFile) -> Iterator[Finding]:
    """What alerts of a file lack, said once at the first of them."""
    for code, (what, *words) in NAMES["lacking"]["words"].items():
        lacking = [one.rule for one in file.alerts if one.rule.name and not _has(one, words)]
        if lacking and len(file.alerts) == 1:
            yield _said(code, lacking[0], f"The alert has no {what}.")
        elif lacking:
            every = f"None of the file's {len(file.alerts)} alerts has a {what}."
            some = f"No {what}: {_named(lacking)}."
            yield _said(code, lacking[0], every if len(lacking) == len(file.alerts) else some)


def _has(one: Alert, words: list[str]) -> bool:
    """Whether a label or annotation is called by one of the words and says something, or its series bring such."""
    if "severity" in words:
        return bool(one.rule.labels.get("severity")) or "severity" in one.labels.sure
    named = [
        {name.lower(), *map(str.lower, _WORD.findall(name))}
        for name, text in (*one.rule.labels.items(), *one.rule.annotations.items())
        if text.strip().lower() not in NAMES["lacking"]["placeholders"]
    ]
    return any(not one.isdisjoint(words) for one in (one.labels.sure, *named))


def _named(rules: list[Rule]) -> str:
    names = list(dict.fromkeys(one.name for one in rules))
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _twice(rules: Iterable[tuple[Rule, Term | None]]) -> Iterator[Finding]:
    """Rules that do the same: in one file, and, said once a pair of files, in two, which one server may load."""
    first: dict[object, Rule] = {}
    copied: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for one, root in rules:
        if root is None or one.templated:
            continue
        earlier = first.setdefault((one.kind, one.name, frozenset(one.labels.items()), root), one)
        if earlier.file != one.file:
            copied[one.file, earlier.file].append(one)
        elif earlier is not one:
            message = f"The rule on line {earlier.line} has the same name, labels and expression."
            yield _said("rules/duplicate", one, message)
    for (_, file), same in copied.items():
        yield _said("rules/copied", same[0], f"{file} has the same: {_named(same)}.")


@rule("rules/differs-from-contract", of="file")
def differs_from_contract(file: RuleFile, corpus: Corpus) -> Iterator[Said]:
    """Alerts of the contract's names that wait or weigh otherwise than it promises."""
    for alert in file.alerts if not file.templated else ():
        one, promised = alert.rule, corpus.contract.alerts.get(alert.rule.name)
        severity, waits = one.labels.get("severity", ""), one.for_seconds
        if promised is not None and (severity, waits) != (promised.severity, promised.for_seconds):
            has = f"`for` {duration_text(waits)}, severity '{severity}'"
            promises = f"{duration_text(promised.for_seconds)}, '{promised.severity}'"
            yield Said(f"It has {has}; the contract promises {promises}.", one.line, subject=one.name)


@rule("rules/differs-from-server", of="file")
def differs_from_server(file: RuleFile, corpus: Corpus) -> Iterator[Said]:
    """Alerts that the server has loaded otherwise, or not at all."""
    for one in [alert.rule for alert in file.alerts] if corpus.loaded_alerts is not None else ():
        own = [loaded for loaded in corpus.loaded_alerts or () if loaded.name == one.name]
        waits = (one.for_seconds, one.keep_firing_for_seconds, one.labels)
        alike = [it for it in own if (it.for_seconds, it.keep_firing_for_seconds, it.labels) == waits]
        if not own:
            yield Said("The server has loaded no alert of this name.", one.line, subject=one.name)
        elif not alike:
            labels = ", ".join(f'{name}="{value}"' for name, value in sorted(own[0].labels.items())) or "no label"
            waits_said = ", ".join(map(duration_text, (own[0].for_seconds, own[0].keep_firing_for_seconds)))
            message = f"The server has it with `for` and `keep_firing_for` {waits_said} and {labels}."
            yield Said(message, one.line, subject=one.name)
        elif not any(_same_expression(loaded.expr, one.expr) for loaded in alike):
            yield Said(f"The server has it with another expression, {alike[0].expr}.", one.line, subject=one.name)


def _same_expression(one: str, other: str) -> bool:
    """Whether two texts are one expression; a server writes it anew."""
    try:
        return parse(one) == parse(other)
    except Unparsed:
        return one.split() == other.split()


def _without_absent(rules: list[tuple[Rule, Term | None]], metrics: Metrics) -> Iterator[Finding]:
    """The first alert on each gauge of the contract, where no alert tells that any of its metrics is missing.

    A gauge says that something is so, a counter that something happened: it may not be there before. One process
    exports them all, so that the absence of one of them tells of the others. What a rule records is looked through.
    """
    recorded: dict[str, set[str]] = defaultdict(set)
    for one, root in rules:
        if root is not None and one.kind == "record":
            recorded[one.name] |= root.metrics
    first: dict[str, Rule] = {}
    for one, root in rules:
        if root is None or one.kind != "alert":
            continue
        missed = {name for term in root.walk() for part in _missed(term) for name in part.metrics}
        if any(metrics.promised(name) is not None for name in _through(missed, recorded)):
            return
        for name in sorted(_through(root.metrics, recorded)):
            metric = metrics.promised(name)
            if metric is not None and metrics.is_own(name) and metric.scope == "target" and metric.kind == "gauge":
                first.setdefault(metric.name, one)
    for name, one in first.items():
        message = f"The alert relies on {name}, and no alert asks for absent({name}), or of another of its metrics."
        yield _said("rules/no-absent", one, message, one.expr_line)


def _through(names: Iterable[str], recorded: dict[str, set[str]]) -> set[str]:
    """The names, and those of the metrics of which rules record them."""
    found, waiting = set[str](), set(names)
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in recorded.get(one, ())} - found
    return found


def _missed(term: Term) -> Iterator[Term]:
    """The parts of which the term returns something when they are empty."""
    if term.form == "call" and term.name in ("absent", "absent_over_time"):
        yield from term.parts
    elif term.form == "operation" and term.name == "unless":
        yield term.parts[1]
    elif term.form == "operation" and term.name == "or" and any(one.name == "vector" for one in term.parts[1].walk()):
        yield term.parts[0]
