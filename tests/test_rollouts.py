"""Three pods that are rolled out under new names, through real servers: with staleness markers, and where they hide.

Prometheus is read by remote read, which shows markers, and by range selectors, which hide them; VictoriaMetrics by its
export. Every number that is expected was worked out by hand from the world below.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pandas as pd
import pytest
import servers
from remote_write import remote_write
from remote_write import series as written
from small_platform import pulled, study_over

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS
from cloudxai_analysis.study.study import Study

DAYS = Window(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC), "three days")
CONFIG = "storage: {tsdb: {out_of_order_time_window: 100y}}\n"
STEP = 60_000
END = DAYS.duration // timedelta(minutes=1)
# Minutes at which each build's three pods begin, two minutes before those of the build before end.
BUILDS = [-600, 620, 2315, 3425]
RESTART = 2640  # pod-2-0, in its place, on Tuesday at 20:00
COMING_BACK = 12  # minutes until a new pod has seen all tenants
Points = list[tuple[int, float]]


def minute(day: int, clock: str) -> int:
    hours, minutes = clock.split(":")
    return 1440 * day + 60 * int(hours) + int(minutes)


def pods() -> Iterator[tuple[str, int, int, int]]:
    """Name, build, first minute and the one after the last."""
    for build, begin in enumerate(BUILDS):
        end = BUILDS[build + 1] + 2 if build + 1 < len(BUILDS) else END
        for number in range(3):
            yield f"pod-{build}-{number}", build, max(begin, 0), end


def tenants(first: int, end: int, restart: int) -> Iterator[tuple[str, int, int]]:
    """20 tenants from the begin on, one that leaves on Monday at 22:00, one new each day at noon."""
    spans = [(f"t{number:02}", 0, END) for number in range(20)]
    spans += [("leaver", 0, minute(0, "22:00"))]
    spans += [(f"new-{day}", minute(day, "12:00"), END) for day in range(3)]
    for begin, over in ((first, min(end, restart)), (max(first, restart), end)):
        for number, (name, came, left) in enumerate(spans):
            back = begin + (number % COMING_BACK if begin else 0)
            if max(back, came) < min(over, left) and begin < over:
                yield name, max(back, came), min(over, left)


def refused(name: str, build: int, first: int, end: int) -> Points:
    """The rejection counter; 3 + 7 + 5 requests are refused in these days, and 100 before them."""
    if build == 0:
        return [(at, 103.0 if at >= 300 and name == "pod-0-0" else 100.0) for at in range(first, end)]
    if name == "pod-1-0":  # two before its first scrape, five an hour later
        return [(at, 2.0 if at < first + 60 else 7.0) for at in range(first, end)]
    return [(at, 5.0 if name == "pod-3-1" and at > first else 0.0) for at in range(first, end)]


def flips(build: int, first: int, end: int) -> Points:
    """All pods of a build see the same: two flips on Monday at 10:05, three more at 10:40, by the next build."""
    at_once = {0: (minute(0, "10:05"), 2.0), 1: (minute(0, "10:40"), 3.0)}.get(build, (END, 0.0))
    return [(at, at_once[1] if at >= at_once[0] else 0.0) for at in range(first, end)]


def world() -> Iterator[tuple[dict[str, str], Points, bool]]:
    """Series: labels, values by minute, and whether a staleness marker ends it."""
    for name, build, first, end in pods():
        target = {"job": "cloudxai", "instance": name}
        restart = RESTART if name == "pod-2-0" else END
        begun = DAYS.start.timestamp() + 60 * BUILDS[build] - 20 + int(name[-1])
        again = DAYS.start.timestamp() + 60 * RESTART - 20
        over = end < END
        alive = range(first, end)
        yield {"__name__": "up", **target}, [(at, 1.0) for at in alive], over
        yield {"__name__": "readiness_state", **target}, [(at, 1.0) for at in alive], over
        starts = [(at, again if at >= restart else begun) for at in alive]
        yield {"__name__": "process_start_time_seconds", **target}, starts, over
        yield {"__name__": "tenant_label_rejections_total", **target}, refused(name, build, first, end), over
        yield {"__name__": "readiness_transitions_total", **target}, flips(build, first, end), over
        for tenant, came, left in tenants(first, end, restart):
            labels = {"__name__": "tenant_readiness_state", **target, "tenant": tenant}
            yield labels, [(at, 1.0) for at in range(came, left)], left < END
    # The server's own process restarts twice: it is no process of the platform.
    own = {"job": "prometheus", "instance": "localhost:9090"}
    yield {"__name__": "up", **own}, [(at, 1.0) for at in range(END)], False
    began = [(at, DAYS.start.timestamp() + 60 * (at // 1000 * 1000)) for at in range(END)]
    yield {"__name__": "process_start_time_seconds", **own}, began, False
    # One address, two processes by turns, whose counters stand at 10 and 1,000; under another job until asked for.
    for job, turn in (("shared", lambda at: at % 2), ("alone", lambda at: 0 * at)):
        target = {"job": job, "instance": f"{job}:80"}
        yield {"__name__": "up", **target}, [(at, 1.0) for at in range(2000)], True
        yield (
            {"__name__": "process_start_time_seconds", **target},
            [(at, DAYS.start.timestamp() - 3600 * (1 + turn(at))) for at in range(2000)],
            True,
        )
        counted = [(at, 1000.0 if turn(at) else 10.0) for at in range(2000)]
        yield {"__name__": "tenant_label_rejections_total", **target}, counted, True
        for number in range(2):
            shown = [(at, 1.0) for at in range(2000) if turn(at) == number]
            labels = {"__name__": "tenant_readiness_state", **target, "tenant": f"only-{number}"}
            if shown:
                yield labels, shown, True


def put(url: str) -> None:
    body = []
    for labels, points, ended in world():
        samples = [
            (DAYS.start_ms + STEP * at, struct.unpack("<Q", struct.pack("<d", value))[0]) for at, value in points
        ]
        if ended:
            samples.append((samples[-1][0] + STEP, STALENESS_MARKER_BITS))
        body.append(written(labels, samples))
    for part in range(0, len(body), 40):
        remote_write(url, body[part : part + 40])


@pytest.fixture(scope="module")
def url(request, start_prometheus: Callable[..., servers.Server], tmp_path_factory) -> Iterator[str]:
    """A server of the kind asked for that holds the world."""
    if request.param == "export":
        with servers.victoria_metrics(tmp_path_factory.mktemp("victoria")) as server:
            put(server.url)
            urlopen(f"{server.url}/internal/force_flush").read()
            yield server.url
        return
    server = start_prometheus(config=CONFIG, options=("--web.enable-remote-write-receiver",))
    put(server.url)
    yield server.url


@pytest.fixture(scope="module")
def opened(url: str, request, tmp_path_factory) -> Callable[..., Study]:
    """A function that opens a study of the days, as they were at a moment, for some jobs."""
    way = request.node.callspec.params["url"] if hasattr(request.node, "callspec") else "auto"
    folder: Path = tmp_path_factory.mktemp("outputs")
    store = pulled(url, folder, DAYS, now=DAYS.end + timedelta(days=1), way=way).store

    def study(now: datetime = DAYS.end, jobs: tuple[str, ...] = ("cloudxai",)) -> Study:
        contract = load_contract().model_copy(update={"jobs": jobs, "tenant_cap": 30})
        return study_over(store, folder, DAYS, now=now, contract=contract)

    return study


WAYS = [
    pytest.param("remote_read", marks=pytest.mark.server),
    pytest.param("range_selectors", marks=pytest.mark.server),
    pytest.param("export", marks=pytest.mark.needs("victoria-metrics")),
]
everywhere = pytest.mark.parametrize("url", WAYS, indirect=True, scope="module")


@everywhere
def test_numbers_over_rollouts(opened: Callable[..., Study]) -> None:
    study = opened()
    # Restarts: a new name is a new process, the server's own are not the platform's.
    restarts = study.telemetry.restarts
    assert restarts["instance"].tolist() == ["pod-2-0"]
    assert len(study.telemetry.starts) == 3 * len(BUILDS) + 1
    # Held: of those alive. 20 tenants and three newcomers, no leaver; before, each pod had seen the leaver, too.
    held = study.cardinality.held
    last = held[held["hour"] == held["hour"].max()]
    assert dict(zip(last["instance"], last["held"], strict=True)) == dict.fromkeys([f"pod-3-{n}" for n in range(3)], 23)
    by_hour = study.cardinality.headroom.set_index("hour")
    at = pd.Timestamp(DAYS.start)
    assert by_hour["headroom"].iloc[-1] == 30 - 23
    assert by_hour.loc[at + pd.Timedelta(hours=20), "held"] == 22  # build 1: 20, the leaver, Monday's newcomer
    assert by_hour.loc[at + pd.Timedelta(hours=40), "held"] == 22  # build 2: no leaver, Tuesday's newcomer
    assert all(name.startswith("pod-3") for name in held.loc[held["hour"] >= at + pd.Timedelta(hours=58), "instance"])
    # Churn: tenants of the job, whichever pod shows them. Tuesday: one came, the leaver left, of 23 on either day.
    churn = study.cardinality.churn.set_index("day")
    assert churn.loc[at + pd.Timedelta(days=1), ["came", "left"]].tolist() == [1, 1]
    assert churn.loc[at + pd.Timedelta(days=1), "churn"] == pytest.approx(2 / 23)
    assert churn.loc[at + pd.Timedelta(days=2), ["came", "left"]].tolist() == [1, 0]
    # Counters: two of the fifteen stand in a new process's first sample, five between its first two.
    assert study.cardinality.rejections["rejections"].sum() == 3 + 7 + 5
    assert judge.check(study, "rejections").value == 15
    flipped = study.readiness.transitions.set_index("hour")["transitions"]
    assert flipped[at + pd.Timedelta(hours=10)] == 2 + 3
    assert flipped.sum() == 5
    arrived = study.cardinality.daily_arrivals.tail(3)
    assert arrived["held"].tolist() == [22, 22, 23]
    assert arrived["arrivals"].tolist()[1:] == [1, 1]


@everywhere
def test_now_is_the_last_scrape(opened: Callable[..., Study]) -> None:
    """Five minutes after the rollout of Wednesday, 09:05, and after the restart: the hour has not ended."""
    fresh = opened(DAYS.start + timedelta(minutes=BUILDS[3] + 5))
    last = fresh.cardinality.headroom.iloc[-1]
    # Numbers 0 to 4 and 12 to 16 are back within five minutes.
    assert (last["held"], last["instance"][:5]) == (10, "pod-3")
    assert judge.check(fresh, "headroom").value == 20
    again = opened(DAYS.start + timedelta(minutes=RESTART + 5))
    own = again.cardinality.held
    own = own[own["instance"] == "pod-2-0"].iloc[-1]
    assert own["held"] == 10


@everywhere
def test_a_first_sample_of_a_series_counts_in_the_window_that_shows_it(opened: Callable[..., Study]) -> None:
    """Monday alone and all three days: the steps of a window are those whose later sample lies in it."""
    monday = opened(DAYS.start + timedelta(days=1))
    assert monday.cardinality.rejections["rejections"].sum() == 3 + 7


@everywhere
def test_an_address_of_several_processes_is_said_and_nothing_of_it_is_counted(opened: Callable[..., Study]) -> None:
    study = opened(jobs=("shared",))
    assert study.telemetry.restarts.empty
    assert study.cardinality.held.empty
    assert study.cardinality.rejections.empty
    for key in ("restarts", "headroom", "guard", "rejections"):
        check = judge.check(study, key)
        assert (key, check.status) == (key, "unknown")
        assert "shared:80 (2 processes)" in check.finding
        assert "scrape each process" in check.finding
    alone = opened(jobs=("alone",))
    assert judge.check(alone, "rejections").value == 0.0
    assert judge.check(alone, "headroom").value == 29
