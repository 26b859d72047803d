"""`cloudxai ledger`: what it says, and how it exits; files of others and of our own, in and out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from clean_command import Done
from hypothesis import given
from hypothesis import strategies as st
from written import COMPLETE, CONFIRMATION, DEPLOY, EVERY_KIND, NOISE, OUTAGE, PROPOSAL, WITHDRAWAL

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import KINDS, checked
from cloudxai_analysis.ledger.exchange import Imported, exported, planned, rows_of
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.words.csv_cells import neutral, restored


@pytest.fixture
def ledger(outputs: Path) -> Ledger:
    return Ledger(outputs / "ledger" / "incidents.jsonl")


@pytest.fixture
def cloudxai(outputs: Path, command: Callable[..., Done]) -> Callable[..., Done]:
    return partial(command, "ledger")


def test_add_one_entry_and_several(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    done = cloudxai("add", json.dumps(OUTAGE))
    assert (done.code, done.out, done.err) == (0, ["incident INC-1", f"Appended to {ledger.path}"], [])
    assert cloudxai("add", json.dumps([NOISE, {**COMPLETE, "id": "week 46"}])).out[1] == "complete week 46"
    assert len(ledger.entries()) == 3


ROWS = (
    "id,start,end,alerts,severity\nINC-1,2026-11-10T10:00Z,2026-11-10T10:20Z,A,major\nINC-2,2026-11-10 11:00,,,minor\n"
)
MISTAKES = [
    (["add", "{"], "Entry is no JSON"),
    (["add", "[" * 100_000], "Entry is no JSON"),
    (["add", "7"], "neither a JSON object nor a list of them"),
    (["add", "[]"], "neither a JSON object nor a list of them"),
    (["add", '[{"kind": "label"}, 7]'], "neither a JSON object nor a list of them"),
    (["add", '{"kind": "accident", "by": "ada"}'], "Ledger entry refused"),
    (["add", json.dumps(CONFIRMATION)], "there is no proposal 'dip-1'"),
    (["list", "--kind", "incidents"], "Unknown kind 'incidents'"),
    (["list", "--since", "soon"], "Invalid time 'soon'. Give it like 2026-11-12 or 2026-11-12T14:03Z."),
    (["import", "none.csv"], "none.csv cannot be read: No such file"),
    (["import", "."], "cannot be read: Is a directory"),
    (["import", "FILE", "--zone", "Europe/Berlim"], "'Europe/Berlim' is no time zone"),
    (["export", "--output", "none/ledger.csv"], "cannot be written: No such file"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words)[:40] for words, _ in MISTAKES])
def test_mistakes_are_one_line(
    ledger: Ledger, tmp_path: Path, cloudxai: Callable[..., Done], words: list[str], message: str
) -> None:
    (tmp_path / "incidents.csv").write_text(ROWS)
    done = cloudxai(*(str(tmp_path / "incidents.csv") if word == "FILE" else word for word in words))
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert message in done.err[0]
    assert not ledger.path.exists()


def test_list_tells_entries_of_every_kind(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    ledger.append_all(EVERY_KIND)
    told = cloudxai("list")
    assert (told.code, told.err, len(told.out)) == (0, [], 1 + len(EVERY_KIND))
    assert [line for line in told.out if "reason: 3 of 7 days are seen" in line and "signals: 1" in line]


def test_list_marks_what_no_longer_counts(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    assert cloudxai("list").out == []
    ledger.append_all(
        [OUTAGE, {**OUTAGE, "severity": "minor"}, PROPOSAL, NOISE, {**NOISE, "judgement": "unknown"}, WITHDRAWAL]
    )
    done = cloudxai("list")
    label, withdrawal = (str(entry.id) for entry in ledger.entries()[4:])
    outage = "end: 2026-11-10T10:20:00Z; alerts: ServiceNotReady; severity: {}; summary: Database fail-over; "
    outage += "source: pager; scope: global"
    dip = "end: 2026-11-11T08:09:00Z; alerts: TenantReadinessBreach; source: readiness dips; evidence: ready 0.2 of 1 "
    dip += "for 9 min"
    gone, rule = ["-", "ada", "withdrawn by line 6"], "alertname: ReadinessLatencyHigh"
    assert [re.split(" {2,}", line) for line in done.out] == [
        ["line", "time (UTC)", "kind", "id", "tenant", "by", "mark", "what"],
        ["1", "2026-11-10 10:00", "incident", "INC-1", *gone, outage.format("major")],
        ["2", "2026-11-10 10:00", "incident", "INC-1", *gone, outage.format("minor")],
        ["3", "2026-11-11 08:00", "proposal", "dip-1", "acme", "job", "proposed, open", dip],
        ["4", "2026-11-10 02:00", "label", label, "-", "ada", "superseded by line 5", f"{rule}; judgement: noise"],
        ["5", "2026-11-10 02:00", "label", label, "-", "ada", "-", f"{rule}; judgement: unknown"],
        ["6", "2026-11-10 12:00", "withdrawal", withdrawal, "-", "ada", "-", "entry: INC-1"],
    ]
    assert len({line.index(" - " if "dip-1" not in line else " acme ") for line in done.out[1:]}) == 1
    ledger.append(CONFIRMATION)
    assert "proposed, confirmed" in cloudxai("list", "--kind", "proposal").out[1]


def test_list_by_kind_time_and_tenant_as_json(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    ledger.append_all([OUTAGE, PROPOSAL, {**OUTAGE, "severity": "minor"}, {**NOISE, "tenant": "acme"}])
    for words, lines in (
        ("", [1, 2, 3, 4]),
        ("--kind incident", [1, 3]),
        ("--kind incident --kind label", [1, 3, 4]),
        ("--since 2026-11-10T10:00:01Z", [2]),
        ("--since 2026-11-10T10:00Z", [1, 2, 3]),
        ("--since 2026-11-11", [2]),
        ("--tenant acme", [2, 4]),
        ("--tenant=", [1, 3]),
    ):
        found = [json.loads(line) for line in cloudxai("list", "--json", *words.split()).out]
        assert [one["line"] for one in found] == lines
    first = json.loads(cloudxai("list", "--json").out[0])
    assert (first["superseded_by"], first["summary"], first["end"]) == (3, "Database fail-over", "2026-11-10T10:20:00Z")


def test_hostile_text_does_not_steer_the_terminal(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    ledger.append({**OUTAGE, "summary": "a\x1b[31m\nINC-9 \u202eb", "id": "INC\r1"})
    shown = "\n".join(cloudxai("list").out)
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert len(cloudxai("list").out) == 2
    assert json.loads(cloudxai("list", "--json").out[0])["summary"] == "a\x1b[31m\nINC-9 \u202eb"


def test_verify(outputs: Path, ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    assert cloudxai("verify").out[0] == "demo: 0 entries, each as it was written."
    ledger.append_all([OUTAGE, NOISE, COMPLETE])
    report, broken = (outputs / "reports" / week / "summary.json" for week in ("2026-W46", "2026-W47"))
    for file, text in ((report, json.dumps({"ledger": ledger.provenance()})), (broken, "{")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    done = cloudxai("verify")
    assert (done.code, done.out) == (
        0,
        [
            f"demo: 3 entries, each as it was written; the last line's SHA-256 is {ledger.head().head}.",
            "Held against what 1 published report knew of it.",
        ],
    )
    assert done.err == [f"warning: {broken} cannot be read; what it knew of the ledger is not known."]
    text = ledger.path.read_bytes()
    for damaged, said in (
        (text.replace(b"noise", b"noisy"), f"{ledger.path}, line 2: changed after it was written"),
        (text[:-9], f"{ledger.path}, line 3: cut off before its end"),
        (b"".join(text.splitlines(keepends=True)[:2]), "report 2026-W46 was made from 3 entries, of which 2 are left"),
    ):
        ledger.path.write_bytes(damaged)
        done = cloudxai("verify")
        assert (done.code, len(done.err)) == (5, 1)
        assert said in done.err[0]
        if "line" in said:
            assert cloudxai("list").code == cloudxai("add", json.dumps(DEPLOY)).code == 5


def test_import_writes_nothing_unless_every_row_is_good(
    ledger: Ledger, tmp_path: Path, cloudxai: Callable[..., Done]
) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text(ROWS)
    done = cloudxai("import", str(file), "--by", "ada")
    assert done.code == 2
    assert done.out == [
        f"{file}, line 2: incident INC-1: would be added",
        f"{file}, line 3: refused: 2026-11-10 11:00 is in no time zone; give --zone, such as Europe/Berlin or UTC",
    ]
    assert done.err == [f"cloudxai: {file}: 1 of 2 rows refused; nothing was written. Mend them, or leave them out."]
    words = ["import", str(file), "--by", "ada", "--zone", "Europe/Berlin"]
    done = cloudxai(*words, "--dry-run")
    tally = f"{file}: {{}} added, {{}} corrected, {{}} skipped, 0 refused"
    assert (done.code, done.out[2]) == (0, f"{tally.format('2 would be', '0 would be', 0)}; nothing was written.")
    assert not ledger.path.exists()

    assert cloudxai(*words).out[2] == f"{tally.format(2, 0, 0)}, in {ledger.path}."
    before = ledger.path.read_bytes()
    assert cloudxai(*words).out == [
        f"{file}, line 2: incident INC-1: skipped (as in line 1)",
        f"{file}, line 3: incident INC-2: skipped (as in line 2)",
        f"{tally.format(0, 0, 2)}, in {ledger.path}.",
    ]
    assert ledger.path.read_bytes() == before
    file.write_text(ROWS.replace("minor", "major"))
    assert cloudxai(*words).out[1] == f'{file}, line 3: incident INC-2: corrected (severity: "minor" → "major")'
    assert ledger.incidents()["severity"].tolist() == ["major", "major"]


def test_export(ledger: Ledger, tmp_path: Path, cloudxai: Callable[..., Done]) -> None:
    ledger.append_all([OUTAGE, {**NOISE, "summary": "=1"}])
    assert [json.loads(line)["kind"] for line in cloudxai("export").out] == ["incident", "label"]
    file = tmp_path / "ledger.csv"
    done = cloudxai("export", "--format", "csv", "--output", str(file))
    assert (done.code, done.out, done.err) == (0, [], [f"Export: {file}, 2 entries"])
    assert '"\'=1"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_entries_in_the_docs_are_accepted(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "add-an-incident-to-the-ledger.md"
    ledger.append_all([{**PROPOSAL, "id": f"proposal-{name}"} for name in ("4be1c5d0a9f27e36", "a0cbc63baae08fc6")])
    for text in re.findall(r"'([\[{].*?[\]}])'", page.read_text(encoding="utf-8"), re.DOTALL):
        assert cloudxai("add", text).code == 0, text
    told = "incident label label label complete confirmation rejection observation decision attestation withdrawal"
    assert [entry.kind for entry in ledger.entries()[2:]] == told.split()


COLUMNS = "id,start,end,tenant,alerts,severity,summary\n"
TWO = "ServiceNotReady; ReadinessLatencyHigh"
ONE = f"INC-1,2026-11-10T10:00Z,2026-11-10T10:20Z,,{TWO},major,Fail-over\n"
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


def plan(
    content: str | bytes, *, standing: Standing | None = None, by: str = "ada", zone: str | None = None
) -> list[Imported]:
    content = content if isinstance(content, bytes) else content.encode()
    return planned(rows_of(content, "file"), standing or Standing(), by=by, zone=ZoneInfo(zone) if zone else None)


def test_incidents_in_any_form_of_file() -> None:
    in_brackets = '"[""ServiceNotReady"", ""ReadinessLatencyHigh""]"'
    for content in [
        COLUMNS + ONE,
        "\ufeff" + COLUMNS + ONE,
        (COLUMNS + ONE).replace("\n", "\r\n"),
        (COLUMNS + ONE).replace(";", "|").replace(",", ";").replace("|", ";").replace(TWO, f'"{TWO}"'),
        (COLUMNS + ONE).replace(",", "\t"),
        (COLUMNS + ONE).replace(TWO, in_brackets),
        COLUMNS + "\n" + ONE + ",,,,,,\n",
        AS_JSON,
        "\ufeff" + AS_JSON,
        f"[{AS_JSON}]",
        AS_JSON + "\n",
        json.dumps({**OURS, "kind": "incident", "end": "2026-11-10T11:20:00+01:00"}),
    ]:
        (one,) = plan(content)
        assert one.action == "add", one.why
        assert one.entry.model_dump(mode="json", exclude={"written_at", "kind"}, exclude_defaults=True) == OURS
    found = plan("".join(json.dumps(entry) + "\n\n" for entry in EVERY_KIND))
    assert [one.entry for one in found] == [checked(entry) for entry in EVERY_KIND]
    assert found[1].place == "line 3"
    text = COLUMNS + 'INC-1,2026-11-10T10:00Z,,,,,"one\ntwo"\nINC-2,x,,,,,\n'
    assert [(one.place, one.action) for one in plan(text)] == [("line 2", "add"), ("line 4", "refuse")]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_comes_back_as_it_was_and_no_spreadsheet_runs_it(tmp_path: Path, form: str) -> None:
    hostile = '=cmd|"/c calc"!A1;\r\n\u2028 ’'
    texts = ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\uff1dx", "x", "", "'=1", "''tis"]
    entries = [
        *EVERY_KIND,
        {**OUTAGE, "summary": hostile, "alerts": ["a;b", " c", "[d", "=e"], "tenant": "'=x", "scope": None},
        *({**NOISE, "alertname": f"a{n}", "summary": text} for n, text in enumerate(texts)),
    ]
    ledger, other = Ledger(tmp_path / "one.jsonl"), Ledger(tmp_path / "two.jsonl")
    ledger.append_all(entries)
    text = exported(ledger.entries(), form)
    other.append_all(one.entry for one in plan(text, by="nobody") if one.entry)
    assert other.entries() == ledger.entries() == [checked(entry) for entry in entries]
    assert {entry["kind"] for entry in entries} == set(KINDS)
    assert {one.action for one in plan(text, standing=other.standing())} == {"skip"}
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d"))]


@given(text=st.text(st.sampled_from("'=+-@\t\r\nab\uff1d\x00\ufeff"), max_size=6))
def test_a_cell_comes_back_as_it_was_and_is_neutral(text: str) -> None:
    assert restored(neutral(text)) == text
    assert not neutral(text).startswith(tuple("=+-@\t\r\n\uff1d"))


def test_importing_again_adds_nothing_and_a_change_is_a_correction() -> None:
    standing = Standing()
    steps = [
        (ONE, "ada", "add", ""),
        (ONE, "bob", "skip", "as in line 1"),
        (ONE.replace("major", "minor"), "ada", "correct", 'severity: "major" → "minor"'),
        # An old export does not undo what was corrected or withdrawn by hand.
        (ONE, "ada", "skip", "as in line 1"),
        (None, "ada", "", ""),
        (ONE, "ada", "skip", "as in line 1"),
    ]
    for row, by, action, why in steps:
        if row is None:
            standing.admit(checked(WITHDRAWAL))
            continue
        (one,) = plan(COLUMNS + row, standing=standing, by=by)
        assert (one.action, one.why) == (action, why)
    assert len(standing.entries) == 3


def test_times_without_a_zone_are_refused_unless_it_is_given() -> None:
    def start(shown: str, zone: str | None = "Europe/Berlin") -> Imported:
        return plan(f"{COLUMNS}INC-1,{shown},,,,,\n", zone=zone)[0]

    assert start("2026-07-10 10:00", None).why == (
        "2026-07-10 10:00 is in no time zone; give --zone, such as Europe/Berlin or UTC"
    )
    assert start("2026-07-10 10:00").entry.time == datetime(2026, 7, 10, 8, tzinfo=UTC)
    for shown in ("2026-10-25 02:30", "2026-03-29T02:30:00"):
        assert "is no one moment in Europe/Berlin" in start(shown).why
    assert start("2026-10-25 02:30:00+02:00").entry.time == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


BAD_ROWS = [
    (",2026-11-10T10:00Z,,,,,", "incident.id"),
    ("INC-1,,,,,,", "incident.start"),
    ("INC-1,11/10/2026,,,,,", "incident.start"),
    ("INC-1,1794304800,,,,,", "a number is no time"),
    ("INC-1,2026-11-10T10:00Z,2026-11-10T09:00Z,,,,", "is not after start"),
    ("INC-1,2026-11-10T10:00Z,,,[1,,", "a list is no JSON"),
    ("INC-1,2026-11-10T10:00Z,,,,,,,more", "incident.column 9: Extra inputs"),
    (f"INC-1,2026-11-10T10:00Z,,,,,{'x' * 20_000}", "incident.summary: String should have at most 10000"),
]


def test_a_bad_row_is_named_and_the_others_are_read() -> None:
    for row, why in BAD_ROWS:
        bad, good = plan(f"{COLUMNS}{row}\nINC-2,2026-11-10T10:00Z,,,,,\n")
        assert (bad.place, bad.action, good.action) == ("line 2", "refuse", "add")
        assert why in bad.why
    assert plan(COLUMNS + ONE, by="")[0].why == "by: nobody is named; give --by NAME"


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
def test_a_file_that_cannot_be_read_is_one_line(content: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        plan(content)
    assert "\n" not in str(caught.value)
