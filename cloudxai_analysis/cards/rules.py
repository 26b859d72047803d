"""Cards of rule, routing and dashboard files: their faults, what their rules did, and which of them were tainted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from weakref import WeakKeyDictionary

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import Corpus, read_corpus
from cloudxai_analysis.lint.graph import looks_at_tenants, unused_metrics
from cloudxai_analysis.measures.rule_quality import ALWAYS, NEVER, rule_history
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count

_SEVERITIES = ("error", "warning", "info")
_FINDINGS = ["severity", "code", "file", "line", "subject", "message", "why", "action"]
_LOOKS = ["kind", "name", "metric", "file", "line"]
_TAINT = ["instance", "start", "until", "missing_least", "missing_most"]
_read: WeakKeyDictionary[Study, dict[str, Corpus]] = WeakKeyDictionary()


def corpus(study: Study, paths: str) -> Corpus:
    """What the files and folders of `paths` hold, which are parted by commas and begin at the project's folder.

    They are read once per study. Raises UsageError where a path does not exist, or there is nothing
    to audit.
    """
    read = _read.setdefault(study, {})
    if paths not in read:
        named = [Path(path.strip()) for path in paths.split(",") if path.strip()]
        read[paths] = read_corpus(named, contract=study.contract, root=project_folder())
    return read[paths]


def faults(study: Study, paths: str) -> Card:
    """What is wrong with the files."""
    files = corpus(study, paths)
    rows = sorted(audit(files), key=lambda finding: (_SEVERITIES.index(finding.severity), finding))
    frame = pd.DataFrame([asdict(finding) for finding in rows], columns=_FINDINGS)
    numbers = frame["severity"].value_counts(sort=False)
    said = ", ".join(count(number, name) for name, number in numbers.items()) or "no fault found"
    return compose(study, "rules-faults", frame=frame, files=str(files), said=said)


def history(study: Study, paths: str) -> Card:
    """Which rules of the files never fired, and which nearly always do."""
    alerts = [(rule.name, rule.file, rule.line) for rule in corpus(study, paths).rules if rule.kind == "alert"]
    rules = pd.DataFrame(alerts, columns=["alertname", "file", "line"])
    frame = rule_history(rules, study.alerts.episodes, study.alerts.pendings, study.history)
    never, always = ((frame["answer"] == answer).sum() for answer in (NEVER, ALWAYS))
    return compose(study, "rules-history", frame=frame, never=never, always=always, since=study.history.start)


def unused(study: Study, paths: str) -> Card:
    """Which metrics no rule and no panel looks at, and what they cost."""
    seconds = study.seen.duration.total_seconds()
    rates = {row.metric: row.samples / seconds for row in study.telemetry.inventory.itertuples() if row.samples}
    found = unused_metrics(corpus(study, paths), rates)
    frame = pd.DataFrame(found, columns=["metric", "samples_per_second", "promised"])
    return compose(study, "rules-unused", frame=frame, metrics=len(rates), total=sum(rates.values()))


def tainted(study: Study, paths: str) -> Card:
    """Which rules and panels undercounted while a guard refused labels."""
    looking = pd.DataFrame(looks_at_tenants(corpus(study, paths)), columns=_LOOKS)
    frame = looking.merge(study.cardinality.tainted[_TAINT], how="cross")
    names = frame.drop_duplicates(["kind", "name"])["kind"]
    rules, panels = ((names == kind).sum() for kind in ("rule", "panel"))
    heading = "tainted" if len(frame) else "none"
    return compose(study, "rules-tainted", frame=frame, heading=heading, rules=rules, panels=panels)
