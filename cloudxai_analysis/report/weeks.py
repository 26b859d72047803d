"""The page over all published reports, and their Atom feed, made of a table with a row a report.

A publication opens the table, the page, the feed and its own summary, however many reports there are. A row that is
not there, or cannot be read, is made anew from its report's summary.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from cloudxai_analysis.figures.svg import sparkline
from cloudxai_analysis.ground.files import replace_whole
from cloudxai_analysis.ground.window import WEEK
from cloudxai_analysis.report.page import PAGE_FILE, readable, styled, template_of

TABLE, INDEX, FEED = "weeks.jsonl", "index.html", "feed.xml"
MOST_ENTRIES = 60  # of the feed; the page has all
_REPORT = re.compile(r"\d{4}-(?:W\d{2}|Q\d|\d{2})")
_LOG = logging.getLogger(__name__)
# The same report has the same id for ever, wherever the feed lies.
_LINKS = {
    "page_file": PAGE_FILE,
    "feed_file": FEED,
    "id_of": lambda *names: uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("cloudxai-analysis", *names))).urn,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Number(_Part):
    """A headline number of a report, as its tile says it."""

    key: str
    label: str
    text: str
    unit: str
    value: int | float | None


class Row(_Part):
    """A report's row of the table: its verdict, its headline numbers, and since when it says that."""

    week: str
    start: AwareDatetime
    end: AwareDatetime
    environment: str
    status: Literal["pass", "warn", "fail", "unknown"]
    headline: str
    paragraph: str
    found: tuple[str, ...]
    numbers: tuple[Number, ...]
    demo: bool
    partial: bool
    updated: AwareDatetime

    @property
    def year(self) -> str:
        """The year by which it is called."""
        return self.week[:4]


def index_reports(reports: Path, renewed: str) -> None:
    """Write the page and the feed of all that is published in a folder, of which the report `renewed` is new.

    What cannot be read or written is told as a warning, and never keeps a report from its readers.
    """
    try:
        rows = sorted(_rows(reports, renewed), key=lambda row: (row.start, row.week), reverse=True)
        if rows:
            _put(reports / TABLE, "".join(f"{row.model_dump_json()}\n" for row in rows))
            given = {"stale": _names(reports, ".stale"), "trends": list(_trends(rows)), **_LINKS, **styled()}
            _put(reports / INDEX, template_of("index.html.jinja").render(rows=rows, **given))
            _put(reports / FEED, template_of("feed.xml.jinja").render(rows=rows[:MOST_ENTRIES], **_LINKS))
    except OSError as error:
        _LOG.warning(f"The page over all reports in {reports} could not be written: {error.strerror}; what was stays.")


def _rows(reports: Path, renewed: str) -> Iterator[Row]:
    """A row for each report that is there."""
    known = _table(reports / TABLE)
    for name in _names(reports):
        row: Row | None = known.get(name)
        if row is None or name == renewed:
            made: Row | None
            try:
                made = _row(reports / name / "summary.json", name)
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                _LOG.warning(f"The summary of report {name} cannot be read, so that {INDEX} has it as it was, or not.")
                made = row
            # Made again, and no word of it is another: no news.
            row = row if row and made and made.model_copy(update={"updated": row.updated}) == row else made
        if row:
            yield row


def _table(file: Path) -> dict[str, Row]:
    """The rows by their reports; a line that is none is told, and left out."""
    rows: dict[str, Row] = {}
    for number, line in enumerate(file.read_bytes().splitlines() if file.is_file() else [], start=1):
        try:
            row = Row.model_validate_json(line)
            rows[row.week] = row
        except ValidationError:
            _LOG.warning(f"Table {file}, line {number} is no row; it is made anew from its report's summary.")
    return rows


def _row(summary: Path, name: str) -> Row:
    said = json.loads(summary.read_text(encoding="utf-8"))
    found = [check["title"] for check in said["checks"] if check["status"] in ("warn", "fail")]
    made = {
        **{key: said[key] for key in ("environment", "status", "headline", "paragraph")},
        **{"week": name, "start": said["window"]["start"], "end": said["window"]["end"]},
        **{"found": found, "numbers": said["tiles"], "updated": datetime.fromtimestamp(summary.stat().st_mtime, UTC)},
        "demo": said["provenance"]["source"].get("kind") == "demo",
        "partial": bool(said["window"]["partial_until"]),
    }
    return Row.model_validate_json(json.dumps(made, default=datetime.isoformat))


def _names(reports: Path, suffix: str = "") -> list[str]:
    """The published reports, by one look into their folder."""
    names = (path.name.removesuffix(suffix) for path in reports.iterdir() if path.name.endswith(suffix))
    return sorted(name for name in names if _REPORT.fullmatch(name))


def _put(file: Path, text: str) -> None:
    if file.is_symlink():  # which leads elsewhere
        file.unlink()
    replace_whole(file, readable(text).encode(errors="replace"), mode=0o666)


def _trends(rows: list[Row]) -> Iterator[dict[str, Any]]:
    """The course of each headline number of the newest week over all weeks, and its least and most."""
    weeks = [row for row in rows if "-W" in row.week]
    for number in weeks[0].numbers if weeks else ():
        course: dict[datetime, tuple[str, Number]] = {}
        for row in weeks:
            # In another unit, as in another currency, it is no part of the same line.
            alike = [one for one in row.numbers if (one.key, one.unit) == (number.key, number.unit)]
            course |= {row.start: (row.week, alike[0])} if alike and alike[0].value is not None else {}
        first, last = weeks[-1].start, weeks[0].start
        values = [course.get(first + week * WEEK) for week in range((last - first) // WEEK + 1)]
        line = sparkline([one[1].value if one else None for one in values], most=len(values), width=520)
        known = sorted(course.values(), key=lambda one: float(one[1].value or 0))
        drawn = Markup(line)  # noqa: S704 - drawn of numbers alone
        yield {"newest": number, "line": drawn, "least": known[:1], "most": known[-1:], "known": len(known)}
