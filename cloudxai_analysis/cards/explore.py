"""Tables to sort and search in JupyterLab, and plain ones wherever a notebook is run without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import shown, table_cells

_PLAIN_ROWS = 20
_MOST_BYTES = "4MB"  # of a table in the browser; what is left out is said below it
_loaded: set[int] = set()


@dataclass(frozen=True)
class Explored:
    """A frame that shows itself by itables where JupyterLab asks for it, and plainly elsewhere."""

    frame: pd.DataFrame

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        shell = asked_by_jupyterlab()
        try:
            # Of the `lab` extra: a report is made without it.
            from itables import init_notebook_mode, to_html_datatable
        except ImportError:
            shell = None
        if shell is None:
            display(_sortable(self.frame.head(_PLAIN_ROWS)))
            return
        if id(shell) not in _loaded:
            # The browser's library comes along once, from the package: no host is asked.
            init_notebook_mode(all_interactive=False, connected=False)
            _loaded.add(id(shell))
        table = to_html_datatable(_sortable(self.frame), connected=False, maxBytes=_MOST_BYTES, allow_html=False)
        display(HTML(table))


def explore(frame: pd.DataFrame) -> Explored:
    """`frame` as a table to sort, search and page through in JupyterLab; its first rows where nobody is looking."""
    return Explored(frame)


def asked_by_jupyterlab() -> Any:
    """The running IPython shell where the cell was started in JupyterLab, which names the cell; else None."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else {}
    return shell if "cellId" in parent.get("metadata", {}) else None


def _sortable(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells as text, and numbers as the numbers that they are."""
    numbers = {one["label"]: frame[one["name"]] for one in table_cells(frame.head(0))[0] if one["numeric"]}
    return shown(frame).assign(**numbers)
