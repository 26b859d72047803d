"""The page as a document: what stands on it, where its links lead, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from executed import FIGURE, SUMMARY, SVG, check, look, notebook, summary
from hostile_strings import STRINGS
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.cards.summary import summary_sha256
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.report.page import named, readable, render, render_analyst, said


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


def analysts(*args: Any, **how: Any) -> Document:
    return Document(render_analyst(notebook(*args, **how)))


def test_the_page_says_the_verdict_its_numbers_and_how_it_was_made_and_no_secret() -> None:
    page = shown()
    assert [tag for tag, _ in page.elements].count("h1") == 1
    for words in (
        "Warning: acme took the last tenant label.",
        "6.95 of 7 days seen",
        "Undercount. Numbers of acme undercount.",
        "54 of 100 Warning warn under 15",
        "-2 on the week before, worse",
        "no data Unknown",
        "nobody knows what acme cost",
        "This is the first report, so no check can be compared.",
        "The platform team. Why: 10 hours. What for: room.",
        "No total is configured. Known once one is.",
        "Drafts; who is named decides.",
        "was not measured yet: run make evaluate ENVIRONMENT=",
        "cloudxai lab 02_cardinality -p week 2026-W46 -p environment demo -p source demo:// -p lake_version 4",
        "cloudxai explain headroom --week 2026-W46 --environment demo",
        "--edition analyst",
        *(summary_sha256(summary()), "weekly_report.ipynb, sha256 " + "1" * 64),
    ):
        assert words in page.text, words
    told = analysts().text
    for words in ("Rejections in the week385", "http://host:9090", "Python 3.11.7, pandas 3.0.1", "Glossary"):
        assert words in told, words
    assert "secret" not in page.text + told
    assert 'href="analysts_edition.html"' in render(notebook(), linked="analysts_edition.html")


def test_every_link_leads_somewhere_and_no_id_stands_twice() -> None:
    for page in (shown(), analysts()):
        ids = page.all("id")
        assert len(ids) == len(set(ids))
        inside = [link for link in page.all("href") if link.startswith("#")]
        assert {link.removeprefix("#") for link in inside} <= set(ids)
        others = [link for link in page.all("href") if link not in inside]
        assert all(link.startswith(("data/", "data:,", "data:text/csv", "weekly_report.html")) for link in others)
    item = {"check": "conservation", "status": "unknown", "was": "warn", "finding": "No total."}
    told = render(notebook(since={"before": "2026-W45", "still": [{**item, "redefined": True, "weeks": 2}]}))
    # What no look shows leads to its section.
    assert re.search(r'<a href="#cost">conservation</a>', told)
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


@pytest.mark.parametrize("name", STRINGS)
def test_a_hostile_name_stands_everywhere_as_its_own_text(name: str) -> None:
    plain, hostile = shown("acme"), shown(name)
    kept = [(tag, sorted(attributes)) for tag, attributes in plain.elements if tag not in ("bdi", "span")]
    assert [(tag, sorted(attributes)) for tag, attributes in hostile.elements if tag not in ("bdi", "span")] == kept
    assert hostile.text.count(" ".join(name.split())) >= plain.text.count("acme")
    assert analysts(name).text.count(" ".join(name.split())) >= analysts("acme").text.count("acme")
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
    assert '<path id="cardinality-tenants-p1" d="M0 0L9 9" />' in page
    assert '<use href="#cardinality-tenants-p1"' in page
    assert "<script" not in page
    assert "onclick" not in page
    lines = notebook()
    lines["cells"][3]["outputs"][0]["data"][SVG] = FIGURE.splitlines(keepends=True)
    assert render(lines) == render(notebook())


def test_each_section_and_each_look_has_its_place_once_and_says_what_it_lacks() -> None:
    sections = ["incidents", "readiness", "cardinality", "cost", "alerts", "telemetry"]
    for page in (shown(), analysts()):
        assert [name for name in page.all("id") if name in sections] == sections
        assert page.text.count("This section has no finding") == 7
    more = analysts(
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


def test_a_table_of_the_page_is_short_and_the_whole_of_it_stands_inside_the_file() -> None:
    """Twelve rows of 30, seven columns of nine; all of both are in the link, and no cell is a formula."""
    columns = [{"name": f"c{n}", "label": f"c{n}", "numeric": False} for n in range(9)]
    rows = [["=1+1", *map(str, range(8))], *([str(n)] * 9 for n in range(29))]
    page = shown("acme", look("cost-weeks", columns=columns, rows=rows, total_rows=30, checks=[]))
    assert "the first 12 of 30 rows, 7 of 9 columns" in page.text
    (link,) = [link for link in page.all("href") if link.startswith("data:text/csv") and len(link) > 400]
    lines = base64.b64decode(link.partition(",")[2]).decode().splitlines()
    assert (len(lines), lines[0], lines[1]) == (31, "c0,c1,c2,c3,c4,c5,c6,c7,c8", "'=1+1,0,1,2,3,4,5,6,7")
    part = shown("acme", look("cost-weeks", total_rows=1234, checks=[]))
    assert "data/cost-weeks.csv" in part.text


def test_findings_of_one_cause_are_one_and_nothing_that_is_not_known_or_wrong_is_left_out() -> None:
    content = notebook()
    given = content["cells"][0]["outputs"][0]["data"][SUMMARY]["summary"]
    names = check(
        "identifiers", "cardinality", "warn", "53 names look generated.", cause="identifiers", size="53 labels"
    )
    given["checks"] += [
        names,
        check("rejections", "cardinality", "warn", "384 requests refused.", cause="identifiers"),
        check("anomalies", "cost", "fail", "679 EUR too much.", cause="identifiers"),
        check("churn", "cardinality", "unknown", "Churn is unknown: no day."),
        check("gaps", "telemetry", "warn", "A gap of an hour."),
    ]
    text = Document(render(content)).text
    assert "53 names look generated. Of the same cause: rejections." in text
    assert "679 EUR too much. Its cause: identifiers." in text
    assert "A gap of an hour." in text
    assert "Not known: churn." in text


def test_the_method_section_says_what_would_be_found_on_this_platform() -> None:
    """Outages of a minute were found once of six times, of two minutes six of six; of storms nothing was planted."""
    outage = {"kind": "readiness_incident", "check": "outages", "unit": "minutes", "smallest": 2.0}
    storm = {"kind": "alert_storm", "check": "storms", "unit": STRINGS[0], "smallest": None}
    sizes = [{"size": 1, "runs": 6, "found": 1}, {"size": 2, "runs": 6, "found": 6}]
    curves = [
        {**outage, "sizes": sizes},
        {**storm, "sizes": [{"size": 5, "runs": 0, "found": 0}]},
        {**storm, "kind": "restart", "sizes": [{"size": 1, "runs": 1, "found": 0}]},
    ]
    findings = [{"check": "restarts", "status": "warn", "finding": STRINGS[1]}]
    weeks = [{"week": "2026-W46", "findings": findings}, {"week": "2026-W45", "findings": []}]
    text = analysts(evaluation={"environment": "prod", "weeks": weeks, "curves": curves}).text
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
