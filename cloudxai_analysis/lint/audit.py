"""Every audit over one corpus, in the order of files and lines; and the findings that people silenced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloudxai_analysis.ground.errors import UsageError

# Importing `faults` is what puts its rules on the list.
from cloudxai_analysis.lint import Finding, faults, found  # noqa: F401
from cloudxai_analysis.lint.alerts import rule_findings
from cloudxai_analysis.lint.auditor import Auditor
from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.dashboards import dashboard_findings
from cloudxai_analysis.lint.documents import read_tree
from cloudxai_analysis.lint.routing import routing_findings
from cloudxai_analysis.lint.tools import routing_form, rule_form, version_of

SILENCES_FILE = ".cloudxai-audit.yml"
# What is told once a file, however often it is there.
_ONCE = frozenset({"files/templated", "files/other-language", "routing/old-matchers", "routing/plain-secret"})

# Of two that speak of one place, the one that says more.
_SAYS_MORE = {"routing/shadowed": "routing/never-matches", "promql/unread": "promql/unparsed"}


def audit(corpus: Corpus, *, ask_tools: bool = True) -> list[Finding]:
    """What is wrong with the files and with what they say, each finding once, by file and line.

    Without `ask_tools`, promtool and amtool are not asked whether a server would take the files.
    """
    auditor = Auditor(corpus)
    findings = [*corpus.findings, *rule_findings(corpus, auditor), *routing_findings(corpus, auditor)]
    findings += dashboard_findings(corpus, auditor)
    others = corpus.templated | {one.file for one in findings if one.code == "files/other-language"}
    findings += _form(corpus, others) if ask_tools else []
    return sorted(_once(findings))


def _form(corpus: Corpus, others: set[str]) -> list[Finding]:
    """Whether servers take the files, by the word of their own tools; of what is not theirs nobody can say."""
    groups = [(file, node) for file, node in corpus.groups if file not in others]
    routings = [one for one in corpus.routings if one.routed and one.file not in others]
    findings = rule_form(groups)
    for routing in routings:
        findings += routing_form(routing.file, routing.tree, silent=routing.silent)
    for tool, files in (("promtool", [file for file, _ in groups]), ("amtool", [one.file for one in routings])):
        if files and not version_of(tool):
            said = f"{tool} is not installed: whether a server takes these files was not checked."
            findings.append(found("files/form-unchecked", said, files[0], 1))
    return findings


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once, some codes once a file, and what two say of one place once."""
    at = {code: {(one.file, one.line) for one in findings if one.code == code} for code in _SAYS_MORE.values()}
    left: dict[object, Finding] = {}
    for one in findings:
        if (one.file, one.line) not in at.get(_SAYS_MORE.get(one.code, ""), ()):
            left.setdefault((one.code, one.file) if one.code in _ONCE else one, one)
    return list(left.values())


class Silence(BaseModel):
    """Findings of one code, of files and subjects that fit the patterns, until and with a day."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)

    code: str = Field(min_length=1)
    file: str = "*"
    subject: str = "*"
    reason: str = Field(min_length=1)
    until: date | None = None

    def fits(self, finding: Finding) -> bool:
        """Whether it speaks of that finding; a file's pattern may name only the end of its path."""
        of_file = fnmatchcase(finding.file, self.file) or fnmatchcase(finding.file, f"*/{self.file}")
        return of_file and fnmatchcase(finding.code, self.code) and fnmatchcase(finding.subject, self.subject)


def read_silences(path: Path) -> list[tuple[Silence, str, int]]:
    """The silences in a YAML file, each with its place: a list under `silences`, of code, reason, file, subject, until.

    Raises UsageError where the file cannot be read, or an entry is not of that form.
    """
    documents, wrong = read_tree(path)
    if wrong:
        raise UsageError(f"Silences {path}, line {wrong[0].line}: {wrong[0].message} Mend the file.")
    silences = []
    for entry in [entry for one in documents for entry in (one.get("silences").items() or one.items())]:
        try:
            silences.append((Silence.model_validate(entry.plain()), path.as_posix(), entry.line))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "entry"
            raise UsageError(
                f"Silences {path}, line {entry.line}: {key}: {first['msg']}. A silence has code and reason, and may "
                "have file, subject and until, a day like 2026-12-31."
            ) from None
    return silences


def silenced(
    findings: Sequence[Finding], silences: Sequence[tuple[Silence, str, int]], *, today: date
) -> tuple[list[Finding], list[Finding]]:
    """The findings that are left, and those that a silence takes out; one that takes out none, or is over, is left.

    A silence that is past its day takes out nothing, so that what it hid is heard of again.
    """
    current = [one for one, _, _ in silences if one.until is None or today <= one.until]
    hidden = [finding for finding in findings if any(one.fits(finding) for one in current)]
    left = [finding for finding in findings if finding not in hidden]
    for one, file, line in silences:
        said = f"Silence of {one.code} "
        if one not in current:
            left.append(found("audit/expired-silence", f"{said}ended on {one.until}.", file, line, one.code))
        elif not any(map(one.fits, hidden)):
            left.append(found("audit/unused-silence", f"{said}fits no finding.", file, line, one.code))
    return left, hidden
