"""What an Alertmanager holds: a real one, and servers that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
import servers
from hostile_server import Hostile

from cloudxai_analysis.cards import alerts as cards
from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError, SourceUnreachable
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.notifications import HELD, AlertmanagerSession
from cloudxai_analysis.sources.open import open_alertmanager

LIMITS = Limits(retries=0, total_deadline_seconds=20)
HOSTILE = 'a"b\n<script>=c'


def session(url: str) -> AlertmanagerSession:
    return open_alertmanager(url, limits=LIMITS)


CONFIG = json.dumps({"route": {"receiver": "pager", "group_by": ["..."]}, "receivers": [{"name": "pager"}]})


def posted(url: str, path: str, body: Any) -> None:
    request = Request(f"{url}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def alert(name: str, start: datetime, end: datetime | None = None, **labels: str) -> dict[str, Any]:
    own = {"alertname": name, "severity": "page", **labels}
    until = (end or start + timedelta(hours=1)).isoformat()
    return {"labels": own, "startsAt": start.isoformat(), "endsAt": until}


@pytest.mark.needs("prometheus-alertmanager")
def test_what_a_real_alertmanager_holds_stands_beside_what_fires(tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(seconds=30)
    silence = {
        "matchers": [{"name": "alertname", "value": "Silent", "isRegex": False, "isEqual": True}],
        "startsAt": start.isoformat(),
        "endsAt": (start + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "planned",
    }
    (tmp_path / "am").mkdir()
    with servers.alertmanager(tmp_path / "am", config=CONFIG) as server:
        posted(server.url, "/api/v2/silences", silence)
        told = alert("Down", start, tenant=HOSTILE, instance="x:1")
        posted(server.url, "/api/v2/alerts", [told, alert("Slow", start), alert("Silent", start)])
        held = session(server.url).alerts().set_index("alertname")

    assert held["state"].to_dict() == {"Down": "active", "Slow": "active", "Silent": "suppressed"}
    assert held["by"].to_dict() == {"Down": "", "Slow": "", "Silent": "silence"}
    assert held.loc["Down", ["tenant", "instance", "receivers"]].tolist() == [HOSTILE, "x:1", "pager"]
    assert abs(held.loc["Down", "starts_at"] - pd.Timestamp(start)) < pd.Timedelta(milliseconds=1)

    fired = pd.DataFrame({"alertname": ["Down", "Slow", "Silent"], "tenant": [HOSTILE, "", ""], "severity": "page"})
    moments = pd.Series([pd.Timestamp(start)] * 3).astype("datetime64[us, UTC]")
    fired = fired.assign(instance=["x:1", "", ""], episode=[1, 2, 3], fired_at=moments, resolved_at=moments)
    # Of four that fire, one is not held: its rule is another server's.
    going = pd.concat([fired, fired.tail(1).assign(alertname="Elsewhere")], ignore_index=True).assign(cut_end=True)
    beside = cards.fired_and_held(going, held.reset_index())
    assert beside[["alertname", "state", "by"]].values.tolist()[:2] == [
        ["Elsewhere", "not held", ""],
        ["Silent", "suppressed", "silence"],
    ]
    assert set(beside["alertname"][2:]) == {"Down", "Slow"}
    over = cards.fired_and_held(going.assign(cut_end=False), held.reset_index())
    assert (len(over), over["fired_at"].notna().sum()) == (3, 0)


@pytest.mark.needs("prometheus-alertmanager")
def test_an_alertmanager_that_holds_nothing_gives_an_empty_frame(tmp_path: Path) -> None:
    with servers.alertmanager(tmp_path) as server:
        found = session(server.url).alerts()
    assert list(found) == HELD
    assert found.empty


@pytest.mark.server
def test_a_server_that_is_no_alertmanager_is_told_apart(prometheus: servers.Server) -> None:
    with pytest.raises(SourceAnswerError, match="no such API under this URL"):
        session(prometheus.url).alerts()


def test_nobody_there() -> None:
    with pytest.raises(SourceUnreachable):
        session("http://127.0.0.1:1").alerts()


def test_a_session_with_an_alertmanager_only_reads(hostile: Hostile) -> None:
    with pytest.raises(RefusedForSecurity, match="only observes"):
        session(hostile.url).post(f"{hostile.url}/api/v2/silences", json={})
