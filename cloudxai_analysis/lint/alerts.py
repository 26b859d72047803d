"""What is wrong with an alert by itself: when it fires, how long it waits, and what it tells people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import COMPARISONS, Term, Unparsed, parse
from cloudxai_analysis.lint.facts import Inference
from cloudxai_analysis.lint.label_sets import ANYTHING, Labels
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.lint.templates import Template, read_template

# Alerts that are meant to fire at all times, so that their silence tells that alerting is broken.
_SIGN_OF_LIFE = re.compile(r"watch.?dog|dead.?man|heart.?beat|always.?fir|keep.?alive|dms|inhibit", re.IGNORECASE)
# Series that are there only while something is so.
_THERE_ONLY_WHILE = ("_info", "_reason", "_taint", "_labels", "_metadata", "_alert", "_alerts")
_NO_ALERT = frozenset({"none", "heartbeat"})


@dataclass(frozen=True)
class Alert:
    """One alerting rule with its expression, None where that cannot be read, and the labels of its series."""

    rule: Rule
    root: Term | None
    labels: Labels
    evaluation_seconds: float
    scrape_seconds: float

    @property
    def templates(self) -> Iterator[tuple[str, str, Template]]:
        """Each text that holds a template or a variable: the table it stands in, its name, and what it asks for."""
        for table, texts in (("labels", self.rule.labels), ("annotations", self.rule.annotations)):
            for name, text in texts.items():
                if "{" in text or "$" in text:
                    yield table, name, read_template(text)


@rule("rules/short-for", of="alert")
def short_for(alert: Alert, _: Inference) -> Iterator[Said]:
    """A `for` that is shorter than two of the longer interval; none, or 0, is a decision of its own."""
    interval = max(alert.evaluation_seconds, alert.scrape_seconds)
    what = "evaluation" if alert.evaluation_seconds >= alert.scrape_seconds else "scrape"
    # How often a group is evaluated is known where it says so itself.
    known = alert.rule.interval_seconds is not None or what == "scrape"
    if known and 0 < alert.rule.for_seconds < 2 * interval:
        said = f"`for` is {duration_text(alert.rule.for_seconds)}, shorter than two {what} intervals of"
        yield Said(f"{said} {duration_text(interval)}.", alert.rule.line_of("for"))


@rule("rules/constant-alert", of="alert")
def constant_alert(alert: Alert, _: Inference) -> Iterator[Said]:
    """An alert that looks at no metric."""
    if alert.root is None or _is_sign_of_life(alert.rule) or alert.root.selectors:
        return
    # Some hold at certain hours only, and inhibit others then.
    if not any(term.form == "call" and not term.parts for term in alert.root.walk()):
        yield Said(f"{alert.root} asks for no metric.", alert.rule.expr_line)


@rule("rules/bool-condition", of="alert")
def bool_condition(alert: Alert, _: Inference) -> Iterator[Said]:
    """A comparison that returns 0 in place of nothing."""
    root = alert.root
    if root is not None and root.form == "operation" and root.name in COMPARISONS and root.as_bool:
        yield Said(f"{root}, with bool, returns a series at all times.", alert.rule.expr_line)


@rule("rules/no-condition", of="alert")
def no_condition(alert: Alert, inference: Inference) -> Iterator[Said]:
    """An expression that returns something at all times."""
    root = alert.root
    if root is None or _is_sign_of_life(alert.rule) or not root.selectors or inference.of(root).filtered:
        return
    if root.form == "operation" and root.as_bool:
        return
    names = [term.name for term in root.selectors]
    if not any(name.endswith(_THERE_ONLY_WHILE) for name in names):
        # A selector with conditions of its own can be meant as one of presence.
        selects = any(matcher.name not in ("job", "instance") for term in root.selectors for matcher in term.matchers)
        known = any(inference.metrics.promised(name) for name in names)
        computed = any(term.form in ("call", "aggregation") for term in root.walk())
        if known or computed or not selects:
            said = f"{root} is compared with nothing."
            yield Said(said, alert.rule.expr_line, assumed=selects or not (known or computed))


@rule("rules/absent-without-for", of="alert")
def absent_without_for(alert: Alert, _: Inference) -> Iterator[Said]:
    """An alert on a metric's absence that does not wait: each restart of the server sets it off."""
    if alert.root is not None and not alert.rule.for_seconds and not alert.rule.templated:
        absent = [term for term in _conditions(alert.root) if term.form == "call" and term.name == "absent"]
        if absent:
            yield Said(f"{absent[0]} holds at once, without `for`.", alert.rule.expr_line)


def _conditions(term: Term) -> Iterator[Term]:
    """What the alert fires by, through `or`, `and` and comparisons."""
    if term.form == "operation" and (term.name in ("or", "and") or term.compares):
        for part in term.parts:
            yield from _conditions(part)
    else:
        yield term


@rule("rules/nobody-records", of="alert")
def nobody_records(alert: Alert, inference: Inference) -> Iterator[Said]:
    """A recorded name where no rule of the files records anything."""
    metrics = inference.metrics
    if alert.root is not None and not metrics.recorded and metrics.names is None:
        for name in sorted(alert.root.metrics):
            if ":" in name and metrics.promised(name) is None:
                yield Said(f"None of the files records {name}.", alert.rule.expr_line)


@rule("rules/lost-template-label", of="alert")
def lost_template_label(alert: Alert, _: Inference) -> Iterator[Said]:
    """A label in a text that the expression's series do not have."""
    if alert.root is None:
        return
    # Alerts that are series again have the severity of their own rules.
    knows = not any(name.startswith("ALERTS") for name in alert.root.metrics)
    for table, name, template in alert.templates:
        for label in template.labels:
            if label in template.tested or label in alert.labels.sure:
                continue
            line = alert.rule.line_of(table, name)
            if not alert.labels.may_have(label):
                only = alert.labels.only
                has = f"they have {', '.join(sorted(only))}" if only else "they have none like that"
                yield Said(f"`{name}`: the expression's series have no label '{label}'; {has}.", line)
            elif knows and label == "severity" and label in alert.rule.labels:
                said = "is a label of the alert, and a template sees only those of the expression's series"
                yield Said(f"`{name}`: '{label}' {said}.", line)


@rule("rules/unexpanded-template", of="alert")
def unexpanded_template(alert: Alert, _: Inference) -> Iterator[Said]:
    """A variable that stays as it stands."""
    if re.search(r"\$(?:labels|value)\b|\.Labels\b", alert.rule.name):
        yield Said(f"The name '{alert.rule.name}' holds a template, which stays as it is.")
    for table, name, template in alert.templates:
        for outside in template.outside:
            yield Said(f"`{name}`: {outside} stands outside of {{{{ }}}}.", alert.rule.line_of(table, name))


@rule("rules/unknown-template-field", of="alert")
def unknown_template_field(alert: Alert, _: Inference) -> Iterator[Said]:
    """A field that a template of an alert cannot ask for; promtool takes it, and fails when the alert fires."""
    for table, name, template in alert.templates:
        for unknown in dict.fromkeys(template.unknown):
            yield Said(f"`{name}`: templates of alerts have no .{unknown}.", alert.rule.line_of(table, name))


@rule("rules/bad-format", of="alert")
def bad_format(alert: Alert, _: Inference) -> Iterator[Said]:
    """A verb that does not fit what it prints."""
    for table, name, template in alert.templates:
        for message in dict.fromkeys(template.badly_formatted):
            yield Said(f"`{name}`: {message}.", alert.rule.line_of(table, name))


@rule("rules/label-of-value", of="alert")
def label_of_value(alert: Alert, _: Inference) -> Iterator[Said]:
    """A label that changes with the value."""
    for table, name, template in alert.templates:
        if table == "labels" and template.prints_value:
            yield Said(f"`{name}`: the label holds the value.", alert.rule.line_of(table, name))


@rule("rules/query-in-template", of="alert")
def query_in_template(alert: Alert, _: Inference) -> Iterator[Said]:
    """A text that asks the server once more; nothing checks that query but this."""
    for table, name, template in alert.templates:
        line = alert.rule.line_of(table, name)
        if template.asks_server:
            broken = [query for query in template.queries if "%" not in query and not _parses(query)]
            said = f", and '{broken[0]}' cannot be read" if broken else ""
            yield Said(f"`{name}`: its template asks the server with query(){said}.", line)


def _parses(query: str) -> bool:
    try:
        parse(query.replace('\\"', '"'))
    except Unparsed:
        return False
    return True


def _is_sign_of_life(one: Rule) -> bool:
    return bool(_SIGN_OF_LIFE.search(one.name)) or one.labels.get("severity", "").lower() in _NO_ALERT


def alert_of(one: Rule, root: Term | None, inference: Inference, *, evaluation: float, scrape: float) -> Alert:
    """The alert that a rule makes; where its expression cannot be read, its series can have any label."""
    return Alert(one, root, ANYTHING if root is None else inference.of(root).labels, evaluation, scrape)
