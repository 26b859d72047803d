"""Cards of the telemetry itself: what was scraped, what was missed, what restarted."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card, plain
from cloudxai_analysis.study.study import Study

__getattr__ = plain("telemetry")


@card("telemetry-coverage")
def coverage(study: Study, frame: pd.DataFrame) -> Words:
    """How much of the time was seen, by job and day."""
    seen = frame.groupby("job")["up_minutes"].sum().min() * 60
    whole = study.seen.duration.total_seconds()
    return {"days": study.within(study.telemetry.covered, "day"), "seen": seen, "whole": whole}
