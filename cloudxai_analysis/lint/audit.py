"""Every audit over one corpus, in the order of files and lines."""

from __future__ import annotations

from dataclasses import replace

# Importing them is what puts their rules on the list.
from cloudxai_analysis.lint import Finding, counters, grouping, matching, thresholds  # noqa: F401
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.codes import CODES, found
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.panels import dashboard_findings
from cloudxai_analysis.lint.routing import routing_findings
from cloudxai_analysis.lint.rule_files import rule_findings
from cloudxai_analysis.lint.rules import language_of
from cloudxai_analysis.lint.tools import of_tools_missing, refused_expressions, routing_form, rule_form


def audit(corpus: Corpus, *, ask_tools: bool = True) -> list[Finding]:
    """What is wrong with the files and with what they say, each finding once, by file and line.

    Without `ask_tools`, promtool and amtool are not asked whether a server would take the files.
    """
    auditor = Auditor.of(corpus)
    findings = [*corpus.findings]
    findings += rule_findings(corpus, auditor)
    findings += routing_findings(corpus, auditor)
    findings += dashboard_findings(corpus, auditor)
    findings += _form(corpus) if ask_tools else []
    return sorted(dict.fromkeys(_languages(_once_a_file(findings), auditor.unread, ask_tools=ask_tools)))


def _form(corpus: Corpus) -> list[Finding]:
    """Whether servers take the files, by the word of their own tools; of what a template makes, nobody can say."""
    made = corpus.templated | {one.file for one in corpus.rules if one.templated}
    groups = [(file, node) for file, node in corpus.groups if file not in made]
    findings = rule_form(groups)
    for routing in corpus.routings:
        if routing.root is not None and routing.file not in made:
            findings += routing_form(routing.file, routing.tree, whole=not routing.part)
    findings += of_tools_missing((file for file, _ in groups), "promtool", "these rules")
    return findings + of_tools_missing((one.file for one in corpus.routings if one.root), "amtool", "this routing")


def _once_a_file(findings: list[Finding]) -> list[Finding]:
    """The findings, with templates told once a file, and a route that nothing can match told once."""
    told: set[str] = set()
    left = []
    dead = {(finding.file, finding.line) for finding in findings if finding.code == "routing/never-matches"}
    for finding in findings:
        if finding.code == "routing/shadowed" and (finding.file, finding.line) in dead:
            continue
        if finding.code == "files/templated":
            if finding.file in told:
                continue
            told.add(finding.file)
        left.append(finding)
    return left


def _languages(findings: list[Finding], unread: dict[Finding, str], *, ask_tools: bool) -> list[Finding]:
    """The findings, with each expression that the parser could not read told as what it is.

    It is an error where promtool refuses it, too; what is written for another server is told once a file.
    """
    doubtful = [finding for finding in dict.fromkeys(findings) if finding in unread]
    metricsql = {finding.file for finding in doubtful if language_of(unread[finding]) == "MetricsQL"}
    refused = refused_expressions([unread[finding] for finding in doubtful]) if ask_tools else {}
    left = [finding for finding in findings if finding not in unread]
    for place, finding in enumerate(doubtful):
        if language_of(unread[finding]) == "MetricsQL":
            continue
        if place in refused and finding.file not in metricsql:
            shared = CODES["promql/unparsed"]
            message = f"The expression cannot be parsed: {refused[place]}."
            left.append(
                replace(
                    finding,
                    code="promql/unparsed",
                    severity=shared.severity,
                    why=shared.why,
                    action=shared.action,
                    message=message,
                )
            )
        else:
            left.append(finding)
    said = "Expressions in it are MetricsQL, for VictoriaMetrics; those were not audited."
    return left + [found("files/other-language", file=file, line=1, subject="", message=said) for file in metricsql]
