"""The card of what an Alertmanager holds beside what fires."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import Words, compose
from cloudxai_analysis.measures import notifications as measures
from cloudxai_analysis.sources.notifications import HELD
from cloudxai_analysis.study.study import Study


def held(study: Study) -> Card:
    """What fires at the window's end against what the environment's Alertmanager holds now, silenced or not.

    Raises
    ------
    UsageError, SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The setting is no URL; it did not answer, or answered with something else.
    """
    from cloudxai_analysis.sources.open import open_alertmanager

    url = study.environment.settings.alertmanager
    if not url:
        return compose(study, "alerts-held", frame=pd.DataFrame(columns=list(HELD)), heading="none", empty="none")
    found = open_alertmanager(url, limits=study.environment.limits).alerts(tenant_label=study.contract.tenant_label)
    frame = measures.fired_and_held(study.alerts.episodes, found)
    states = frame["state"].value_counts()
    lost, suppressed = int(states.get("not held", 0)), int(states.get("suppressed", 0))
    numbers: Words = {"held": len(found), "suppressed": suppressed, "lost": lost}
    return compose(study, "alerts-held", frame=frame, heading="held", empty="held", **numbers)
