"""A draft of a better rule, as a rule file with its reason, linted by promtool where that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lint.rules import duration_text
from cloudxai_analysis.replay.candidates import Variant
from cloudxai_analysis.replay.rules import split
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.words.phrases import count, percent, plain

LINTER = "promtool"
Lint = Literal["passed", "failed", "not linted"]


@dataclass(frozen=True)
class Draft:
    """A proposed rule as the text of a rule file, and what promtool says of it."""

    text: str
    lint: Lint
    said: str

    @property
    def verdict(self) -> str:
        """'passed', or what is wrong with it or kept promtool from reading it."""
        return self.lint if self.lint == "passed" else f"{self.lint}: {self.said}"


def draft(rule: AlertingRule, variant: Variant, reason: str) -> Draft:
    """The rule with a variant's threshold, `for` and `keep_firing_for`, as a linted rule file."""
    text = rule_file(varied(rule, variant), reason)
    return Draft(text, *linted(text))


def varied(rule: AlertingRule, variant: Variant) -> AlertingRule:
    """The rule with another threshold, `for` and `keep_firing_for`; an unchanged threshold leaves the text as it is."""
    parts, (threshold, waits, keeps) = split(rule.expr), variant
    changes = parts is not None and threshold not in (None, parts.threshold)
    expr = parts.at(threshold) if changes else rule.expr  # type: ignore[union-attr, arg-type]
    return replace(rule, expr=expr, for_seconds=waits, keep_firing_for_seconds=keeps)


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
    before, after = (
        {
            "false positives": f"{row['false_positives']:.0f}",
            f"missed of {count(row['incidents'], 'incident')}": f"{row['misses']:.0f}",
            "median detection": seconds_text(row["detection_seconds"], none="unknown"),
            "pages a week": f"{row['pages_a_week']:.1f}",
        }
        for row in (present, chosen)
    )
    changes = [
        f"{what} still {said}" if before[what] == said else f"{what} {before[what]} → {said}"
        for what, said in after.items()
    ]
    return (
        f"Over {span}: {'; '.join(changes)}. {count(chosen['trials'], 'alert group')} allow a false-positive rate of "
        f"{percent(chosen['low'], 0)} to {percent(chosen['high'], 0)}; it was chosen on the weeks that it is judged by."
    )


def rule_file(rule: AlertingRule, reason: str) -> str:
    """A rule as the YAML of a Prometheus rule file, the reason as comment before it."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks, which people can read."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    written = {
        "alert": rule.name,
        "expr": rule.expr,
        "for": rule.for_seconds and duration_text(rule.for_seconds),
        "keep_firing_for": rule.keep_firing_for_seconds and duration_text(rule.keep_firing_for_seconds),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }
    group: dict[str, Any] = {"name": rule.group or "proposed"}
    if rule.interval_seconds:
        group["interval"] = duration_text(rule.interval_seconds)
    group["rules"] = [{key: value for key, value in written.items() if value}]
    said = textwrap.wrap(plain(" ".join(reason.split())), 100, break_long_words=False) or [""]
    comment = "".join(f"# {line}\n" for line in said)
    return comment + yaml.dump({"groups": [group]}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


def linted(text: str) -> tuple[Lint, str]:
    """What `promtool check rules` says of a rule file; 'not linted' where it is not installed."""
    if shutil.which(LINTER) is None:
        return "not linted", f"{LINTER} is not installed (Debian package prometheus)"
    with tempfile.TemporaryDirectory(prefix="cloudxai-lint-") as folder:
        file = Path(folder) / "rules.yml"
        file.write_text(text, encoding="utf-8")
        command = [LINTER, "check", "rules", file.name]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            return "not linted", f"{LINTER} did not finish: {type(error).__name__}"
    said = plain(" ".join((done.stdout + done.stderr).split()))
    return ("passed" if done.returncode == 0 else "failed"), said


def seconds_text(seconds: float, *, none: str) -> str:
    """'1m30s', '−2m' before zero, and `none` where it is not known."""
    if pd.isna(seconds):
        return none
    return f"{'−' if seconds < 0 else ''}{duration_text(abs(round(float(seconds))))}"
