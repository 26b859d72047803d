"""Every audit over one corpus, in the order of files and lines."""

from __future__ import annotations

# Importing them is what puts their rules on the list.
from cloudxai_analysis.lint import Finding, counters, matching, thresholds  # noqa: F401
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.dashboards import dashboard_findings
from cloudxai_analysis.lint.routing import routing_findings
from cloudxai_analysis.lint.rule_files import rule_findings
from cloudxai_analysis.lint.rules import language_of
from cloudxai_analysis.lint.tools import refused_expressions, routing_form, rule_form, version_of

# What is told once a file, however often it is there.
_ONCE = frozenset({"files/templated", "routing/old-matchers", "routing/plain-secret"})


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
    return sorted(_once(_languages(findings, auditor.unread, ask_tools=ask_tools)))


def _form(corpus: Corpus) -> list[Finding]:
    """Whether servers take the files, by the word of their own tools; of what a template makes, nobody can say."""
    made = corpus.templated | {one.file for one in corpus.rules if one.templated}
    groups = [(file, node) for file, node in corpus.groups if file not in made]
    routings = [one for one in corpus.routings if one.root is not None and not one.part and one.file not in made]
    findings = rule_form(groups)
    for routing in routings:
        findings += routing_form(routing.file, routing.tree)
    for tool, files in (("promtool", [file for file, _ in groups]), ("amtool", [one.file for one in routings])):
        if files and not version_of(tool):
            message = f"{tool} is not installed: whether a server takes these files was not checked."
            findings.append(found("files/form-unchecked", file=files[0], line=1, subject="", message=message))
    return findings


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once, some codes once a file, and a route that nothing can match once."""
    dead = {(finding.file, finding.line) for finding in findings if finding.code == "routing/never-matches"}
    left: dict[object, Finding] = {}
    for finding in findings:
        if finding.code != "routing/shadowed" or (finding.file, finding.line) not in dead:
            left.setdefault((finding.code, finding.file) if finding.code in _ONCE else finding, finding)
    return list(left.values())


def _languages(findings: list[Finding], unread: dict[Finding, str], *, ask_tools: bool) -> list[Finding]:
    """The findings, with each expression that the parser could not read told as what it is.

    It is an error where promtool refuses it, too; what is written for another server is told once a file.
    """
    doubtful = [finding for finding in dict.fromkeys(findings) if finding in unread]
    metricsql = {finding.file for finding in doubtful if language_of(unread[finding]) == "MetricsQL"}
    refused = refused_expressions([unread[finding] for finding in doubtful]) if ask_tools else {}
    left = [finding for finding in findings if finding not in unread]
    for place, finding in enumerate(doubtful):
        if place in refused and finding.file not in metricsql:
            message = f"The expression cannot be parsed: {refused[place]}."
            at = {"file": finding.file, "line": finding.line, "subject": finding.subject}
            left.append(found("promql/unparsed", message=message, **at))  # type: ignore[arg-type]
        elif language_of(unread[finding]) != "MetricsQL":
            left.append(finding)
    said = "Expressions in it are MetricsQL, for VictoriaMetrics; those were not audited."
    return left + [found("files/other-language", file=file, line=1, subject="", message=said) for file in metricsql]
