"""A draft of a better rule, as a Prometheus rule file with its reason, linted by promtool where that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.replay.candidates import Variant
from cloudxai_analysis.replay.left_side import split
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.words.phrases import count, percent, plain

LINTER = "promtool"
_LINT_SECONDS = 30.0


@dataclass(frozen=True)
class Draft:
    """A proposed rule, why, the rule file as text, and what promtool says of it."""

    rule: AlertingRule
    reason: str
    text: str
    lint: Literal["passed", "failed", "not linted"]
    said: str


def draft(rule: AlertingRule, variant: Variant, reason: str) -> Draft:
    """The rule with a variant's threshold, `for` and `keep_firing_for`, as a linted rule file."""
    proposed = varied(rule, variant)
    text = rule_file([proposed], reason)
    status, said = linted(text)
    return Draft(proposed, reason, text, status, said)


def varied(rule: AlertingRule, variant: Variant) -> AlertingRule:
    """The rule with another threshold, `for` and `keep_firing_for`; an unchanged threshold leaves the text as it is."""
    parts = split(rule.expr)
    expr = rule.expr
    if variant.threshold is not None and parts is not None and variant.threshold != parts.threshold:
        expr = parts.at(variant.threshold)
    return replace(
        rule,
        expr=expr,
        for_seconds=variant.for_seconds,
        keep_firing_for_seconds=variant.keep_firing_for_seconds,
    )


def reason(candidates: pd.DataFrame, best: int, window: Window) -> str:
    """Why the candidate in that row is proposed, or why none is, in numbers."""
    present, chosen = candidates.iloc[0], candidates.iloc[best]
    span = f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
    if not present["incidents"]:
        return f"No incident of {span} names the rule: nothing would show what a stricter one misses."
    if best == 0:
        return (
            f"Of {count(candidates['judged'].sum(), 'candidate')} over {span} none misses as few incidents "
            f"({present['misses']:.0f} of {present['incidents']:.0f}) with fewer false positives "
            f"({present['false_positives']:.0f})."
        )
    changes = [
        _change("false positives", *(f"{row['false_positives']:.0f}" for row in (present, chosen))),
        _change(
            f"missed of {count(present['incidents'], 'incident')}",
            *(f"{row['misses']:.0f}" for row in (present, chosen)),
        ),
        _change("median detection", *(_seconds(row["detection_seconds"]) for row in (present, chosen))),
        _change("pages a week", *(f"{row['pages_a_week']:.1f}" for row in (present, chosen))),
    ]
    return (
        f"Over {span}: {'; '.join(changes)}. {count(chosen['trials'], 'alert group')} allow a false-positive rate of "
        f"{percent(chosen['low'], 0)} to {percent(chosen['high'], 0)}; it was chosen on the weeks that it is judged by."
    )


def rule_file(rules: Sequence[AlertingRule], reason: str) -> str:
    """Rules as the YAML of a Prometheus rule file, the reason as comment before them."""
    import yaml

    groups: dict[str, dict[str, Any]] = {}
    for rule in rules:
        group = groups.setdefault(rule.group or "proposed", {"name": rule.group or "proposed"})
        if rule.interval_seconds:
            group["interval"] = duration_text(rule.interval_seconds)
        group.setdefault("rules", []).append(_written(rule))
    comment = "".join(f"# {line}\n" for line in _lines(plain(" ".join(reason.split()))))
    written = yaml.dump(
        {"groups": list(groups.values())}, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=110
    )
    return comment + written


def linted(text: str) -> tuple[Literal["passed", "failed", "not linted"], str]:
    """What `promtool check rules` says of a rule file; 'not linted' where it is not installed."""
    if shutil.which(LINTER) is None:
        return "not linted", f"{LINTER} is not installed (Debian package prometheus)"
    with tempfile.TemporaryDirectory(prefix="cloudxai-lint-") as folder:
        file = Path(folder) / "rules.yml"
        file.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - our own words and a file of ours
                [LINTER, "check", "rules", str(file)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_LINT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return "not linted", f"{LINTER} did not finish: {type(error).__name__}"
    said = plain(" ".join((done.stdout + done.stderr).replace(str(file), "rules.yml").split()))
    return ("passed" if done.returncode == 0 else "failed"), said


def _written(rule: AlertingRule) -> dict[str, Any]:
    written: dict[str, Any] = {"alert": rule.name, "expr": rule.expr}
    if rule.for_seconds:
        written["for"] = duration_text(rule.for_seconds)
    if rule.keep_firing_for_seconds:
        written["keep_firing_for"] = duration_text(rule.keep_firing_for_seconds)
    if rule.labels:
        written["labels"] = dict(rule.labels)
    if rule.annotations:
        written["annotations"] = dict(rule.annotations)
    return written


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks, which people can read."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper


def _lines(text: str, *, most: int = 100) -> list[str]:
    import textwrap

    return textwrap.wrap(text, most, break_long_words=False) or [""]


def _change(what: str, before: str, after: str) -> str:
    return f"{what} still {after}" if before == after else f"{what} {before} → {after}"


def _seconds(seconds: float) -> str:
    return "unknown" if pd.isna(seconds) else duration_text(round(seconds)) if seconds else "0s"
