"""Audits of rule, routing and dashboard files: what they find, by codes that are rows of `codes.toml`.

Functions marked with `rule` find those that are ours to find; what other tools say is sorted into
codes by `said`.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, order=True)
class Finding:
    """One fault at one place.

    `code` is stable, as 'promql/raw-counter', and is what a finding is silenced by; `subject` names
    the rule, route or panel; `message` says what is there, `why` what comes of it, `action` what to
    do. An 'error' cannot do what it was written for, a 'warning' does it badly or at times, an
    'info' is worth a look.
    """

    file: str
    line: int
    code: str
    severity: Severity
    subject: str
    message: str
    why: str
    action: str


@dataclass(frozen=True)
class Code:
    """What all findings of one code share; `said` is a pattern of what the tool says that finds it."""

    severity: Severity
    why: str
    action: str
    said: str = ""


class Said(NamedTuple):
    """What a rule says; `line` and `subject` where they are not those of the thing that it was asked about.

    What is known by a name alone, or `assumed` of a server, is never an error, and says so.
    """

    code: str
    message: str
    line: int = 0
    subject: str = ""
    assumed: bool = False


Check = Callable[[Any, Any], Iterable[Said]]
Codes = Mapping[str, Code]
RULES: dict[str, list[Check]] = defaultdict(list)


def codes_of(file: Path) -> dict[str, Code]:
    """The codes that a file beside the code holds."""
    texts = tomllib.loads(file.read_text(encoding="utf-8"))
    return {code: Code(**said) for code, said in texts.items()}


CODES = codes_of(Path(__file__).with_name("codes.toml"))


def rule(of: str) -> Callable[[Check], Check]:
    """Mark a function as that which finds faults in each thing `of` a kind, as 'call', 'alert', 'routing', 'dashboard'.

    It is called with the thing and with what is known around it.
    """

    def marked(check: Check) -> Check:
        RULES[of].append(check)
        return check

    return marked


def found(
    code: str, message: str, file: str, line: int, subject: str = "", *, assumed: bool = False, of: Codes = CODES
) -> Finding:
    """The finding of that code at that place; what is `assumed` is no error."""
    shared = of[code]
    severity: Severity = "warning" if assumed and shared.severity == "error" else shared.severity
    message = f"{message} (Assumed.)" if assumed and "as its name says" not in message else message
    return Finding(file, line, code, severity, subject, message, shared.why, shared.action)


def findings_of(thing: Any, around: Any, *, of: str, file: str, line: int, subject: str = "") -> list[Finding]:
    """What the rules of a kind find in one thing that stands there."""
    return [
        found(one.code, one.message, file, one.line or line, one.subject or subject, assumed=one.assumed)
        for check in RULES[of]
        for one in check(thing, around)
    ]


def code_of(tool: str, message: str) -> str:
    """The code of what a tool says, by the first row whose pattern fits; `<tool>: .*` is the last resort of each."""
    text = f"{tool}: {message}"
    return next(code for code, shared in CODES.items() if shared.said and re.search(shared.said, text))
