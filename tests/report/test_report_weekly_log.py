"""The weekly log: what the report and the ledger say, one file a week that is never written over."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from executed import check, summary
from hostile_strings import STRINGS, readable
from markdown_it import MarkdownIt

from cloudxai_analysis.cli.main import main
from cloudxai_analysis.ledger import Ledger

WEEK = "2026-W46"
BY = {"by": "on-call", "written_at": "2026-11-16T08:00:00Z"}


class Log:
    """The command, on a published report and a ledger."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        own = folder / "outputs" / "demo"
        self.report, self.files = own / "reports" / WEEK, own / "weekly-log"
        self.report.mkdir(parents=True)
        self.ledger = Ledger(own / "ledger" / "incidents.jsonl")
        (folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\n')
        self.says(summary())

    def says(self, said: dict[str, Any]) -> None:
        (self.report / "summary.json").write_text(json.dumps(said))

    def __call__(self, *given: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as code:
            main(["weekly-log", "--week", WEEK, "--environment", "demo", *given])
        return code.value.code, "".join(self.capsys.readouterr())

    def text(self, name: str = f"{WEEK}.md") -> str:
        return (self.files / name).read_text(encoding="utf-8")

    def section(self, title: str, name: str = f"{WEEK}.md") -> list[str]:
        found = re.search(rf"^## {title}\n\n(.*?)(?=^## |\Z)", self.text(name), re.MULTILINE | re.DOTALL)
        assert found, title
        return [line for line in found[1].splitlines() if line]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Log:
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    return Log(tmp_path, capsys)


def alert(name: str, tenant: str, actionable: str) -> dict[str, Any]:
    said = {"alertname": name, "tenant": tenant, "fired_at": "2026-11-11T13:32:00+00:00", "minutes": 45.0}
    return {**said, "judgement": {"yes": "true", "no": "false"}.get(actionable, "unjudged"), "actionable": actionable}


def incident(name: str, start: str, end: str | None, **more: Any) -> dict[str, Any]:
    return {"kind": "incident", "id": name, "start": start, "end": end, "summary": f"what {name} was", **more, **BY}


def test_it_holds_what_the_template_asks_for_by_rule_and_from_the_ledger(log: Log) -> None:
    said = summary()
    said["template"]["alerts"] = [
        *(
            alert("TenantReadinessBreach", tenant, how)
            for tenant, how in (("acme", "yes"), ("b", "no"), ("c", "not judged"))
        ),
        alert("TenantFlapping", "acme", "yes"),
    ]
    said["checks"] += [
        check("semantics", "cost", "warn", "The gauge fell.", title="meaning of the cost gauge"),
        check("anomalies", "cost", "pass", "No cost was sudden.", title="sudden costs"),
    ]
    log.says(said)
    week, before = "2026-11-1{}T10:00:00Z", "2026-11-0{}T10:00:00Z"
    log.ledger.append_all(
        [
            incident("INC-1", before.format(1), before.format(9).replace("10:00", "00:00")),  # ended as the week began
            incident("INC-2", before.format(7), week.format(0), tenant="acme"),
            incident("INC-3", week.format(5), None),
            incident("INC-4", week.format(6).replace("10:00", "00:00"), None),  # began as the week ended
            {"kind": "observation", "at": week.format(2), "tenant": "b", "summary": "latency doubled", **BY},
            {"kind": "observation", "at": week.format(6), "summary": "of the next week", **BY},
            *(
                {
                    **{
                        "kind": "day",
                        "date": f"2026-11-{day}",
                        "environment": "demo",
                        "status": "pass",
                        "partial": False,
                    },
                    **{"cap": 100, "ci_status": "passed", "notes": [f"note of {day}"], **BY},
                }
                for day in ("08", "09", "16")
            ),
        ]
    )
    assert log("--by", "ada")[0] == 0
    text = log.text()
    assert "- **Period:** 2026-11-09 00:00 to 2026-11-16 00:00 UTC\n" in text
    assert "- **Author:** ada\n" in text
    assert log.section("CI") == ["- 2026-11-09: passed"]
    assert log.section("Numbers")[:5] == [
        *("- **Tenants observed:** 56", "- **Rejections:** 385", "- **TenantReadinessBreach alerts:** 3"),
        *("- **TenantFlapping alerts:** 1", "- **ServiceNotReady alerts:** none seen"),
    ]
    assert log.section("Cost sanity") == [
        "- **meaning of the cost gauge** (warn): The gauge fell.",
        "- **sudden costs** (pass): No cost was sudden.",
    ]
    assert log.section("Alerts")[3:] == [
        "| TenantReadinessBreach | b | 2026-11-11 13:32 | 45 | no |",
        "| TenantReadinessBreach | c | 2026-11-11 13:32 | 45 | not judged |",
        "| TenantFlapping | acme | 2026-11-11 13:32 | 45 | yes |",
    ]
    assert [line.split(",")[0] for line in log.section("Incidents")] == ["- **INC-2**", "- **INC-3**"]
    assert "now, not over UTC, all tenants: what INC-3 was" in log.section("Incidents")[1]
    assert log.section("Notes of the operators") == [
        "- 2026-11-12 10:00 UTC, on-call, tenant b: latency doubled",
        "- 2026-11-09: note of 09",
    ]
    assert [line.rstrip() for line in log.section("Sign-off")[1:5]] == [
        *("- Name:", "- Role:", "- Date:", "- Agreed, or what is open:"),
    ]


def test_what_nobody_knows_is_never_a_zero(log: Log) -> None:
    said = summary()
    for key in ("tenants_observed", "rejections", "readiness_alerts"):
        said["template"][key] |= {"value": None, "text": "no data"}
    said["template"]["alerts"] = []
    log.says(said)
    assert log()[0] == 0
    assert log.section("Numbers")[:3] == [
        *("- **Tenants observed:** no data", "- **Rejections:** no data"),
        "- **TenantReadinessBreach alerts:** not known",
    ]
    assert log.section("Alerts") == ["None is stored; whether there were any is not known."]
    assert (log.section("CI"), log.section("Cost sanity")) == (["- not known"], ["- not known"])


def test_a_file_is_never_written_over_and_people_may_sign_in_it(log: Log) -> None:
    code, said = log()
    assert (code, said.startswith("Written: ")) == (0, True)
    signed = log.text().replace("- Name: ", "- Name: Ada")
    (log.files / f"{WEEK}.md").write_text(signed)
    assert log("--by", "somebody else")[1].startswith("There already, and it says the same: ")
    log.ledger.append({"kind": "observation", "at": "2026-11-12T10:00:00Z", "summary": "late", **BY})
    for _ in range(2):
        assert log()[0] == 0
        assert (log.text(), sorted(file.name for file in log.files.iterdir())) == (
            signed,
            [f"{WEEK}.correction-1.md", f"{WEEK}.md"],
        )
    assert f"This corrects {WEEK}.md, which stays as it is." in log.text(f"{WEEK}.correction-1.md")
    log.says(summary("globex"))
    assert log()[1].endswith(f"{WEEK}.correction-2.md\n")
    assert log.text() == signed


def test_ci_is_given_or_read_from_junit_and_what_is_none_is_one_line(log: Log, tmp_path: Path) -> None:
    good, bad = tmp_path / "junit.xml", tmp_path / "bad.xml"
    good.write_text('<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b"><failure/></testcase>'
                    '<testcase name="c"><skipped/></testcase></testsuite></testsuites>')  # fmt: skip
    assert log("--ci-file", str(good))[0] == 0
    assert log.section("CI") == ["- failed: 3 tests, 1 failed, 1 skipped"]
    assert log("--ci-status", "passed")[0] == 0
    assert log.section("CI", f"{WEEK}.correction-1.md") == ["- passed"]
    for content in (b"", b"<html/>", b"\xff\xfe", b'{"tests": 7}'):
        bad.write_bytes(content)
        code, said = log("--ci-file", str(bad))
        assert (code, said.count("\n"), "is no JUnit XML" in said) == (2, 1, True), said
    assert log("--ci-file", str(good), "--ci-status", "x")[0] == 2
    assert log("--ci-file", str(tmp_path / "none.xml"))[0] == 2


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown, self.seen = "", []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.shown += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(tag, *(name for name, _ in attrs))]


@pytest.mark.parametrize("name", STRINGS)
def test_a_hostile_name_is_its_own_text_in_every_place(log: Log, name: str) -> None:
    def entries(said: str) -> list[dict[str, Any]]:
        return [
            incident("INC-1", "2026-11-10T10:00:00Z", None, tenant=said, summary=said),
            {"kind": "observation", "at": "2026-11-12T10:00:00Z", "tenant": said, "summary": said, **BY, "by": said},
        ]

    rendered = []
    for said in ("acme", name):
        log.says(summary(said))
        log.ledger.append_all(entries(said))
        assert log("--by", said, "--ci-status", said)[0] == 0
        file = max(log.files.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        text = re.sub(r"\nThis corrects .*\n", "", file.read_text(encoding="utf-8"))
        rendered.append(Tags(MarkdownIt("commonmark", {"html": True}).enable("table").render(text)))
        if said == "acme":
            log.ledger.path.unlink()
    assert rendered[1].seen == rendered[0].seen
    shown = readable(name)
    assert rendered[1].shown.count(shown) >= 8


def test_the_configured_folder_and_a_report_that_is_not_there(log: Log) -> None:
    (log.folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\nweekly_log = "own/log"\n')
    assert log()[0] == 0
    assert (log.folder / "own" / "log" / f"{WEEK}.md").is_file()
    code, said = log("--week", "2026-W45")
    assert (code, "No report 2026-W45 of demo is published" in said) == (2, True)
    (log.folder / "own" / "log" / "2026-W46.md").unlink()
    (log.folder / "own" / "log" / "2026-W46.md").symlink_to(log.folder / "elsewhere")
    code, said = log()
    assert (code, (log.folder / "elsewhere").exists()) == (5, False), said
