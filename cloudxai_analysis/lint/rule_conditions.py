"""Alerts that fire at all times or at the first odd sample, whatever their expression is about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import COMPARISONS, Term
from cloudxai_analysis.lint.facts import Inference
from cloudxai_analysis.lint.rules import Rule

Fault = tuple[str, int, str]  # code, line, message
# Alerts that are meant to fire at all times, so that their silence tells that alerting is broken.
_SIGN_OF_LIFE = re.compile(r"watch.?dog|dead.?man|heart.?beat|always.?fir|keep.?alive|dms", re.IGNORECASE)
# Series that are there only while something is so.
_THERE_ONLY_WHILE = ("_info", "_reason", "_taint", "_labels")


def short_for(rule: Rule, *, evaluation_seconds: float, scrape_seconds: float) -> Iterator[Fault]:
    """Whether the alert's `for` is shorter than two of the longer interval."""
    interval = max(evaluation_seconds, scrape_seconds)
    if 0 < rule.for_seconds < 2 * interval:
        what = "evaluation" if evaluation_seconds >= scrape_seconds else "scrape"
        said = f"`for` is {duration_text(rule.for_seconds)}, shorter than two {what} intervals of"
        yield "rules/short-for", rule.line_of("for"), f"{said} {duration_text(interval)}."


def condition_faults(rule: Rule, root: Term, inference: Inference) -> Iterator[Fault]:
    """Whether the alert's expression returns something at all times."""
    if _is_sign_of_life(rule):
        return
    if not any(term.form == "selector" for term in root.walk()):
        if not _of_the_clock(root):
            yield "rules/constant-alert", rule.expr_line, f"{root} asks for no metric."
    elif root.form == "operation" and root.name in COMPARISONS and root.as_bool:
        yield "rules/bool-condition", rule.expr_line, f"{root}, with bool, returns a series at all times."
    elif not inference.of(root).filtered and not _there_only_while(root):
        yield "rules/no-condition", rule.expr_line, f"{root} is compared with nothing."


def _is_sign_of_life(rule: Rule) -> bool:
    return bool(_SIGN_OF_LIFE.search(rule.name)) or rule.labels.get("severity", "").lower() in ("none", "heartbeat")


def _of_the_clock(root: Term) -> bool:
    """Whether it holds at certain hours only, as alerts do that inhibit others."""
    return any(term.form == "call" and not term.parts for term in root.walk())


def _there_only_while(root: Term) -> bool:
    names = [term.name for term in root.walk() if term.form == "selector"]
    return any(name.endswith(_THERE_ONLY_WHILE) for name in names)
