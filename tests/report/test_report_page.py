"""The page as a document: what stands on it, where its links lead, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from executed import FIGURE, HOSTILE, LOOK, SUMMARY, SVG, look, notebook, summary

from cloudxai_analysis.cards.weekly import summary_sha256
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.report.page import render


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


def test_the_first_screen_says_the_verdict_in_words() -> None:
    page = Document(render(notebook()))
    assert [tag for tag, _ in page.elements].count("h1") == 1
    for said in (
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
    ):
        assert said in page.text, said


def test_every_link_leads_somewhere_and_no_id_stands_twice() -> None:
    page = Document(render(notebook()))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    inside = [link for link in page.all("href") if link.startswith("#")]
    assert {link.removeprefix("#") for link in inside} <= set(ids)
    assert all(link.startswith("data/") or link == "data:," for link in page.all("href") if link not in inside)


def test_links_to_what_no_look_shows_lead_to_its_section() -> None:
    since = {"before": "2026-W45", "before_sha256": "2" * 64, "new": [], "worse": [], "better": [], "gone": []}
    item = {"check": "conservation", "status": "unknown", "was": "warn", "finding": "No total."}
    item |= {"redefined": True, "weeks": 2}
    page = render(notebook(since={**since, "still": [item]}))
    assert re.search(r'<a href="#cost">No total\.</a>', page)
    assert "(2 reports in a row)" in page
    assert "(what it means changed since that report)" in page


def test_nothing_is_asked_of_anybody_and_nothing_runs() -> None:
    page = Document(render(notebook()))
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {
        tag for tag, attributes in page.elements if attributes.get("href") != "data:,"
    }
    assert not page.all("style")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not page.all("src")


def test_the_policy_names_the_one_style_by_its_hash() -> None:
    page = render(notebook())
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    told = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(
        attributes["content"] or "" for tag, attributes in Document(page).elements if "http-equiv" in attributes
    )
    assert policy.split("; ")[:3] == ["default-src 'none'", f"style-src 'sha256-{told}'", "img-src data:"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stands_everywhere_as_its_own_text(name: str) -> None:
    plain, hostile = Document(render(notebook("acme"))), Document(render(notebook(name)))
    kept = [(tag, sorted(attributes)) for tag, attributes in plain.elements if tag not in ("bdi", "span")]
    assert [(tag, sorted(attributes)) for tag, attributes in hostile.elements if tag not in ("bdi", "span")] == kept
    assert hostile.text.count(" ".join(name.split())) >= plain.text.count("acme")


def test_a_figure_is_drawn_with_ids_of_its_own_and_without_what_acts() -> None:
    hostile = FIGURE.replace("<defs>", "<script>alert(1)</script><defs>").replace("<text", "<text onclick='x()'")
    page = render(notebook(figure=hostile))
    assert '<path id="cardinality-headroom-p1" d="M0 0L9 9" />' in page
    assert '<use href="#cardinality-headroom-p1"' in page
    assert "<script" not in page
    assert "onclick" not in page


def test_a_section_without_a_look_is_named_with_the_reason() -> None:
    page = Document(render(notebook()))
    sections = ["telemetry", "cardinality", "cost", "alerts", "readiness", "incidents"]
    assert [name for name in page.all("id") if name in sections] == sections
    assert page.text.count("This section has no finding") == 5


def test_a_section_that_is_new_to_the_page_has_its_place_too() -> None:
    content = notebook()
    content["cells"].append({"outputs": [{"data": {LOOK: look("canary-latency", checks=[])}}]})
    assert {"canary", "canary-latency"} <= set(Document(render(content)).all("id"))


def test_a_look_shown_twice_stands_once() -> None:
    content = notebook()
    content["cells"] += content["cells"]
    ids = Document(render(content)).all("id")
    assert ids.count("cardinality-headroom") == 1


def test_an_empty_look_says_why() -> None:
    content = notebook()
    empty = look("cost-weeks", rows=[], total_rows=0, empty="no tenant exported a cost", checks=[])
    content["cells"].append({"outputs": [{"data": {LOOK: empty}}]})
    assert "No rows: no tenant exported a cost." in Document(render(content)).text


def test_a_long_table_says_how_much_of_it_is_shown() -> None:
    content = notebook()
    long = look("cost-tenants", rows=[["acme", "1"]] * 50, total_rows=1234, checks=[])
    content["cells"].append({"outputs": [{"data": {LOOK: long}}]})
    text = Document(render(content)).text
    assert "the first 50 of 1,234 rows" in text
    assert "data/cost-tenants.csv" in text


def test_the_provenance_holds_hashes_and_parameters_but_no_secret() -> None:
    page = Document(render(notebook()))
    assert summary_sha256(summary()) in page.text
    assert "http://host:9090" in page.text
    assert "secret" not in page.text
    assert "weekly_report.ipynb, sha256 " + "1" * 64 in page.text
    assert "Python 3.11.7, pandas 3.0.1" in page.text


def test_the_same_notebook_gives_the_same_page_and_is_not_changed() -> None:
    content, again = notebook(), notebook()
    assert render(content) == render(content)
    assert content == again


def test_figures_as_lists_of_lines_are_joined() -> None:
    content = notebook()
    content["cells"][2]["outputs"][0]["data"][SVG] = FIGURE.splitlines(keepends=True)
    assert render(content) == render(notebook())


def test_what_no_document_may_hold_is_replaced() -> None:
    page = render(notebook("a\ud800\x00b"))
    assert page.encode("utf-8")
    assert "a\ufffd\ufffdb" in page


@pytest.mark.parametrize("content", [{"cells": []}, {"cells": [{"cell_type": "markdown", "source": "# T"}]}])
def test_without_a_headline_there_is_no_page(content: dict[str, Any]) -> None:
    assert SUMMARY not in str(content)
    with pytest.raises(NotebookFailed, match=r"^The notebook holds no headline"):
        render(content)


def test_what_was_not_measured_on_this_platform_says_how_to() -> None:
    assert "was not measured yet: run cloudxai evaluate --environment" in Document(render(notebook())).text


def test_the_method_section_says_what_would_be_found_on_this_platform() -> None:
    """Outages of a minute were found once of six times, of two minutes six of six; of storms nothing was planted."""
    made = notebook()
    outage = {"kind": "readiness_incident", "check": "outages", "unit": "minutes", "smallest": 2.0}
    sizes = [{"size": 1, "runs": 6, "found": 1}, {"size": 2, "runs": 6, "found": 6}]
    storm = {"kind": "alert_storm", "check": "storms", "unit": HOSTILE[0], "smallest": None}
    findings = [{"check": "restarts", "status": "warn", "finding": HOSTILE[1]}]
    evaluation = {
        "environment": "prod",
        "weeks": [{"week": "2026-W46", "findings": findings}, {"week": "2026-W45", "findings": []}],
        "curves": [
            {**outage, "sizes": sizes},
            {**storm, "sizes": [{"size": 5, "runs": 0, "found": 0}]},
            {**storm, "kind": "restart", "sizes": [{"size": 1, "runs": 1, "found": 0}]},
        ],
    }
    for cell in made["cells"]:
        for output in cell.get("outputs", []):
            if SUMMARY in output.get("data", {}):
                output["data"][SUMMARY]["evaluation"] = evaluation
    text = Document(render(made)).text
    assert "planted into copies of 2026-W45, 2026-W46." in text
    assert "these weeks have 1 (2026-W46), 0 (2026-W45) findings" in text
    assert "readiness incident2 minutes1: 1 of 6, 2: 6 of 6" in text.replace(" readiness", "readiness")
    assert "alert stormcould not be planted" in text
    assert "restartnot reached1: 0 of 1" in text
    assert "was not measured yet" not in text
