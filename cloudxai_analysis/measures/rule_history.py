"""Rules of files held against what fired: those that never did, and those that nearly always do."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import typed

NEVER, PENDING, ALWAYS, FIRED, UNKNOWN = (
    "never fired",
    "pending, never fired",
    "fires nearly always",
    "fired",
    "no alert is stored",
)


def rule_history(
    rules: pd.DataFrame, episodes: pd.DataFrame, pendings: pd.DataFrame, window: Window, *, always: float = 0.9
) -> pd.DataFrame:
    """What each alert rule of a file did over a window, the ones to look at first.

    `rules`: alertname, file, line; `episodes` and `pendings` as `measures.alerts` gives them, over the window. A rule
    'fires nearly always' where one label set fired for the share `always` of the window or more: nobody acts on what is
    always there. 'Never fired' is no fault by itself: it may guard against what has not happened. Without a single
    episode or pending stretch of any rule nothing is known: the server may not keep ALERTS.

    Columns: alertname, file, line, answer, episodes (number), pendings (stretches that came to nothing), firing_share
    (of the window, by the label set that fired longest), last_fired.
    """
    seconds = (window.end - window.start).total_seconds()
    labels = ["alertname", "severity", "tenant", "instance"]
    fired = episodes.groupby(labels, observed=True)["seconds"].sum().reset_index()
    longest = fired.groupby(fired["alertname"].astype("str"))["seconds"].max() / seconds
    last = episodes.groupby(episodes["alertname"].astype("str"))["fired_at"].max()
    many = episodes["alertname"].astype("str").value_counts()
    waited = pendings["alertname"].astype("str").value_counts()
    known = bool(len(episodes) or len(pendings))
    rows = []
    for rule in rules.itertuples():
        name, share = str(rule.alertname), min(float(longest.get(rule.alertname, 0.0)), 1.0)
        answer = FIRED if many.get(name, 0) else PENDING if waited.get(name, 0) else NEVER
        rows.append(
            {
                "alertname": name,
                "file": rule.file,
                "line": rule.line,
                "answer": UNKNOWN if not known else ALWAYS if share >= always else answer,
                "episodes": many.get(name, 0),
                "pendings": waited.get(name, 0),
                "firing_share": share if known else float("nan"),
                "last_fired": last.get(name, pd.NaT),
            }
        )
    order = {answer: place for place, answer in enumerate((ALWAYS, NEVER, PENDING, FIRED, UNKNOWN))}
    frame = typed(rows, rule_history)
    return frame.sort_values(
        ["answer", "alertname"], key=lambda column: column.map(order) if column.name == "answer" else column,
        kind="stable", ignore_index=True,
    )  # fmt: skip
