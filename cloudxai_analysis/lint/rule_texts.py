"""What people are told by an alert: its severity, summary, runbook and owner, and the templates in its texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from cloudxai_analysis.lint.label_sets import Labels
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.lint.templates import read_template

Fault = tuple[str, int, str]  # code, line, message
_PLACEHOLDERS = frozenset({"", "todo", "tbd", "tba", "fixme", "n/a", "none", "-", "?", "..."})
# Older rule files have one annotation `message` for both summary and description.
_SUMMARIES = frozenset({"summary", "title", "message"})
_RUNBOOKS = frozenset({"runbook", "playbook", "runbooks", "playbooks", "sop"})
_OWNERS = frozenset(
    {"owner", "owners", "owned", "team", "teams", "squad", "contact", "contacts", "oncall", "maintainer", "maintainers"}
)
_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*")
# Labels that rules put on alerts, never an exporter on series: a template sees the series' labels only.
_OF_ALERTS = frozenset({"alertname", "alertstate", "severity"})


def missing_texts(alerts: Iterable[tuple[Rule, Labels]]) -> Iterator[tuple[Rule, Fault]]:
    """What the alerts of one file lack, each with the labels of its series.

    What no alert of the file has is said once, at the first.
    """
    given = list(alerts)
    for rule, labels in given:
        if not rule.labels.get("severity") and "severity" not in labels.sure:
            yield rule, ("rules/no-severity", rule.line, "The alert has no label `severity`.")
        if not _has(rule.annotations, _SUMMARIES):
            other = " (it has a description only)" if _filled(rule.annotations.get("description", "")) else ""
            yield rule, ("rules/no-summary", rule.line, f"The alert has no annotation `summary`{other}.")
    yield from _lacking(given, "rules/no-runbook", "link to a runbook", _has_runbook)
    yield from _lacking(given, "rules/no-owner", "label or annotation that names an owner or team", _has_owner)


def template_faults(rule: Rule, labels: Labels | None, *, reads_alerts: bool) -> Iterator[Fault]:
    """What is wrong with the templates of an alert; `labels` are its series', None where nobody knows them.

    `reads_alerts` is whether its expression asks for alerts, whose labels are those of other rules.
    """
    if re.search(r"\$(?:labels|value)\b|\.Labels\b", rule.name):
        yield "rules/unexpanded-template", rule.line, f"The name '{rule.name}' holds a template, which stays as it is."
    for table, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for name, text in texts.items():
            if "{" not in text and "$" not in text:
                continue
            for code, message in _of_text(text, labels, frozenset(rule.labels), reads_alerts, table == "labels"):
                yield code, rule.line_of(table, name), f"`{name}`: {message}"


def _of_text(
    text: str, labels: Labels | None, own: frozenset[str], reads_alerts: bool, is_label: bool
) -> Iterator[tuple[str, str]]:
    read = read_template(text)
    if read.broken:
        yield "rules/broken-template", f"{read.broken}."
        return
    for unknown in dict.fromkeys(read.unknown):
        yield "rules/unknown-template-field", f"templates of alerts have no {unknown}."
    for outside in dict.fromkeys(read.outside):
        yield "rules/unexpanded-template", f"{outside} stands outside of {{{{ }}}}."
    for message in dict.fromkeys(read.badly_formatted):
        yield "rules/bad-format", f"{message}."
    if is_label and read.prints_value:
        yield "rules/label-of-value", "the label holds the value."
    for label in dict.fromkeys(read.labels):
        if label in read.tested or labels is None or label in labels.sure:
            continue
        put_on = label in _OF_ALERTS and (label in own or label != "severity") and not reads_alerts
        if not labels.may_have(label):
            has = f"they have {', '.join(sorted(labels.only))}" if labels.only else "they have none like that"
            yield "rules/lost-template-label", f"the expression's series have no label '{label}'; {has}."
        elif put_on:
            yield (
                "rules/lost-template-label",
                f"'{label}' is a label of the alert, and a template sees only those of the expression's series.",
            )


def _lacking(
    alerts: list[tuple[Rule, Labels]], code: str, what: str, has: Callable[[Rule, Labels], bool]
) -> Iterator[tuple[Rule, Fault]]:
    lacking = [rule for rule, labels in alerts if not has(rule, labels)]
    if len(lacking) > 1 and len(lacking) == len(alerts):
        rule = lacking[0]
        yield rule, (code, rule.line, f"None of the file's {len(alerts)} alerts has a {what}.")
        return
    for rule in lacking:
        yield rule, (code, rule.line, f"The alert has no {what}.")


def _has_runbook(rule: Rule, _: Labels) -> bool:
    return _has(rule.annotations, _RUNBOOKS) or _has(rule.labels, _RUNBOOKS)


def _has_owner(rule: Rule, labels: Labels) -> bool:
    return _has(rule.labels, _OWNERS) or _has(rule.annotations, _OWNERS) or bool(labels.sure & _OWNERS)


def _has(texts: dict[str, str], words: frozenset[str]) -> bool:
    """Whether one of the names holds one of the words, and its text says something."""
    return any(
        _filled(text) and any(word.lower() in words for word in [name, *_WORD.findall(name)])
        for name, text in texts.items()
    )


def _filled(text: str) -> bool:
    return text.strip().lower() not in _PLACEHOLDERS
