"""Audits: faults in rule, routing and dashboard files, each with its place, why it matters, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, order=True)
class Finding:
    """One fault at one place.

    `code` is stable, as 'rules/raw-counter', and is what a finding is silenced by; `subject` names the rule, route or
    panel; `message` says what is there, `why` what comes of it, `action` what to do. An 'error' cannot do what it was
    written for, a 'warning' does it badly or at times, an 'info' is worth a look.
    """

    file: str
    line: int
    code: str
    severity: Severity
    subject: str
    message: str
    why: str
    action: str
