"""Every code of the audits, and the functions that find it: a code is a row of `codes.toml` and, where it is ours to
find, a function marked with `rule`; what other tools say is sorted into codes by `said`."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cloudxai_analysis.lint import Finding, Severity


@dataclass(frozen=True)
class Code:
    """What all findings of one code share; `said` is a pattern of what the tool says that finds it."""

    severity: Severity
    why: str
    action: str
    said: str = ""


class Said(NamedTuple):
    """What a rule finds: the words, the line (0: where the subject stands), and whether it is no more than assumed.

    What is known by a name alone, or assumed of a server, is never an error, and says so.
    """

    message: str
    line: int = 0
    assumed: bool = False
    subject: str = ""


Check = Callable[[Any, Any], Iterable[Said | str]]
RULES: dict[str, list[tuple[str, Check]]] = defaultdict(list)
_TEXTS = tomllib.loads(Path(__file__).with_name("codes.toml").read_text(encoding="utf-8"))
CODES = {code: Code(**texts) for code, texts in _TEXTS.items()}


def rule(code: str, *, of: str) -> Callable[[Check], Check]:
    """Mark a function as that which finds `code` in each thing `of` a kind, as 'term', 'alert', 'routing' or 'panel'.

    It is called with the thing and with what is known around it.
    """

    def marked(check: Check) -> Check:
        RULES[of].append((code, check))
        return check

    return marked


def found(
    code: str, *, file: str, line: int, subject: str, message: str, assumed: bool = False, mild: bool = False
) -> Finding:
    """The finding of that code at that place; what is `assumed` or `mild` is no error."""
    shared = CODES[code]
    severity: Severity = "warning" if (assumed or mild) and shared.severity == "error" else shared.severity
    message = f"{message} (Assumed.)" if assumed and "as its name says" not in message else message
    return Finding(file, line, code, severity, subject, message, shared.why, shared.action)


def findings_of(thing: Any, around: Any, *, of: str, file: str, line: int, subject: str) -> list[Finding]:
    """Every finding of the rules of a kind in one thing that stands there."""
    findings: dict[Finding, None] = {}
    for code, check in RULES[of]:
        for one in check(thing, around):
            said = Said(one) if isinstance(one, str) else one
            place = {"file": file, "line": said.line or line, "subject": said.subject or subject}
            findings[found(code, message=said.message, assumed=said.assumed, **place)] = None  # type: ignore[arg-type]
    return list(findings)


def code_of(tool: str, message: str) -> str:
    """The code of what a tool says, by the first row whose pattern fits; `<tool>: .*` is the last resort of each."""
    text = f"{tool}: {message}"
    return next(code for code, shared in CODES.items() if shared.said and re.search(shared.said, text))
