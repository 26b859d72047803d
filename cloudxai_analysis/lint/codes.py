"""Every code of the audits of files, rules and expressions: how grave it is, why it matters, and what to do."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from cloudxai_analysis.lint import Finding, Severity


@dataclass(frozen=True)
class Code:
    """What all findings of one code share."""

    severity: Severity
    why: str
    action: str


def found(code: str, *, file: str, line: int, subject: str, message: str) -> Finding:
    """The finding of that code at that place."""
    shared = CODES[code]
    return Finding(file, line, code, shared.severity, subject, message, shared.why, shared.action)


_TEXTS = tomllib.loads(Path(__file__).with_name("codes.toml").read_text(encoding="utf-8"))
CODES = {code: Code(**texts) for code, texts in _TEXTS.items()}
