"""The verdict on the ledger of incidents: is anything still open."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.alert_words import over_the_edge, rows_of
from cloudxai_analysis.checks.evidence import named, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, moment

_SECTION = "incidents"


def incidents_check(incidents: pd.DataFrame, complete: pd.DataFrame, *, window: Window) -> Check:
    """Whether an incident is still open at the window's end: `warn` where one is.

    `incidents` of the ledger as `Ledger.incidents` gives them, `complete` the times that it is declared complete for.
    The value is the number of open incidents; `unknown` where the ledger holds nothing and is not declared complete.
    """
    check = partial(Check, key="incidents", section=_SECTION)
    begun = incidents[incidents["start"] < window.end]
    earlier = begun[(begun["start"] < window.start) & (begun["end"] > window.start)].sort_values("end")
    before = "".join(
        f"; {short(row['id'])}, {over_the_edge(row['start'], row['end'], window)}" for row in rows_of(earlier.tail(1))
    )
    still = begun[begun["end"].isna() | (begun["end"] > window.end)]
    own = begun[begun["start"] >= window.start]
    declared = bool(((complete["start"] <= window.start) & (complete["end"] >= window.end)).any())
    if len(still):
        oldest = still.loc[still["start"].idxmin()]
        return check(
            status="warn",
            finding=f"{count(len(still), 'incident')} still open at the end of {named(window)}: {short(oldest['id'])}, "
            f"since {moment(oldest['start'])}{before}.",
            value=float(len(still)),
            unit="open incidents",
            size=count(len(still), "open incident"),
            since=when(oldest["start"]),
            samples="every incident of the ledger",
            disproof="an end that nobody wrote into the ledger",
            action=f"Close {short(oldest['id'])} in the ledger, or say what is still to be done.",
            decides="those on call",
        )
    if begun.empty and not declared:
        return check(
            status="unknown",
            finding=f"Whether there were incidents in {named(window)} is unknown: the ledger is empty and not declared "
            "complete.",
        )
    return check(
        status="pass",
        finding=f"{count(len(own), 'incident')} in {named(window)}, all resolved{before}."
        if len(own)
        else f"No incident began in {named(window)}{before}."
        if before
        else f"No incident in {named(window)}{', by a ledger declared complete' if declared else ''}.",
        value=0.0,
        unit="open incidents",
        samples="every incident of the ledger",
        disproof="an incident that nobody wrote down",
    )
