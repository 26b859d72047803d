"""Each document that people are handed: axe finds nothing in light, dark and print, and none scrolls sideways."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from executed import notebook, summary
from pages import W47, platform
from small_platform import study_of

from cloudxai_analysis.cards.showback import shared, tenants, told
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.report.digest import digested
from cloudxai_analysis.report.page import render, render_analyst
from cloudxai_analysis.report.showback import page_of
from cloudxai_analysis.report.weeks import index_reports

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
LONG = "a-tenant-of-a-long-name-" * 6


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each, in which a tenant has a name of 144 letters."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "2026-W46").mkdir()
    said = summary(LONG)
    said["provenance"]["source"]["kind"] = "demo"
    (folder / "2026-W46" / "summary.json").write_text(json.dumps(said), encoding="utf-8")
    index_reports(folder, "2026-W46")
    day = Window(W47.start, W47.start + timedelta(days=1))
    study = study_of(platform(day, tenants=1, seconds=60), folder, W47, now=day.end)
    own = next(iter(told(study, tenants(study))))
    made = {
        "page": render(notebook(LONG), linked="analyst.html"),
        "analyst": render_analyst(notebook(LONG)),
        "showback": page_of({**own, "tenant": LONG}, shared(study)),
        "digest": digested(said, "weekly_report.html").html(),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["page", "analyst", "index", "showback", "digest"])
def test_axe_finds_nothing_in_light_dark_and_print_and_nothing_scrolls_sideways(
    documents: Path, browser: Any, name: str
) -> None:
    found = []
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("light", "print"), ("dark", "print")):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto((documents / f"{name}.html").as_uri())
        if media == "screen":
            page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        page.emulate_media(media=media, color_scheme=scheme)
        page.evaluate(AXE)
        for width in (1280, 320 if media == "screen" else 620):  # the text of a page of A4 is 620 wide
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (scheme, media)
            rules = page.evaluate("axe.run()")["violations"]
            found += [(scheme, media, width, one["id"], [node["html"][:160] for node in one["nodes"]]) for one in rules]
        context.close()
    assert found == []
