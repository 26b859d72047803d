"""What fired held against what was sent: alerts that nobody was told of, messages without an alert, and the delay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.measures.matching import moments

_KEYS = ["alertname", "tenant", "instance"]
_ALERT = dict.fromkeys(["alertname", "severity", "tenant", "instance"], "str")
_FIRED = {
    "episode": "int64",
    **_ALERT,
    "fired_at": TIME,
    "resolved_at": TIME,
    "messages": "int64",
    "receivers": "str",
} | {"sent_at": TIME, "delay_seconds": "float64", "resolved_sent_at": TIME}
_HELD = _ALERT | {"fired_at": TIME, "state": "str", "by": "str", "receivers": "str", "starts_at": TIME}
_DELAYS = (
    {"alertname": "str"}
    | dict.fromkeys(["episodes", "told", "not_told"], "int64")
    | dict.fromkeys(["delay_seconds", "delay_p90"], "float64")
)


def fired_and_sent(episodes: pd.DataFrame, notifications: pd.DataFrame, *, near_seconds: float = 120) -> pd.DataFrame:
    """Each episode with the messages that told of it, by `fired_at`.

    `notifications` as `sources.notifications.read_notifications` gives them. A message tells of the last episode of
    its rule, tenant and instance that had fired by its `starts_at`, if that was not resolved before, give or take
    `near_seconds`: Alertmanager keeps an alert's first start, and learns of its end some evaluations late.

    Columns: episode, alertname, severity, tenant, instance, fired_at, resolved_at, messages (number, firing ones),
    receivers (names, by comma), sent_at (of the first; NaT where none or not said), delay_seconds (from `fired_at`),
    resolved_sent_at (the first message that it is over).
    """
    frame = episodes.reset_index(drop=True)
    place = _told_of(frame, notifications, near_seconds)
    told = notifications.assign(place=place)[place >= 0]
    firing, over = told[told["status"] == "firing"], told[told["status"] == "resolved"]
    by_episode = firing.groupby("place")
    found = frame[["episode", "alertname", "severity", *_KEYS[1:], "fired_at", "resolved_at"]].assign(
        messages=by_episode.size().reindex(frame.index, fill_value=0),
        receivers=by_episode["receiver"].agg(_listed).reindex(frame.index, fill_value=""),
        sent_at=by_episode["sent_at"].min().reindex(frame.index),
        resolved_sent_at=over.groupby("place")["sent_at"].min().reindex(frame.index),
    )
    found["delay_seconds"] = (found["sent_at"] - found["fired_at"]).dt.total_seconds()
    return typed(found, _FIRED)


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
    return typed(frame.iloc[order.argsort(kind="stable")].reset_index(drop=True), _HELD)


def sent_without_episode(
    episodes: pd.DataFrame, notifications: pd.DataFrame, *, near_seconds: float = 120
) -> pd.DataFrame:
    """Messages that no episode stands behind: from another server, of rules that are not read, or of a test.

    Columns: those of `notifications`.
    """
    place = _told_of(episodes.reset_index(drop=True), notifications, near_seconds)
    return notifications[place < 0].reset_index(drop=True)


def notification_delays(sent: pd.DataFrame) -> pd.DataFrame:
    """By rule how many episodes somebody was told of, and after how long, as `fired_and_sent` has them.

    Columns: alertname, episodes, told, not_told, delay_seconds (median), delay_p90 (90th percentile; NaN where no
    message says when it was sent); the rule with the most untold first.
    """
    rows = [
        (
            name,
            len(group),
            int((group["messages"] > 0).sum()),
            int((group["messages"] == 0).sum()),
            group["delay_seconds"].median(),
            group["delay_seconds"].quantile(0.9),
        )
        for name, group in sent.groupby(sent["alertname"].astype("str"))
    ]
    found = typed(pd.DataFrame(rows, columns=list(_DELAYS)), _DELAYS)
    return found.sort_values(["not_told", "alertname"], ascending=[False, True], ignore_index=True)


def _told_of(episodes: pd.DataFrame, notifications: pd.DataFrame, near_seconds: float) -> np.ndarray:
    """The place of the episode that each message tells of, -1 for none."""
    near = np.timedelta64(round(near_seconds * 1_000_000), "us")
    left = notifications[[*_KEYS, "starts_at"]].astype(dict.fromkeys(_KEYS, "str")).reset_index(drop=True)
    left = left[left["starts_at"].notna()].reset_index(names="row").sort_values("starts_at")
    left["until"] = left["starts_at"] + near
    right = episodes[[*_KEYS, "fired_at"]].astype(dict.fromkeys(_KEYS, "str")).reset_index(names="place")
    joined = pd.merge_asof(left, right.sort_values("fired_at"), left_on="until", right_on="fired_at", by=_KEYS).dropna(
        subset=["place"]
    )
    place = joined["place"].to_numpy(dtype="int64")
    still = moments(episodes["resolved_at"])[place] + near >= moments(joined["starts_at"])
    found = np.full(len(notifications), -1, dtype=np.int64)
    found[joined["row"].to_numpy()[still]] = place[still]
    return found


def _listed(names: pd.Series) -> str:
    return ", ".join(sorted(set(names.astype("str"))))
