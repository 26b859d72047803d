"""What a notebook shows to a person who looks on: tables that answer a click, pickers, buttons; plain to all others."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import Card, html_table, table_cells
from cloudxai_analysis.cards.notebook import events, samples_behind
from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.study.opening import study_on
from cloudxai_analysis.study.study import Study

_NEEDED = ("ipywidgets", "itables", "anywidget", "ipympl")
_OWN = "of the finding"
# White on the libraries' own blue of a chosen row has a contrast under 4.5.
_LOOKS = "--dt-row-selected: 0, 80, 180; width: auto; caption-side: bottom"


def looked_on() -> bool:
    """Whether a Jupyter server opened this notebook, with the widgets installed; a job, a test and a script: no."""
    return bool(os.environ.get("JPY_SESSION_NAME")) and all(map(find_spec, _NEEDED))


def browse(frame: pd.DataFrame, **options: Any) -> Any:
    """A table of `frame` to sort and to search, its cells as on the page; where nobody looks on, `frame` itself.

    `options` are those of itables, as `select="single"`.
    """
    if not looked_on():
        return frame
    from itables.widget import ITable

    return ITable(_texts(frame), **{"showIndex": False, "maxBytes": 0, "style": _LOOKS, **options})


def explore(study: Study, section: str, event: int = 0, *, tenant: str = "", metric: str = "") -> None:
    """Show what the checks of a section found, numbered, and the raw samples behind one of it, or of one tenant.

    To who looks on: a click on a row shows its samples, and pickers those of another week, tenant,
    rule or metric. Raises as `samples_behind` does.
    """
    from IPython.display import display

    card = samples_behind(study, section, event, tenant=tenant, metric=metric)
    if looked_on():
        _Explorer(study, section, event, tenant, metric).show()
    else:
        display(events(study, section), card)


class _Explorer:
    """The events of a section, over pickers, over the samples of what was chosen last."""

    def __init__(self, study: Study, section: str, event: int, tenant: str, metric: str) -> None:
        from ipywidgets import Combobox, Dropdown, HBox, Layout, Output, ToggleButton, VBox

        self.section, self.samples = section, Output()
        rules = sorted({*study.contract.alerts, *study.alerts.judged["alertname"].astype("str")})
        roles = [(one.name, role) for role, one in study.contract.metrics.items()]
        self.week = Dropdown(description="Week", options=_weeks(study))
        self.tenant = Combobox(options=study.tenants, value=tenant, continuous_update=False)
        self.tenant.description, self.tenant.placeholder = "Tenant", _OWN
        self.rule = Dropdown(description="Rule", options=[(_OWN, ""), *((one, one) for one in rules)])
        self.metric = Dropdown(description="Metric", options=[(_OWN, ""), *roles], value=metric)
        self.zoom = ToggleButton(description="Zoom", tooltip="A figure to zoom into and to move")
        self.found = browse(self._events(), select="single", selected_rows=[event])
        pickers = HBox([self.week, self.tenant, self.rule, self.metric, self.zoom], layout=Layout(flex_flow="row wrap"))
        self.box = VBox([self.found, pickers, self.samples])
        self.week.observe(self._list, "value")
        self.found.observe(self._choose, "selected_rows")
        for one in (self.tenant, self.rule, self.metric, self.zoom):
            one.observe(self._follow, "value")

    def show(self) -> None:
        """Show it; where no widget may run, as in a notebook that is not trusted, the events as a plain table."""
        from IPython.display import publish_display_data

        self._follow()
        publish_display_data(self.box._repr_mimebundle_() | {"text/html": html_table(table_cells(self._events()))})

    def _events(self) -> pd.DataFrame:
        return events(self.week.value, self.section).rename_axis("event").reset_index()

    def _list(self, _: Any) -> None:
        """Of another week the events, and the samples of the first."""
        self.samples.clear_output()
        with self.samples:
            print(f"Looking at {self.week.label} …")
            self.found.update(_texts(self._events()), selected_rows=[0])
        self._follow()

    def _choose(self, _: Any) -> None:
        """A row that is clicked counts more than what was picked before."""
        self.tenant.value = self.rule.value = ""
        self._follow()

    def _follow(self, _: Any = None) -> None:
        """Show the samples; a mistake is its one line."""
        from IPython.display import display

        self.samples.clear_output(wait=True)
        with self.samples:
            row = next(iter(self.found.selected_rows), 0)
            asked = {"tenant": self.tenant.value, "rule": self.rule.value, "metric": self.metric.value}
            card = samples_behind(self.week.value, self.section, row, **asked)
            display(zoomable(card.draw, card.size) if self.zoom.value and card.draw else card)


def zoomable(draw: Callable[[Any], Any], size: tuple[float, float]) -> Any:
    """A card's figure as a canvas to zoom into and to move, on white, whatever the theme."""
    from ipympl.backend_nbagg import Canvas, FigureManager

    from cloudxai_analysis.figures import new_axes

    axes = new_axes(*size)
    axes.figure.set_dpi(100)
    draw(axes)
    axes.figure.patch.set(visible=True, facecolor="white")
    canvas = Canvas(axes.figure)
    canvas.header_visible, canvas.toolbar_visible = False, "visible"
    FigureManager(canvas, 0)
    return canvas


def asking(judgements: tuple[str, ...], write: Callable[[str], Card]) -> Any:
    """A button for each judgement; a click hands it to `write`, once, and shows the card that this gives."""
    from IPython.display import display
    from ipywidgets import Button, HBox, Output, VBox

    buttons, said = [Button(description=one) for one in judgements], Output()

    def clicked(button: Any) -> None:
        if button.disabled:
            return
        for one in buttons:
            one.disabled = True
        said.clear_output(wait=True)
        with said:
            try:
                card = write(button.description)
            except CloudxaiError:
                for one in buttons:
                    one.disabled = False
                raise
            button.button_style = "success"
            display(card)

    for one in buttons:
        one.on_click(clicked)
    return VBox([HBox(buttons), said])


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    columns, rows = table_cells(frame)
    return pd.DataFrame(rows, columns=[one["label"] for one in columns], dtype="str")


def _weeks(study: Study) -> list[tuple[str, Study]]:
    """The study's window and those before it that its history holds, each as a study of the same lake version."""
    weeks, window = [(study.window.name, study)], study.window.before
    while isinstance(study.store, Snapshot) and window.start >= study.history.start:
        weeks.append((window.name, study_on(study.store, study.environment, window, now=study.now)))
        window = window.before
    return weeks
