"""What fires held against what an Alertmanager holds."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.measures.frames import typed

_KEYS = ["alertname", "tenant", "instance"]


def fired_and_held(episodes: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """The alerts that fire now beside those that an Alertmanager holds now, those that it does not hold first.

    `episodes` that go on (`cut_end`); `held` as `AlertmanagerSession.alerts` gives them.

    Columns: alertname, severity, tenant, instance, fired_at (NaT of what is held and does not fire here), state
    ('active', 'suppressed' or 'unprocessed'; 'not held' of what fires and is not there), by (what suppresses it),
    receivers (names, by comma), starts_at (as the Alertmanager has it).
    """
    left = episodes.loc[episodes["cut_end"].astype(bool), [*_KEYS, "severity", "fired_at"]]
    frame = left.astype(dict.fromkeys([*_KEYS, "severity"], "str")).merge(
        held[[*_KEYS, "severity", "state", "by", "receivers", "starts_at"]], how="outer", on=[*_KEYS, "severity"]
    )
    frame["state"] = frame["state"].fillna("not held")
    frame[["by", "receivers"]] = frame[["by", "receivers"]].fillna("")
    order = frame["state"].map({"not held": 0, "suppressed": 1}).fillna(2)
    return typed(frame.iloc[order.argsort(kind="stable")].reset_index(drop=True), fired_and_held)
