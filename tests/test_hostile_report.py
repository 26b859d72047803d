"""A whole report about tenants whose names want to be something else: each comes out as its own text."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).parent.parent
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
    done = subprocess.run(
        [sys.executable, "-m", "cloudxai_analysis.cli", "report", "--environment", "hostile", "--source", source],
        env={**os.environ, "CLOUDXAI_OUTPUTS": str(scratch / "outputs")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\u202e" not in done.stdout
    return scratch / "outputs" / "hostile" / "reports" / "2026-W46"


def test_the_page_runs_and_asks_nothing_and_shows_each_name(folder):
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=args)
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "weekly_report.html").as_uri())
        text = page.evaluate("document.body.textContent")
        active = page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror]').length")
        links = page.evaluate("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
        first = page.evaluate(
            "[...document.querySelectorAll('.tiles .value, .template dd, h1')].map(it => it.textContent)"
        )
        browser.close()
    assert (said, len(asked), active) == ([], 1, 0)
    assert all(link.startswith(("#", "data/")) for link in links)
    for name in NAMES.values():
        assert name in text.replace("\u00a0", " "), name
    # Every number of the first screen is in the summary.
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    numbers = [*summary["tiles"], *(one for key, one in summary["template"].items() if key != "alerts")]
    texts = {" ".join(text.split()) for text in (summary["headline"], *(number["text"] for number in numbers))}
    assert {" ".join(shown.replace("\u00a0", " ").split()) for shown in first} <= texts
    assert len(first) >= 10


def test_a_spreadsheet_finds_no_formula(folder):
    files = [file.read_text(encoding="utf-8").splitlines() for file in (folder / "data").glob("*.csv")]
    cells = [cell for lines in files for row in csv.reader(lines) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "\t"))]
