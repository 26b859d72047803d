"""Thirty nights through a proxy that fails as planned, before a real Prometheus whose samples hold planted faults."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest
import servers
from clean_command import COMMAND, Done, clean
from hostile_server import Handler, Hostile, hostile_server, vector

from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import Night
from cloudxai_analysis.operate.assertions import assertions
from cloudxai_analysis.operate.nightly import ask
from cloudxai_analysis.operate.nights import flake_rates, green_run, grid, nights, status_of
from cloudxai_analysis.platform.settings import Environment, EnvironmentSettings, Limits, Settings, resolve_environment
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.sources.server import ServerSource

FIRST = date(2026, 10, 17)
NIGHTS = 30
LEFT_OUT = ("types", "targets-up", "rules-healthy", "rules-as-written")  # of a server that only keeps samples
# By night: what is wrong with the platform, and which assertion it is.
FAULTS: dict[int, tuple[str, str]] = {
    3: ("readiness", "readiness-domain"),
    11: ("cost", "cost-not-negative.cost"),
    12: ("cost", "cost-not-negative.cost"),
    20: ("missing", "present.rejections"),
}
# By night: which questions fail on their way, how, and how often; 99 times is longer than any night.
FLAKES: dict[int, tuple[str, str, int]] = {
    1: ("readiness-domain", "503", 1),
    5: ("cap", "reset", 2),
    8: ("cap", "429", 1),
    12: ("fresh", "short", 1),
    17: ("cap", "500", 3),
    23: ("present.cost", "empty", 1),
}
AWAY = 26
MISSED = 15
# The beginning of its query, by which a question is known.
ASKED = {
    "readiness-domain": 'topk(5, count by (job, instance) (({__name__="readiness_state",job="cloudxai"} != 0)',
    "cap": "topk(5, count by (job, instance) (count by (job, instance, tenant)",
    "fresh": "topk(5, time() -",
    "present.cost": 'count({__name__="tenant_cost_estimate",job="cloudxai"})',
}


def samples() -> Iterator[SeriesBatch]:
    """Ten minutes before each night's 02:00, a sample a minute, with the night's fault in it."""
    names: dict[str, dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]] = {}
    for night in range(NIGHTS):
        end = datetime(FIRST.year, FIRST.month, FIRST.day, 2, tzinfo=UTC) + timedelta(days=night)
        kind = FAULTS.get(night, ("", ""))[0]
        values = {
            "up": 1.0,
            "scrape_duration_seconds": 0.1,
            "scrape_samples_scraped": 20.0,
            "readiness_state": 2.0 if kind == "readiness" else 1.0,
            "readiness_transitions_total": 4.0,
            "tenant_label_rejections_total": None if kind == "missing" else 0.0,
            "process_start_time_seconds": 1_700_000_000.0,
            **{f"readiness_check_duration_seconds_{part}": 9.0 for part in ("sum", "count")},
        }
        labelled: list[tuple[str, dict[str, str], float]] = [
            *((name, {}, value) for name, value in values.items() if value is not None),
            *(("readiness_check_duration_seconds_bucket", {"le": le}, 9.0) for le in ("0.2", "+Inf")),
            ("tenant_readiness_state", {"tenant": "acme"}, 1.0),
            ("tenant_readiness_transitions_total", {"tenant": "acme"}, 2.0),
            ("tenant_cost_estimate", {"tenant": "acme"}, -1.0 if kind == "cost" else 3.5),
        ]
        for name, own, value in labelled:
            labels = tuple({"job": "cloudxai", "instance": "a:80", **own}.items())
            times = names.setdefault(name, {}).setdefault(labels, [])
            times += [(int(end.timestamp() * 1000) - 60_000 * minute, value) for minute in range(10, 0, -1)]
    for name, series in names.items():
        rows = [servers.series(dict(labels), *zip(*points, strict=True)) for labels, points in series.items()]
        yield SeriesBatch.of(name, rows)


@contextmanager
def failing_proxy(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Passes requests on to the server at `url`, but for the question that `plan` names as many times as it says."""
    plan: dict[str, Any] = {"left": 0, "part": "", "how": "", "away": False}

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        asked = fields.get("query", "")
        if plan["away"]:
            raise ConnectionResetError
        if plan["left"] and asked.startswith(plan["part"]):
            plan["left"] -= 1
            if plan["how"].isdigit():
                return handler.document({"status": "error", "error": "busy\nnow"}, int(plan["how"]))
            if plan["how"] == "reset":
                raise ConnectionResetError
            if plan["how"] == "empty":
                return handler.document({"status": "success", "data": {"resultType": "vector", "result": []}})
            handler.head(Content_Length="500", Content_Type="application/json")
            handler.wfile.write(b'{"status":"success"')
            handler.close_connection = True
            return None
        with closing(HTTPConnection(urlsplit(url).netloc)) as there:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(fields) if handler.command == "POST" else None
            there.request(handler.command, handler.path, body, form)
            answer = there.getresponse()
            return handler.say(answer.read(), answer.status, Content_Type=answer.getheader("Content-Type", ""))

    with hostile_server() as proxy:
        proxy.script = script
        yield proxy.url, plan


@pytest.fixture
def beta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that makes an environment `beta` with this source, and gives its folder."""

    def made(url: str) -> Path:
        own = "".join(f'[[assertion]]\nid = "{name}"\nleft_out = "only samples are kept here"\n' for name in LEFT_OUT)
        (tmp_path / "own.toml").write_text(own, encoding="utf-8")
        settings = f'[environments.beta]\nsource = "{url}"\nnightly = "own.toml"\n[limits]\nnightly_retry_seconds = 1\n'
        (tmp_path / "cloudxai.toml").write_text(settings, encoding="utf-8")
        monkeypatch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        return tmp_path / "outputs" / "beta"

    return made


@pytest.mark.server
def test_in_thirty_nights_every_fault_fails_every_flake_is_told_and_none_is_the_other(
    start_prometheus: Callable[..., servers.Server], beta: Callable[[str], Path], command: Callable[..., Done]
) -> None:
    server = start_prometheus(samples())
    codes = {}
    with failing_proxy(server.url) as (url, plan):
        folder = beta(url)
        for night in range(NIGHTS):
            if night == MISSED:
                continue
            name, how, times = FLAKES.get(night, ("", "", 0))
            plan.update(left=times, part=ASKED.get(name, ""), how=how, away=night == AWAY)
            done = command("nightly", "--environment", "beta", "--now", f"{FIRST + timedelta(days=night)}T02:00Z")
            codes[night] = done.code
            assert plan["left"] == 0
    kept = {(night.date - FIRST).days: night for night in nights(Ledger(folder / "ledger" / "incidents.jsonl"))}
    assert kept.keys() == {*range(NIGHTS)} - {MISSED}
    # A metric that is not there fails its own assertion; what is asked of its values is not known.
    of_missing = {"labels.rejections", "counters-rise.rejections"}
    for night, entry in kept.items():
        found = {check.id: check for check in entry.checks if check.status != "left out"}
        if night == AWAY:
            assert {check.status for check in found.values()} == {"unknown"}
            assert "took no connection, or gave no answer" in entry.away
            continue
        assert {name for name, check in found.items() if check.status == "fail"} == {
            name for planted, (_, name) in FAULTS.items() if planted == night
        }
        assert {name for name, check in found.items() if check.status == "unknown"} == (
            of_missing if FAULTS.get(night, ("",))[0] == "missing" else set()
        )
        flaky = {name: len(check.attempts) for name, check in found.items() if check.flaky}
        assert flaky == ({FLAKES[night][0]: FLAKES[night][2]} if night in FLAKES else {})
    assert codes == {night: 1 if night in FAULTS else 3 if night == AWAY else 0 for night in kept}
    green = [night for night, entry in kept.items() if status_of(entry) == "pass"]
    assert green == sorted({*range(NIGHTS)} - {*FAULTS, AWAY, MISSED})
    # 21 to 25 were green, 26 could not run, 27 to 29 were green again.
    run = green_run(kept.values())
    assert (run.nights, run.flaky, run.broken_by, run.state) == (
        3,
        0,
        "the night of 2026-11-12 could not run",
        "not met",
    )
    rates = flake_rates(list(kept.values())).set_index("check")
    # Three of 28 nights in which it was asked and answered: 10.7 %, by Wilson's interval 3.7 to 27.2 %.
    cap = rates.loc["cap"]
    assert (cap["flaky"], cap["nights"], cap["worth"]) == (3, 28, "only flaked")
    assert (round(cap["rate"], 3), round(cap["low"], 3), round(cap["high"], 3)) == (0.107, 0.037, 0.272)
    assert rates.loc["cost-not-negative.cost"].to_dict() | {"rate": 0, "low": 0, "high": 0} == {
        **{"nights": 28, "fails": 2, "flaky": 0, "unknown": 1},
        **{"rate": 0, "low": 0, "high": 0, "worth": "found faults"},
    }
    assert rates.loc["labels.up", "worth"] == "never failed"
    cells = grid(list(kept.values())).cells
    assert cells.shape[1] == NIGHTS
    assert cells.loc["cap"].to_list()[15:18] == ["–", "●", "○"]
    assert Counter(cells.loc["readiness-domain"]) == {"●": 26, "■": 1, "○": 1, "?": 1, "–": 1}


@pytest.mark.server
def test_a_night_is_run_once_and_again_where_it_is_asked_for(
    start_prometheus: Callable[..., servers.Server],
    beta: Callable[[str], Path],
    command: Callable[..., Done],
    tmp_path: Path,
) -> None:
    words = ("nightly", "--environment", "beta", "--now", f"{FIRST + timedelta(days=3)}T02:00Z")
    with failing_proxy(start_prometheus(samples()).url) as (url, plan):
        folder = beta(url)
        plan["away"] = True
        first = command(*words)
        assert (first.code, first.err[-1][:43]) == (3, "cloudxai: Asked for its time: Source http:/")
        plan["away"] = False
        # Once a night, whatever came of it: an outage that was is not made undone.
        assert command(*words).code == 3
        again = command(*words, "--again", "--junit", str(tmp_path / "night.xml"), "--markdown", str(tmp_path / "n.md"))
        assert again.code == 1
        assert again.out[0].startswith("beta, night of 2026-10-20: fail; 1 fail, ")
        told = command(*words, "--fail-on", "never", "--annotations")
        assert told.code == 0
        assert told.err == ["This night's result was there already; --again runs it again."]
    ledger = Ledger(folder / "ledger" / "incidents.jsonl")
    assert [(entry.kind, bool(entry.away)) for entry in ledger.entries() if isinstance(entry, Night)] == [
        ("night", True),
        ("night", False),
    ]
    assert [night.away for night in nights(ledger)] == [""]
    errors = [line for line in told.out if line.startswith("::")]
    assert errors == [
        "::error title=readiness-domain::fail: instance a:80, job cloudxai: 1; must be == 0 (1 of 2 series)"
    ]
    suite = ET.fromstring((tmp_path / "night.xml").read_bytes()).find("testsuite")  # noqa: S314 - it is our own
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    assert "| readiness-domain | fail | instance a&#58;80, job cloudxai: 1" in (tmp_path / "n.md").read_text(
        encoding="utf-8"
    )
    listed = command("ledger", "list", "--environment", "beta", "--kind", "night")
    assert re.search(r"^1 +2026-10-20 02:00 +night .* superseded by line 2", listed.out[1])
    assert json.loads(command("ledger", "list", "--environment", "beta", "--json").out[1])["checks"]
    assert command("ledger", "verify", "--environment", "beta").code == 0


def test_two_at_once_are_one_night_and_one_that_was_killed_left_nothing(
    hostile: Hostile, beta: Callable[[str], Path], tmp_path: Path
) -> None:
    held, released = threading.Event(), threading.Event()

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        held.set()
        released.wait(60)
        handler.document(vector("1"))

    hostile.script = script
    folder = beta(hostile.url)
    words = (*COMMAND, "nightly", "--environment", "beta", "--now", "2026-10-17T02:00Z", "--fail-on", "never")
    environment = clean(CLOUDXAI_SETTINGS=str(tmp_path / "cloudxai.toml"), CLOUDXAI_LIMITS__LOCK_SECONDS="120")
    how: dict[str, Any] = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ledger = Ledger(folder / "ledger" / "incidents.jsonl")
    killed = subprocess.Popen(words, **how)
    assert held.wait(60)
    killed.kill()
    killed.communicate()
    assert ledger.entries() == []
    held.clear()
    first = subprocess.Popen(words, **how)
    assert held.wait(60)
    second = subprocess.Popen(words, **how)
    impatient = subprocess.run(
        words, check=False, **how | {"env": environment | {"CLOUDXAI_LIMITS__LOCK_SECONDS": "0"}}
    )
    assert impatient.returncode == 7
    assert "cloudxai: `cloudxai nightly` runs already since" in impatient.stderr
    released.set()
    said = [one.communicate(timeout=120) for one in (first, second)]
    assert [one.returncode for one in (first, second)] == [0, 0]
    assert said[0][0] == said[1][0]
    assert "was there already" in said[1][1]
    assert len(ledger.entries()) == 1
    assert ledger.verify().entries == 1


# By process: since when it runs (hours before the night), the counter from 24 hours before it on, an hour apart, and
# whether that is a fault. A `None` was not scraped.
STARTS: dict[str, tuple[list[float], list[float | None], bool]] = {
    "steady": ([30], [*range(24)], False),
    "restarted": ([30, 12], [*range(12), *range(12)], False),
    "restarted-twice": ([30, 20, 10], [5, 6, 7, 8, *range(10), *range(10)], False),
    "restarted-unseen": ([30, 12], [*range(10), None, None, None, *range(11)], False),
    "restarted-and-late": ([30, 20, 10], [9, 9, 9, 9, *[None] * 15, 0, 1, 2, 3, 4], False),
    "restarted-higher": ([30, 12], [*range(12), *range(50, 62)], False),
    "restarted-before": ([25], [*range(24)], False),
    "fell": ([30], [*range(12), *range(12)], True),
    "fell-and-restarted": ([30, 6], [*range(9), *range(9), *range(6)], True),
}


@pytest.mark.server
def test_a_counter_may_fall_as_often_as_its_process_began_and_no_more(
    start_prometheus: Callable[..., servers.Server],
) -> None:
    """Scraped each hour, by a pair of replicas; the restart lies half an hour before the scrape that shows it."""
    night = datetime(2026, 10, 20, 2, tzinfo=UTC)
    end = int(night.timestamp() * 1000)
    counted, started = [], []
    for name, (begun, values, _) in STARTS.items():
        for replica in "ab":
            labels = {"job": "cloudxai", "instance": f"{name}:80", "replica": replica}
            hours = [24 - place for place, value in enumerate(values) if value is not None]
            times = [end - 3_600_000 * (hour - 1) - 60_000 for hour in hours]
            counted.append(servers.series(labels, times, [float(value) for value in values if value is not None]))
            since = [min(own for own in begun if own > hour - 1) for hour in hours]
            started.append(servers.series(labels, times, [end / 1000 - 3600 * hour for hour in since]))
    names = ("tenant_label_rejections_total", "process_start_time_seconds")
    batches = [SeriesBatch.of(name, rows) for name, rows in zip(names, (counted, started), strict=True)]
    source, environment = asked_of(start_prometheus(batches).url)
    (row,) = (one for one in assertions(environment) if one.id == "counters-rise.rejections")
    ((found,), _) = ask([row], source, environment, moment=night)
    assert found.status == "fail"
    named = re.findall(r"instance ([a-z-]+):80", found.finding)
    assert sorted(named) == sorted(name for name, (*_, fault) in STARTS.items() if fault)


def asked_of(url: str) -> tuple[ServerSource, Environment]:
    own, limits = EnvironmentSettings(source=url), Limits(nightly_retry_seconds=0.1, retries=0)
    settings = Settings.model_construct(environments={"beta": own}, limits=limits)
    source = open_source(url, limits=limits, settings=own)
    assert isinstance(source, ServerSource)
    return source, resolve_environment(settings, name="beta")


@pytest.mark.needs("victoria-metrics")
def test_a_victoria_metrics_is_asked_the_same_and_what_it_cannot_tell_is_unknown(tmp_path: Path) -> None:
    rows = [
        f"{batch.metric}{{{','.join(f'{name}={json.dumps(value)}' for name, value in labels.items())}}} {value} {time}"
        for batch in samples()
        for labels, first, last in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
        for time, value in zip(batch.times[first:last], batch.values[first:last], strict=True)
    ]
    with servers.victoria_metrics(tmp_path) as server:
        body = "\n".join([*rows, ""]).encode()
        urlopen(Request(f"{server.url}/api/v1/import/prometheus", data=body), timeout=30).close()
        urlopen(f"{server.url}/internal/force_flush", timeout=30).close()
        source, environment = asked_of(server.url)
        moment = datetime(2026, 10, 20, 2, tzinfo=UTC)
        checks, away = ask(assertions(environment), source, environment, moment=moment)
    found = {check.id: check for check in checks}
    assert away == ""
    assert [name for name, check in found.items() if check.status == "fail"] == ["readiness-domain"]
    assert {name for name, check in found.items() if check.status == "unknown"} == {*LEFT_OUT}
    assert "leaves rules to a vmalert that it was not told of" in found["rules-healthy"].finding
    assert found["targets-up"].finding == "no target of job cloudxai is known"
