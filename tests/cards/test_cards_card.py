"""A look in a notebook: what JupyterLab shows and what the page is made from, whatever names it holds."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from cloudxai_analysis.cards.card import Card, Headline
from cloudxai_analysis.ground.window import Window

LOOK = "application/vnd.cloudxai.look+json"
SUMMARY = "application/vnd.cloudxai.summary+json"
WEEK = Window(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC), "2026-W46")
HOSTILE = "<img src=x onerror=alert(1)>"


def look(**more: Any) -> Card:
    fields: dict[str, Any] = {
        "key": "cost-tenants",
        "section": "cost",
        "heading": "acme costs most: 12 EUR.",
        "note": "It cost 11 EUR before.",
        "draw": None,
        "size": (4.0, 2.0),
        "table": pd.DataFrame({"tenant": ["acme"], "cost": [12.0]}),
        "caption": "Cost by tenant",
        "definition": "Cost: the integral of the rate.",
        "measure": "measures.cost.tenant_costs",
        "window": WEEK,
        "got": 10,
        "alt": "acme costs most: 12 EUR.",
        "csv": "cost-tenants.csv",
    }
    return Card(**{**fields, **more})


def shown(made: Card, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bundles that IPython itself takes from the look."""
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    monkeypatch.setattr(shell, "displayhook", CapturingDisplayHook(shell=shell, outputs=[]))
    shell.display_formatter.format(made)
    return [output["data"] for output in publisher.outputs]


def test_the_page_gets_everything_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, *figures = shown(look(checks=("anomalies",)), monkeypatch)
    assert figures == []
    assert bundle[LOOK] == {
        "key": "cost-tenants",
        "section": "cost",
        "heading": "acme costs most: 12 EUR.",
        "note": "It cost 11 EUR before.",
        "caption": "Cost by tenant",
        "columns": [
            {"name": "tenant", "label": "tenant", "numeric": False},
            {"name": "cost", "label": "cost", "numeric": True},
        ],
        "rows": [["acme", "12"]],
        "total_rows": 1,
        "definition": "Cost: the integral of the rate.",
        "measure": "measures.cost.tenant_costs",
        "window": "2026-W46 (2026-11-09 00:00 to 2026-11-16 00:00 UTC)",
        "got": 10,
        "alt": "acme costs most: 12 EUR.",
        "csv": "cost-tenants.csv",
        "checks": ["anomalies"],
        "empty": "",
    }
    assert bundle["text/plain"].startswith("acme costs most: 12 EUR.\nIt cost 11 EUR before.\n\n")


def test_a_figure_comes_with_its_alternative_and_ids_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = look(draw=lambda axes: axes.plot([1, 2], [2, 1], marker="o"))
    _, figure = shown(made, monkeypatch)
    assert figure["text/plain"] == "acme costs most: 12 EUR."
    assert 'aria-label="acme costs most: 12 EUR."' in figure["image/svg+xml"]
    ids = re.findall(r'id="([^"]*)"', figure["image/svg+xml"])
    assert ids
    assert all(name.startswith("cost-tenants-") for name in ids)


def test_the_same_look_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = look(draw=lambda axes: axes.plot([1, 2], [2, 1], marker="o"))
    assert shown(made, monkeypatch) == shown(made, monkeypatch)


def test_a_hostile_name_is_text_in_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({HOSTILE: [HOSTILE]})
    made = look(heading=HOSTILE, note=HOSTILE, caption=HOSTILE, table=table, alt=HOSTILE, draw=lambda axes: axes)
    bundle, figure = shown(made, monkeypatch)
    assert "<img" not in bundle["text/html"]
    assert bundle["text/html"].count(html.escape(HOSTILE)) == 5
    assert "<img" not in figure["image/svg+xml"]
    assert "<img" not in shown(look(table=table.head(0), empty=HOSTILE), monkeypatch)[0]["text/html"]


def test_a_long_table_shows_fifty_rows_and_says_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle,) = shown(look(table=pd.DataFrame({"n": range(168)})), monkeypatch)
    assert len(bundle[LOOK]["rows"]) == 50
    assert bundle[LOOK]["total_rows"] == 168
    assert "the first 50 of 168 rows" in bundle["text/html"]


def test_nothing_to_show_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"tenant": pd.Series(dtype="str")})
    (bundle,) = shown(look(table=table, empty="no tenant exported a cost"), monkeypatch)
    assert "no tenant exported a cost" in bundle["text/plain"]
    assert "no tenant exported a cost" in bundle["text/html"]
    assert bundle[LOOK]["empty"] == "no tenant exported a cost"


def test_the_headline_holds_the_summary_and_says_the_verdict() -> None:
    tile = {"label": "Tenant labels left", "text": "54 of 100"}
    summary = {"headline": f"2026-W46: warning – {HOSTILE}", "paragraph": "One.", "status": "warn", "tiles": [tile]}
    bundle = Headline(summary=summary, run="r1", since={"before": None})._repr_mimebundle_()
    assert bundle[SUMMARY] == {"summary": summary, "run": "r1", "since": {"before": None}}
    assert bundle["text/plain"] == f"2026-W46: warning – {HOSTILE}\nOne.\nTenant labels left: 54 of 100"
    assert "▲ 2026-W46: warning – &lt;img" in bundle["text/html"]
    assert "<img" not in bundle["text/html"]
