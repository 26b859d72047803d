"""The page in a real browser: nothing runs or loads, it reflows, it can be read and reached, light, dark, printed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import servers
from executed import HOSTILE, notebook

from cloudxai_analysis.report.page import render

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")

# WCAG 2.2's contrast of each text, and of each status icon, with what is painted behind it.
CONTRASTS = """
() => {
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor, [r, g, b, alpha] = parts(colour);
      if (alpha === undefined || alpha > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = [];
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    if (!own || style.visibility === 'hidden' || style.opacity === '0' || element.closest('title, style')) continue;
    const colour = drawn ? style.fill : style.color;
    found.push([ratio(light(colour), light(behind(element))), element.textContent.trim().slice(0, 40)]);
  }
  // A shape needs 3 : 1 where a text needs 4.5 : 1.
  for (const icon of document.querySelectorAll('.icon'))
    found.push([ratio(light(getComputedStyle(icon).color), light(behind(icon))) * 1.5, icon.getAttribute('class')]);
  return found;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        missing = pytest.skip if servers.tools_may_be_missing() else pytest.fail
        missing("Chromium (Debian package chromium) is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    contexts = []

    def open_page(name: str = "acme", *, width: int = 1280, scheme: str = "light") -> Any:
        file = tmp_path / "page.html"
        file.write_text(render(notebook(name)), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.said: list[str] = []
        page.asked: list[str] = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_runs_nothing_loads_nothing_and_is_its_own_text(
    opened: Callable[..., Any], name: str, tmp_path: Path
) -> None:
    page = opened(name)
    assert page.said == []
    assert page.asked == [(tmp_path / "page.html").as_uri()]
    cell = page.locator("#cardinality-headroom tbody th")
    assert cell.text_content() == name
    assert name in page.locator("h1").text_content().replace("\u00a0", " ")
    assert page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror]').length") == 0


def test_a_name_that_turns_the_text_round_does_not_move_its_neighbours(opened: Callable[..., Any]) -> None:
    places = """
    () => {
      const heading = document.querySelector('h3 span:not(.hidden)'), range = document.createRange();
      const text = heading.lastElementChild.previousSibling;
      range.setStart(text, text.data.indexOf('took')); range.setEnd(text, text.data.indexOf('label'));
      const before = range.getBoundingClientRect().left;
      return before > heading.querySelector('bdi').getBoundingClientRect().right;
    }
    """
    assert opened("abc\u202egnp.exe").evaluate(places)


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 2000])
@pytest.mark.parametrize("name", ["acme", "x" * 300])
def test_the_page_never_scrolls_sideways(opened: Callable[..., Any], width: int, name: str) -> None:
    page = opened(name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened: Callable[..., Any], scheme: str) -> None:
    page = opened(scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 80
    assert [(round(ratio, 2), text) for ratio, text in contrasts if ratio < 4.5] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == ("rgb(20, 24, 29)" if scheme == "dark" else "rgb(252, 252, 250)")


def test_landmarks_headings_and_language_are_in_order(opened: Callable[..., Any]) -> None:
    page = opened()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title().startswith("2026-W46: warning – ")
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("navigation", name="Contents").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(heading => +heading.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_everything_can_be_reached_by_keyboard_and_seen_there(opened: Callable[..., Any]) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement === document.body")
    assert {"A", "SUMMARY", "FIGURE"} <= reached


def test_a_table_has_its_name_and_scrolls_inside_a_region(opened: Callable[..., Any]) -> None:
    page = opened(width=320)
    page.locator("#cardinality-headroom summary").click()
    region = page.get_by_role("region", name="Labels of acme")
    assert region.get_attribute("tabindex") == "0"
    assert page.get_by_role("table", name="Labels of acme").count() == 1
    assert page.get_by_role("rowheader", name="acme").count() == 1
    assert page.get_by_role("img", name="54 left").count() == 1


def test_printed_the_folds_are_open_and_the_contents_gone(opened: Callable[..., Any]) -> None:
    page = opened()
    page.emulate_media(media="print")
    assert page.locator("#cardinality-headroom table").is_visible()
    assert page.locator(".glossary").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_with_forced_colours_the_status_keeps_its_shape_and_word(opened: Callable[..., Any]) -> None:
    page = opened()
    page.emulate_media(forced_colors="active")
    badge = page.locator(".tile .badge").first
    assert badge.inner_text() == "Warning"
    assert badge.locator("svg").bounding_box()["width"] > 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_no_violation(opened: Callable[..., Any], scheme: str, width: int) -> None:
    import axe_playwright_python

    page = opened(width=width, scheme=scheme)
    for fold in page.locator("details").all():
        fold.evaluate("fold => fold.open = true")
    # By evaluate, because the page's policy lets no script element in.
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == []
