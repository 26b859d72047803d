"""Findings that people have looked at and want to hear of no more, each with the reason, in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_tree

SILENCES_FILE = ".cloudxai-audit.yml"


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

    Raises
    ------
    UsageError
        The file cannot be read, or an entry lacks its code or reason, has an unknown key, or a date that is none.
    """
    documents, faults = read_tree(path)
    if faults:
        raise UsageError(f"Silences {path}, line {faults[0].line}: {faults[0].message} Mend the file.")
    entries = [entry for one in documents for entry in (one.get("silences").items() or one.items())]
    return [(_silence(entry, path), path.as_posix(), entry.line) for entry in entries]


def _silence(entry: Node, path: Path) -> Silence:
    try:
        return Silence.model_validate(entry.plain())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "entry"
        raise UsageError(
            f"Silences {path}, line {entry.line}: {key}: {first['msg']}. A silence has code and reason, and may have "
            "file, subject and until, a day like 2026-12-31."
        ) from None


def silenced(
    findings: Sequence[Finding], silences: Sequence[tuple[Silence, str, int]], *, today: date
) -> tuple[list[Finding], list[Finding]]:
    """The findings that are left, and those that a silence takes out; one that takes out none, or is over, is left.

    A silence that is past its day takes out nothing, so that what it hid is heard of again.
    """
    current = [one for one, _, _ in silences if one.until is None or today <= one.until]
    fitting = [[one for one in current if one.fits(finding)] for finding in findings]
    left = [finding for finding, by in zip(findings, fitting, strict=True) if not by]
    hidden = [finding for finding, by in zip(findings, fitting, strict=True) if by]
    used = {one for by in fitting for one in by}
    for one, file, line in silences:
        if one not in current:
            code, message = "audit/expired-silence", f"Silence of {one.code} ended on {one.until}."
        elif one not in used:
            code, message = "audit/unused-silence", f"Silence of {one.code} fits no finding."
        else:
            continue
        left.append(found(code, file=file, line=line, subject=one.code, message=message))
    return left, hidden
