"""`cloudxai ledger`: what it says, and how it exits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from written import COMPLETE, CONFIRMATION, DEPLOY, NOISE, OUTAGE, PROPOSAL, WITHDRAWAL

from cloudxai_analysis.cli import main
from cloudxai_analysis.ledger import Ledger

ROWS = (
    "id,start,end,alerts,severity\nINC-1,2026-11-10T10:00Z,2026-11-10T10:20Z,A,major\nINC-2,2026-11-10 11:00,,,minor\n"
)


@dataclass
class Done:
    """How a command ended, and what it said."""

    code: int
    out: list[str]
    err: list[str]


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cloudxai.toml").write_text("")
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("PROMETHEUS_URL", raising=False)
    return tmp_path / "outputs" / "demo"


@pytest.fixture
def ledger(outputs: Path) -> Ledger:
    return Ledger(outputs / "ledger" / "incidents.jsonl")


@pytest.fixture
def cloudxai(outputs: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*words: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["ledger", *words])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Done(int(ended.value.code or 0), said.out.split("\n")[:-1], said.err.split("\n")[:-1])

    return run


def test_add_one_entry_and_several(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    done = cloudxai("add", json.dumps(OUTAGE))
    assert (done.code, done.out, done.err) == (0, ["incident INC-1", f"Appended to {ledger.path}"], [])
    assert cloudxai("add", json.dumps([NOISE, {**COMPLETE, "id": "week 46"}])).out[1] == "complete week 46"
    assert len(ledger.entries()) == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{", "Entry is no JSON"),
        ("[" * 100_000, "Entry is no JSON"),
        ("7", "neither a JSON object nor a list of them"),
        ("[]", "neither a JSON object nor a list of them"),
        ('[{"kind": "label"}, 7]', "neither a JSON object nor a list of them"),
        ('{"kind": "accident", "by": "ada"}', "Ledger entry refused"),
        (json.dumps(CONFIRMATION), "there is no proposal 'dip-1'"),
    ],
)
def test_what_is_no_entry_is_one_line(ledger: Ledger, cloudxai: Callable[..., Done], entry: str, message: str) -> None:
    done = cloudxai("add", entry)
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert message in done.err[0]
    assert not ledger.path.exists()


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

    def lines(*words: str) -> list[int]:
        return [json.loads(line)["line"] for line in cloudxai("list", "--json", *words).out]

    assert lines() == [1, 2, 3, 4]
    assert lines("--kind", "incident") == [1, 3]
    assert lines("--kind", "incident", "--kind", "label") == [1, 3, 4]
    assert lines("--since", "2026-11-10T10:00:01Z") == [2]
    assert lines("--since", "2026-11-10T10:00Z") == [1, 2, 3]
    assert lines("--since", "2026-11-11") == [2]
    assert lines("--tenant", "acme") == [2, 4]
    assert lines("--tenant", "") == [1, 3]
    first = json.loads(cloudxai("list", "--json").out[0])
    assert (first["superseded_by"], first["summary"], first["end"]) == (3, "Database fail-over", "2026-11-10T10:20:00Z")
    assert cloudxai("list", "--kind", "incidents").code == 2
    assert cloudxai("list", "--since", "soon").err == [
        "cloudxai: Invalid time 'soon'. Give it like 2026-11-12 or 2026-11-12T14:03Z."
    ]


def test_hostile_text_does_not_steer_the_terminal(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    ledger.append({**OUTAGE, "summary": "a\x1b[31m\nINC-9 \u202eb", "id": "INC\r1"})
    shown = "\n".join(cloudxai("list").out)
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert len(cloudxai("list").out) == 2
    assert json.loads(cloudxai("list", "--json").out[0])["summary"] == "a\x1b[31m\nINC-9 \u202eb"


def test_verify_a_whole_ledger(outputs: Path, ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    assert cloudxai("verify").out[0] == "demo: 0 entries, each as it was written."
    ledger.append_all([OUTAGE, NOISE, COMPLETE])
    report = outputs / "reports" / "2026-W46" / "summary.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"ledger": ledger.provenance()}))
    broken = outputs / "reports" / "2026-W47" / "summary.json"
    broken.parent.mkdir()
    broken.write_text("{")
    done = cloudxai("verify")
    assert done.code == 0
    assert done.out == [
        f"demo: 3 entries, each as it was written; the last line's SHA-256 is {ledger.head().head}.",
        "Held against what 1 published report knew of it.",
    ]
    assert done.err == [f"warning: {broken} cannot be read; what it knew of the ledger is not known."]


def test_verify_finds_damage_and_what_a_report_knew_better(
    outputs: Path, ledger: Ledger, cloudxai: Callable[..., Done]
) -> None:
    ledger.append_all([OUTAGE, NOISE, COMPLETE])
    report = outputs / "reports" / "2026-W46" / "summary.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"ledger": ledger.provenance()}))
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.csv"], "none.csv cannot be read: No such file"),
        (["."], "cannot be read: Is a directory"),
        (["FILE", "--zone", "Europe/Berlim"], "'Europe/Berlim' is no time zone"),
        (["FILE"], "refused; nothing was written"),
    ],
)
def test_import_of_what_cannot_be_read(
    tmp_path: Path, cloudxai: Callable[..., Done], words: list[str], message: str
) -> None:
    file = tmp_path / "incidents.txt"
    file.write_text(ROWS.replace(":", ": ["))
    done = cloudxai("import", *(str(file) if word == "FILE" else word for word in words))
    assert (done.code, len(done.err)) == (2, 1)
    assert message in done.err[0]


def test_export(ledger: Ledger, tmp_path: Path, cloudxai: Callable[..., Done]) -> None:
    ledger.append_all([OUTAGE, {**NOISE, "summary": "=1"}])
    assert [json.loads(line)["kind"] for line in cloudxai("export").out] == ["incident", "label"]
    file = tmp_path / "ledger.csv"
    done = cloudxai("export", "--format", "csv", "--output", str(file))
    assert (done.code, done.out, done.err) == (0, [], [f"Export: {file}, 2 entries"])
    assert '"\'=1"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    done = cloudxai("export", "--output", str(tmp_path / "none" / "ledger.csv"))
    assert (done.code, len(done.err)) == (2, 1)
    assert "cannot be written: No such file" in done.err[0]


def test_the_lists_in_the_docs_are_accepted(ledger: Ledger, cloudxai: Callable[..., Done]) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "add-an-incident-to-the-ledger.md"
    ledger.append_all([{**PROPOSAL, "id": f"proposal-{name}"} for name in ("4be1c5d0a9f27e36", "a0cbc63baae08fc6")])
    ledger.append({**OUTAGE, "id": "INC-42"})
    listed = re.findall(r"'(\[.*?\])'", page.read_text(encoding="utf-8"), re.DOTALL)
    for text in listed:
        assert cloudxai("add", text).code == 0
    assert [entry.kind for entry in ledger.entries()[3:]] == [
        *("label", "label"),
        *("confirmation", "rejection"),
        *("observation", "decision", "attestation"),
        "withdrawal",
    ]


@pytest.mark.parametrize("words", [["add", json.dumps(OUTAGE)], ["list"], ["verify"], ["export"], ["import", "FILE"]])
def test_no_command_waits_for_what_is_heavy(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "incidents.json"
    file.write_text(json.dumps(OUTAGE))
    code = (
        "import sys\nfrom cloudxai_analysis.cli import main\n"
        "try:\n    main(['ledger', *sys.argv[1:]])\nfinally:\n"
        "    print(*(name for name in ('pandas', 'pyarrow', 'matplotlib') if name in sys.modules), file=sys.stderr)"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CLOUDXAI_", "PROMETHEUS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *(str(file) if word == "FILE" else word for word in words)],
        env={**clean, "CLOUDXAI_OUTPUTS": str(tmp_path / "outputs")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == ""
