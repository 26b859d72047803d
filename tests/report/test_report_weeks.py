"""The page over all reports and their feed: each row from a summary, the cost of one more, damage, hostile names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import feedparser
import pytest
from executed import summary
from hostile_strings import STRINGS, readable

from cloudxai_analysis.report.publish import building, mark_stale, publish
from cloudxai_analysis.report.weeks import FEED, INDEX, TABLE, index_reports

MONDAY = datetime(2026, 11, 9, tzinfo=UTC)


def of_week(ago: int, name: str = "acme", **more: Any) -> dict[str, Any]:
    """The summary of the week so many before 2026-W46, whose first tile's value is `ago`."""
    start = MONDAY - timedelta(weeks=ago)
    year, week, _ = start.isocalendar()
    said = summary(name) | more
    edges = {"start": start.isoformat(), "end": (start + timedelta(weeks=1)).isoformat(), "partial_until": None}
    said["window"] = {"name": f"{year}-W{week:02d}", **edges}
    said["provenance"]["source"]["kind"] = "demo"
    said["tiles"][0] |= {"value": float(ago), "text": f"{ago} of 1,000"}
    return said


def made(reports: Path, said: dict[str, Any], *, indexed: bool = True) -> Path:
    target = reports / said["window"]["name"]
    with building(target) as folder:
        (folder / "summary.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8", errors="replace")
        publish(folder, target)
    if indexed:
        index_reports(reports, target.name)
    return target


def texts(reports: Path) -> tuple[str, Any]:
    page = (reports / INDEX).read_text(encoding="utf-8")
    served = {"content-location": "http://x/r/", "content-type": "application/atom+xml"}
    return page, feedparser.parse((reports / FEED).read_bytes(), response_headers=served)


def test_each_report_has_its_row_newest_first_and_each_headline_number_its_course(tmp_path: Path) -> None:
    for ago in (2, 0, 3):  # W45 was never made
        made(tmp_path, of_week(ago))
    month = of_week(0, status="fail", headline="Failed: a month.")
    month["window"]["name"] = "2026-11"
    made(tmp_path, month)
    page, feed = texts(tmp_path)
    assert re.findall(r'<li id="([^"]+)" class="(\w+)">', page) == [
        *(("2026-W46", "warn"), ("2026-11", "fail"), ("2026-W44", "warn"), ("2026-W43", "warn")),
    ]
    assert 'href="2026-W46/weekly_report.html"' in page
    assert "Demo: generated data" in page
    assert "least 0 of 1,000 in 2026-W46, most 3 of 1,000 in 2026-W43" in page
    # Four places, of which the third is a gap: a line of the first two, and the last by itself.
    line = page.partition('class="sparkline"')[2].partition("</svg>")[0]
    assert re.findall(r'points="([^"]+)"', line) == ["4.0,4.0 174.7,9.3"]
    assert 'cx="516.0"' in line
    assert "never known" in page  # what nobody knows has no line
    assert [entry.title for entry in feed.entries][:2] == [
        "2026-W46: Warning: acme took the last tenant label.",
        "2026-11: Failed: a month.",
    ]


def test_the_feed_is_one_that_readers_read_with_ids_that_stay(tmp_path: Path) -> None:
    made(tmp_path, of_week(1))
    target = made(tmp_path, of_week(0))
    _, first = texts(tmp_path)
    assert (first.bozo, first.version, len({entry.id for entry in first.entries})) == (False, "atom10", 2)
    assert first.entries[0].link == "http://x/r/2026-W46/weekly_report.html"
    assert first.feed.updated == max(entry.updated for entry in first.entries)
    made(tmp_path, of_week(0))  # the same again is no news
    _, again = texts(tmp_path)
    assert [(entry.id, entry.updated) for entry in again.entries] == [(e.id, e.updated) for e in first.entries]
    made(tmp_path, of_week(0, headline="Pass: mended.", status="pass"))
    page, changed = texts(tmp_path)
    assert [entry.id for entry in changed.entries] == [entry.id for entry in first.entries]
    assert (changed.entries[0].updated > first.entries[0].updated, changed.entries[0].tags[0].term) == (True, "pass")
    assert (page.count('id="2026-W46"'), "Pass: mended." in page) == (1, True)
    assert "Stale" not in page
    mark_stale(target, "no")
    index_reports(tmp_path, "")
    assert "Stale: it could not be renewed." in texts(tmp_path)[0]


COUNTING = """
import sys
from pathlib import Path
from cloudxai_analysis.report.weeks import index_reports
reports, opened = Path(sys.argv[1]), []
index_reports(reports, "2026-W46")
sys.addaudithook(lambda event, given: opened.append(given) if event == "open" and "reports" in str(given[0]) else None)
index_reports(reports, "2026-W46")
print(len(opened))
"""


def test_one_more_week_opens_as_many_files_at_520_as_at_5(tmp_path: Path) -> None:
    opened = []
    for weeks in (5, 520):
        reports = tmp_path / str(weeks) / "reports"
        for ago in range(weeks):
            name = of_week(ago)["window"]["name"]
            (reports / name).mkdir(parents=True)
            (reports / name / "summary.json").write_text(json.dumps(of_week(ago)), encoding="utf-8")
        done = subprocess.run([sys.executable, "-c", COUNTING, reports], check=True, capture_output=True, text=True)
        opened.append(int(done.stdout))
        page, feed = texts(reports)
        assert page.count("<li id=") == weeks
        assert (len(feed.entries), feed.bozo) == (min(weeks, 60), False)
    assert opened[0] == opened[1] < 12


def test_a_damaged_table_is_told_by_its_line_and_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for ago in range(3):
        made(tmp_path, of_week(ago))
    whole, lines = texts(tmp_path), (tmp_path / TABLE).read_bytes().splitlines()
    for damage in (b"{", b'{"week": 7}', b"\xff" * 9, b"[" * 100_000, lines[1].replace(b'"warn"', b'"fine"')):
        (tmp_path / TABLE).write_bytes(b"\n".join([lines[0], damage, lines[2]]))
        caplog.clear()
        made(tmp_path, of_week(0))
        assert f"{tmp_path / TABLE}, line 2 is no row" in caplog.text
        assert texts(tmp_path)[0] == whole[0]
    (tmp_path / TABLE).unlink()  # as of reports from before there was one
    made(tmp_path, of_week(0))
    assert texts(tmp_path)[0] == whole[0]


def test_a_summary_that_cannot_be_read_is_named_and_the_row_stays_as_it_was(tmp_path: Path, caplog) -> None:
    made(tmp_path, of_week(1))
    (tmp_path / "2026-W45" / "summary.json").write_text("{")
    made(tmp_path, of_week(0))
    assert (texts(tmp_path)[0].count("<li id="), caplog.text) == (2, "")
    (tmp_path / TABLE).unlink()
    made(tmp_path, of_week(0))
    assert "summary of report 2026-W45 cannot be read" in caplog.text
    assert re.findall(r'<li id="([^"]+)"', texts(tmp_path)[0]) == ["2026-W46"]


def test_no_disk_and_no_link_keeps_a_report_from_its_readers(tmp_path: Path, caplog) -> None:
    elsewhere, reports = tmp_path / "elsewhere", tmp_path / "reports"
    elsewhere.write_text("kept")
    made(reports, of_week(1))
    for name in (INDEX, FEED, TABLE):
        (reports / name).unlink()
        (reports / name).symlink_to(elsewhere)
    made(reports, of_week(0))
    assert (elsewhere.read_text(), texts(reports)[0].count("<li id=")) == ("kept", 2)
    (reports / INDEX).unlink()
    (reports / INDEX).mkdir()
    target = made(reports, of_week(0))
    assert "could not be written" in caplog.text
    assert (target / "summary.json").is_file()


class Tree(HTMLParser):
    """The elements of a page with the names of their attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(tag, *(name for name, _ in attrs))] if tag not in ("bdi", "span") else []


@pytest.mark.parametrize("name", STRINGS)
def test_a_hostile_name_is_its_own_text_in_page_and_feed(tmp_path: Path, name: str) -> None:
    made(tmp_path / "plain", of_week(0))
    made(tmp_path / "own", of_week(0, name))
    (plain, _), (page, feed) = texts(tmp_path / "plain"), texts(tmp_path / "own")
    assert Tree(page).seen == Tree(plain).seen
    assert (feed.bozo, "\u202e" in feed.entries[0].title) == (False, False)
    assert feed.entries[0].title_detail.type == "text/plain"
    shown = readable(name)
    assert feed.entries[0].title == f"2026-W46: Warning: {shown} took the last tenant label."


def test_rows_are_as_open_as_the_umask_says_and_nobody_else_may_write(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        made(tmp_path / "reports", of_week(0))
    finally:
        os.umask(before)
    assert {(tmp_path / "reports" / name).stat().st_mode & 0o777 for name in (INDEX, FEED, TABLE)} == {0o640}
