"""A card in a notebook: what JupyterLab shows and what the page is made from, whatever names it holds."""

from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd
import pytest
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from cloudxai_analysis.cards.card import LOOK_MIME, Card, table_cells
from cloudxai_analysis.cards.notebook import SUMMARY_MIME, Headline
from cloudxai_analysis.ground.window import parse_window

HOSTILE = "<img src=x onerror=alert(1)>"
SAID = {
    "key": "cost-tenants",
    "heading": "acme costs most: 12 EUR.",
    "note": "It cost 11 EUR before.",
    "caption": "Cost by tenant",
    "definition": "Cost: the integral of the rate.",
    "measure": "measures.cost.tenant_costs",
    "got": 10,
}


def published(monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[dict[str, Any]]:
    """The bundles that IPython itself takes from a card."""
    table = pd.DataFrame({"tenant": ["acme"], "cost": [12.0]})
    shell, publisher = InteractiveShell.instance(), CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    monkeypatch.setattr(shell, "displayhook", CapturingDisplayHook(shell=shell, outputs=[]))
    shell.display_formatter.format(Card(**{**SAID, "window": parse_window("2026-W46"), "table": table, **more}))
    return [output["data"] for output in publisher.outputs]


def test_the_page_gets_everything_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle,) = published(monkeypatch, checks=("anomalies",))
    cost = {"name": "cost", "label": "cost", "numeric": True}
    assert bundle[LOOK_MIME] == SAID | {
        "section": "cost",
        "columns": [{"name": "tenant", "label": "tenant", "numeric": False}, cost],
        "rows": [["acme", "12"]],
        "total_rows": 1,
        "window": "2026-W46 (2026-11-09 00:00 to 2026-11-16 00:00 UTC)",
        "alt": "acme costs most: 12 EUR. It cost 11 EUR before.",
        "csv": "cost-tenants.csv",
        "checks": ["anomalies"],
        "empty": "",
    }
    assert bundle["text/plain"].startswith("acme costs most: 12 EUR.\nIt cost 11 EUR before.\n\n")


def test_a_figure_comes_with_its_alternative_ids_of_its_own_and_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = (published(monkeypatch, draw=lambda ax: ax.plot([1, 2], [2, 1], marker="o"))[1] for _ in range(2))
    assert first == again
    assert f'aria-label="{first["text/plain"]}"' in first["image/svg+xml"]
    ids = re.findall(r'id="([^"]*)"', first["image/svg+xml"])
    assert {name.startswith("cost-tenants-") for name in ids} == {True}


def test_a_hostile_name_is_text_in_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({HOSTILE: [HOSTILE]})
    hostile = dict.fromkeys(("heading", "note", "caption"), HOSTILE)
    bundle, figure = published(monkeypatch, **hostile, table=table, draw=lambda axes: axes)
    (empty,) = published(monkeypatch, table=table.head(0), empty=HOSTILE)
    summary = {
        "headline": HOSTILE,
        "paragraph": "One.",
        "status": "warn",
        "tiles": [{"label": "Left", "text": HOSTILE}],
    }
    title = Headline(summary=summary, run="r1", since={"before": None})._repr_mimebundle_()
    assert title[SUMMARY_MIME] == {"summary": summary, "run": "r1", "since": {"before": None}}
    assert title["text/plain"] == f"{HOSTILE}\nOne.\nLeft: {HOSTILE}"
    for shown, times in ((bundle["text/html"], 5), (empty["text/html"], 1), (title["text/html"], 2)):
        assert "<img" not in shown
        assert shown.count(html.escape(HOSTILE)) == times
    assert "<img" not in figure["image/svg+xml"]


def test_a_long_table_says_of_how_many_rows_it_shows_some_and_an_empty_one_why(monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle,) = published(monkeypatch, table=pd.DataFrame({"n": range(168)}))
    assert (len(bundle[LOOK_MIME]["rows"]), bundle[LOOK_MIME]["total_rows"]) == (50, 168)
    assert "the first 50 of 168 rows" in bundle["text/html"]
    assert bundle["text/plain"].endswith("\n… 158 more rows")
    (bundle,) = published(monkeypatch, table=pd.DataFrame({"tenant": []}), empty="no tenant exported a cost")
    for said in (bundle["text/plain"], bundle["text/html"], bundle[LOOK_MIME]["empty"]):
        assert "no tenant exported a cost" in said
    assert [column["name"] for column in bundle[LOOK_MIME]["columns"]] == ["tenant"]


@pytest.mark.parametrize(
    ("name", "values", "texts"),
    [
        ("x", (1234567.0, 0.000123456, -2.5, 0.0), ["x", True, "1,234,567", "0.0001235", "-2.5", "0"]),
        ("held_tenants", (1234567, -1), ["held tenants", True, "1,234,567", "-1"]),
        # Unknown is a dash, and never zero.
        ("x", (float("nan"), 1.0), ["x", True, "–", "1"]),
        ("alertname", (None, "acme"), ["rule", False, "–", "acme"]),
        ("day", (pd.NaT, pd.Timestamp("2026-11-10", tz="UTC")), ["day (UTC)", False, "–", "2026-11-10"]),
        ("fired_at", (pd.Timestamp("2026-11-10 09:48", tz="UTC"),), ["fired (UTC)", False, "2026-11-10 09:48"]),
        ("x", (("req-1", "req-2"), ()), ["x", False, "req-1, req-2", ""]),
        ("within_cap", (True, False), ["within cap", False, "yes", "no"]),
    ],
)
def test_columns_and_cells_are_read_at_a_glance(name: str, values: tuple[object, ...], texts: list[object]) -> None:
    (column,), rows = table_cells(pd.DataFrame({name: pd.Series(values)}))
    assert [column["label"], column["numeric"], *(row[0] for row in rows)] == texts
