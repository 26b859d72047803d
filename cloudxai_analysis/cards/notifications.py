"""A look at what an Alertmanager holds beside what fires."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.measures import notifications as measures
from cloudxai_analysis.sources.notifications import HELD
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count


def held(study: Study) -> Look:
    """What fires at the window's end against what the environment's Alertmanager holds now, silenced or not.

    Raises
    ------
    UsageError, SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The setting is no URL; it did not answer, or answered with something else.
    """
    from cloudxai_analysis.sources.open import open_alertmanager

    url, frame = study.environment.settings.alertmanager, pd.DataFrame(columns=list(HELD))
    heading = "What an Alertmanager holds is unknown: the settings name none."
    if url:
        found = open_alertmanager(url, limits=study.environment.limits).alerts(tenant_label=study.contract.tenant_label)
        frame = measures.fired_and_held(study.alerts.episodes, found)
        states = frame["state"].value_counts()
        lost, hushed = int(states.get("not held", 0)), int(states.get("suppressed", 0))
        heading = f"{count(len(found), 'alert')} held, {hushed} of them suppressed; {lost} that fire are not held."
    return compose(
        study,
        "alerts-held",
        heading=heading,
        defined="notifications",
        measure="measures.notifications.fired_and_held",
        note="The window should be the current one: an Alertmanager tells what it holds now, and nothing of the past.",
        frame=frame,
        caption="Alerts that fire at the window's end, and that the Alertmanager holds",
        empty="nothing fires, and nothing is held" if url else "no Alertmanager is configured",
    )
