"""Pages of real studies as people read them: their words, their numbers, and how much room they take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pages import PAGES, notebook_of, study_called

from cloudxai_analysis.cards.summary import SUMMARY_MIME
from cloudxai_analysis.report.page import render

pytestmark = pytest.mark.browser

BANNED = (
    *("telemetry there", "trials", "stretch", "began anew", "ask for attention", "asks for attention", "lost least"),
    *("`", "nan ", "None", "inf ", "e+0", "e-0", "standing", "told apart", "hushed"),
)
LONGEST = 45  # words of a sentence
NUMBER = re.compile(r"(?<![\w.,:-])\d[\d,]*(?:\.\d+)?(?![\w:]|-\d|\.\d)")
# How a number of `summary.json` may be said: as it is, as a percentage, in hours, days or minutes, in milliseconds.
UNITS = (1, 100, 1 / 60, 1 / 24, 60, 1 / 3600, 1 / 1440, 1000)
SENTENCES = "[...document.querySelectorAll('h1, p, .consider li, .unknowns li, .checks li, .criteria li, .tile')]"
OPEN = f"{SENTENCES}.filter(one => !one.closest('details')).map(one => one.innerText)"
# What of a figure's text lies outside of it, and which figures say no value at their right end.
OUTSIDE = """
() => [...document.querySelectorAll('figure svg')].filter(one => one.getBoundingClientRect().width).flatMap(one => {
  const box = one.getBoundingClientRect();
  return [...one.querySelectorAll('text')].filter(text => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1 || own.right > innerWidth;
  }).map(text => text.textContent);
})
"""


class Made(NamedTuple):
    page: Any
    summary: dict[str, Any]
    name: str


@pytest.fixture(scope="module", params=PAGES)
def made(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One of the pages in a browser, with its summary."""
    folder: Path = tmp_path_factory.mktemp("page")
    content = notebook_of(study_called(request.param, request, folder))
    (folder / "page.html").write_text(render(content), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((folder / "page.html").as_uri())
    yield Made(page, content["cells"][0]["outputs"][0]["data"][SUMMARY_MIME]["summary"], request.param)
    page.close()


def test_its_words_are_plain_and_its_sentences_short(made: Made) -> None:
    made.page.set_viewport_size({"width": 1280, "height": 800})
    texts = made.page.evaluate(OPEN)
    assert len(texts) > 15
    assert [(word, text) for text in texts for word in BANNED if word in text] == []
    sentences = [one for text in texts for line in text.splitlines() for one in re.split(r"(?<=[.;:]) ", line)]
    assert [one for one in sentences if len(one.split()) > LONGEST] == []


def test_each_number_of_its_text_is_in_the_summary(made: Made) -> None:
    def leaves(value: Any) -> Iterator[Any]:
        if isinstance(value, dict | list):
            for one in value.values() if isinstance(value, dict) else value:
                yield from leaves(one)
        else:
            yield value

    said = set(NUMBER.findall(json.dumps(made.summary, ensure_ascii=False).replace("\\u00a0", " ")))
    held = [float(one) for one in leaves(made.summary) if isinstance(one, int | float)]
    held.append(len(made.summary["checks"]))
    texts = made.page.evaluate(f"{SENTENCES}.filter(one => !one.closest('details, #made')).map(one => one.innerText)")

    def known(number: str) -> bool:
        digits, value = len(number.partition(".")[2]), float(number.replace(",", ""))
        return number in said or any(
            abs(abs(one) * unit - value) <= 0.51 / 10**digits for one in held for unit in UNITS
        )

    assert [(number, text) for text in texts for number in NUMBER.findall(text) if not known(number)] == []


def test_it_is_read_in_eight_screens_twelve_on_a_telephone_and_six_sheets(made: Made) -> None:
    for width, height, most in ((1280, 800, 8), (390, 844, 12)):
        made.page.set_viewport_size({"width": width, "height": height})
        assert made.page.evaluate("document.documentElement.scrollHeight") <= most * height, width
        assert made.page.evaluate(OUTSIDE) == []
    for paper in ("A4", "Letter"):
        assert len(re.findall(rb"/Type\s*/Page\b", made.page.pdf(format=paper))) <= 6
    made.page.set_viewport_size({"width": 320, "height": 800})
    assert made.page.evaluate("document.documentElement.scrollWidth") == 320
    # The line beside a tile's number does not touch it.
    for width in (390, 1280):
        made.page.set_viewport_size({"width": width, "height": 800})
        touching = """() => [...document.querySelectorAll('.tile')].filter(tile => {
          const range = document.createRange(), line = tile.querySelector('.sparkline');
          if (!line) return false;
          range.selectNodeContents(tile.querySelector('.value'));
          const a = range.getBoundingClientRect(), b = line.getBoundingClientRect();
          return a.right > b.left && a.left < b.right && a.bottom > b.top && a.top < b.bottom;
        }).length"""
        assert made.page.evaluate(touching) == 0, width
