"""Looks at the ledger of incidents."""

from __future__ import annotations

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count


def incidents(study: Study) -> Look:
    """What people wrote down in the window."""
    frame = study.within(study.alerts.incidents, "start").drop(columns=["alerts", "acknowledged_at"])
    return compose(
        study,
        "incidents-ledger",
        check="incidents",
        measure="ledger.Ledger.incidents",
        note=f"{count((frame['tenant'] == '').sum(), 'incident')} concerned the whole platform.",
        frame=frame,
        caption="Incidents of the ledger that began in the window",
        empty="the ledger has no incident in this window",
    )
