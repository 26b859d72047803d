"""Logs in Markdown as people write them: what is taken from each, what is named as not read, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clean_command import Done
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.markdown_log import LARGEST_BYTES, Log, read_log

SECTION = """# Incident log

Kept by the on-call team.

## INC-12: Database fail-over (2026-11-10 10:00–10:20 UTC)

- **Severity:** major
- **Tenant:** all
- **Alerts:** `ServiceNotReady`, TenantReadinessBreach and Other
- **Trigger:** fail-over of the shared
  database
- **Evidence:** [graph](https://grafana.example/d/1)
- **Acknowledged:** 10:03 UTC
- Mitigated at: 10:15
- Impact: 12 customers

<!-- a comment is no text -->
### Immediate action

Drained cloudxai-1.

### Root cause
The pool was never closed: <script>alert(1)</script>

### Follow-ups
- [ ] close the pool
- alert on pool size, by Bob

**Hotfix:** [v0.9.3](https://git.example/pr/7)
**Approved by:** Bob

### Lessons learned
#### What went well
- the page came

### Timeline
- 10:03 alert fired
"""
POSTMORTEM = """---
id: PM-7
by: carol
---
# Guard full

**Date**: 2026-11-12
**When**: 14:03 - 14:53 (UTC)
**Summary**: the guard refused everybody
**Root Causes**

Generated names
of one caller.

| Resolution | blocked the caller |
| --- | --- |
| Hotfix | none |
| Ticket | [PM-7](https://tickets.example/7) |
"""
TABLE = """## November

| ID | Start (UTC) | Duration | Tenant | Root cause | Owner |
| -- | ----------- | -------- | ------ | ---------- | ----- |
| [INC-13](https://t.example/13) | 2026-11-13 09:00 | 19 min | globex | a\\|b | Ann |
| INC-14 | 12 Nov 2026, 23:50 | 1 h 20 min | – | | |
| INC-15 | 2026-11-14 08:00 | | | | |

## INC-15 Slow logins

Ended at: still open
Fix: more
   replicas
"""
BULLETS = """# Incidents

* 2026-11-13 23:50–00:10 UTC: INC-20 login errors
* INC-21 two restarts
  - started: Fri 13 Nov 2026 06:00 PM +0100
  - ended: 18:20
  - Follow-ups:
    1. look
    2. mend
* INC-22 nothing is known

## 2026-11-15

### Queue stuck
- from: 09:00 UTC
- until: 09:30
"""
LOGS: dict[str, tuple[str, list[dict[str, Any]], list[tuple[int, str]]]] = {
    "sections": (
        SECTION,
        [
            {
                **{"id": "INC-12", "summary": "Database fail-over", "severity": "major", "tenant": ""},
                **{"start": "10T10:00", "end": "10T10:20", "acknowledged_at": "10T10:03", "mitigated_at": "10T10:15"},
                "alerts": ["ServiceNotReady", "TenantReadinessBreach", "Other"],
                "trigger": "fail-over of the shared database",
                "evidence": "graph (https://grafana.example/d/1)",
                "immediate_action": "Drained cloudxai-1.",
                "root_cause": "The pool was never closed: <script>alert(1)</script>",
                "follow_ups": ["[ ] close the pool", "alert on pool size, by Bob"],
                **{"hotfix": "v0.9.3 (https://git.example/pr/7)", "approved_by": "Bob"},
                "lessons": "What went well:\nthe page came",
            }
        ],
        [(3, "Kept by the on-call team."), (15, "Impact: 12 customers"), (37, "10:03 alert fired")],
    ),
    "a postmortem": (
        POSTMORTEM,
        [
            {
                **{"id": "PM-7", "by": "carol", "summary": "the guard refused everybody"},
                **{"start": "12T14:03", "end": "12T14:53"},
                **{"root_cause": "Generated names of one caller.", "fix": "blocked the caller"},
                "source": "https://tickets.example/7",
            }
        ],
        [],
    ),
    "a table, and a section of one of its rows": (
        TABLE,
        [
            {
                **{"id": "INC-13", "start": "13T09:00", "end": "13T09:19", "tenant": "globex", "summary": ""},
                **{"root_cause": "a|b", "source": "https://t.example/13"},
            },
            {"id": "INC-14", "start": "12T23:50", "end": "13T01:10", "summary": ""},
            {"id": "INC-15", "start": "14T08:00", "summary": "Slow logins", "fix": "more replicas"},
        ],
        [(3, "column Owner")],
    ),
    "bullets, and days": (
        BULLETS,
        [
            {"id": "INC-20", "start": "13T23:50", "end": "14T00:10", "summary": "login errors"},
            {
                **{"id": "INC-21", "start": "13T18:00", "end": "13T18:20", "summary": "two restarts"},
                "follow_ups": ["look", "mend"],
            },
            {"id": "log-4ce5d432a87beb1c", "start": "15T09:00", "end": "15T09:30", "summary": "Queue stuck"},
        ],
        [(10, "INC-22 tells nothing")],
    ),
}


def read(text: str, zone: str = "") -> Log:
    return read_log(text.encode(), "log.md", zone=ZoneInfo(zone) if zone else None)


def told(log: Log) -> list[dict[str, Any]]:
    """What was read, with times of November as '10T10:00', each in its own zone."""
    times = ("start", "end", "acknowledged_at", "mitigated_at")
    return [
        {name: f"{value:%dT%H:%M}" if name in times else value for name, value in row.items() if name != "kind"}
        for _, row in log.rows
    ]


@pytest.mark.parametrize("name", LOGS)
def test_what_a_log_tells_and_what_of_it_is_not_read(name: str) -> None:
    text, rows, unread = LOGS[name]
    log = read(text)
    assert log.refused == []
    assert told(log) == rows
    assert log.unread == unread
    # An old Macintosh ends its lines otherwise.
    assert read(text.replace("\n", "\r")) == log


# A section of an incident; the zone given; what becomes of it.
MOMENTS = [
    ("2026-11-10 10:00 UTC", "", "2026-11-10T10:00:00+00:00"),
    ("2026-11-10T10:00Z", "", "2026-11-10T10:00:00+00:00"),
    ("Tue, 10 Nov 2026 10:00:30 +01:00", "", "2026-11-10T10:00:30+01:00"),
    ("November 10, 2026, 10:00 pm (UTC)", "", "2026-11-10T22:00:00+00:00"),
    ("10.11.2026 10:00", "Europe/Berlin", "2026-11-10T10:00:00+01:00"),
    ("2026/11/10 10:00", "America/New_York", "2026-11-10T10:00:00-05:00"),
    ("2026-11-10 10:00", "", "is in no time zone; give --zone"),
    ("2026-10-25 02:30", "Europe/Berlin", "is no one moment in Europe/Berlin, whose clocks change then"),
    ("2026-11-10 10:00 CET", "Europe/Berlin", "start, line 2: '2026-11-10 10:00 CET' is no time"),
    ("10/11/2026 10:00 UTC", "", "'10/11/2026 10:00 UTC' may be two days"),
    ("10 Nov, 10:00 UTC", "", "is no whole date"),
    ("10:00 UTC", "", "is of no day"),
    ("2026-11-10", "UTC", "has no clock"),
    ("around noon", "UTC", "'around noon' is no time; give it like 2026-11-12 14:03 UTC"),
    ("2026-11-10 24:30 UTC", "", "is no time"),
    ("9" * 500, "UTC", "is no time"),
    ("ongoing", "UTC", "start: nobody wrote when it began"),
]


@pytest.mark.parametrize(("text", "zone", "found"), MOMENTS)
def test_a_moment_is_one_or_is_refused_by_its_line(text: str, zone: str, found: str) -> None:
    log = read(f"## INC-1\nStart: {text}\n", zone)
    if log.rows:
        assert log.rows[0][1]["start"].isoformat() == found
    else:
        assert (log.refused[0].place, log.refused[0].action) == ("line 1", "refuse")
        assert found in log.refused[0].why
        assert len(log.refused[0].why) < 200


REFUSED = [
    ("## INC-1\nRoot cause: none yet known", "start: nobody wrote when it began"),
    ("## INC-1\nWhen: 2026-11-10 10:00-10:20 UTC\nTenants: acme, globex", "'acme, globex' are several"),
    ("## INC-1\nWhen: 2026-11-10 10:00-10:20 UTC\nLasted: 2 h", "duration, line 3: '2 h' does not fit end"),
    ("## INC-1\nWhen: 2026-11-10 10:00-10:20 UTC\nLasted: a while", "'a while' is no duration"),
    (f"## INC-1\nWhen: 2026-11-10 10:00 UTC\nLasted: {'9' * 30} min", "is longer than all time"),
    ("## INC-1\nWhen: 2026-11-10 10:00-10:20 UTC\nLasted: 2 fortnights", "'fortnight' is no unit"),
    ("## INC-1 (2026-11-10 10:00 UTC)\nStart: 2026-11-10 11:00 UTC", "does not fit start 2026-11-10T11:00:00+00:00"),
    ("## INC-1\nID: INC-2\nTicket: INC-3\nStart: 2026-11-10 11:00 UTC", "id, line 3: 'INC-3' is another than 'INC-2'"),
    ("## INC-1\nStart: 2026-11-10 10:00 UTC\nTenant: a\n\n## INC-1\nTenant: b", "'b' is another than 'a'"),
    ("## A\nStart: 2026-11-10 10:00 UTC\n## B\nStart: 2026-11-10 10:00 UTC", "those of line 1; give each an id"),
    ("| id | start |\n| --- | --- |\n| 1 | 2026-11-10 10:00 UTC | x |", "more cells than its header"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_is_not_sound_is_refused(text: str, why: str) -> None:
    assert [why in one.why for one in read(text).refused] == [True]


@pytest.mark.parametrize("content", [b"", b"# Log\n\nnothing\n", b"\xff", b"a" * (LARGEST_BYTES + 1)])
def test_a_file_without_an_incident_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"holds no incident|no UTF-8|larger than"):
        read_log(content, "log.md")


MARKS = st.sampled_from(
    [*"#*-|:`[]()<>!&\\ \n\r\t", "\n## ", "\n- ", "Start: ", "2026-11-10 10:00 UTC", "INC-1", "| a |\n|---|"]
)


@given(st.lists(MARKS | st.text(max_size=5), max_size=60).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        log = read(text)
    except UsageError:
        return
    assert all(re.fullmatch(r"line \d+", place) and row["id"] for place, row in log.rows)


@pytest.fixture
def cloudxai(outputs: Path, command: Callable[..., Done]) -> Callable[..., Done]:
    return partial(command, "ledger", "import", "--by", "ada")


def test_a_dry_run_names_each_line_and_nothing_is_written_unless_all_is_sound(
    outputs: Path, tmp_path: Path, cloudxai: Callable[..., Done]
) -> None:
    ledger, file = Ledger(outputs / "ledger" / "incidents.jsonl"), tmp_path / "log.md"
    file.write_text(SECTION + "\n## INC-13\nStart: soon\n", encoding="utf-8")
    done = cloudxai(str(file))
    assert (done.code, done.line) == (
        2,
        f"cloudxai: {file}: 1 of 2 rows refused; nothing was written. Mend them, or leave them out.",
    )
    assert f"{file}, line 39: refused: start, line 40: 'soon' is no time; give it like 2026-11-12 14:03 UTC" in done.out
    assert not ledger.path.exists()
    file.write_text(SECTION, encoding="utf-8")
    unread = [f"{file}, line {line}: not read: {text}" for line, text in LOGS["sections"][2]]
    dry = cloudxai(str(file), "--dry-run")
    assert (dry.code, dry.out[:4]) == (0, [*unread, f"{file}, line 5: incident INC-12: would be added"])
    assert not ledger.path.exists()
    assert cloudxai(str(file)).out[-1] == f"{file}: 1 added, 0 corrected, 0 skipped, 0 refused, in {ledger.path}."
    kept = ledger.path.read_bytes()
    assert cloudxai(str(file)).out[-1] == f"{file}: 0 added, 0 corrected, 1 skipped, 0 refused, in {ledger.path}."
    assert ledger.path.read_bytes() == kept
    frame = ledger.incidents()
    assert frame["root_cause"].tolist() == ["The pool was never closed: <script>alert(1)</script>"]
    assert frame["follow_ups"].tolist() == [("[ ] close the pool", "alert on pool size, by Bob")]
