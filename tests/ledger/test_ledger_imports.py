"""Files of others and of our own: what would be added, corrected, skipped, refused; and back by an export."""

import csv
import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import EVERY_KIND, NOISE, OUTAGE, WITHDRAWAL

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import KINDS, checked
from cloudxai_analysis.ledger.exchange import exported, planned, rows_of
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.words.csv_cells import neutral, restored

COLUMNS = "id,start,end,tenant,alerts,severity,summary\n"
TWO = "ServiceNotReady; ReadinessLatencyHigh"
ONE = f"INC-1,2026-11-10T10:00Z,2026-11-10T10:20Z,,{TWO},major,Fail-over\n"


def plan(content, *, standing=None, by="ada", zone=None):
    content = content if isinstance(content, bytes) else content.encode()
    return planned(rows_of(content, "file"), standing or Standing(), by=by, zone=ZoneInfo(zone) if zone else None)


def actions(found):
    return [(one.place, one.action) for one in found]


def the_incident(found):
    (one,) = found
    assert one.action == "add", one.why
    return one.entry.model_dump(mode="json", exclude={"written_at", "kind"}, exclude_defaults=True)


OURS = {
    "id": "INC-1",
    "by": "ada",
    "start": "2026-11-10T10:00:00Z",
    "end": "2026-11-10T10:20:00Z",
    "alerts": ["ServiceNotReady", "ReadinessLatencyHigh"],
    "severity": "major",
    "summary": "Fail-over",
}
AS_JSON = json.dumps(OURS)


@pytest.mark.parametrize(
    "content",
    [
        COLUMNS + ONE,
        "\ufeff" + COLUMNS + ONE,
        (COLUMNS + ONE).replace("\n", "\r\n"),
        (COLUMNS + ONE).replace(";", "|").replace(",", ";").replace("|", ";").replace(TWO, f'"{TWO}"'),
        (COLUMNS + ONE).replace(",", "\t"),
        (COLUMNS + ONE).replace(
            "ServiceNotReady; ReadinessLatencyHigh", '"[""ServiceNotReady"", ""ReadinessLatencyHigh""]"'
        ),
        COLUMNS + "\n" + ONE + ",,,,,,\n",
        AS_JSON,
        "\ufeff" + AS_JSON,
        f"[{AS_JSON}]",
        AS_JSON + "\n",
        json.dumps({**OURS, "kind": "incident", "end": "2026-11-10T11:20:00+01:00"}),
    ],
)
def test_incidents_with_our_field_names(content):
    assert the_incident(plan(content)) == OURS


def test_json_lines_and_every_kind():
    lines = "".join(json.dumps(entry) + "\n\n" for entry in EVERY_KIND)
    found = plan(lines)
    assert [one.action for one in found] == ["add"] * len(KINDS)
    assert [one.entry for one in found] == [checked(entry) for entry in EVERY_KIND]
    assert found[1].place == "line 3"


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_comes_back_as_it_was(tmp_path, form):
    hostile = '=cmd|"/c calc"!A1;\r\n\u2028 ’'
    entries = [
        *EVERY_KIND,
        {**OUTAGE, "summary": hostile, "alerts": ["a;b", " c", "[d", "=e"], "tenant": "'=x", "scope": None},
        {**NOISE, "tenant": "\tacme", "summary": "''tis"},
    ]
    ledger = Ledger(tmp_path / "one.jsonl")
    ledger.append_all(entries)
    text = exported(ledger.entries(), form)
    other = Ledger(tmp_path / "two.jsonl")
    other.append_all(one.entry for one in plan(text, by="nobody"))
    assert other.entries() == ledger.entries()
    assert {one.action for one in plan(text, standing=other.standing())} == {"skip"}


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet():
    texts = ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\uff1dx", "x", "", "'=1"]
    ours = [checked({**NOISE, "alertname": f"a{n}", "summary": text}) for n, text in enumerate(texts)]
    cells = [cell for row in csv.reader(io.StringIO(exported(ours, "csv"), newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d"))]


@given(text=st.text(st.sampled_from("'=+-@\t\r\nab\uff1d"), max_size=6))
def test_a_cell_comes_back_as_it_was_and_is_neutral(text):
    assert restored(neutral(text)) == text
    assert not neutral(text).startswith(tuple("=+-@\t\r\n\uff1d"))


def test_importing_again_adds_nothing_and_a_change_is_a_correction():
    standing = Standing()
    assert actions(plan(COLUMNS + ONE, standing=standing)) == [("line 2", "add")]
    (again,) = plan(COLUMNS + ONE, standing=standing, by="bob")
    assert (again.action, again.why) == ("skip", "as in line 1")
    (changed,) = plan(COLUMNS + ONE.replace("major", "minor"), standing=standing)
    assert (changed.action, changed.why) == ("correct", 'severity: "major" → "minor"')
    # An old export does not undo what was corrected or withdrawn by hand.
    (old,) = plan(COLUMNS + ONE, standing=standing)
    assert (old.action, old.why) == ("skip", "as in line 1")
    standing.admit(checked(WITHDRAWAL))
    (gone,) = plan(COLUMNS + ONE, standing=standing)
    assert (gone.action, gone.why) == ("skip", "as in line 1")
    assert len(standing.entries) == 3


def test_times_without_a_zone_are_refused_unless_it_is_given():
    row = COLUMNS + "INC-1,2026-07-10 10:00,,,,,\n"
    (one,) = plan(row)
    assert (one.action, one.why) == (
        "refuse",
        "2026-07-10 10:00 is in no time zone; give --zone, such as Europe/Berlin or UTC",
    )
    (one,) = plan(row, zone="Europe/Berlin")
    assert one.entry.start == datetime(2026, 7, 10, 8, tzinfo=UTC)
    for shown in ("2026-10-25 02:30", "2026-03-29T02:30:00"):
        (one,) = plan(row.replace("2026-07-10 10:00", shown), zone="Europe/Berlin")
        assert one.action == "refuse"
        assert "is no one moment in Europe/Berlin" in one.why
    (one,) = plan(row.replace("2026-07-10 10:00", "2026-10-25 02:30:00+02:00"), zone="Europe/Berlin")
    assert one.entry.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (",2026-11-10T10:00Z,,,,,", "incident.id"),
        ("INC-1,,,,,,", "incident.start"),
        ("INC-1,11/10/2026,,,,,", "incident.start"),
        ("INC-1,1794304800,,,,,", "a number is no time"),
        ("INC-1,2026-11-10T10:00Z,2026-11-10T09:00Z,,,,", "is not after start"),
        ("INC-1,2026-11-10T10:00Z,,,[1,,", "a list is no JSON"),
        ("INC-1,2026-11-10T10:00Z,,,,,,,more", "incident.column 9: Extra inputs"),
        (f"INC-1,2026-11-10T10:00Z,,,,,{'x' * 20_000}", "incident.summary: String should have at most 10000"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(row, why):
    bad, good = plan(f"{COLUMNS}{row}\nINC-2,2026-11-10T10:00Z,,,,,\n")
    assert (bad.place, bad.action, good.action) == ("line 2", "refuse", "add")
    assert why in bad.why


def test_nobody_is_named():
    (one,) = plan(COLUMNS + ONE, by="")
    assert (one.action, one.why) == ("refuse", "by: nobody is named; give --by NAME")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: it must name each column once"),
        ("id,id\nx,y\n", "line 1: it must name each column once"),
        ('id,start\nINC-1,"2026\nINC-2,x\n', r"line 3: no CSV"),
        (b"id,start\nINC-\xff,x\n", "is no UTF-8"),
        ("\ufeff[{]", "line 1: no JSON"),
        ("[\n{},\n]", "line 3: no JSON"),
        ('{"id": 1}\n{"id":\n', "line 2: no JSON"),
        ('{"id": "a", "id": "b"}', "the key 'id' is there twice"),
        ('{"id": NaN}', "NaN is no JSON value"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "item 1: no object"),
        (f'[{{"id": {"9" * 5000}}}]', "Exceeds the limit"),
        ("id,start\n" + "x" * 200_000, "line 2: no CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(content, message):
    with pytest.raises(UsageError, match=message) as caught:
        plan(content)
    assert "\n" not in str(caught.value)


def test_lines_in_quotes_are_counted_as_an_editor_does():
    text = COLUMNS + 'INC-1,2026-11-10T10:00Z,,,,,"one\ntwo"\nINC-2,x,,,,,\n'
    assert actions(plan(text)) == [("line 2", "add"), ("line 4", "refuse")]
