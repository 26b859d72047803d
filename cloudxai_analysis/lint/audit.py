"""Every audit over one corpus, in the order of files and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.dashboard_audits import dashboard_findings
from cloudxai_analysis.lint.routing_audits import routing_findings
from cloudxai_analysis.lint.rule_audits import rule_findings

AUDITS: tuple[Callable[[Corpus], Iterable[Finding]], ...] = (rule_findings, routing_findings, dashboard_findings)


def audit(corpus: Corpus) -> list[Finding]:
    """What is wrong with the files and with what they say, each finding once, by file and line."""
    findings = [*corpus.findings, *(finding for one in AUDITS for finding in one(corpus))]
    return sorted(dict.fromkeys(findings))
