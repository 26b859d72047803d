"""Tables to sort and search in JupyterLab, and plain ones wherever a notebook is run without it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.cards.cells import table_cells

_PLAIN_ROWS = 20
_MOST_BYTES = "4MB"  # of a table in the browser; what is left out is said below it
_loaded: set[int] = set()


def explore(frame: pd.DataFrame) -> Explored:
    """`frame` as a table to sort, search and page through in JupyterLab; its first rows where nobody is looking."""
    return Explored(frame)


class Explored:
    """A frame that shows itself by itables where JupyterLab asks for it, and plainly elsewhere."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        shell = asked_by_jupyterlab()
        try:
            # Of the `lab` extra: a report is made without it.
            from itables import init_notebook_mode, to_html_datatable
        except ImportError:
            shell = None
        if shell is None:
            display(_plain(self.frame))
            return
        if id(shell) not in _loaded:
            # The browser's library comes along once, from the package: no host is asked.
            init_notebook_mode(all_interactive=False, connected=False)
            _loaded.add(id(shell))
        display(HTML(to_html_datatable(_shown(self.frame), connected=False, maxBytes=_MOST_BYTES, allow_html=False)))


def asked_by_jupyterlab() -> Any:
    """The running IPython shell where the cell was started in JupyterLab, which names the cell; else None."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else {}
    return shell if "cellId" in parent.get("metadata", {}) else None


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    return _shown(frame.head(_PLAIN_ROWS))


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    columns, rows = table_cells(frame)
    texts = pd.DataFrame(rows, columns=[column["label"] for column in columns], index=frame.index)
    numeric = {column["label"]: column["name"] for column in columns if column["numeric"]}
    # Numbers stay numbers, so that they sort as numbers.
    return texts.assign(**{label: frame[name] for label, name in numeric.items()})
