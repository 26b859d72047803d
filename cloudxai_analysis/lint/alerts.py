"""What is wrong with an alert by itself: when it fires, how long it waits, and what it tells people.

Whether a template can be read at all is promtool's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import COMPARISONS, Term
from cloudxai_analysis.lint.facts import Inference, Labels
from cloudxai_analysis.lint.rules import Rule

# Alerts that are meant to fire at all times, so that their silence tells that alerting is broken.
_SIGN_OF_LIFE = re.compile(r"watch.?dog|dead.?man|heart.?beat|always.?fir|keep.?alive|dms|inhibit", re.IGNORECASE)
# Series that are there only while something is so.
_THERE_ONLY_WHILE = ("_info", "_reason", "_taint", "_labels", "_metadata", "_alert", "_alerts")
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_]\w*)")
_TESTED = re.compile(r"^-?\s*(?:if|with|else if)\b")
_OUTSIDE = re.compile(
    r"\$(?:labels\.\w+|value\b)|\$\{\s*(?:labels|value)[^}]*\}|(?<!\{)\{\s*\$(?:labels|value)[^{}]*\}"
)
_PRINTF = re.compile(r"""^-?\s*(?:(\S+)\s*\|\s*)?printf\s+("(?:[^"\\]|\\.)*"|`[^`]*`)(?:\s+(\S+))?\s*-?$""")
_VERBS = re.compile(r"%[-+# 0]*\d*(?:\.\d*)?([a-zA-Z%])")
_VALUE = re.compile(r"^-?\s*(?:\$value|\.Value)\b")
# What a template of an alert can ask of the dot, unless the dot is moved.
_FIELD = re.compile(r"(?:^|[\s(|-])\.(?!(?:Labels|ExternalLabels|ExternalURL|Value)\b)([A-Za-z_]\w*)")
_MOVES_DOT = re.compile(r"\{\{-?\s*(?:range|with|block|define|template)\b")


@dataclass(frozen=True)
class Alert:
    """One alerting rule with its expression, None where that cannot be read, and the labels of its series."""

    rule: Rule
    root: Term | None
    labels: Labels
    evaluation_seconds: float
    scrape_seconds: float

    def texts(self) -> Iterator[tuple[str, int, str, list[str]]]:
        """Each text that holds a template or a variable: its name, its line, itself, and its actions."""
        for table, texts in (("labels", self.rule.labels), ("annotations", self.rule.annotations)):
            for name, text in texts.items():
                if "{" in text or "$" in text:
                    yield name, self.rule.line_of(table, name), text, _ACTION.findall(text)


def alert_of(one: Rule, root: Term | None, inference: Inference, *, evaluation: float, scrape: float) -> Alert:
    """The alert that a rule makes; where its expression cannot be read, its series can have any label."""
    return Alert(one, root, Labels() if root is None else inference.of(root).labels, evaluation, scrape)


@rule("rules/short-for", of="alert")
def _short_for(alert: Alert, _: Inference) -> Iterator[Said]:
    """A `for` that is shorter than two of the longer interval; none, or 0, is a decision of its own."""
    interval = max(alert.evaluation_seconds, alert.scrape_seconds)
    what = "evaluation" if alert.evaluation_seconds >= alert.scrape_seconds else "scrape"
    # How often a group is evaluated is known where it says so itself.
    known = alert.rule.interval_seconds is not None or what == "scrape"
    if known and 0 < alert.rule.for_seconds < 2 * interval:
        said = f"`for` is {duration_text(alert.rule.for_seconds)}, shorter than two {what} intervals of"
        yield Said(f"{said} {duration_text(interval)}.", alert.rule.line_of("for"))


@rule("rules/constant-alert", of="alert")
def _constant_alert(alert: Alert, _: Inference) -> Iterator[Said]:
    """An alert that looks at no metric; some hold at certain hours only, and inhibit others then."""
    asks = alert.root is None or any(
        term.form == "selector" or (term.form == "call" and not term.parts) for term in alert.root.walk()
    )
    if not asks and not _is_sign_of_life(alert.rule):
        yield Said(f"{alert.root} asks for no metric.", alert.rule.expr_line)


@rule("rules/bool-condition", of="alert")
def _bool_condition(alert: Alert, _: Inference) -> Iterator[Said]:
    if alert.root is not None and alert.root.name in COMPARISONS and alert.root.as_bool:
        yield Said(f"{alert.root}, with bool, returns a series at all times.", alert.rule.expr_line)


@rule("rules/no-condition", of="alert")
def _no_condition(alert: Alert, inference: Inference) -> Iterator[Said]:
    root = alert.root
    if root is None or _is_sign_of_life(alert.rule) or root.as_bool or inference.of(root).filtered:
        return
    names = [term.name for term in root.selectors]
    if not names or any(name.endswith(_THERE_ONLY_WHILE) for name in names):
        return
    # A selector with conditions of its own can be meant as one of presence.
    selects = any(matcher.name not in ("job", "instance") for term in root.selectors for matcher in term.matchers)
    known = any(inference.metrics.promised(name) for name in names)
    computed = any(term.form in ("call", "aggregation") for term in root.walk())
    if known or computed or not selects:
        assumed = selects or not (known or computed)
        yield Said(f"{root} is compared with nothing.", alert.rule.expr_line, assumed=assumed)


@rule("rules/absent-without-for", of="alert")
def _absent_without_for(alert: Alert, _: Inference) -> Iterator[Said]:
    """An alert on a metric's absence that does not wait: each restart of the server sets it off."""
    waiting = [alert.root] if alert.root and not alert.rule.for_seconds and not alert.rule.templated else []
    while waiting:
        term = waiting.pop()
        if term.form == "operation" and (term.name in ("or", "and") or term.compares):
            waiting += reversed(term.parts)
        elif term.form == "call" and term.name == "absent":
            yield Said(f"{term} holds at once, without `for`.", alert.rule.expr_line)
            return


@rule("rules/nobody-records", of="alert")
def _nobody_records(alert: Alert, inference: Inference) -> Iterator[Said]:
    metrics = inference.metrics
    for name in sorted(alert.root.metrics) if alert.root and not metrics.recorded and metrics.names is None else ():
        if ":" in name and metrics.promised(name) is None:
            yield Said(f"None of the files records {name}.", alert.rule.expr_line)


@rule("rules/lost-template-label", of="alert")
def _lost_template_label(alert: Alert, _: Inference) -> Iterator[Said]:
    # Alerts that are series again have the severity of their own rules.
    knows = alert.root is not None and not any(name.startswith("ALERTS") for name in alert.root.metrics)
    for name, line, __, actions in alert.texts():
        tested = _LABEL.findall(" ".join(filter(_TESTED.match, actions)))
        for label in dict.fromkeys(_LABEL.findall(" ".join(actions))):
            if label in tested or label in alert.labels.sure:
                continue
            if not alert.labels.may_have(label):
                has = ", ".join(sorted(alert.labels.only or ())) or "none like that"
                yield Said(f"`{name}`: the expression's series have no label '{label}'; they have {has}.", line)
            elif knows and label == "severity" and label in alert.rule.labels:
                said = "is a label of the alert, and a template sees only those of the expression's series"
                yield Said(f"`{name}`: '{label}' {said}.", line)


@rule("rules/unexpanded-template", of="alert")
def _unexpanded_template(alert: Alert, _: Inference) -> Iterator[Said]:
    """A variable that stays as it stands; of a template that is not closed nothing else is told."""
    if re.search(r"\$(?:labels|value)\b|\.Labels\b", alert.rule.name):
        yield Said(f"The name '{alert.rule.name}' holds a template, which stays as it is.")
    for name, line, text, __ in alert.texts():
        closed = text.count("{{") == text.count("}}")
        for outside in dict.fromkeys(_OUTSIDE.findall(_ACTION.sub(" ", text))) if closed else ():
            yield Said(f"`{name}`: {outside} stands outside of {{{{ }}}}.", line)


@rule("rules/unknown-template-field", of="alert")
def _unknown_template_field(alert: Alert, _: Inference) -> Iterator[Said]:
    """A field that a template of an alert cannot ask for; promtool takes it, and fails when the alert fires."""
    for name, line, text, actions in alert.texts():
        for unknown in dict.fromkeys(_FIELD.findall(" ".join(actions))) if not _MOVES_DOT.search(text) else ():
            yield Said(f"`{name}`: templates of alerts have no .{unknown}.", line)


@rule("rules/bad-format", of="alert")
def _bad_format(alert: Alert, _: Inference) -> Iterator[Said]:
    for name, line, __, actions in alert.texts():
        for piped, form, given in (found.groups() for found in map(_PRINTF.match, actions) if found):
            printed = piped or given or ""
            is_value = printed in ("$value", ".Value")
            if (piped and given) or not (is_value or _LABEL.fullmatch(printed)):
                continue
            wrong = [verb for verb in _VERBS.findall(form) if verb not in ("eEfFgGvb%" if is_value else "svqxX%")]
            if wrong:
                kind = "a number" if is_value else "a text"
                yield Said(f"`{name}`: %{wrong[0]} does not print {printed}, which is {kind}.", line)


@rule("rules/label-of-value", of="alert")
def _label_of_value(alert: Alert, _: Inference) -> Iterator[Said]:
    for name, line, text, actions in alert.texts():
        if alert.rule.labels.get(name) == text and any(map(_VALUE.match, actions)):
            yield Said(f"`{name}`: the label holds the value.", line)


def _is_sign_of_life(one: Rule) -> bool:
    return bool(_SIGN_OF_LIFE.search(one.name)) or one.labels.get("severity", "").lower() in ("none", "heartbeat")
