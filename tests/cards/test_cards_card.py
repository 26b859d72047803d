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

from cloudxai_analysis.cards.card import LOOK_MIME, Card, table_cells
from cloudxai_analysis.cards.weekly import SUMMARY_MIME, Headline
from cloudxai_analysis.ground.window import Window

WEEK = Window(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC), "2026-W46")
HOSTILE = "<img src=x onerror=alert(1)>"


def look(**more: Any) -> Card:
    fields: dict[str, Any] = {
        "key": "cost-tenants",
        "heading": "acme costs most: 12 EUR.",
        "note": "It cost 11 EUR before.",
        "table": pd.DataFrame({"tenant": ["acme"], "cost": [12.0]}),
        "caption": "Cost by tenant",
        "definition": "Cost: the integral of the rate.",
        "measure": "measures.cost.tenant_costs",
        "window": WEEK,
        "got": 10,
    }
    return Card(**{**fields, **more})


def published(made: Card, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bundles that IPython itself takes from the look."""
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    monkeypatch.setattr(shell, "displayhook", CapturingDisplayHook(shell=shell, outputs=[]))
    shell.display_formatter.format(made)
    return [output["data"] for output in publisher.outputs]


def test_the_page_gets_everything_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, *figures = published(look(checks=("anomalies",)), monkeypatch)
    assert figures == []
    assert bundle[LOOK_MIME] == {
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
        "alt": "acme costs most: 12 EUR. It cost 11 EUR before.",
        "csv": "cost-tenants.csv",
        "checks": ["anomalies"],
        "empty": "",
    }
    assert bundle["text/plain"].startswith("acme costs most: 12 EUR.\nIt cost 11 EUR before.\n\n")


def test_a_figure_comes_with_its_alternative_ids_of_its_own_and_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = look(draw=lambda axes: axes.plot([1, 2], [2, 1], marker="o"))
    _, figure = published(made, monkeypatch)
    assert figure["text/plain"] == made.alt
    assert f'aria-label="{made.alt}"' in figure["image/svg+xml"]
    ids = re.findall(r'id="([^"]*)"', figure["image/svg+xml"])
    assert ids
    assert all(name.startswith("cost-tenants-") for name in ids)
    assert published(made, monkeypatch) == published(made, monkeypatch)


def test_a_hostile_name_is_text_in_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({HOSTILE: [HOSTILE]})
    made = look(heading=HOSTILE, note=HOSTILE, caption=HOSTILE, table=table, draw=lambda axes: axes)
    bundle, figure = published(made, monkeypatch)
    assert "<img" not in bundle["text/html"]
    assert bundle["text/html"].count(html.escape(HOSTILE)) == 5
    assert "<img" not in figure["image/svg+xml"]
    assert "<img" not in published(look(table=table.head(0), empty=HOSTILE), monkeypatch)[0]["text/html"]
    assert "x" * 300 in published(look(table=pd.DataFrame({"t": ["x" * 300]})), monkeypatch)[0]["text/html"]


def test_a_long_table_says_of_how_many_rows_it_shows_some_and_an_empty_one_why(monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle,) = published(look(table=pd.DataFrame({"n": range(168)})), monkeypatch)
    assert len(bundle[LOOK_MIME]["rows"]) == 50
    assert bundle[LOOK_MIME]["total_rows"] == 168
    assert "the first 50 of 168 rows" in bundle["text/html"]
    assert bundle["text/plain"].endswith("\n… 158 more rows")
    table = pd.DataFrame({"tenant": pd.Series(dtype="str")})
    (bundle,) = published(look(table=table, empty="no tenant exported a cost"), monkeypatch)
    for said in (bundle["text/plain"], bundle["text/html"], bundle[LOOK_MIME]["empty"]):
        assert "no tenant exported a cost" in said
    assert [column["name"] for column in bundle[LOOK_MIME]["columns"]] == ["tenant"]


def test_the_headline_holds_the_summary_and_says_the_verdict() -> None:
    tile = {"label": "Tenant labels left", "text": "54 of 100"}
    summary = {"headline": f"2026-W46: warning – {HOSTILE}", "paragraph": "One.", "status": "warn", "tiles": [tile]}
    bundle = Headline(summary=summary, run="r1", since={"before": None})._repr_mimebundle_()
    assert bundle[SUMMARY_MIME] == {"summary": summary, "run": "r1", "since": {"before": None}}
    assert bundle["text/plain"] == f"2026-W46: warning – {HOSTILE}\nOne.\nTenant labels left: 54 of 100"
    assert "▲ 2026-W46: warning – &lt;img" in bundle["text/html"]
    assert "<img" not in bundle["text/html"]


def test_columns_have_labels_units_of_time_and_their_side() -> None:
    frame = pd.DataFrame(
        {
            "fired_at": pd.to_datetime(["2026-11-10T09:48:00Z"]),
            "held_tenants": [3],
            "alertname": ["TenantFlapping"],
            "within_cap": [True],
        }
    )
    columns, rows = table_cells(frame)
    assert [(one["label"], one["numeric"]) for one in columns] == [
        ("fired (UTC)", False),
        ("held tenants", True),
        ("rule", False),
        ("within cap", False),
    ]
    assert rows == [["2026-11-10 09:48", "3", "TenantFlapping", "yes"]]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((1234567.0, 0.000123456, -2.5, 0.0), ["1,234,567", "0.0001235", "-2.5", "0"]),
        ((1234567, -1), ["1,234,567", "-1"]),
        # Unknown is a dash, and never zero.
        ((float("nan"), 1.0), ["–", "1"]),
        ((None, "acme"), ["–", "acme"]),
        ((pd.NaT, pd.Timestamp("2026-11-10", tz="UTC")), ["–", "2026-11-10"]),
        ((("req-1", "req-2"), ()), ["req-1, req-2", ""]),
    ],
)
def test_cells_are_read_at_a_glance(values: tuple[object, ...], texts: list[str]) -> None:
    assert [row[0] for row in table_cells(pd.DataFrame({"x": pd.Series(values)}))[1]] == texts
