"""What can be seen of rules only beside each other: what they all lack, what stands twice, what nobody watches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.alerts import Alert, alert_of
from cloudxai_analysis.lint.auditor import Auditor, Place
from cloudxai_analysis.lint.codes import Said, findings_of, found, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import Term
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.rules import Rule

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

_PLACEHOLDERS = frozenset({"", "todo", "tbd", "tba", "fixme", "n/a", "none", "-", "?", "..."})
# Older rule files have one annotation `message` for both summary and description.
_SUMMARIES = frozenset({"summary", "title", "message"})
_RUNBOOKS = frozenset({"runbook", "playbook", "runbooks", "playbooks", "sop"})
_OWNERS = frozenset(
    {"owner", "owners", "owned", "team", "teams", "squad", "contact", "contacts", "oncall", "maintainer", "maintainers"}
)
_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*")
_NAMED_AT_MOST = 3
_ABSENT = frozenset({"absent", "absent_over_time"})


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
    for name, text in corpus.other_languages.items():
        findings.append(found("files/other-language", file=name, line=1, subject="", message=text))
    everything = [pair for file in files.values() for pair in file.rules]
    for one, message in _without_absent(everything, auditor.metrics) if not corpus.templated else ():
        place = {"file": one.file, "line": one.expr_line, "subject": one.name}
        findings.append(found("rules/no-absent", message=message, **place))  # type: ignore[arg-type]
    return findings + _copied(list(files.values()))


def _of_rule(one: Rule, file: RuleFile, auditor: Auditor, corpus: Corpus) -> list[Finding]:
    usual = float(corpus.contract.evaluation_interval_seconds)
    interval = one.interval_seconds or usual
    root: Term | None = None
    findings: list[Finding] = []
    if one.expr.strip() and one.file not in corpus.other_languages:
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
            where = {"file": one.file, "line": one.line, "subject": one.name}
            findings += findings_of(alert, auditor.inference, of="alert", **where)  # type: ignore[arg-type]
    return findings


@rule("rules/no-severity", of="file")
def no_severity(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Alerts by which no route can tell whom to wake."""
    return _lacking(
        file, "label `severity`", lambda one: bool(one.rule.labels.get("severity")) or "severity" in one.labels.sure
    )


@rule("rules/no-summary", of="file")
def no_summary(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Alerts that say nothing in one line."""
    return _lacking(file, "annotation `summary`", lambda one: _has(one.rule.annotations, _SUMMARIES))


@rule("rules/no-runbook", of="file")
def no_runbook(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Alerts without a link to what to do."""
    return _lacking(
        file, "link to a runbook", lambda one: _has(one.rule.annotations, _RUNBOOKS) or _has(one.rule.labels, _RUNBOOKS)
    )


@rule("rules/no-owner", of="file")
def no_owner(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Alerts that nobody is named for."""
    return _lacking(
        file,
        "label or annotation that names an owner or team",
        lambda one: (
            _has(one.rule.labels, _OWNERS) or _has(one.rule.annotations, _OWNERS) or bool(one.labels.sure & _OWNERS)
        ),
    )


def _lacking(file: RuleFile, what: str, has: Callable[[Alert], bool]) -> Iterator[Said]:
    """What alerts of a file lack, said once at the first of them; of a templated file nothing is missing."""
    lacking = [] if file.templated else [one.rule for one in file.alerts if one.rule.name and not has(one)]
    if not lacking:
        return
    if len(file.alerts) == 1:
        said = f"The alert has no {what}."
    elif len(lacking) == len(file.alerts):
        said = f"None of the file's {len(file.alerts)} alerts has a {what}."
    else:
        said = f"No {what}: {_named(lacking)}."
    yield Said(said, lacking[0].line, subject=lacking[0].name)


def _named(rules: list[Rule]) -> str:
    names = list(dict.fromkeys(one.name for one in rules))
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _has(texts: dict[str, str], words: frozenset[str]) -> bool:
    """Whether one of the names holds one of the words, and its text says something."""
    return any(
        text.strip().lower() not in _PLACEHOLDERS
        and any(word.lower() in words for word in [name, *_WORD.findall(name)])
        for name, text in texts.items()
    )


@rule("rules/duplicate", of="file")
def duplicate(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Rules of one file that do the same."""
    first: dict[object, Rule] = {}
    for one, root in file.rules:
        key = (one.kind, one.name, frozenset(one.labels.items()), root)
        if root is None or one.templated:
            continue
        if key in first:
            said = f"The rule on line {first[key].line} has the same name, labels and expression."
            yield Said(said, one.line, subject=one.name)
        first.setdefault(key, one)


@rule("rules/same-alert", of="file")
def same_alert(file: RuleFile, _: Corpus) -> Iterator[Said]:
    """Alerts of equal labels that compare the same with two numbers."""
    first: dict[object, tuple[Rule, Term]] = {}
    for one, root in file.rules:
        if one.kind != "alert" or root is None or one.templated:
            continue
        key = (one.name, frozenset(one.labels.items()), _base(root))
        earlier, term = first.setdefault(key, (one, root))
        if term != root:
            said = f"The rule on line {earlier.line} has the same name and labels and compares the same."
            yield Said(said, one.line, subject=one.name)


def _base(root: Term) -> Term:
    """What is compared with numbers."""
    while root.compares and "number" in (root.parts[0].form, root.parts[1].form):
        root = root.parts[0] if root.parts[1].form == "number" else root.parts[1]
    return root


@rule("rules/differs-from-contract", of="file")
def differs_from_contract(file: RuleFile, corpus: Corpus) -> Iterator[Said]:
    """Alerts of the contract's names that wait or weigh otherwise than it promises."""
    for alert in file.alerts:
        one, promised = alert.rule, corpus.contract.alerts.get(alert.rule.name)
        if promised is None or one.templated or file.templated:
            continue
        severity, waits = one.labels.get("severity", ""), one.for_seconds
        if (severity, waits) != (promised.severity, promised.for_seconds):
            has = f"`for` {duration_text(waits)}, severity '{severity}'"
            promises = f"{duration_text(promised.for_seconds)}, '{promised.severity}'"
            yield Said(f"It has {has}; the contract promises {promises}.", one.line, subject=one.name)


@rule("rules/differs-from-server", of="file")
def differs_from_server(file: RuleFile, corpus: Corpus) -> Iterator[Said]:
    """Alerts that the server has loaded otherwise, or not at all."""
    loaded = corpus.loaded_alerts
    for alert in file.alerts if loaded is not None else ():
        one = alert.rule
        own = [(waits, labels) for name, waits, labels in loaded or () if name == one.name]
        if not own:
            yield Said("The server has loaded no alert of this name.", one.line, subject=one.name)
        elif (one.for_seconds, one.labels) not in own:
            waits, labels = own[0]
            said = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) or "no label"
            yield Said(f"The server has it with `for` {duration_text(waits)} and {said}.", one.line, subject=one.name)


def _copied(files: list[RuleFile]) -> list[Finding]:
    """Rules that stand in two files, said once a pair of files: both may be loaded by one server."""
    first: dict[object, RuleFile] = {}
    pairs: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for file in files:
        for one, root in file.rules:
            if root is not None:
                key = (one.kind, one.name, frozenset(one.labels.items()), root)
                earlier = first.setdefault(key, file)
                if earlier is not file:
                    pairs[file.name, earlier.name].append(one)
    return [
        found(
            "rules/copied",
            file=name,
            line=rules[0].line,
            subject=rules[0].name,
            message=f"{earlier} has the same: {_named(rules)}.",
        )
        for (name, earlier), rules in pairs.items()
    ]


def _without_absent(rules: list[tuple[Rule, Term | None]], metrics: Metrics) -> Iterator[tuple[Rule, str]]:
    """The first alert on each gauge of the contract, where no alert tells that any of its metrics is missing.

    A gauge says that something is so, a counter that something happened: it may not be there before. One process
    exports them all, so that the absence of one of them, or of its `up`, tells of the others. Recording rules are
    looked through: an alert on what one records relies on what it reads.
    """
    roots: dict[str, list[Term]] = defaultdict(list)
    for one, root in rules:
        if root is not None and one.kind == "record":
            roots[one.name].append(root)
    first: dict[str, Rule] = {}
    for one, root in rules:
        if root is None or one.kind != "alert":
            continue
        terms = _through_records(root, roots)
        told = {name for term in terms for missed in _missed(term) for name in _names(missed, roots)}
        if any(metrics.promised(name) is not None for name in told):
            return
        for name in sorted({term.name for term in terms if term.form == "selector"}):
            metric = metrics.promised(name)
            if metric is not None and metrics.is_own(name) and metric.scope == "target" and metric.kind == "gauge":
                first.setdefault(metric.name, one)
    for name, one in first.items():
        yield one, f"The alert relies on {name}, and no alert asks for absent({name}), or of another of its metrics."


def _through_records(root: Term, roots: dict[str, list[Term]]) -> list[Term]:
    """Every term of an expression and of what the rules that it reads record."""
    terms: list[Term] = []
    waiting, seen = [root], set[str]()
    while waiting:
        for term in waiting.pop().walk():
            terms.append(term)
            if term.form == "selector" and term.name in roots and term.name not in seen:
                seen.add(term.name)
                waiting += roots[term.name]
    return terms


def _names(term: Term, roots: dict[str, list[Term]]) -> set[str]:
    return {one.name for one in _through_records(term, roots) if one.form == "selector"}


def _missed(term: Term) -> Iterator[Term]:
    """The parts of which the term returns something when they are empty."""
    if term.form == "call" and term.name in _ABSENT:
        yield from term.parts
    elif term.form == "operation" and term.name == "unless":
        yield term.parts[1]
    elif term.form == "operation" and term.name == "or" and any(one.name == "vector" for one in term.parts[1].walk()):
        yield term.parts[0]
