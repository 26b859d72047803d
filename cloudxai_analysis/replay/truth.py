"""What people wrote down, as replay needs it: incidents, labels, and since when the ledger is complete."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Ledger


@dataclass(frozen=True)
class Truth:
    """The ledger's frames, as `Ledger.incidents`, `labels` and `complete` give them."""

    incidents: pd.DataFrame
    labels: pd.DataFrame
    complete: pd.DataFrame

    @classmethod
    def of(cls, ledger: Ledger, window: Window) -> Truth:
        """What the ledger says of a window: an incident belongs to the window in which it starts.

        Raises
        ------
        LakeDamaged
            A line of the ledger is not what was written.
        """
        incidents = ledger.incidents()
        inside = (incidents["start"] >= window.start) & (incidents["start"] < window.end)
        return cls(incidents[inside].reset_index(drop=True), ledger.labels(), ledger.complete())

    def naming(self, alertname: str) -> pd.DataFrame:
        """The incidents that name a rule."""
        named = np.array([alertname in alerts for alerts in self.incidents["alerts"]], dtype=bool)
        return self.incidents[named].reset_index(drop=True)
