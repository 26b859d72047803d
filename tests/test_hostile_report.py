"""A whole report about tenants whose names want to be something else: each comes out as its own text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from clean_command import cloudxai

from cloudxai_analysis.words.csv_cells import restored

NAMES = {
    "cost_spike": "<img src=x onerror=alert(1)>",
    "flapping_tenant": "</style><script>alert(2)</script>",
    "tenant_incident": "javascript:alert(3)",
    "false_alert": "=cmd|' /C calc'!A0",
    "semantics_break": "$x^2$ \\ `code` *b* \u202eevil",
    "arrival": "../../etc/passwd",
}
pytestmark = [pytest.mark.browser, pytest.mark.notebook]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The report's folder, made by the command."""
    scratch = tmp_path_factory.mktemp("hostile")
    events = [
        f'[[events]]\nkind = "{kind}"\nat = 2026-11-1{day}T06:00:00Z\ntenant = {json.dumps(name)}\n'
        for day, (kind, name) in enumerate(NAMES.items())
    ]
    (scratch / "hostile.toml").write_text("\n".join(events), encoding="utf-8")
    source = f"demo://?seed=3&scenario={scratch / 'hostile.toml'}"
    words = ("--environment", "hostile", "--source", source, "--edition", "analyst")
    done = cloudxai("report", *words, outputs=scratch / "outputs")
    assert done.returncode == 0, done.stderr
    assert "\u202e" not in done.stdout
    return scratch / "outputs" / "hostile" / "reports" / "2026-W46"


def test_the_page_runs_and_asks_nothing_and_shows_each_name(folder, browser):
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "weekly_report.html").as_uri())
    text = page.evaluate("document.body.textContent")
    active = page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror]').length")
    links = page.evaluate("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
    first = page.evaluate("[...document.querySelectorAll('.tiles .value, .lead, h1')].map(it => it.textContent)")
    assert (said, len(asked), active) == ([], 1, 0)
    assert all(link.startswith(("#", "data/", "data:text/csv;base64,", "analysts_edition.html")) for link in links)
    page.goto((folder / "analysts_edition.html").as_uri())
    text += page.evaluate("document.body.textContent")
    assert (said, len(asked)) == ([], 2)
    for name in NAMES.values():
        assert name in text.replace("\u00a0", " "), name
    # Every number of the first screen is in the summary.
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    told = (summary["headline"], summary["paragraph"], *(tile["text"] for tile in summary["tiles"]))
    texts = {" ".join(text.split()) for text in told}
    assert {" ".join(shown.replace("\u00a0", " ").split()) for shown in first} <= texts
    assert len(first) == 6


def test_a_tenants_own_page_runs_nothing_has_one_shape_and_shows_its_name(folder, browser):
    outputs = folder.parents[2]
    source = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["provenance"]["source"]["source"]
    done = cloudxai("showback", "--week", "2026-W46", "--environment", "hostile", "--source", source, outputs=outputs)
    assert done.returncode == 0, done.stderr
    pages = outputs / "hostile" / "showback" / "2026-W46"
    with (pages.parent / "2026-W46.csv").open(encoding="utf-8") as index:
        whose = {restored(row["tenant"]): row["file"] for row in csv.DictReader(index)}
    assert {file.name for file in pages.iterdir()} == set(whose.values())
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(java_script_enabled=True)
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    for name in NAMES.values():
        page.goto((pages / whose[name]).as_uri())
        heading = page.evaluate("document.querySelector('h1').textContent")
        active = page.evaluate("document.querySelectorAll('script, img, iframe, a, [onload], [onerror]').length")
        assert (heading, active, said) == (name, 0, [])
        others = set(whose) - {name}
        assert not [other for other in others if other in page.evaluate("document.body.textContent")]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert len(asked) == len(NAMES)


def test_a_spreadsheet_finds_no_formula(folder):
    files = [file.read_text(encoding="utf-8").splitlines() for file in (folder / "data").glob("*.csv")]
    cells = [cell for lines in files for row in csv.reader(lines) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "\t"))]
