"""A section card: a finding with its figure and table, as a notebook's cell shows it and the page takes it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from cloudxai_analysis.figures.svg import as_image
from cloudxai_analysis.ground.window import Window

LOOK_MIME = "application/vnd.cloudxai.look+json"
SVG_MIME = "image/svg+xml"
NARROW_MIME = "application/vnd.cloudxai.narrow+json"
NARROW = (4.9, 3.0)  # inches of a figure that is read on a telephone, and in half of a page
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
# Shares, by their columns' names; but of a rule's firing, of which a percentage has no digit before its point either.
_SHARE = re.compile(r"rate|low|high|relative|contribution|churn|availability|coverage|drift|(?!firing_)(.*_)?share")
Cells = tuple[list[dict[str, Any]], list[list[str]]]


@dataclass(frozen=True)
class Card:
    """One finding: a heading that says it, a figure, the table behind it, and where it comes from.

    `key` is its anchor on the page and begins with its section; `draw` fills an Axes; `got` counts
    samples; `checks` are the verdicts that it shows; `empty` is the reason where there is nothing
    to show; `rows` of the table are shown; where `narrow`, the figure comes a second time, for a
    telephone.
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
    narrow: bool = False

    @property
    def alt(self) -> str:
        """What stands in the figure's place for those who do not see it."""
        return f"{self.heading} {self.note}".strip()

    @cached_property
    def cells(self) -> Cells:
        """Columns and rows of the table as they are shown."""
        return table_cells(self.table.head(self.rows))

    def svg(self, *, narrow: bool = False) -> str:
        """The figure as SVG whose identifiers begin with the card's key; '' where there is none."""
        if self.draw is None:
            return ""
        from cloudxai_analysis.figures import new_axes, to_svg

        axes = new_axes(*(NARROW if narrow else self.size))
        self.draw(axes)
        return to_svg(axes.figure, f"{self.key}-n" if narrow else self.key, self.alt)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the figure, as plain data; the table holds its first `rows` rows, as text."""
        columns, rows = self.cells
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

        said = f"<p><strong>{html.escape(self.heading)}</strong><br>{html.escape(self.note)}</p>"
        columns, rows = self.cells
        table, whole = pd.DataFrame(rows[:TEXT_ROWS], columns=[one["label"] for one in columns]), len(self.table)
        more = f"\n… {whole - len(table)} more rows" if whole > len(table) else ""
        body = self.empty or table.to_string(index=False, max_colwidth=40) + more
        some = f"; the first {self.rows} of {whole} rows" if whole > self.rows else ""
        folded = f"<details><summary>{html.escape(self.caption)}{some}</summary>{html_table(self.cells)}</details>"
        publish_display_data(
            {
                LOOK_MIME: self.as_dict(),
                "text/html": said + (f"<p><em>{html.escape(self.empty)}</em></p>" if self.empty else folded),
                "text/plain": f"{self.heading}\n{self.note}\n\n{body}",
            }
        )
        if figure := self.svg():
            narrow = {NARROW_MIME: self.svg(narrow=True)} if self.narrow else {}
            publish_display_data(
                {SVG_MIME: figure, "text/html": as_image(figure, self.alt), "text/plain": self.alt, **narrow},
                metadata={"cloudxai": {"look": self.key}},
            )


def table_cells(frame: pd.DataFrame) -> Cells:
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


def html_table(cells: Cells) -> str:
    """The cells as HTML: every one whole, and nothing but its own text."""
    columns, rows = cells

    def row(kind: str, texts: Iterable[str]) -> str:
        return f"<tr>{''.join(f'<{kind}>{html.escape(text)}</{kind}>' for text in texts)}</tr>"

    head, body = row("th", (column["label"] for column in columns)), "".join(row("td", texts) for texts in rows)
    return f'<table class="dataframe"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _label(name: str, column: pd.Series) -> str:
    zone = " (UTC)" if pd.api.types.is_datetime64_any_dtype(column) else ""
    return LABELS.get(name, name.replace("_", " ") + zone)


def _texts(column: pd.Series) -> list[str]:
    if pd.api.types.is_datetime64_any_dtype(column):
        known = column.dropna()
        whole_days = bool((known == known.dt.floor("D")).all())
        return column.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M").fillna("–").tolist()
    if _SHARE.fullmatch(str(column.name)) and pd.api.types.is_float_dtype(column):
        return ["–" if pd.isna(value) else f"{_text(float(100 * value))} %" for value in column]
    return [_text(value) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Four digits, but never fewer than all before the point: 11,657 and not 1.166e+04.
        large = abs(value) < 1e15 and (value.is_integer() or abs(value) >= 1000)
        return f"{value:,.0f}" if large else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
