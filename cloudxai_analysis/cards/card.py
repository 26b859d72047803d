"""A section card: a finding with its figure and table, as a notebook's cell shows it and the page takes it."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cloudxai_analysis.figures.svg import as_image
from cloudxai_analysis.ground.window import Window

LOOK_MIME = "application/vnd.cloudxai.look+json"
SVG_MIME = "image/svg+xml"
SHAPES = {"pass": "●", "warn": "▲", "fail": "■", "unknown": "◇"}
LABELS = {
    "seen_at": "first sample (UTC)",
    "started_at": "started (UTC)",
    "fired_at": "fired (UTC)",
    "pending_at": "pending (UTC)",
    "resolved_at": "resolved (UTC)",
    "alertname": "rule",
    "trials": "alert groups",
}
TEXT_ROWS = 10


@dataclass(frozen=True)
class Card:
    """One finding: a heading that says it, a figure, the table behind it, and where it comes from.

    `key` is its anchor on the page and begins with its section; `draw` fills an Axes; `got` counts samples; `checks`
    are the verdicts that it shows; `empty` is the reason where there is nothing to show; `rows` of the table are shown.
    """

    key: str
    heading: str
    note: str
    table: pd.DataFrame
    caption: str
    definition: str
    measure: str
    window: Window
    draw: Callable[[Any], Any] | None = None
    size: tuple[float, float] = (7.2, 3.4)
    got: int | None = None
    checks: tuple[str, ...] = ()
    empty: str = ""
    rows: int = 50

    @property
    def alt(self) -> str:
        """What stands in the figure's place for those who do not see it."""
        return f"{self.heading} {self.note}".strip()

    def svg(self) -> str:
        """The figure as SVG whose identifiers begin with the card's key; '' where there is none."""
        if self.draw is None:
            return ""
        from cloudxai_analysis.figures import new_axes, to_svg

        axes = new_axes(*self.size)
        self.draw(axes)
        return to_svg(axes.figure, self.key, self.alt)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the figure, as plain data; the table holds its first `rows` rows, as text."""
        columns, rows = table_cells(self.table.head(self.rows))
        said = ("key", "heading", "note", "caption", "definition", "measure", "got", "alt", "empty")
        return {name: getattr(self, name) for name in said} | {
            "section": self.key.split("-", 1)[0],
            "columns": columns,
            "rows": rows,
            "total_rows": len(self.table),
            "window": str(self.window),
            "csv": f"{self.key}.csv",
            "checks": list(self.checks),
        }

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        more = f"\n… {len(self.table) - TEXT_ROWS} more rows" if len(self.table) > TEXT_ROWS else ""
        body = shown(self.table.head(TEXT_ROWS)).to_string(index=False, max_colwidth=40) + more
        text = f"{self.heading}\n{self.note}\n\n{self.empty or body}"
        publish_display_data({LOOK_MIME: self.as_dict(), "text/html": self._html(), "text/plain": text})
        if figure := self.svg():
            publish_display_data(
                {SVG_MIME: figure, "text/html": as_image(figure, self.alt), "text/plain": self.alt},
                metadata={"cloudxai": {"look": self.key}},
            )

    def _html(self) -> str:
        said = f"<p><strong>{html.escape(self.heading)}</strong><br>{html.escape(self.note)}</p>"
        if self.empty:
            return f"{said}<p><em>{html.escape(self.empty)}</em></p>"
        more = f"; the first {self.rows} of {len(self.table)} rows" if len(self.table) > self.rows else ""
        table = html_table(shown(self.table.head(self.rows)))
        return f"{said}<details><summary>{html.escape(self.caption)}{more}</summary>{table}</details>"


def table_cells(frame: pd.DataFrame) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Columns (name, label, whether numeric) and rows of text of a frame, the same in a notebook and on the page."""
    columns = [
        {
            "name": str(name),
            "label": _label(str(name), frame[name]),
            "numeric": pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]),
        }
        for name in frame.columns
    ]
    texts = [_texts(frame[name]) for name in frame.columns]
    return columns, [list(row) for row in zip(*texts, strict=True)]


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of the cells of a frame, as text under their labels."""
    columns, rows = table_cells(frame)
    return pd.DataFrame(rows, columns=[column["label"] for column in columns], index=frame.index)


def html_table(frame: pd.DataFrame) -> str:
    """A frame of text as HTML: every cell whole, and nothing but its own text."""
    with pd.option_context("display.max_colwidth", None):
        return frame.to_html(index=False, border=0, escape=True)


def _label(name: str, column: pd.Series) -> str:
    zone = " (UTC)" if pd.api.types.is_datetime64_any_dtype(column) else ""
    return LABELS.get(name, name.replace("_", " ") + zone)


def _texts(column: pd.Series) -> list[str]:
    if pd.api.types.is_datetime64_any_dtype(column):
        known = column.dropna()
        whole_days = bool((known == known.dt.floor("D")).all())
        return column.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M").fillna("–").tolist()
    return [_text(value) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
