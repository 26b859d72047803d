"""What a notebook's cell shows: a finding with its figure and table, or the week's headline."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.cells import table_cells, text_table
from cloudxai_analysis.checks import Check
from cloudxai_analysis.figures.svg import as_image
from cloudxai_analysis.ground.window import Window

LOOK_MIME = "application/vnd.cloudxai.look+json"
SUMMARY_MIME = "application/vnd.cloudxai.summary+json"
SVG_MIME = "image/svg+xml"
SHAPES = {"pass": "●", "warn": "▲", "fail": "■", "unknown": "◇"}


@dataclass(frozen=True)
class Card:
    """One finding: a heading that says it, a figure, the table behind it, and where it comes from.

    `key` is its anchor on the page; `draw` fills an Axes; `got` counts samples; `checks` are the
    verdicts that it shows; `empty` is the reason where there is nothing to show; `rows` of the table are shown.
    """

    key: str
    section: str
    heading: str
    note: str
    draw: Callable[[Any], Any] | None
    size: tuple[float, float]
    table: pd.DataFrame
    caption: str
    definition: str
    measure: str
    window: Window
    got: int | None
    alt: str
    csv: str
    checks: tuple[str, ...] = ()
    empty: str = ""
    rows: int = 50

    def svg(self) -> str:
        """The figure as SVG whose identifiers begin with the card's key; '' where there is none."""
        if self.draw is None:
            return ""
        from cloudxai_analysis.figures import new_axes
        from cloudxai_analysis.figures.svg import to_svg

        axes = new_axes(*self.size)
        self.draw(axes)
        return to_svg(axes.figure, self.key, self.alt)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the figure, as plain data; the table holds its first `rows` rows, as text."""
        columns, rows = table_cells(self.table.head(self.rows))
        return {
            "key": self.key,
            "section": self.section,
            "heading": self.heading,
            "note": self.note,
            "caption": self.caption,
            "columns": columns,
            "rows": rows,
            "total_rows": len(self.table),
            "definition": self.definition,
            "measure": self.measure,
            "window": str(self.window),
            "got": self.got,
            "alt": self.alt,
            "csv": self.csv,
            "checks": list(self.checks),
            "empty": self.empty,
        }

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        publish_display_data({LOOK_MIME: self.as_dict(), "text/html": self._html(), "text/plain": self._text()})
        if figure := self.svg():
            publish_display_data(
                {SVG_MIME: figure, "text/html": as_image(figure, self.alt), "text/plain": self.alt},
                metadata={"cloudxai": {"look": self.key}},
            )

    def _text(self) -> str:
        body = self.empty or text_table(self.table)
        return f"{self.heading}\n{self.note}\n\n{body}"

    def _html(self) -> str:
        body = f"<p><em>{html.escape(self.empty)}</em></p>" if self.empty else self._folded()
        return f"<p><strong>{html.escape(self.heading)}</strong><br>{html.escape(self.note)}</p>{body}"

    def _folded(self) -> str:
        columns, rows = table_cells(self.table.head(self.rows))
        head = "".join(f"<th>{html.escape(column['label'])}</th>" for column in columns)
        lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        more = f"; the first {self.rows} of {len(self.table)} rows" if len(self.table) > self.rows else ""
        return (
            f"<details><summary>{html.escape(self.caption)}{more}</summary>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></details>"
        )


@dataclass(frozen=True)
class Verdicts:
    """Checks as a notebook shows them: each with its status by shape and word, and its whole finding."""

    checks: tuple[Check, ...]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{SHAPES[check.status]} {check.status}</td><td>{html.escape(check.key)}</td>"
            f'<td style="text-align:left">{html.escape(check.finding)}</td></tr>'
            for check in self.checks
        )
        head = "<tr><th>status</th><th>check</th><th style='text-align:left'>finding</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def __repr__(self) -> str:
        return "\n".join(f"{SHAPES[check.status]} {check.status:<7} {check.finding}" for check in self.checks)


@dataclass(frozen=True)
class Headline:
    """The week's verdict with its summary, the run that made it, and what changed since the week before.

    `evaluation` is what `cloudxai evaluate` found out in the environment's own weeks, None where it was not run.
    """

    summary: dict[str, Any]
    run: str
    since: dict[str, Any]
    evaluation: dict[str, Any] | None = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        evaluation = {"evaluation": self.evaluation} if self.evaluation else {}
        return {
            SUMMARY_MIME: {"summary": self.summary, "run": self.run, "since": self.since, **evaluation},
            "text/html": self._html(),
            "text/plain": "\n".join([self.summary["headline"], self.summary["paragraph"], *self._tiles()]),
        }

    def _tiles(self) -> list[str]:
        return [f"{tile['label']}: {tile['text']}" for tile in self.summary["tiles"]]

    def _html(self) -> str:
        summary = self.summary
        shape = SHAPES[summary["status"]]
        tiles = "".join(f"<li>{html.escape(line)}</li>" for line in self._tiles())
        return (
            f"<p><strong>{shape} {html.escape(summary['headline'])}</strong></p>"
            f"<p>{html.escape(summary['paragraph'])}</p><ul>{tiles}</ul>"
        )
