"""A night for other tools: JUnit XML, a summary in Markdown, annotations for a workflow of GitHub's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cloudxai_analysis.ledger.jobs import Night
from cloudxai_analysis.operate.assertions import Row
from cloudxai_analysis.operate.nights import STATUSES, sign, status_of, told
from cloudxai_analysis.words.markdown import markdown_table, markdown_text
from cloudxai_analysis.words.phrases import plain

_NOT_XML = re.compile("[^\\t\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_ANNOTATED = {"fail": "error", "unknown": "error", "warn": "warning"}
# GitHub, 'Workflow commands': a message escapes the first three, a property all of them.
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_OF_PROPERTIES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


def summary_line(night: Night, environment: str) -> str:
    """'beta, night of 2026-11-12: pass; 40 pass, 6 left out, 1 flaky'."""
    tally: Counter[str] = Counter(check.status for check in night.checks)
    flaky = sum(check.flaky for check in night.checks)
    parts = [f"{tally[status]} {status}" for status in STATUSES if tally[status]]
    parts += [f"{flaky} flaky"] if flaky else []
    away = f"; the source was away: {night.away}" if night.away else ""
    return f"{environment}, night of {night.date}: {status_of(night)}; {', '.join(parts)}{away}"


def lines(night: Night) -> Iterator[str]:
    """What did not simply pass, a line each, the worst first: its sign, status, id and what was found."""
    for status in STATUSES:
        for check in night.checks:
            if check.status == status and (status != "pass" or check.attempts):
                yield f"{sign(check)} {check.status:<8} {check.id}: {told(check)}"


def as_markdown(night: Night, environment: str, rows: Mapping[str, Row]) -> str:
    """The night as Markdown: its verdict, a table of all that did not simply pass, and how many did."""
    columns = dict.fromkeys(("check", "status", "finding", "means", "what to do", "decides"), False)
    cells = []
    for check in night.checks:
        if check.status != "pass" or check.attempts:
            row = rows.get(check.id) if check.status in _ANNOTATED else None
            why = (row.means, row.do, row.decides) if row else ("", "", "")
            status = f"{check.status}, flaky" if check.flaky else check.status
            cells.append([markdown_text(text, most=400) for text in (check.id, status, told(check), *why)])
    written = markdown_table(columns, cells) if cells else ["All of them passed at the first attempt."]
    return "\n".join([f"# {markdown_text(summary_line(night, environment), most=500)}", "", *written, ""])


def as_junit(night: Night, environment: str) -> bytes:
    """The night as JUnit XML: a fail is a failure, an unknown an error, a flaky pass has Surefire's `flakyFailure`."""
    from junitparser import Error, Failure, JUnitXml, Skipped
    from junitparser.xunit2 import FlakyFailure, RerunFailure, TestCase, TestSuite

    suite = TestSuite(_xml(f"cloudxai nightly, {environment}"))
    suite.timestamp = night.at.isoformat(timespec="seconds")
    for check in night.checks:
        case: Any = TestCase(_xml(check.id), _xml(f"cloudxai.nightly.{environment}"))
        found = _xml(check.finding)
        result = {"fail": Failure, "unknown": Error, "left out": Skipped}.get(check.status)
        if result:
            case.result = [result(found, check.status)]
        elif check.status == "warn":
            case.system_out = f"warn: {found}"
        for attempt in check.attempts:
            again = FlakyFailure if check.flaky else RerunFailure
            case.append(again(_xml(attempt), "attempt"))
        suite.add_testcase(case)
    whole = JUnitXml("cloudxai nightly")
    whole.add_testsuite(suite)
    whole.update_statistics()
    return bytes(whole.tostring())


def github_lines(night: Night) -> Iterator[str]:
    """The night as workflow commands of GitHub's: an error, a warning or, of a flaky pass, a notice each."""
    for check in night.checks:
        if level := _ANNOTATED.get(check.status) or ("notice" if check.flaky else ""):
            said = _escaped(f"{'flaky' if check.flaky else check.status}: {told(check)}", _ESCAPES)
            yield f"::{level} title={_escaped(check.id, _OF_PROPERTIES)}::{said}"


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(one, one if one in "\r\n" else plain(one)) for one in text)


def _xml(text: str) -> str:
    """Text that XML 1.0 can hold, and that nothing in it turns round."""
    return _NOT_XML.sub("\ufffd", plain(text))
