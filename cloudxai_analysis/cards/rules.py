"""Cards of rule, routing and dashboard files: their faults, what their rules did, and which of them were tainted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from weakref import WeakKeyDictionary

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import Words, compose
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import Corpus, read_corpus
from cloudxai_analysis.lint.graph import edge_frame, looks_at_tenants, unused_metrics
from cloudxai_analysis.measures.rule_history import ALWAYS, NEVER, rule_history
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count

_SEVERITIES = ("error", "warning", "info")
_FINDINGS = ["severity", "code", "file", "line", "subject", "message", "why", "action"]
_TAINTED = ["kind", "name", "metric", "file", "line", "instance", "start", "until", "missing_least", "missing_most"]
_UNUSED = ["metric", "samples_per_second", "promised"]


_read: WeakKeyDictionary[Study, dict[str, Corpus]] = WeakKeyDictionary()


def corpus(study: Study, paths: str) -> Corpus:
    """What the files and folders of `paths` hold, which are parted by commas and begin at the project's folder.

    They are read once per study.

    Raises
    ------
    UsageError
        A path does not exist, or there is nothing to audit.
    """
    read = _read.setdefault(study, {})
    if paths not in read:
        named = [Path(path.strip()) for path in paths.split(",") if path.strip()]
        read[paths] = read_corpus(named, contract=study.contract, root=project_folder())
    return read[paths]


def faults(study: Study, paths: str) -> Card:
    """What is wrong with the files."""
    files = corpus(study, paths)
    frame = _findings(audit(files))
    by_weight = frame["severity"].value_counts()
    said = ", ".join(count(int(by_weight[name]), name) for name in _SEVERITIES if name in by_weight)
    return compose(study, "rules-faults", frame=frame, files=_many(files), said=said or "no fault found")


def history(study: Study, paths: str) -> Card:
    """Which rules of the files never fired, and which nearly always do."""
    files, topic = corpus(study, paths), study.alerts
    alerts = [(rule.name, rule.file, rule.line) for rule in files.rules if rule.kind == "alert"]
    rules = pd.DataFrame(alerts, columns=["alertname", "file", "line"])
    frame = rule_history(rules, topic.episodes, topic.pendings, study.history)
    never, always = (frame["answer"] == NEVER).sum(), (frame["answer"] == ALWAYS).sum()
    counts: Words = {"never": int(never), "always": int(always), "since": study.history.start}
    return compose(study, "rules-history", frame=frame, **counts)


def unused(study: Study, paths: str) -> Card:
    """Which metrics no rule and no panel looks at, and what they cost."""
    files, inventory = corpus(study, paths), study.telemetry.inventory
    seconds = (study.seen.end - study.seen.start).total_seconds()
    rates = {row.metric: row.samples / seconds for row in inventory.itertuples() if row.samples}
    frame = pd.DataFrame(unused_metrics(files, rates), columns=_UNUSED)
    return compose(study, "rules-unused", frame=frame, metrics=len(rates), total=sum(rates.values()))


def tainted(study: Study, paths: str) -> Card:
    """Which rules and panels undercounted while a guard refused labels."""
    looking = pd.DataFrame(looks_at_tenants(corpus(study, paths)), columns=_TAINTED[:5])
    stretches = study.cardinality.tainted[_TAINTED[5:]]
    frame = looking.merge(stretches, how="cross")[_TAINTED]
    names = frame.drop_duplicates(["kind", "name"])["kind"].value_counts()
    many: Words = {"rules": int(names.get("rule", 0)), "panels": int(names.get("panel", 0))}
    return compose(study, "rules-tainted", frame=frame, heading="tainted" if len(frame) else "none", **many)


def graph(study: Study, paths: str) -> pd.DataFrame:
    """Who looks at what: source_kind, source, target_kind, target, file, line; see `audits.graph.edges`."""
    return edge_frame(corpus(study, paths))


def _findings(found: list[Finding]) -> pd.DataFrame:
    rows = sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding))
    return pd.DataFrame([asdict(finding) for finding in rows], columns=_FINDINGS)


def _many(files: Corpus) -> str:
    return (
        f"{count(len(files.rules), 'rule')}, {count(len(files.routings), 'routing', 'routings')} and "
        f"{count(len(files.dashboards), 'dashboard')} in {count(len(files.files), 'file')}"
    )
