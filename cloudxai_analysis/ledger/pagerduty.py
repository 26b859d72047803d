"""PagerDuty's incidents, and what is exported in its words: its CSV, and the JSON of its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

_CREATED = ("created_on", "created_at")
_RESOLVED = ("resolved_on", "resolved_at")
_ACKNOWLEDGED = ("acknowledged_on", "acknowledged_at", "first_acknowledged_on", "first_acknowledged_at")
_SERVICE = ("service", "service_name", "service_description")


def looks_like(value: Any) -> bool:
    """Whether a JSON value, or a record of a CSV, is in PagerDuty's words."""
    if isinstance(value, list):
        return bool(value) and looks_like(value[0])
    if not isinstance(value, Mapping):
        return False
    return isinstance(value.get("incidents"), list) or (
        any(name in value for name in _CREATED) and ("id" in value or "incident_number" in value)
    )


def incidents_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The incidents of a JSON value, each with its place."""
    listed = value.get("incidents", [value]) if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise ValueError("neither an object with incidents nor a list of them")
    for number, incident in enumerate(listed, start=1):
        yield f"incident {number}", incident


def incident_fields(incident: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ours that an incident of theirs tells; tenant and alerts only where it has these columns.

    Raises
    ------
    ValueError
        It has no id or no time of creation, or a time that is none.
    """
    name, number = _text(incident.get("id")), _text(incident.get("incident_number"))
    created = _first(incident, _CREATED)
    if not (name or number):
        raise ValueError("it has neither id nor incident_number")
    if not created:
        raise ValueError("it has neither created_on nor created_at")
    service = _first(incident, _SERVICE)
    found = {
        "id": name or f"PD-{number}",
        "start": created,
        "severity": _text(incident.get("priority")) or _text(incident.get("urgency")),
        "summary": _text(incident.get("title")) or _text(incident.get("description")),
        "source": f"PagerDuty: {service}" if service else "PagerDuty",
        "end": _ended(incident),
        "acknowledged_at": _acknowledged(incident, created),
        "tenant": _text(incident.get("tenant")),
        "alerts": [one.strip() for one in _text(incident.get("alerts")).split(";") if one.strip()],
    }
    # What theirs does not say is left as the ledger has it.
    return {key: value for key, value in found.items() if value}


def _ended(incident: Mapping[str, Any]) -> str:
    given = _first(incident, _RESOLVED)
    if not given and incident.get("status") == "resolved":
        return _text(incident.get("last_status_change_at"))
    return given


def _acknowledged(incident: Mapping[str, Any], created: str) -> str:
    if given := _first(incident, _ACKNOWLEDGED):
        return given
    listed = incident.get("acknowledgements")
    if isinstance(listed, list):
        times = [_text(one.get("at")) for one in listed if isinstance(one, Mapping) and one.get("at")]
        if times:
            return min(times)
    if seconds := _text(incident.get("seconds_to_first_ack")):
        return (datetime.fromisoformat(created) + timedelta(seconds=float(seconds))).isoformat()
    return ""


def _first(incident: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text(incident.get(name)))), "")


def _text(value: Any) -> str:
    """A cell's text, a number's digits, or the name of what is referred to."""
    if isinstance(value, Mapping):
        value = value.get("summary") or value.get("name")
    return "" if value is None or isinstance(value, bool | list | Mapping) else str(value)
