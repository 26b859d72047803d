"""Alertmanager's alerts as incidents: of a webhook's payload, or of its API's list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


def looks_like(value: Any) -> bool:
    """Whether a JSON value is a webhook's payload or the API's list of alerts."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping) and {"labels", "startsAt"} <= value[0].keys()
    # Our own incidents have `alerts`, too, which are names.
    return isinstance(value, Mapping) and "receiver" in value and isinstance(value.get("alerts"), list)


def alerts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The alerts of such a value, each with its place."""
    listed = value if isinstance(value, list) else value.get("alerts") if isinstance(value, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError("neither a webhook's payload nor a list of alerts")
    for number, alert in enumerate(listed, start=1):
        yield f"alert {number}", alert


def incident_fields(alert: Mapping[str, Any], *, tenant_label: str = "tenant") -> dict[str, Any]:
    """The fields of an incident that an alert tells; its `id` is made of the alert's fingerprint and start.

    The end that the API gives of an alert still firing is when it would lapse, and no end.

    Raises
    ------
    ValueError
        It has no labels or no `startsAt`.
    """
    labels, notes = alert.get("labels"), alert.get("annotations") or {}
    if not isinstance(labels, Mapping) or not isinstance(notes, Mapping) or not labels.get("alertname"):
        raise ValueError("an alert has labels, with an alertname, and annotations")
    started = _moment(alert, "startsAt")
    found = {
        "id": f"alertmanager-{alert.get('fingerprint') or _fingerprint(labels)}-{started:%Y%m%dT%H%M%SZ}",
        "start": started,
        "tenant": labels.get(tenant_label, ""),
        "alerts": [labels["alertname"]],
        "severity": labels.get("severity", ""),
        "summary": notes.get("summary") or notes.get("description") or "",
        "source": "Alertmanager",
    }
    if alert.get("status") == "resolved":
        found["end"] = _moment(alert, "endsAt")
    return found


def _moment(alert: Mapping[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(alert.get(name)))
    except ValueError:
        raise ValueError(f"{name}: no time") from None
    if moment.tzinfo is None or moment.year == 1:
        raise ValueError(f"{name}: no time with its zone")
    # The API gives milliseconds of what a webhook is told to the nanosecond: one alert, one time.
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def _fingerprint(labels: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
