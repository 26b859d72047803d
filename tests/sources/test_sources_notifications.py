"""What an Alertmanager sent and holds: a real one with a webhook receiver, and files that are no such thing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
import servers
from hostile_server import Hostile

from cloudxai_analysis.errors import RefusedForSecurity, SourceAnswerError, SourceUnreachable, UsageError
from cloudxai_analysis.measures import notifications as measures
from cloudxai_analysis.settings import Limits
from cloudxai_analysis.sources.notifications import HELD, NOTIFICATIONS, AlertmanagerSession, read_notifications
from cloudxai_analysis.sources.open import open_alertmanager

LIMITS = Limits(retries=0, total_deadline_seconds=20)
HOSTILE = 'a"b\n<script>=c'


def session(url: str) -> AlertmanagerSession:
    return open_alertmanager(url, limits=LIMITS)


@contextmanager
def receiver(kept: Path) -> Iterator[str]:
    """A webhook receiver that keeps each message as a line, with the time at which it came; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            line = json.dumps({"received_at": datetime.now(UTC).isoformat(), "message": message})
            with kept.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def config(url: str) -> str:
    return json.dumps(
        {
            "route": {"receiver": "pager", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "pager", "webhook_configs": [{"url": url, "send_resolved": True}]}],
        }
    )


def posted(url: str, path: str, body: Any) -> None:
    request = Request(f"{url}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def alert(name: str, start: datetime, end: datetime | None = None, **labels: str) -> dict[str, Any]:
    own = {"alertname": name, "severity": "page", **labels}
    until = (end or start + timedelta(hours=1)).isoformat()
    return {"labels": own, "startsAt": start.isoformat(), "endsAt": until}


def until(done: Any) -> None:
    deadline = time.monotonic() + 30
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done()


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.mark.needs("prometheus-alertmanager")
def test_a_real_alertmanagers_messages_are_held_against_what_fired(tmp_path: Path) -> None:
    kept, start = tmp_path / "messages.jsonl", datetime.now(UTC) - timedelta(seconds=30)
    silence = {
        "matchers": [{"name": "alertname", "value": "Silent", "isRegex": False, "isEqual": True}],
        "startsAt": start.isoformat(),
        "endsAt": (start + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "planned",
    }
    (tmp_path / "am").mkdir()
    with receiver(kept) as url, servers.alertmanager(tmp_path / "am", config=config(url)) as server:
        posted(server.url, "/api/v2/silences", silence)
        told = alert("Down", start, tenant=HOSTILE, instance="x:1")
        posted(server.url, "/api/v2/alerts", [told, alert("Slow", start), alert("Silent", start)])
        until(lambda: len(lines(kept)) >= 2)
        held = session(server.url).alerts().set_index("alertname")
        over = alert("Down", start, datetime.now(UTC), tenant=HOSTILE, instance="x:1")
        posted(server.url, "/api/v2/alerts", [over])
        until(lambda: len(lines(kept)) >= 3)

    assert held["state"].to_dict() == {"Down": "active", "Slow": "active", "Silent": "suppressed"}
    assert held["by"].to_dict() == {"Down": "", "Slow": "", "Silent": "silence"}
    assert held.loc["Down", ["tenant", "instance", "receivers"]].tolist() == [HOSTILE, "x:1", "pager"]
    assert abs(held.loc["Down", "starts_at"] - pd.Timestamp(start)) < pd.Timedelta(milliseconds=1)

    sent = read_notifications(kept)
    assert list(sent) == NOTIFICATIONS
    assert sorted(zip(sent["alertname"], sent["status"], strict=True)) == [
        ("Down", "firing"),
        ("Down", "resolved"),
        ("Slow", "firing"),
    ]
    assert set(sent["receiver"]) == {"pager"}
    assert sent["ends_at"].isna().tolist() == (sent["status"] == "firing").tolist()
    fired = pd.DataFrame({"alertname": ["Down", "Slow", "Silent"], "tenant": [HOSTILE, "", ""], "severity": "page"})
    moments = pd.Series([pd.Timestamp(start)] * 3).astype("datetime64[us, UTC]")
    fired = fired.assign(instance=["x:1", "", ""], episode=[1, 2, 3], fired_at=moments, resolved_at=moments)
    frame = measures.fired_and_sent(fired, sent).set_index("alertname")
    assert frame["messages"].to_dict() == {"Down": 1, "Slow": 1, "Silent": 0}
    assert 30 <= frame.loc["Down", "delay_seconds"] < 90
    assert frame.loc["Down", "resolved_sent_at"] > frame.loc["Down", "sent_at"]
    assert measures.sent_without_episode(fired, sent).empty

    # Of four that fire, one is not held: its rule is another server's.
    going = pd.concat([fired, fired.tail(1).assign(alertname="Elsewhere")], ignore_index=True).assign(cut_end=True)
    beside = measures.fired_and_held(going, held.reset_index())
    assert beside[["alertname", "state", "by"]].values.tolist()[:2] == [
        ["Elsewhere", "not held", ""],
        ["Silent", "suppressed", "silence"],
    ]
    assert set(beside["alertname"][2:]) == {"Down", "Slow"}
    over = measures.fired_and_held(going.assign(cut_end=False), held.reset_index())
    assert (len(over), over["fired_at"].notna().sum()) == (3, 0)


MESSAGE = {
    "version": "4",
    "receiver": "pager",
    "alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-11T10:00:00.123456789Z"}],
}


def written(tmp_path: Path, *parts: str) -> Path:
    path = tmp_path / "messages.jsonl"
    path.write_bytes("\n".join(parts).encode())
    return path


def test_a_message_may_stand_alone_and_have_no_time(tmp_path: Path) -> None:
    bare, timed = json.dumps(MESSAGE), json.dumps(MESSAGE | {"received_at": "2026-11-11T11:00:30+01:00"})
    sent = read_notifications(written(tmp_path, "\ufeff" + bare, "", timed, ""))
    assert sent["sent_at"].isna().tolist() == [True, False]
    assert sent["sent_at"].iloc[1] == pd.Timestamp("2026-11-11T10:00:30", tz="UTC")
    assert sent["starts_at"].iloc[0] == pd.Timestamp("2026-11-11T10:00:00.123456", tz="UTC")
    assert read_notifications(written(tmp_path, "")).empty


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "{}",
        "null",
        '{"alerts": 7}',
        '{"alerts": [7]}',
        '{"alerts": [{"status": "firing", "labels": {}}]}',
        '{"alerts": [{"status": "firing", "labels": [], "startsAt": "2026-11-11T10:00:00Z"}]}',
        '{"alerts": [{"status": "firing", "labels": {}, "startsAt": "yesterday"}]}',
        '{"alerts": [{"status": "firing", "labels": {}, "startsAt": "2026-11-11T10:00:00"}]}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, json.dumps(MESSAGE), line)
    with pytest.raises(UsageError, match=r"messages.jsonl, line 2: no webhook message of Alertmanager"):
        read_notifications(path)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.jsonl cannot be read"):
        read_notifications(tmp_path / "absent.jsonl")
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UsageError, match=r"latin.jsonl cannot be read"):
        read_notifications(path)


@pytest.mark.needs("prometheus-alertmanager")
def test_an_alertmanager_that_holds_nothing_gives_an_empty_frame(tmp_path: Path) -> None:
    with servers.alertmanager(tmp_path) as server:
        found = session(server.url).alerts()
    assert list(found) == HELD
    assert found.empty


@pytest.mark.server
def test_a_server_that_is_no_alertmanager_is_told_apart(prometheus: servers.Server) -> None:
    with pytest.raises(SourceAnswerError, match=r"Check that the URL is an Alertmanager's"):
        session(prometheus.url).alerts()


def test_nobody_there() -> None:
    with pytest.raises(SourceUnreachable):
        session("http://127.0.0.1:1").alerts()


def test_a_session_with_an_alertmanager_only_reads(hostile: Hostile) -> None:
    with pytest.raises(RefusedForSecurity, match="only observes"):
        session(hostile.url).post(f"{hostile.url}/api/v2/silences", json={})
