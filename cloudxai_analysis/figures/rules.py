"""The figure of what audits find: how often which fault stands in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.marks import Entry, key, lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import texts_at_ends, tinted
from cloudxai_analysis.figures.style import BLUE, GREEN, KEY_TOP, VERMILLION, empty, styled, title
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {"error": (VERMILLION, "xx"), "warning": (BLUE, "//"), "info": (GREEN, "")}


@styled
def findings_by_code(ax: Axes, findings: pd.DataFrame) -> Axes:
    """One bar per code, the gravest and most frequent on top.

    `findings`: severity ('error', 'warning', 'info'), code, file.
    """
    if findings.empty:
        return empty(ax, "nothing is wrong with what these files say")
    order = list(_LOOKS)
    table = findings.groupby(["severity", "code"]).agg(times=("file", "size"), files=("file", "nunique")).reset_index()
    table["weight"] = table["severity"].map(order.index)
    table = table.sort_values(["weight", "times", "code"], ascending=[True, False, True], ignore_index=True)
    shown = table.head(lanes_that_fit(ax, top=KEY_TOP))
    lanes(ax, [str(code) for code in shown["code"]], top=KEY_TOP)
    times = shown["times"].to_numpy(dtype=float)
    said = [f"{row.times} in {count(row.files, 'file')}" for row in shown.itertuples()]
    texts_at_ends(ax, times, said)
    place = np.arange(len(shown), dtype=float)
    for severity, (color, hatch) in _LOOKS.items():
        own = (shown["severity"] == severity).to_numpy()
        tinted(ax, np.zeros(int(own.sum())), place[own] - 0.36, times[own], 0.72, color=color, hatch=hatch)
    key(ax, [Entry(name, {"marker": "s", "color": color}) for name, (color, _) in _LOOKS.items()])
    ax.set_xticks([0])
    ax.set_xlabel("findings", loc="left")
    top = table.iloc[0]
    message = f"{count(len(findings), 'finding')}, {(findings['severity'] == 'error').sum()} of them errors"
    return title(ax, message, f"Findings by code, most: {top['code']}{left_out(len(shown), len(table), 'codes')}")
