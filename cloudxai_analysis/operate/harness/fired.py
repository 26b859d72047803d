"""The alerts of a run, as a server showed them: what began to fire, and when it became active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

Alert = tuple[str, str, str, pd.Timestamp]  # alertname, tenant, instance, active since


class Fired:
    """Episodes told from one look at a server to the next, which lie less than an evaluation apart.

    The replicas of a pair may fire an evaluation apart: while one of them is pending, or fires, it is
    one alert, active since the first of them was.
    """

    def __init__(self) -> None:
        self.episodes: set[Alert] = set()
        self._pending: dict[Any, pd.Timestamp] = {}
        self._firing: dict[Any, set[pd.Timestamp]] = {}

    def look(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Note what is active now."""
        active: dict[str, dict[Any, set[pd.Timestamp]]] = {"pending": {}, "firing": {}}
        for alert in alerts:
            key = frozenset(item for item in alert["labels"].items() if item[0] != "replica")
            since = pd.Timestamp(alert["activeAt"]).floor("s")
            active.get(alert["state"], {}).setdefault(key, set()).add(since)
        pending = {key: min(self._pending.get(key, min(since)), *since) for key, since in active["pending"].items()}
        for key, since in active["firing"].items():
            if not since & self._firing.get(key, set()):
                waited = {places[key] for places in (self._pending, pending) if key in places}
                labels = dict(key)
                names = (labels["alertname"], labels.get("tenant", ""), labels.get("instance", ""))
                self.episodes.add((*names, min(since | waited)))
        self._pending, self._firing = pending, active["firing"]
