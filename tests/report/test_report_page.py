"""The page as a document: what stands on it, where its links lead, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from executed import FIGURE, HOSTILE, SVG, look, notebook, summary
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.cards.summary import summary_sha256
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.report.page import named, readable, render, said


class Document(HTMLParser):
    """The elements and texts of a page, read by Python's own parser."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).replace("\u00a0", " ").split())


def shown(*args: Any, **how: Any) -> Document:
    return Document(render(notebook(*args, **how)))


def test_the_page_says_the_verdict_its_numbers_and_how_it_was_made_and_no_secret() -> None:
    page = shown()
    assert [tag for tag, _ in page.elements].count("h1") == 1
    for words in (
        "2026-W46: warning – acme took the last tenant label",
        "6.95 of 7 days seen",
        "Undercount. Numbers of acme undercount.",
        "54 of 100 Warning warn under 15",
        "-2 on last week, worse",
        "4-week median 56 of 100",
        "no data Unknown",
        "nobody knows what acme cost",
        "Rejections in the week385",
        "There is no report of the week before",
        "Drafts, ranked by weight; people decide.",
        "was not measured yet: run cloudxai evaluate --environment",
        "cloudxai run 02_cardinality -p week 2026-W46 -p environment demo -p source demo:// -p lake_version 4",
        *(summary_sha256(summary()), "http://host:9090", "weekly_report.ipynb, sha256 " + "1" * 64),
        "Python 3.11.7, pandas 3.0.1",
    ):
        assert words in page.text, words
    assert "secret" not in page.text


def test_every_link_leads_somewhere_and_no_id_stands_twice() -> None:
    page = shown()
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    inside = [link for link in page.all("href") if link.startswith("#")]
    assert {link.removeprefix("#") for link in inside} <= set(ids)
    assert all(link.startswith("data/") or link == "data:," for link in page.all("href") if link not in inside)
    item = {"check": "conservation", "status": "unknown", "was": "warn", "finding": "No total."}
    told = render(notebook(since={"before": "2026-W45", "still": [{**item, "redefined": True, "weeks": 2}]}))
    # What no look shows leads to its section.
    assert re.search(r'<a href="#cost">No total\.</a>', told)
    assert "(2 reports in a row)" in told
    assert "(what it means changed since that report)" in told


def test_nothing_is_asked_of_anybody_and_nothing_runs_but_the_one_style() -> None:
    page = shown()
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {
        tag for tag, attributes in page.elements if attributes.get("href") != "data:,"
    }
    assert not page.all("style")
    assert not page.all("src")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", render(notebook()), re.S)
    assert style
    told = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(attributes["content"] or "" for tag, attributes in page.elements if "http-equiv" in attributes)
    assert policy.split("; ")[:3] == ["default-src 'none'", f"style-src 'sha256-{told}'", "img-src data:"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stands_everywhere_as_its_own_text(name: str) -> None:
    plain, hostile = shown("acme"), shown(name)
    kept = [(tag, sorted(attributes)) for tag, attributes in plain.elements if tag not in ("bdi", "span")]
    assert [(tag, sorted(attributes)) for tag, attributes in hostile.elements if tag not in ("bdi", "span")] == kept
    assert hostile.text.count(" ".join(name.split())) >= plain.text.count("acme")
    assert text_of(named(name)) == name
    assert text_of(said(f"{name} took 3 labels.")) == f"{name} took 3 labels."


def text_of(markup: str) -> str:
    assert not re.sub(r'</?(?:bdi|span)(?: class="whole")?>', "", markup).count("<")
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\u00a0", " ")


@given(st.text())
def test_any_sentence_comes_out_as_its_own_text(text: str) -> None:
    assert text_of(said(text)) == text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("tenant abc\u202egnp moved", "tenant <bdi>abc\u202egnp</bdi> moved"),
        ("tenant שלום moved", "tenant <bdi>שלום</bdi> moved"),
        ("naïve moved – 3 times", "naïve moved – 3 times"),
        ("12 EUR, 99.9 % of 5 labels", "12\u00a0EUR, 99.9\u00a0% of 5 labels"),
        ("cloudxai-0:8080 had none", '<span class="whole">cloudxai-0:8080</span> had none'),
        (f"{'a-' * 40}b", f"{'a-' * 40}b"),  # a long name may break
    ],
)
def test_a_word_moves_no_neighbour_and_a_number_stays_with_its_unit(text: str, written: str) -> None:
    assert said(text) == written


def test_what_no_document_may_hold_is_replaced() -> None:
    assert readable("a\x00b\x1bc\x85d\ud800e\tf\n") == "a\ufffdb\ufffdc\ufffdd\ufffde\tf\n"
    page = render(notebook("a\ud800\x00b"))
    assert page.encode("utf-8")
    assert "a\ufffd\ufffdb" in page


def test_a_figure_is_drawn_with_ids_of_its_own_and_without_what_acts() -> None:
    hostile = FIGURE.replace("<defs>", "<script>alert(1)</script><defs>").replace("<text", "<text onclick='x()'")
    page = render(notebook(figure=hostile))
    assert '<path id="cardinality-headroom-p1" d="M0 0L9 9" />' in page
    assert '<use href="#cardinality-headroom-p1"' in page
    assert "<script" not in page
    assert "onclick" not in page
    lines = notebook()
    lines["cells"][2]["outputs"][0]["data"][SVG] = FIGURE.splitlines(keepends=True)
    assert render(lines) == render(notebook())


def test_each_section_and_each_look_has_its_place_once_and_says_what_it_lacks() -> None:
    sections = ["telemetry", "cardinality", "cost", "alerts", "readiness", "incidents"]
    page = shown()
    assert [name for name in page.all("id") if name in sections] == sections
    assert page.text.count("This section has no finding") == 5
    more = shown(
        "acme",
        look("cardinality-headroom"),
        look("canary-latency", checks=[]),
        look("cost-weeks", rows=[], total_rows=0, empty="no tenant exported a cost", checks=[]),
        look("cost-tenants", rows=[["acme", "1"]] * 50, total_rows=1234, checks=[]),
    )
    assert {"canary", "canary-latency"} <= set(more.all("id"))
    assert more.all("id").count("cardinality-headroom") == 1
    for words in ("No rows: no tenant exported a cost.", "the first 50 of 1,234 rows", "data/cost-tenants.csv"):
        assert words in more.text


def test_the_method_section_says_what_would_be_found_on_this_platform() -> None:
    """Outages of a minute were found once of six times, of two minutes six of six; of storms nothing was planted."""
    outage = {"kind": "readiness_incident", "check": "outages", "unit": "minutes", "smallest": 2.0}
    storm = {"kind": "alert_storm", "check": "storms", "unit": HOSTILE[0], "smallest": None}
    sizes = [{"size": 1, "runs": 6, "found": 1}, {"size": 2, "runs": 6, "found": 6}]
    curves = [
        {**outage, "sizes": sizes},
        {**storm, "sizes": [{"size": 5, "runs": 0, "found": 0}]},
        {**storm, "kind": "restart", "sizes": [{"size": 1, "runs": 1, "found": 0}]},
    ]
    findings = [{"check": "restarts", "status": "warn", "finding": HOSTILE[1]}]
    weeks = [{"week": "2026-W46", "findings": findings}, {"week": "2026-W45", "findings": []}]
    text = shown(evaluation={"environment": "prod", "weeks": weeks, "curves": curves}).text
    assert "planted into copies of 2026-W45, 2026-W46." in text
    assert "these weeks have 1 (2026-W46), 0 (2026-W45) findings" in text
    assert "readiness incident2 minutes1: 1 of 6, 2: 6 of 6" in text.replace(" readiness", "readiness")
    assert "alert stormcould not be planted" in text
    assert "restartnot reached1: 0 of 1" in text
    assert "was not measured yet" not in text


def test_the_same_notebook_gives_the_same_page_and_one_without_a_headline_none() -> None:
    content, again = notebook(), notebook()
    assert render(content) == render(content)
    assert content == again
    with pytest.raises(NotebookFailed, match=r"^The notebook holds no headline"):
        render({"cells": [{"cell_type": "markdown", "source": "# T"}]})
