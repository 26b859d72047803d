"""The card of the ledger of incidents."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card
from cloudxai_analysis.study.study import Study


@card("incidents-ledger")
def incidents(_: Study, frame: pd.DataFrame) -> Words:
    """What people wrote down in the window."""
    return {"table": frame.drop(columns=["alerts", "acknowledged_at"])}
