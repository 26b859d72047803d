"""Looks at rule, routing and dashboard files: their faults, what their rules did, and which of them were tainted."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

import pandas as pd

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import alerts as figures
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import Corpus, read_corpus
from cloudxai_analysis.lint.graph import edge_frame, looks_at_tenants, unused_metrics
from cloudxai_analysis.measures.rule_history import ALWAYS, NEVER, rule_history
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, moment

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


def faults(study: Study, paths: str) -> Look:
    """What is wrong with the files."""
    files = corpus(study, paths)
    frame = _findings(audit(files))
    by_weight = frame["severity"].value_counts()
    said = ", ".join(count(int(by_weight[name]), name) for name in _SEVERITIES if name in by_weight)
    return compose(
        study,
        "rules-faults",
        heading=f"{_many(files)}: {said or 'no fault found'}.",
        defined="audit",
        measure="audits.audit.audit",
        note="Each finding has its file and line, why it matters and what to do; the code is what silences it.",
        frame=frame,
        caption="Findings, the gravest first",
        draw=lambda ax: figures.findings_by_code(ax, frame),
        empty="nothing is wrong with what these files say",
    )


def history(study: Study, paths: str) -> Look:
    """Which rules of the files never fired, and which nearly always do."""
    files, topic = corpus(study, paths), study.alerts
    alerts = [(rule.name, rule.file, rule.line) for rule in files.rules if rule.kind == "alert"]
    rules = pd.DataFrame(alerts, columns=["alertname", "file", "line"])
    frame = rule_history(rules, topic.episodes, topic.pendings, study.history)
    never, always = (frame["answer"] == NEVER).sum(), (frame["answer"] == ALWAYS).sum()
    return compose(
        study,
        "rules-history",
        heading=f"{count(int(never), 'rule')} of {len(frame)} never fired since {moment(study.history.start)}, "
        f"{count(int(always), 'rule')} nearly always.",
        defined="rule_history",
        measure="measures.rule_history.rule_history",
        note="A rule that never fired may guard against what has not happened; test that it can.",
        frame=frame,
        caption="What each rule of the files did",
        role="alerts",
        empty="the files hold no alerting rule",
    )


def unused(study: Study, paths: str) -> Look:
    """Which metrics no rule and no panel looks at, and what they cost."""
    files, inventory = corpus(study, paths), study.telemetry.inventory
    seconds = (study.seen.end - study.seen.start).total_seconds()
    rates = {row.metric: row.samples / seconds for row in inventory.itertuples() if row.samples}
    frame = pd.DataFrame(unused_metrics(files, rates), columns=_UNUSED)
    total, spent = sum(rates.values()), float(frame["samples_per_second"].sum())
    return compose(
        study,
        "rules-unused",
        heading=f"{count(len(frame), 'metric')} of {len(rates)} are in no rule and no panel: {spent:.1f} of "
        f"{total:.1f} samples a second.",
        defined="unused",
        measure="audits.graph.unused_metrics",
        note="Only metrics of the contract are counted; this suite itself reads them, whether or not a rule does.",
        frame=frame,
        caption="Metrics that no rule and no panel looks at",
        role="up",
        empty="every metric is in a rule or a panel",
    )


def tainted(study: Study, paths: str) -> Look:
    """Which rules and panels undercounted while a guard refused labels."""
    looking = pd.DataFrame(looks_at_tenants(corpus(study, paths)), columns=_TAINTED[:5])
    stretches = study.cardinality.tainted[_TAINTED[5:]]
    frame = looking.merge(stretches, how="cross")[_TAINTED]
    names = frame.drop_duplicates(["kind", "name"])["kind"].value_counts()
    heading = (
        f"{count(int(names.get('rule', 0)), 'rule')} and {count(int(names.get('panel', 0)), 'panel')} undercounted "
        f"from {moment(stretches['start'].min())} to {moment(stretches['until'].max())}."
        if len(frame)
        else "No rule and no panel of these files undercounted in this window."
    )
    return compose(
        study,
        "rules-tainted",
        heading=heading,
        defined="tainted",
        measure="audits.graph.looks_at_tenants",
        note="They read series by tenant, and tenants that a full guard refused are missing from those.",
        frame=frame,
        caption="Rules and panels that were tainted, with when and how many tenants were missing",
        role="rejections",
        empty="no guard refused a label, or nothing here reads series by tenant",
    )


def graph(study: Study, paths: str) -> pd.DataFrame:
    """Who looks at what: source_kind, source, target_kind, target, file, line; see `audits.graph.edges`."""
    return edge_frame(corpus(study, paths))


def _findings(found: list[Finding]) -> pd.DataFrame:
    rows = sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding))
    return pd.DataFrame([finding.as_dict() for finding in rows], columns=_FINDINGS)


def _many(files: Corpus) -> str:
    return (
        f"{count(len(files.rules), 'rule')}, {count(len(files.routings), 'routing', 'routings')} and "
        f"{count(len(files.dashboards), 'dashboard')} in {count(len(files.files), 'file')}"
    )
