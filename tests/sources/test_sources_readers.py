"""What every way of reading promises: remote read, export, range selectors, the demo; from real servers, and lies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hostile_server import Handler, Hostile, success, vector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import START, START_MS, WEEK, Reader, Samples, bits_of, moment, reader, within
from remote_write import field, frame, label_fields, xor_chunk
from servers import Server, series, victoria_metrics

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import SeriesBatch

HOSTILE_TEXTS = (
    'say "no"',
    "two\nlines",
    "back\\slash\\",
    "</script><script>alert(1)</script>",
    "é 漢字 🙂 \u202e",
    '"} or vector(1) #',
    ',"values":[1,+Inf]',
    "\ufffd",
    "=~.*",
    ".*",
    "007",
    "x" * 10_000,
)
EDGES = SeriesBatch.of(
    "edges", [series({"job": "a"}, [START_MS + ms for ms in (-1, 0, 1, 999, 1000)], [1, 2, 3, 4, 5])]
)
TEXTS = SeriesBatch.of(
    "texts", [series({"tenant": text, "n": "1"}, [START_MS], [i]) for i, text in enumerate(HOSTILE_TEXTS)]
)
DENSE = SeriesBatch.of(
    "dense",
    [
        ({"job": job}, START_MS + 15_000 * np.arange(3_000, dtype=np.int64), np.arange(3_000, dtype=np.float64) / 8)
        for job in ("a", "b")
    ],
)
LOADED = {batch.metric: batch for batch in (EDGES, TEXTS, DENSE)}
WAYS = [
    pytest.param("remote_read", marks=pytest.mark.server),
    pytest.param("range_selectors", marks=pytest.mark.server),
    pytest.param("export", marks=pytest.mark.needs("victoria-metrics")),
]


@pytest.fixture(scope="module")
def prometheus_with(start_prometheus: Callable[..., Server]) -> Callable[[], Server]:
    made: list[Server] = []

    def start() -> Server:
        made[:] = made or [start_prometheus(LOADED.values())]
        return made[0]

    return start


@pytest.fixture(scope="module")
def victoria_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    made: list[Server] = []
    with ExitStack() as running:

        def start() -> Server:
            if not made:
                made.append(running.enter_context(victoria_metrics(tmp_path_factory.mktemp("victoria"))))
                for batch in LOADED.values():
                    for labels, (a, b) in zip(batch.labels, itertools.pairwise(batch.offsets), strict=True):
                        line = {"metric": {"__name__": batch.metric, **labels}}
                        line |= {"values": batch.values[a:b].tolist(), "timestamps": batch.times[a:b].tolist()}
                        urlopen(Request(f"{made[0].url}/api/v1/import", data=json.dumps(line).encode())).close()
                urlopen(f"{made[0].url}/internal/force_flush").close()
            return made[0]

        yield start


@pytest.fixture(params=WAYS)
def read_by(request: pytest.FixtureRequest) -> Reader:
    """Each way, at a real server that holds `LOADED`."""
    room = "victoria_with" if request.param == "export" else "prometheus_with"
    return reader(request.getfixturevalue(room)().url, request.param)


@pytest.mark.parametrize("metric", LOADED)
def test_all_of_a_metric_comes_back_bit_for_bit(read_by: Reader, metric: str) -> None:
    got = read_by.read(metric, {}, Window(START - DAY, START + 2 * DAY))
    assert bits_of(got) == bits_of(LOADED[metric])
    assert (got.metric, got.times.dtype, got.values.dtype) == (metric, np.int64, np.float64)


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [(0, 1, [2]), (-1, 0, [1]), (0, 1000, [2, 3, 4]), (1, 1001, [3, 4, 5]), (2, 999, [])],
)
def test_window_edges_to_the_millisecond(read_by: Reader, start: int, end: int, values: list[float]) -> None:
    assert read_by.read("edges", {}, Window(moment(start), moment(end))).values.tolist() == values


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each asks a server
@given(edges=st.tuples(*[st.integers(0, 50_000_000)] * 2).map(sorted))
def test_any_window_is_half_open(read_by: Reader, edges: list[int]) -> None:
    window = Window(moment(edges[0]), moment(edges[1] + 1))
    assert bits_of(read_by.read("dense", {"job": "b"}, window)) == within(_only(DENSE, '{"job":"b"}'), window)


def _only(batch: SeriesBatch, labels: str) -> Samples:
    return {labels: bits_of(batch)[labels]}


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=lambda text: ascii(text)[:20])
def test_a_hostile_label_value_is_matched_as_itself_and_only_so(read_by: Reader, text: str) -> None:
    got = read_by.read("texts", {"tenant": text, "n": "1", "absent": ""}, WEEK)
    assert [dict(labels) for labels in got.labels] == [{"tenant": text, "n": "1"}]
    assert got.values.tolist() == [HOSTILE_TEXTS.index(text)]


def test_what_is_not_there_is_empty(read_by: Reader) -> None:
    before = Window(START - 40 * DAY, START - 39 * DAY)
    for metric, matchers, window in (("edges", {}, before), ("edges", {"job": "other"}, WEEK), ("none", {}, WEEK)):
        got = read_by.read(metric, matchers, window)
        assert (len(got), got.samples, got.offsets.tolist()) == (0, 0, [0])


def test_nothing_but_reading_was_asked(read_by: Reader) -> None:
    """The server's own counters: besides the tests' writing, only what reads."""
    assert read_by.read("edges", {}, WEEK).samples
    assert read_by.read("none", {}, WEEK).samples == 0
    lines = urlopen(f"{read_by.name}/metrics").read().decode().splitlines()
    counted = [line for line in lines if "http_requests_total{" in line and float(line.split()[-1])]
    paths = {
        line.split(f'{key}="')[1].split('"')[0] for line in counted for key in ("path", "handler") if f'{key}="' in line
    }
    own = {"/metrics", "/-/ready", "/health", "/internal/force_flush", "/api/v1/import"}
    asked = paths - own
    assert asked <= {f"/api/v1/{name}" for name in ("read", "export", "query", "series", "status/config")}
    assert asked


def test_the_demo_keeps_the_same_promises() -> None:
    demo = DemoSource.from_url("demo://?seed=5")
    day = Window(START, START + DAY)
    whole = demo.read("up", {"instance": "cloudxai-0:8080"}, day)
    assert (whole.times[0], whole.times[-1] < day.end_ms, len(whole)) == (START_MS, True, 1)
    for cut in (0, 1, 59_999, 60_000):
        window = Window(moment(cut), day.end)
        assert bits_of(demo.read("up", dict(whole.labels[0]), window)) == within(bits_of(whole), window)
    assert demo.read("up", {"absent": ""}, day).samples > whole.samples
    assert demo.read("none", {}, day).samples == demo.read("up", {}, Window(START, START)).samples == 0


# --- servers that say one thing and give another ---

BODIES = {
    "remote_read": {"Content_Type": "application/x-streamed-protobuf"},
    "export": {"Content_Type": "application/stream+json"},
}


def lying(hostile: Hostile, way: str, *, counted: str, known: bool) -> Reader:
    """A server that gives no sample, whatever it counts and knows."""

    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(b"", **BODIES[way])
        elif handler.path.endswith("/series"):
            handler.document({"status": "success", "data": [{"__name__": "m"}] if known else []})
        elif fields.get("query", "").startswith("sum(count_over_time("):
            handler.document(vector(counted))
        elif handler.path.endswith("/query"):
            handler.document(success("matrix", []))
        else:
            handler.document({"status": "success", "data": {}})

    hostile.script = script
    return reader(hostile.url, way)


@pytest.mark.parametrize("way", ["remote_read", "export", "range_selectors"])
def test_emptiness_is_not_believed_while_the_index_knows_better(hostile: Hostile, way: str) -> None:
    with pytest.raises(SourceAnswerError, match=r"Asked for .* in the week .* counted 12 samples and gave 0"):
        lying(hostile, way, counted="12", known=True).read("m", {}, WEEK)
    assert lying(hostile, way, counted="0", known=False).read("m", {}, WEEK).samples == 0
    assert {request.headers["Cache-Control"] for request in hostile.seen} == {"no-store"}
    queries = [request.fields for request in hostile.seen if request.path.endswith("/query")]
    assert {(one["partial_response"], one["deny_partial_response"], one["timeout"]) for one in queries} == {
        ("false", "1", "60000ms")
    }


ONE_SAMPLE = {
    "remote_read": frame(field(1, label_fields({"__name__": "m"}) + xor_chunk(START_MS, 7.0))),
    "export": json.dumps({"metric": {"__name__": "m"}, "values": [7], "timestamps": [START_MS]}).encode() + b"\n",
}


@pytest.mark.parametrize("first", ["busy", "cut short", "not even begun"])
@pytest.mark.parametrize("way", ONE_SAMPLE)
def test_a_stream_that_breaks_is_asked_for_again(hostile: Hostile, way: str, first: str) -> None:
    tries = itertools.count()

    def script(handler: Handler, fields: Any) -> None:
        if not handler.path.endswith(("/read", "/export")):
            handler.document(vector("1"))
        elif next(tries):
            handler.say(ONE_SAMPLE[way], **BODIES[way])
        elif first == "busy":
            handler.say(b"busy", 503)
        else:
            handler.head(Content_Length=str(len(ONE_SAMPLE[way])), **BODIES[way])
            handler.wfile.write(ONE_SAMPLE[way][: 20 if first == "cut short" else 0])
            handler.close_connection = True

    hostile.script = script
    got = reader(hostile.url, way, retries=2).read("m", {}, WEEK)
    assert (got.times.tolist(), got.values.tolist(), next(tries)) == ([START_MS], [7.0], 2)


@pytest.mark.parametrize("way", ONE_SAMPLE)
def test_a_stream_that_a_proxy_ended_properly_is_no_whole_one(hostile: Hostile, way: str) -> None:
    """Whole frames or lines, and a right last chunk: only the server's own count tells that more was there."""

    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(ONE_SAMPLE[way], **BODIES[way])
        else:
            handler.document(vector("2"))

    hostile.script = script
    with pytest.raises(SourceAnswerError, match="counted 2 samples and gave 1"):
        reader(hostile.url, way).read("m", {}, WEEK)


@pytest.mark.parametrize("way", ONE_SAMPLE)
def test_a_server_that_counts_too_much_for_a_moment_is_asked_anew(hostile: Hostile, way: str) -> None:
    """Seen of Prometheus 2.42 while it compacts: 93,679 counted, 93,678 given, and equal some seconds later."""
    counts = itertools.count()

    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(ONE_SAMPLE[way], **BODIES[way])
        else:
            handler.document(vector("2" if next(counts) < 2 else "1"))

    hostile.script = script
    got = reader(hostile.url, way, retries=1).read("m", {}, WEEK)
    assert got.values.tolist() == [7.0]


@pytest.mark.parametrize("way", ["auto", "remote_read", "export", "range_selectors"])
def test_an_empty_window_is_not_even_asked_for(hostile: Hostile, way: Any) -> None:
    source = open_source(hostile.url, limits=Limits(retries=0), settings=EnvironmentSettings(way=way))
    assert source.read("m", {}, Window(START, START)).samples == 0
    assert hostile.seen == []
