"""`cloudxai report --from …/summary.json`: the same report again, though lake, ledger and reports have moved on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clean_command import cloudxai

from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Settings, resolve_environment
from cloudxai_analysis.report.again import read_made, standing

pytestmark = [pytest.mark.notebook]
NOTE = {
    "kind": "observation",
    "id": "note-1",
    "by": "tests",
    "at": datetime(2026, 11, 12, tzinfo=UTC),
    "summary": "seen",
}


WEEK, BEFORE = "2026-W44", "2026-W43"


def published_before(reports: Path, edition: str, status: str) -> None:
    """A report of the week before, published by its link, whose one check said so."""
    folder = reports / ".published" / f"{BEFORE}-{edition}"
    folder.mkdir(parents=True)
    said = {"window": {"name": BEFORE}, "checks": [{"key": "churn", "status": status, "definition": 1}]}
    (folder / "summary.json").write_text(json.dumps(said), encoding="utf-8")
    (reports / BEFORE).unlink(missing_ok=True)
    (reports / BEFORE).symlink_to(Path(".published") / folder.name)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's folder with a report that was compared with the week before, and what came after."""
    outputs = tmp_path_factory.mktemp("again")
    folder = outputs / "demo"
    published_before(folder / "reports", "one", "fail")
    done = cloudxai("report", "--week", WEEK, "--source", "demo://", outputs=outputs)
    assert done.returncode == 0, done.stderr
    # The lake moves on, the ledger grows, and the report before is published anew, and is another one.
    shutil.copytree(folder / "reports" / WEEK, outputs / "kept")
    done = cloudxai("pull", "--week", "2026-W46", "--source", "demo://", outputs=outputs)
    assert "the lake is at version 2" in done.stdout, done.stderr
    Ledger(folder / "ledger" / "incidents.jsonl").append(NOTE)
    published_before(folder / "reports", "two", "pass")
    return folder


def again(file: Path, outputs: Path, *words: str, **settings: str) -> tuple[int, str]:
    done = cloudxai("report", "--from", str(file), *words, outputs=outputs, **settings)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("cloudxai: ")]
    assert len(lines) == (done.returncode > 1)
    return done.returncode, done.stdout or lines[0]


@pytest.fixture
def changed(environment: Path) -> Iterator[Path]:
    """A copy of the environment in which a test may break something."""
    folder = environment.parent / "changed"
    shutil.copytree(environment, folder / "demo", symlinks=True, ignore=shutil.ignore_patterns("again"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.browser
def test_it_is_the_same_to_the_byte_and_the_pixel_and_the_published_one_is_left(environment: Path, browser) -> None:
    outputs, kept = environment.parent, environment.parent / "kept"
    published = environment / "reports" / WEEK
    before = os.readlink(published)
    summary = json.loads((published / "summary.json").read_text(encoding="utf-8"))
    assert Ledger(environment / "ledger" / "incidents.jsonl").head().entries == summary["ledger"]["entries"] + 1
    code, said = again(published / "summary.json", outputs)
    assert code == 0, said
    assert "The same, to the byte: summary.json, weekly_report.html." in said
    made = environment / "again" / WEEK
    assert f"Report: {made}/weekly_report.html" in said
    shots = []
    for place in (kept, made):
        assert (place / "summary.json").read_bytes() == (published / "summary.json").read_bytes()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((place / "weekly_report.html").as_uri())
        shots.append(page.screenshot(full_page=True))
    assert shots[0] == shots[1]
    assert os.readlink(published) == before
    assert json.loads((made / "run.json").read_text())["of"] == json.loads((published / "run.json").read_text())["of"]
    assert again(published / "summary.json", outputs, "--week", BEFORE)[0] == 2
    assert again(published / "run.json", outputs) == (
        2,
        f"cloudxai: File {published / 'run.json'} is no summary.json of a report: KeyError: 'window'. Name one that a "
        "report left.",
    )


def test_each_thing_that_stands_in_the_way_is_named_in_one_line(changed: Path) -> None:
    """One after the other is broken, and all that was broken before is still named."""
    file = changed / "demo" / "reports" / WEEK / "summary.json"
    bounds = {"CLOUDXAI_BOUNDS__DAILY_CHURN": "0.2", "CLOUDXAI_LIMITS__TABLE_ROWS": "7"}
    assert again(file, changed, **bounds) == (
        2,
        f"cloudxai: Report {file} cannot be made again: settings have changed: bounds.daily_churn, table_rows. Bring "
        "that back first.",
    )
    contract = changed / "own.toml"
    contract.write_text('based_on = "contract.toml"\ntenant_cap = 90\n', encoding="utf-8")
    package = Path(__file__).parents[1] / "cloudxai_analysis"
    shutil.copy(package / "platform" / "contract.toml", changed)
    summary = json.loads(file.read_text(encoding="utf-8"))
    summary["provenance"]["package"] = "0.0.1"
    run = json.loads(file.with_name("run.json").read_text(encoding="utf-8"))
    run["of"] |= {"code": "other", "package": "0.0.1", "libraries": run["of"]["libraries"] | {"pandas": "1.0"}}
    file.write_text(json.dumps(summary), encoding="utf-8")
    file.with_name("run.json").write_text(json.dumps(run), encoding="utf-8")
    code, said = again(file, changed, CLOUDXAI_CONTRACT=str(contract))
    assert code == 2
    told = ["the package has another version", "the package's code has changed", "the contract has changed"]
    assert f"again: {'; '.join([*told, 'libraries have changed: pandas'])}. Bring" in said
    ledger = changed / "demo" / "ledger" / "incidents.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:2]))
    next((changed / "demo" / "lake").rglob("*.parquet")).unlink()
    for edition in (changed / "demo" / "reports").glob(f".published/{BEFORE}-one"):
        shutil.rmtree(edition)
    code, said = again(file, changed, CLOUDXAI_CONTRACT=str(contract))
    assert code == 5
    gone = [
        "lake version 1 has lost 1 tile,",
        "the ledger has diverged",
        f"no edition of report {BEFORE} that it was compared",
    ]
    assert [place for place in map(said.find, [*gone, *told]) if place < 0] == []
    assert not (changed / "demo" / "again").exists()
    summary["provenance"]["lake"]["rollups"] = 999
    file.write_text(json.dumps(summary), encoding="utf-8")
    assert "lake version 999 cannot be read" in again(file, changed)[1]


def test_what_nothing_has_changed_of_stands_as_published_and_else_does_not(changed: Path) -> None:
    folder, settings = changed / "demo", Settings(outputs=changed)
    environment = resolve_environment(settings, source="demo://", name=None)
    published = folder / "reports" / WEEK
    made, run = read_made(published / "summary.json"), json.loads((published / "run.json").read_text(encoding="utf-8"))
    pinned = {"source": made.source, "lake_version": made.lake_version}

    def stands(pinned=pinned, head=made.head, of=made.of, *, analyst: bool = False) -> bool:
        return standing(environment, published, pinned, head, of, analyst=analyst) == made.summary

    assert stands()
    assert not stands({**pinned, "lake_version": 2})
    assert not stands(head=Ledger(environment.ledger).head())
    assert not any(stands(of=made.of | {key: "other"}) for key in made.of)
    assert not stands(analyst=True)
    page, tile = published / "weekly_report.html", next((folder / "lake").rglob("*.parquet"))
    for file in (page, tile):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b" ")
        assert not stands()
        file.write_bytes(content)
    assert stands()
    assert set(run["files"]) == {"summary.json", "weekly_report.html", "weekly_report.ipynb"}
