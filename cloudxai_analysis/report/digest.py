"""A report in under 120 words, as text, Markdown or HTML for mail: what its page says first, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import ValidationError, validate

from cloudxai_analysis.cards.words import WORDS
from cloudxai_analysis.ground.errors import LakeDamaged, NotebookFailed, UsageError
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.report.page import PAGE_FILE, readable, template_of
from cloudxai_analysis.report.publish import stale_file
from cloudxai_analysis.report.run import SCHEMA
from cloudxai_analysis.words.markdown import markdown_text
from cloudxai_analysis.words.phrases import count, plain

MOST_WORDS = 119
_LONGEST = 1_000  # letters of a line
_NUMBERS = 4  # the page's first tiles


@dataclass(frozen=True)
class Digest:
    """A message: its subject, and its lines, each with whether it is the most important one."""

    subject: str
    lines: tuple[tuple[str, bool], ...]

    def text(self) -> str:
        """Plain text, complete in itself."""
        return "".join(f"{line}\n" for line, _ in self.lines)

    def markdown(self) -> str:
        """Markdown in which foreign text stays text."""
        shown = ((markdown_text(line, most=_LONGEST), main) for line, main in self.lines)
        return "\n".join(f"**{line}**\n" if main else f"{line}\n" for line, main in shown)

    def html(self) -> str:
        """HTML as mail programs show it: one table, styles inline, nothing to load."""
        return readable(template_of("digest.html.jinja").render(digest=self))


def digest_of(environment: Environment, week: str) -> Digest:
    """The digest of a published report.

    Raises UsageError (none is published), LakeDamaged (its summary cannot be read), NotebookFailed
    (it is stale: it could not be renewed).
    """
    summary, stale = read_summary(environment, week), stale_file(environment.reports / week)
    if stale.is_file():
        why = (stale.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[0]
        raise NotebookFailed(f"Report {week} of {environment.name} is stale, so there is no digest: {why}")
    return digested(summary, page_of(environment, week))


def page_of(environment: Environment, week: str) -> str:
    """Where people find a report's page, as far as the settings say."""
    served = environment.settings.reports_url
    return f"{served.rstrip('/')}/{week}/{PAGE_FILE}" if served else f"{PAGE_FILE} of {week}"


def read_summary(environment: Environment, week: str) -> dict[str, Any]:
    """The summary of a published report; raises UsageError where none is, LakeDamaged where it cannot be read."""
    target, anew = environment.reports / week, environment.command("report", "--week", week)
    if not target.exists():
        raise UsageError(f"No report {week} of {environment.name} is published; `{anew}` makes it.")
    try:
        said = json.loads((target / "summary.json").read_text(encoding="utf-8"))
        validate(said, json.loads(SCHEMA.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError, RecursionError):
        raise LakeDamaged(f"{target / 'summary.json'} cannot be read; `{anew}` makes the report anew.") from None
    return said


def digested(summary: dict[str, Any], place: str) -> Digest:
    """The digest of a summary, with where its page is."""
    kept, left = set(), MOST_WORDS
    lines = [(rank, _line(text), rank == 0) for rank, text in _said(summary, place)]
    for number, (_, text, main) in sorted(enumerate(lines), key=lambda one: (one[1][0], one[0])):
        # The first words of the verdict are always there; any other line is there as a whole, or not.
        words = min(len(text.split()), MOST_WORDS // 2) if main else len(text.split())
        if words <= left:
            kept.add(number)
            left -= words
    shown = tuple((_first(text) if main else text, main) for at, (_, text, main) in enumerate(lines) if at in kept)
    return Digest(_line(summary["headline"]), shown)


def _said(summary: dict[str, Any], place: str) -> Iterator[tuple[int, str]]:
    """What could be said, in the order in which it is read, each with its rank: the least important has the highest."""
    window, status = summary["window"], WORDS["status"]
    yield 0, summary["headline"]
    yield 1, f"{summary['environment']}, {window['name']}, from {window['start'][:10]}, UTC."
    if summary["provenance"]["source"].get("kind") == "demo":
        yield 1, "Demo: generated data, no real platform."
    for sentence in re.split(r"(?<=\.) ", summary["paragraph"]):
        yield 4, sentence
    for tile in summary["tiles"][:_NUMBERS]:
        yield 2, f"{tile['label']}: {tile['text']} ({status[tile['status']].lower()})"
    for item in summary["considerations"][:1]:
        yield 3, f"To do first: {item['text']}"
    if summary["not_known"]:
        yield 5, f"Not known: {count(len(summary['not_known']), 'answer')}."
    yield 1, f"Page: {place}"


def _line(text: str) -> str:
    return plain(" ".join(str(text).split()))[:_LONGEST]


def _first(text: str) -> str:
    words = text.split()
    most = MOST_WORDS // 2
    return text if len(words) <= most else f"{' '.join(words[: most - 1])} …"
