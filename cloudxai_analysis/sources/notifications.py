"""What an Alertmanager holds now, from its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.answers import parsed_json
from cloudxai_analysis.sources.session import ObservingSession

HELD = ["alertname", "severity", "tenant", "instance", "state", "starts_at", "ends_at", "updated_at", "receivers", "by"]
_LABELS = ("alertname", "severity", "tenant", "instance")
_ENDLESS = "0001-01-01"  # how Go writes that there is no time
_TIME = "datetime64[us, UTC]"


class AlertmanagerSession(ObservingSession):
    """A session with one Alertmanager: the same care as with a Prometheus, and nothing but GET."""

    def alerts(self, *, tenant_label: str = "tenant") -> pd.DataFrame:
        """The alerts that it holds now, silenced and inhibited ones included (API v2, `GET /api/v2/alerts`).

        Columns: alertname, severity, tenant, instance ('' where the alert has no such label), state ('active',
        'suppressed' or 'unprocessed'), starts_at, ends_at, updated_at, receivers (names, by comma), by (what suppresses
        it: 'silence', 'inhibition' or ''). Raises what `receive` does.
        """
        return self.receive("Asked for its alerts", "api/v2/alerts", read=lambda _, body: _alerts(body, tenant_label))


def _alerts(body: Iterator[bytes], tenant_label: str) -> pd.DataFrame:
    try:
        return _frame([_held(alert, tenant_label) for alert in parsed_json(b"".join(body))])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceAnswerError(
            "answered GET /api/v2/alerts with something else than a list of alerts. Check that the URL is an "
            "Alertmanager's; a login page or a proxy may stand before it."
        ) from None


def _held(alert: Mapping[str, Any], tenant_label: str) -> dict[str, Any]:
    status, labels = alert["status"], alert["labels"]
    return {
        **{name: labels.get(tenant_label if name == "tenant" else name, "") for name in _LABELS},
        "state": status["state"],
        "starts_at": alert["startsAt"],
        "ends_at": alert["endsAt"],
        "updated_at": alert["updatedAt"],
        "receivers": ", ".join(receiver["name"] for receiver in alert["receivers"]),
        "by": "silence" if status.get("silencedBy") else "inhibition" if status.get("inhibitedBy") else "",
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=HELD, dtype="str")
    for name in [name for name in HELD if name.endswith("_at")]:
        told = frame[name].where(~frame[name].str.startswith(_ENDLESS))
        frame[name] = pd.to_datetime(told, utc=True, format="ISO8601").astype(_TIME)
    return frame
