"""The page in a real browser: nothing runs or loads, it reflows, it can be read and reached, light, dark, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from contrast import LIGHT
from executed import notebook
from hostile_strings import STRINGS

from cloudxai_analysis.report.page import render

pytestmark = pytest.mark.browser

# WCAG 2.2's contrast of each text, and of each status icon, with what is painted behind it.
CONTRASTS = (
    "() => {"
    + LIGHT
    + """
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor, [r, g, b, alpha] = parts(colour);
      if (alpha === undefined || alpha > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = [];
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
)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens the page with its folds open, and keeps what it says and asks for."""
    contexts = []

    def open_page(name: str = "acme", *, width: int = 1280, scheme: str = "light") -> Any:
        file = tmp_path / "page.html"
        file.write_text(render(notebook(name)), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_a_hostile_name_runs_nothing_loads_nothing_and_is_its_own_text(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    for name in STRINGS:
        page = opened(name)
        assert page.said == [], name
        assert page.asked == [(tmp_path / "page.html").as_uri()], name
        assert page.locator("#cardinality-headroom tbody th").text_content() == name
        assert name in page.locator("h1").text_content().replace("\u00a0", " ")
        assert page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror]').length") == 0
    moved = """
    () => {
      const heading = document.querySelector('.answer'), range = document.createRange();
      const text = [...heading.childNodes].find(node => node.nodeType === 3 && node.data.includes('took'));
      range.setStart(text, text.data.indexOf('took')); range.setEnd(text, text.data.indexOf('label'));
      return range.getBoundingClientRect().left <= heading.querySelector('bdi').getBoundingClientRect().right;
    }
    """
    assert not opened("abc\u202egnp.exe").evaluate(moved), "a name that turns the text round moves its neighbours"


@pytest.mark.parametrize("name", ["acme", "x" * 300])
def test_the_page_never_scrolls_sideways(opened: Callable[..., Any], name: str) -> None:
    page = opened(name)
    for width in (320, 360, 768, 1280, 2000):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_and_axe_finds_no_violation(opened: Callable[..., Any], scheme: str) -> None:
    import axe_playwright_python

    page = opened(scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 80
    assert [(round(ratio, 2), text) for ratio, text in contrasts if ratio < 4.5] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 24, 29)" if scheme == "dark" else "rgb(252, 252, 250)")
    # By evaluate, because the page's policy lets no script element in.
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        found = page.evaluate("axe.run()")["violations"]
        assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == []


def test_landmarks_headings_tables_and_language_are_there_for_a_screen_reader(opened: Callable[..., Any]) -> None:
    page = opened(width=320)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title().startswith("Warning: ")
    assert [page.get_by_role(landmark).count() for landmark in ("banner", "main", "contentinfo")] == [1, 1, 1]
    named = (("navigation", "Contents"), ("table", "Labels of acme"), ("rowheader", "acme"), ("img", "54 left"))
    assert [page.get_by_role(role, name=name).count() for role, name in named] == [1, 1, 2, 1]
    assert page.get_by_role("region", name="Labels of acme").get_attribute("tabindex") == "0"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(heading => +heading.tagName[1])")
    assert (levels[0], levels.count(1)) == (1, 1)
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


def test_printed_the_folds_stay_closed_and_with_forced_colours_a_status_keeps_its_word(
    opened: Callable[..., Any],
) -> None:
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator("#cardinality-headroom table").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.emulate_media(media="screen", forced_colors="active")
    badge = page.locator(".tile .badge").first
    assert badge.inner_text() == "Warning"
    assert badge.locator("svg").bounding_box()["width"] > 8
