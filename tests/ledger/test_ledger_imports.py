"""Files of others and of our own: what would be added, corrected, skipped, refused; and back by an export."""

import csv
import io
import json
import time
import urllib.request
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import alertmanager
from written import EVERY_KIND, NOISE, OUTAGE, PROPOSAL, WITHDRAWAL

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.cells import with_apostrophe, without_apostrophe
from cloudxai_analysis.ledger.entries import KINDS, checked
from cloudxai_analysis.ledger.exports import exported
from cloudxai_analysis.ledger.imports import planned, rows_of, rows_of_values
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.sources.strict_yaml import read_yaml
from cloudxai_analysis.words.csv_cells import neutral

COLUMNS = "id,start,end,tenant,alerts,severity,summary\n"
TWO = "ServiceNotReady; ReadinessLatencyHigh"
ONE = f"INC-1,2026-11-10T10:00Z,2026-11-10T10:20Z,,{TWO},major,Fail-over\n"


def plan(content, *, form="auto", standing=None, by="ada", zone=None, proposed=False):
    content = content if isinstance(content, bytes) else content.encode()
    rows, words = rows_of(content, "file", form=form)
    zone = ZoneInfo(zone) if zone else None
    return planned(rows, words, standing or Standing(), by=by, zone=zone, proposed=proposed)


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


def test_yaml_with_our_field_names(tmp_path):
    file = tmp_path / "incidents.yaml"
    file.write_text(
        "- id: INC-1\n  start: 2026-11-10T10:00:00Z\n  end: 2026-11-10 11:20\n  summary: Fail-over\n  severity: major\n"
        "  alerts: [ServiceNotReady, ReadinessLatencyHigh]\n- {id: 007, start: soon}\n"
    )
    rows, words = rows_of_values([("", read_yaml(file))], "file", form="auto")
    good, bad = planned(rows, words, Standing(), by="ada", zone=ZoneInfo("Europe/Berlin"))
    assert the_incident([good]) == OURS
    assert (bad.place, bad.action) == ("item 2", "refuse")
    assert bad.why.startswith("incident.start: ")


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
    assert not [cell for cell in cells if neutral(cell) != cell]


@given(text=st.text(st.sampled_from("'=+-@\t\r\nab\uff1d"), max_size=6))
def test_a_cell_comes_back_as_it_was_and_is_neutral(text):
    assert without_apostrophe(with_apostrophe(text)) == text
    assert neutral(with_apostrophe(text)) == with_apostrophe(text)


def test_importing_again_adds_nothing_and_a_change_is_a_correction():
    standing = Standing()
    assert actions(plan(COLUMNS + ONE, standing=standing)) == [("line 2", "add")]
    (again,) = plan(COLUMNS + ONE, standing=standing, by="bob")
    assert (again.action, again.why) == ("skip", "as in line 1")
    (changed,) = plan(COLUMNS + ONE.replace("major", "minor"), standing=standing)
    assert (changed.action, changed.why) == ("correct", 'severity: "major" → "minor"')
    # An old export does not undo what was corrected or withdrawn by hand.
    (old,) = plan(COLUMNS + ONE, standing=standing)
    assert (old.action, old.why) == ("skip", "as in line 1, corrected since in line 2")
    standing.admit(checked(WITHDRAWAL))
    (gone,) = plan(COLUMNS + ONE, standing=standing)
    assert (gone.action, gone.why) == ("skip", "withdrawn since, in line 3")
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
        ("INC-1,2026-11-10T10:00Z,,,,,,,more", "incident.column 8: Extra inputs"),
        (f"INC-1,2026-11-10T10:00Z,,,,,{'x' * 200_000}", "incident.summary: String should have at most 10000"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(row, why):
    bad, good = plan(f"{COLUMNS}{row}\nINC-2,2026-11-10T10:00Z,,,,,\n")
    assert (bad.place, bad.action, good.action) == ("line 2", "refuse", "add")
    assert why in bad.why
    assert csv.field_size_limit() == 131_072


def test_nobody_is_named():
    (one,) = plan(COLUMNS + ONE, by="")
    assert (one.action, one.why) == ("refuse", "by: nobody is named; give --by NAME")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "its first line must name each column once"),
        ("id,id\nx,y\n", "its first line must name each column once"),
        ('id,start\nINC-1,"2026\nINC-2,x\n', r"line 3: no CSV"),
        (b"id,start\nINC-\xff,x\n", "is no UTF-8"),
        ("\ufeff[{]", "line 1: no JSON"),
        ("[\n{},\n]", "line 3: no JSON"),
        ('{"id": 1}\n{"id":\n', "line 2: no JSON"),
        ('{"id": "a", "id": "b"}', "the key 'id' is there twice"),
        ('{"id": NaN}', "NaN is no JSON value"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "item 1: no object"),
        (f'[{{"id": {"9" * 5000}}}]', "no JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(content, message):
    with pytest.raises(UsageError, match=message) as caught:
        plan(content)
    assert "\n" not in str(caught.value)


def test_lines_in_quotes_are_counted_as_an_editor_does():
    text = COLUMNS + 'INC-1,2026-11-10T10:00Z,,,,,"one\ntwo"\nINC-2,x,,,,,\n'
    assert actions(plan(text)) == [("line 2", "add"), ("line 4", "refuse")]


WEBHOOK = {
    "version": "4",
    "status": "firing",
    "receiver": "page",
    "groupLabels": {"alertname": "TenantReadinessBreach"},
    "alerts": [
        {
            "status": "resolved",
            "labels": {"alertname": "TenantReadinessBreach", "tenant": "acme", "severity": "page"},
            "annotations": {"summary": "acme is not ready", "description": "longer"},
            "startsAt": "2026-11-12T15:03:00.739266876+01:00",
            "endsAt": "2026-11-12T14:22:00Z",
            "fingerprint": "0011223344556677",
        },
        {
            "status": "firing",
            "labels": {"alertname": "ServiceNotReady"},
            "annotations": {"description": "nobody is served"},
            "startsAt": "2026-11-12T14:10:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "8899aabbccddeeff",
        },
    ],
}


def test_a_webhooks_alerts():
    first, second = plan(json.dumps(WEBHOOK))
    assert (first.place, second.place) == ("alert 1", "alert 2")
    assert the_incident([first]) == {
        "id": "alertmanager-0011223344556677-20261112T140300Z",
        "by": "ada",
        "start": "2026-11-12T14:03:00.739000Z",
        "end": "2026-11-12T14:22:00Z",
        "tenant": "acme",
        "alerts": ["TenantReadinessBreach"],
        "severity": "page",
        "summary": "acme is not ready",
        "source": "Alertmanager",
    }
    assert (second.entry.end, second.entry.summary) == (None, "nobody is served")


def test_a_log_of_notifications_closes_what_it_opened():
    firing = json.loads(json.dumps(WEBHOOK))
    firing["alerts"][0]["status"] = "firing"
    log = "\n".join(json.dumps(one) for one in (firing, WEBHOOK, WEBHOOK))
    found = plan(log)
    assert [one.action for one in found] == ["add", "add", "correct", "skip", "skip", "skip"]
    assert found[2].place == "line 2, alert 1"
    assert found[2].why == 'end: null → "2026-11-12T14:22:00Z"'


def test_alerts_as_proposals_are_no_truth_and_may_be_confirmed_by_who_imported_them():
    standing = Standing()
    found = plan(json.dumps(WEBHOOK), standing=standing, proposed=True)
    assert [one.entry.kind for one in found] == ["proposal", "proposal"]
    assert standing.incidents() == []
    name = found[0].entry.id
    standing.admit(checked({"kind": "confirmation", "proposals": [name], "by": "ada"}))
    assert [entry.id for entry in standing.incidents()] == [name]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": {}}, "an alert has labels, with an alertname"),
        ({"startsAt": "0001-01-01T00:00:00Z"}, "startsAt: no time"),
        ({"startsAt": "2026-11-12T15:03:00"}, "startsAt: no time with its zone"),
        ({"endsAt": "x"}, "endsAt: no time"),
        ({"labels": {"alertname": ["x"]}}, "incident.alerts"),
    ],
)
def test_an_alert_that_is_none_is_refused(change, why):
    (one,) = plan(json.dumps([{**WEBHOOK["alerts"][0], **change}]), form="alertmanager")
    assert one.action == "refuse"
    assert why in one.why


@pytest.mark.needs("prometheus-alertmanager")
def test_what_a_real_alertmanager_lists(tmp_path):
    alert = {"labels": {"alertname": "X", "tenant": "acme"}, "startsAt": "2026-11-12T14:03:00Z"}
    with alertmanager(tmp_path) as server:
        request = urllib.request.Request(
            f"{server.url}/api/v2/alerts",
            data=json.dumps([alert]).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()
        until = time.monotonic() + 20
        listed = b"[]"
        while json.loads(listed) == [] and time.monotonic() < until:
            with urllib.request.urlopen(f"{server.url}/api/v2/alerts") as answer:
                listed = answer.read()
    incident = the_incident(plan(listed))
    assert incident.pop("id").endswith("-20261112T140300Z")
    assert incident == {
        "by": "ada",
        "start": "2026-11-12T14:03:00Z",
        "tenant": "acme",
        "alerts": ["X"],
        "source": "Alertmanager",
    }


def test_a_proposal_may_be_imported_as_it_is():
    (one,) = plan(json.dumps(PROPOSAL))
    assert one.entry == checked(PROPOSAL)
