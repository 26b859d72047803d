"""A look at what was sent: which alerts nobody was told of, and how long it took."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cloudxai_analysis.looks import Look
from cloudxai_analysis.looks.compose import compose
from cloudxai_analysis.measures import notifications as measures
from cloudxai_analysis.phrases import count
from cloudxai_analysis.sources.notifications import HELD, NOTIFICATIONS, read_notifications
from cloudxai_analysis.study import Study


def told(study: Study, messages: str = "") -> Look:
    """What fired in 28 days against what Alertmanager sent, by rule.

    `messages` is a file of its webhook messages, one a line; without one, nothing is known of what was sent.

    Raises
    ------
    UsageError
        The file cannot be read, or a line is no such message.
    """
    window, frame = study.alerts.alert_window, pd.DataFrame(columns=list(NOTIFICATIONS))
    heading = "What was sent is unknown: no file of Alertmanager's messages was given."
    note = "Keep what its webhook receiver is posted, one message a line, with the time at which it came."
    if messages:
        sent = read_notifications(Path(messages), tenant_label=study.contract.tenant_label)
        episodes = study.within(study.alerts.episodes, "fired_at", window)
        each = measures.fired_and_sent(episodes, sent)
        stray = measures.sent_without_episode(study.alerts.episodes, sent)
        stray = stray[(stray["starts_at"] >= window.start) & (stray["starts_at"] < window.end)]
        frame = measures.notification_delays(each)
        silent = int((each["messages"] == 0).sum())
        heading = f"Of {count(len(each), 'episode')} in 28 days nobody was told of {silent}."
        note = f"{count(len(stray), 'message')} of these days without an episode behind it."
    return compose(
        study,
        "alerts-told",
        heading=heading,
        defined="notifications",
        measure="measures.notifications.notification_delays",
        note=note,
        frame=frame,
        caption="Episodes told of by rule, with the delay in seconds",
        empty="no alert of the 28 days is stored" if messages else "no file of messages was given",
    )


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
