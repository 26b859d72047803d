"""What an Alertmanager sent, from an export of its webhook messages, and what it holds now, from its API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import requests

from cloudxai_analysis.errors import SourceAnswerError, UsageError
from cloudxai_analysis.sources.session import ObservingSession

NOTIFICATIONS = ["alertname", "severity", "tenant", "instance", "status", "starts_at", "ends_at", "sent_at", "receiver"]
HELD = ["alertname", "severity", "tenant", "instance", "state", "starts_at", "ends_at", "updated_at", "receivers", "by"]
_LABELS = ("alertname", "severity", "tenant", "instance")
_MOST_BYTES = 256 * 1024 * 1024
_ENDLESS = "0001-01-01"  # how Go writes that there is no time
_TIME = "datetime64[us, UTC]"


def read_notifications(path: Path, *, tenant_label: str = "tenant") -> pd.DataFrame:
    """The alerts of a file of webhook messages, one message a line, in the file's order.

    A line is a message as Alertmanager's `webhook_configs` post it (version 4), or an object that holds it under
    `message`; `received_at` beside `receiver`, or beside `message`, says in ISO 8601 when it came.

    Columns: alertname, severity, tenant, instance ('' where the alert has no such label), status ('firing' or
    'resolved'), starts_at, ends_at (NaT while it fires), sent_at (NaT where the line does not say), receiver.

    Raises
    ------
    UsageError
        The file cannot be read, is larger than 256 MiB, or a line is no such message; it is named.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            rows += _alerts_of(json.loads(line), tenant_label)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"Notifications {path}, line {number}: no webhook message of Alertmanager ({_reason(error)}). A line "
                "is one message as JSON; take the line out, or export the file again."
            ) from None
    return _frame(rows, NOTIFICATIONS)


class AlertmanagerSession(ObservingSession):
    """A session with one Alertmanager: the same care as with a Prometheus, and nothing but GET."""

    def alerts(self, *, tenant_label: str = "tenant") -> pd.DataFrame:
        """The alerts that it holds now, silenced and inhibited ones included (API v2, `GET /api/v2/alerts`).

        Columns: alertname, severity, tenant, instance ('' where the alert has no such label), state ('active',
        'suppressed' or 'unprocessed'), starts_at, ends_at, updated_at, receivers (names, by comma), by (what suppresses
        it: 'silence', 'inhibition' or '').

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            It did not answer, or answered with something else.
        """
        request = self.prepare_request(requests.Request("GET", f"{self.base}/api/v2/alerts"))
        self._refuse_writes(request)
        with self._named():
            response, body = self._persistent(request, _body, self._limits.request_timeout_seconds)
            if body is None:
                raise SourceAnswerError(
                    f"answered HTTP {response.status_code} to GET /api/v2/alerts. Check that the URL is an "
                    "Alertmanager's, with its path prefix, and the credentials."
                )
            try:
                return _frame((_held(alert, tenant_label) for alert in json.loads(body)), HELD)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise SourceAnswerError(
                    "answered GET /api/v2/alerts with something else than a list of alerts. Check that the URL is an "
                    "Alertmanager's; a login page or a proxy may stand before it."
                ) from None


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"Notifications {path}: larger than {_MOST_BYTES >> 20} MiB. Split the file by time.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Notifications {path} cannot be read: {error}. Check the path.") from None
    return (line for line in text.split("\n") if line.strip())


def _alerts_of(line: Mapping[str, Any], tenant_label: str) -> Iterator[dict[str, Any]]:
    message = line["message"] if isinstance(line.get("message"), dict) else line
    sent_at = _moment(line.get("received_at") or message.get("received_at"))
    for alert in message["alerts"]:
        status = str(alert["status"])
        yield {
            **_named(alert["labels"], tenant_label),
            "status": status,
            "starts_at": _moment(alert["startsAt"]),
            # While an alert fires, its end is only when it would be taken for gone.
            "ends_at": _moment(alert.get("endsAt")) if status == "resolved" else pd.NaT,
            "sent_at": sent_at,
            "receiver": str(message.get("receiver", "")),
        }


def _held(alert: Mapping[str, Any], tenant_label: str) -> dict[str, Any]:
    status = alert["status"]
    return {
        **_named(alert["labels"], tenant_label),
        "state": str(status["state"]),
        "starts_at": _moment(alert["startsAt"]),
        "ends_at": _moment(alert["endsAt"]),
        "updated_at": _moment(alert["updatedAt"]),
        "receivers": ", ".join(str(receiver["name"]) for receiver in alert["receivers"]),
        "by": "silence" if status.get("silencedBy") else "inhibition" if status.get("inhibitedBy") else "",
    }


def _named(labels: Mapping[str, Any], tenant_label: str) -> dict[str, str]:
    return {name: str(labels.get(tenant_label if name == "tenant" else name, "")) for name in _LABELS}


def _moment(text: Any) -> pd.Timestamp:
    if not text or str(text).startswith(_ENDLESS):
        return pd.NaT
    moment = pd.Timestamp(datetime.fromisoformat(_micros(str(text))))
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: '{text}'")
    return moment.tz_convert("UTC")


def _micros(text: str) -> str:
    """An RFC 3339 time with at most six digits after the second: Go writes nine."""
    head, point, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}{point}{tail[:digits][:6]}{tail[digits:]}"


def _frame(rows: Iterable[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=columns)
    times = {name for name in columns if name.endswith("_at")}
    for name in times:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame.astype({name: _TIME if name in times else "str" for name in columns})


def _body(response: requests.Response, body: Iterator[bytes]) -> bytes:
    del response
    return b"".join(body)


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:120]
