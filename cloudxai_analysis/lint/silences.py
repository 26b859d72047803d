"""Findings that people have looked at and want to hear of no more, each with the reason, in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_tree

SILENCES_FILE = ".cloudxai-audit.yml"
_KEYS = ("code", "file", "subject", "reason", "until")


@dataclass(frozen=True)
class Silence:
    """Findings of one code, of files and subjects that fit the patterns, until and with a day."""

    code: str
    file: str
    subject: str
    reason: str
    until: date | None
    place: str
    line: int

    def fits(self, finding: Finding) -> bool:
        """Whether it speaks of that finding; a file's pattern may name only the end of its path."""
        names = (finding.file, *(finding.file.partition("/")[2:] or ()))
        ends = any(fnmatchcase(name, self.file) or fnmatchcase(name, f"*/{self.file}") for name in names if name)
        return fnmatchcase(finding.code, self.code) and ends and fnmatchcase(finding.subject, self.subject)


def read_silences(path: Path) -> list[Silence]:
    """The silences in a YAML file: a list under `silences`, each with code and reason, and file, subject, until.

    Raises
    ------
    UsageError
        The file cannot be read, or an entry lacks its code or reason, has an unknown key, or a date that is none.
    """
    documents, faults = read_tree(path)
    if faults:
        raise UsageError(f"Silences {path}, line {faults[0].line}: {faults[0].message} Mend the file.")
    return [
        _silence(entry, path.as_posix())
        for document in documents
        for entry in (document.get("silences").items() or document.items())
    ]


def silenced(
    findings: Sequence[Finding], silences: Sequence[Silence], *, today: date
) -> tuple[list[Finding], list[Finding]]:
    """The findings that are left, and those that a silence takes out; one that takes out none, or is over, is left.

    A silence that is past its day takes out nothing, so that what it hid is heard of again.
    """
    used: set[Silence] = set()
    left: list[Finding] = []
    hidden: list[Finding] = []
    for finding in findings:
        fitting = [one for one in silences if one.fits(finding) and (one.until is None or today <= one.until)]
        used.update(fitting)
        (hidden if fitting else left).append(finding)
    for silence in silences:
        over = silence.until is not None and today > silence.until
        if over:
            said = f"Silence of {silence.code} ended on {silence.until}."
            left.append(_about("audit/expired-silence", silence, said))
        elif silence not in used:
            left.append(_about("audit/unused-silence", silence, f"Silence of {silence.code} fits no finding."))
    return left, hidden


def _about(code: str, silence: Silence, message: str) -> Finding:
    return found(code, file=silence.place, line=silence.line, subject=silence.code, message=message)


def _silence(entry: Node, place: str) -> Silence:
    where = f"Silences {place}, line {entry.line}"
    if not isinstance(entry.value, dict):
        raise UsageError(f"{where}: an entry is no mapping. Give code and reason.")
    if unknown := [key for key, _ in entry.pairs() if key not in _KEYS]:
        raise UsageError(f"{where}: unknown key '{unknown[0]}'. Known: {', '.join(_KEYS)}.")
    if missing := [key for key in ("code", "reason") if not entry.get(key).text().strip()]:
        raise UsageError(f"{where}: no {missing[0]}. A silence says of which code it is, and why.")
    until = entry.get("until").text()
    try:
        last = date.fromisoformat(until) if until else None
    except ValueError:
        raise UsageError(f"{where}: until '{until}' is no day. Write it as 2026-12-31.") from None
    return Silence(
        code=entry.get("code").text(),
        file=entry.get("file").text() or "*",
        subject=entry.get("subject").text() or "*",
        reason=entry.get("reason").text(),
        until=last,
        place=place,
        line=entry.line,
    )
