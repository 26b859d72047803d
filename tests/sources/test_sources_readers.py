"""What every way of reading promises: remote read, export, range selectors, the demo; from real servers, and lies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hostile_server import Handler, Hostile, matrix, success, vector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import BODIES, START, START_MS, WEEK, Reader, bits_of, moment, reader, serving, within
from remote_write import field, frame, label_fields, remote_write, xor_chunk
from remote_write import series as written
from servers import Server, series, victoria_metrics

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import NORMAL_NAN_BITS
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch
from cloudxai_analysis.sources.series_parts import DOUBLES_LEFT_OUT, HISTOGRAMS_LEFT_OUT

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
DRAW = np.random.default_rng(20261109)
EIGHTHS = np.arange(3_000, dtype=np.float64) / 8
STEPS = START_MS + 15_000 * np.arange(3_000, dtype=np.int64)
EDGES = SeriesBatch.of(
    "edges", [series({"job": "a"}, [START_MS + ms for ms in (-1, 0, 1, 999, 1000)], [1, 2, 3, 4, 5])]
)
TEXTS = SeriesBatch.of(
    "texts", [series({"tenant": text, "n": "1"}, [START_MS], [i]) for i, text in enumerate(HOSTILE_TEXTS)]
)
DENSE = SeriesBatch.of("dense", [({"job": job}, STEPS, EIGHTHS) for job in ("a", "b")])
LOADED = {batch.metric: batch for batch in (EDGES, TEXTS, DENSE)}
SPECIAL = [np.inf, -np.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1e21, 1e-7, np.nan]


def random_bits() -> SeriesBatch:
    """Doubles of any bits, at any millisecond, and special ones; each NaN is the one that OpenMetrics can say."""
    times = np.sort(DRAW.choice(2 * 86_400_000, 4_000, replace=False)) + START_MS
    values = DRAW.integers(-(2**63), 2**63 - 1, len(times)).view(np.float64)
    values[: len(SPECIAL)] = SPECIAL
    values.view(np.int64)[np.isnan(values)] = NORMAL_NAN_BITS
    return SeriesBatch.of("random_bits", [({}, times, values)])


RANDOM = random_bits()
# What VictoriaMetrics stores to the bit, and within 1e-11 of what is said here.
LONG = START_MS + 15_000 * np.arange(25_000, dtype=np.int64)
UNIT, MAGNITUDES = 0.1 + 0.9 * DRAW.random(len(LONG)), DRAW.random(len(LONG)) * 10.0 ** DRAW.integers(-5, 9, len(LONG))
STORED = {
    "integers": (DRAW.integers(-(2**40), 2**40, len(LONG)).astype(np.float64), 0),
    "decimals": (DRAW.integers(0, 10**6, len(LONG)) / 100, 0),
    "random": (UNIT, UNIT),
    "magnitudes": (MAGNITUDES, np.max(MAGNITUDES)),
}


@pytest.fixture(scope="module")
def loaded(start_prometheus: Callable[..., Server]) -> Server:
    return start_prometheus([*LOADED.values(), RANDOM])


@pytest.fixture(scope="module")
def narrow(start_prometheus: Callable[..., Server]) -> Server:
    """A Prometheus that loads no more than 500 samples at once."""
    return start_prometheus([DENSE], options=["--query.max-samples=500"])


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    def put(path: str, body: str) -> None:
        urlopen(Request(f"{server.url}/api/v1/import{path}", data=body.encode()), timeout=30).close()

    with victoria_metrics(tmp_path_factory.mktemp("victoria")) as server:
        batches = [*LOADED.values(), *(SeriesBatch.of(name, [({}, LONG, v)]) for name, (v, _) in STORED.items())]
        batches += [SeriesBatch.of("doubled", [series({}, [START_MS], [value])]) for value in (1.0, 2.0)]
        for batch in batches:
            for labels, (a, b) in zip(batch.labels, itertools.pairwise(batch.offsets), strict=True):
                line = {"metric": {"__name__": batch.metric, **labels}, "values": batch.values[a:b].tolist()}
                put("", json.dumps({**line, "timestamps": batch.times[a:b].tolist()}))
        put("/prometheus", f'infinite{{a="1"}} +Inf {START_MS}\ninfinite{{a="1"}} -Inf {START_MS + 1}')
        # As Prometheus writes: VictoriaMetrics keeps a marker, and drops what is no number.
        for name, between in {"ended": STALENESS_MARKER_BITS, "broken": NORMAL_NAN_BITS}.items():
            first, last = np.array([1.5, 2.5]).view(np.int64).tolist()
            samples = [(START_MS, first), (START_MS + 60_000, between), (START_MS + 120_000, last)]
            remote_write(server.url, [written({"__name__": name}, samples)])
        urlopen(f"{server.url}/internal/force_flush").close()
        yield server


WAYS = [
    pytest.param("remote_read", marks=pytest.mark.server),
    pytest.param("range_selectors", marks=pytest.mark.server),
    pytest.param("export", marks=pytest.mark.needs("victoria-metrics")),
]
real_victoria = pytest.mark.needs("victoria-metrics")


@pytest.fixture(params=WAYS)
def read_by(request: pytest.FixtureRequest) -> Reader:
    """Each way, at a real server that holds `LOADED`."""
    room = "victoria" if request.param == "export" else "loaded"
    return reader(request.getfixturevalue(room).url, request.param)


@pytest.mark.parametrize("metric", LOADED)
def test_all_of_a_metric_comes_back_bit_for_bit(read_by: Reader, metric: str) -> None:
    got = read_by.read(metric, {}, Window(START - DAY, START + 2 * DAY))
    assert bits_of(got) == bits_of(LOADED[metric])
    assert (got.metric, got.times.dtype, got.values.dtype) == (metric, np.int64, np.float64)


@pytest.mark.server
def test_any_bits_come_back_from_a_prometheus_and_it_may_load_little_at_once(loaded: Server, narrow: Server) -> None:
    for way in ("remote_read", "range_selectors"):
        assert bits_of(reader(loaded.url, way).read("random_bits", {}, WEEK)) == bits_of(RANDOM)
    for most in (700, 500_000):
        assert bits_of(reader(narrow.url, "range_selectors", most=most).read("dense", {}, WEEK)) == bits_of(DENSE)


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [(0, 1, [2]), (-1, 0, [1]), (0, 1000, [2, 3, 4]), (1, 1001, [3, 4, 5]), (2, 999, [])],
)
def test_window_edges_to_the_millisecond(read_by: Reader, start: int, end: int, values: list[float]) -> None:
    assert read_by.read("edges", {}, Window(moment(start), moment(end))).values.tolist() == values


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each asks a server
@given(edges=st.tuples(*[st.integers(0, 50_000_000)] * 2).map(sorted))
def test_any_window_is_half_open(read_by: Reader, edges: list[int]) -> None:
    window, own = Window(moment(edges[0]), moment(edges[1] + 1)), '{"job":"b"}'
    assert bits_of(read_by.read("dense", {"job": "b"}, window)) == within({own: bits_of(DENSE)[own]}, window)


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=lambda text: ascii(text)[:20])
def test_a_hostile_label_value_is_matched_as_itself_and_only_so(read_by: Reader, text: str) -> None:
    got = read_by.read("texts", {"tenant": text, "n": "1", "absent": ""}, WEEK)
    assert [dict(labels) for labels in got.labels] == [{"tenant": text, "n": "1"}]
    assert got.values.tolist() == [HOSTILE_TEXTS.index(text)]


def test_what_is_not_there_is_empty_and_nothing_but_reading_was_asked(read_by: Reader) -> None:
    before = Window(START - 40 * DAY, START - 39 * DAY)
    for metric, matchers, window in (("edges", {}, before), ("edges", {"job": "other"}, WEEK), ("none", {}, WEEK)):
        got = read_by.read(metric, matchers, window)
        assert (len(got), got.samples, got.offsets.tolist()) == (0, 0, [0])
    # The server's own counters: besides the tests' writing, only what reads.
    lines = urlopen(f"{read_by.name}/metrics").read().decode().splitlines()
    counted = [line for line in lines if "http_requests_total{" in line and float(line.split()[-1])]
    paths = {
        line.split(f'{key}="')[1].split('"')[0] for line in counted for key in ("path", "handler") if f'{key}="' in line
    }
    own = ("/metrics", "/-/ready", "/health", "/internal/force_flush", "/api/v1/import")
    asked = {path for path in paths if not path.startswith(own) and path != "/api/v1/write"}
    assert asked
    assert asked <= {f"/api/v1/{name}" for name in ("read", "export", "query", "series", "status/config")}


@real_victoria
def test_a_victoria_metrics_gives_what_it_keeps(victoria: Server) -> None:
    source = reader(victoria.url, "export")
    for name, (values, largest) in STORED.items():
        got = source.read(name, {}, WEEK)
        assert np.array_equal(got.times, LONG)
        assert np.all(np.abs(got.values - values) <= 1e-11 * largest), name
    assert "within 1e-11" in source.way.about()["precision"]
    assert source.read("infinite", {}, WEEK).values.tolist() == [np.inf, -np.inf]
    ended, broken = (source.read(name, {}, WEEK) for name in ("ended", "broken"))
    assert (ended.times - START_MS).tolist() == [0, 60_000, 120_000]
    assert ended.values.view(np.int64)[1] == STALENESS_MARKER_BITS
    assert (broken.values.tolist(), (broken.times - START_MS).tolist()) == ([1.5, 2.5], [0, 120_000])
    doubled = source.read("doubled", {}, WEEK)
    assert doubled.values.tolist() in ([1.0], [2.0])
    assert dict(doubled.left_out) == {DOUBLES_LEFT_OUT: 1}


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


# --- which way, and why ---


def opened(url: str, way: Any = "auto") -> Any:
    return open_source(url, limits=Limits(retries=0), settings=EnvironmentSettings(way=way))


@pytest.mark.server
@real_victoria
def test_what_a_server_offers_is_found_out_by_asking_it(loaded: Server, victoria: Server) -> None:
    for url, way, said, why in (
        (loaded.url, "auto", "streamed remote read over POST /api/v1/read", "the server offers it"),
        (loaded.url, "remote_read", "streamed remote read over POST /api/v1/read", "the settings ask for it"),
        (loaded.url, "range_selectors", "range selectors over POST /api/v1/query", "the settings ask for it"),
        (victoria.url, "auto", "export over POST /api/v1/export", "remote_read is not offered; the server offers it"),
    ):
        source = opened(url, way)
        described = source.describe()
        assert (described["way"], described["chosen"]) == (said, why)
        assert bits_of(source.read("dense", {"job": "a"}, WEEK)) == {'{"job":"a"}': bits_of(DENSE)['{"job":"a"}']}
        days = [Window(START + n * DAY, START + (n + 1) * DAY) for n in (0, 1, 3)]
        # Where a range leaves out its left end, the day's very first millisecond is not counted.
        assert source.counts("dense", {}, days) in ([(2, number), (0, 0), (0, 0)] for number in (5_998, 6_000))
    with pytest.raises(UsageError, match=r'does not offer `export`, which the settings ask for. Set `way` to "auto".'):
        opened(loaded.url, "export").describe()


@pytest.mark.parametrize("status", [400, 404, 501, 401, 429, 503])
def test_a_refusal_is_another_way_and_a_failure_is_an_error(hostile: Hostile, status: int) -> None:
    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(b"unsupported path", status, Content_Type="text/plain")
        elif handler.path.endswith("/query"):
            counted = fields["query"].startswith("sum(")
            handler.document(vector("1") if counted else matrix({"metric": {"__name__": "m"}, "values": [[S, "1"]]}))
        else:
            handler.document({"status": "success", "data": {"version": "9"}})

    hostile.script = script
    source = opened(hostile.url)
    if status in (401, 429, 503):
        with pytest.raises(SourceAnswerError, match=f"Asked whether it offers remote_read: Source .* HTTP {status}"):
            source.describe()
    else:
        assert source.describe()["chosen"] == "remote_read is not offered; export is not offered"
        assert source.read("m", {}, Window(START, START + HOUR)).samples == 1


@pytest.mark.parametrize("way", ["auto", "remote_read", "export", "range_selectors"])
def test_an_empty_window_is_not_even_asked_for(hostile: Hostile, way: Any) -> None:
    assert opened(hostile.url, way).read("m", {}, Window(START, START)).samples == 0
    assert hostile.seen == []


# --- servers that say one thing and give another ---

S = START_MS // 1000
FINE = [[S, "1"], [S + 60.5, "2"]]
TWO_DAYS = Window(START, START + 2 * DAY, "two days")
ONE_SAMPLE = {
    "remote_read": frame(field(1, label_fields({"__name__": "m"}) + xor_chunk(START_MS, 7.0))),
    "export": json.dumps({"metric": {"__name__": "m"}, "values": [7], "timestamps": [START_MS]}).encode() + b"\n",
}


@pytest.mark.parametrize("way", BODIES)
def test_emptiness_is_not_believed_while_the_index_knows_better(hostile: Hostile, way: str) -> None:
    with pytest.raises(SourceAnswerError, match=r"Asked for .* in the week .* counted 12 samples and gave 0"):
        serving(hostile, way, count="12", known=[{"__name__": "m"}]).read("m", {}, WEEK)
    assert serving(hostile, way).read("m", {}, WEEK).samples == 0
    assert {request.headers["Cache-Control"] for request in hostile.seen} == {"no-store"}
    queries = [request.fields for request in hostile.seen if request.path.endswith("/query")]
    assert {(one["partial_response"], one["deny_partial_response"], one["timeout"]) for one in queries} == {
        ("false", "1", "60000ms")
    }


@pytest.mark.parametrize("first", ["busy", "cut short", "not even begun", "ended by an error"])
@pytest.mark.parametrize("way", ONE_SAMPLE)
def test_a_stream_that_breaks_is_asked_for_again(hostile: Hostile, way: str, first: str) -> None:
    tries = itertools.count()

    def script(handler: Handler, fields: Any) -> None:
        if not handler.path.endswith(("/read", "/export")):
            handler.document(vector("1"))
        elif next(tries):
            handler.say(ONE_SAMPLE[way], Content_Type=BODIES[way])
        elif first == "busy":
            handler.say(b"busy", 503)
        elif first == "ended by an error":  # seen of Prometheus 2.42 while it compacts
            handler.say(ONE_SAMPLE[way] + b"cannot populate chunk from block: not found\n", Content_Type=BODIES[way])
        else:
            handler.head(Content_Length=str(len(ONE_SAMPLE[way])), Content_Type=BODIES[way])
            handler.wfile.write(ONE_SAMPLE[way][: 20 if first == "cut short" else 0])
            handler.close_connection = True

    hostile.script = script
    got = reader(hostile.url, way, retries=2).read("m", {}, WEEK)
    assert (got.times.tolist(), got.values.tolist(), next(tries)) == ([START_MS], [7.0], 2)


@pytest.mark.parametrize("way", ONE_SAMPLE)
def test_a_server_that_counts_too_much_for_a_moment_is_asked_anew(hostile: Hostile, way: str) -> None:
    """Seen of Prometheus 2.42 while it compacts; one that goes on is a stream that a proxy ended properly."""
    counts = itertools.count()

    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(ONE_SAMPLE[way], Content_Type=BODIES[way])
        else:
            handler.document(vector("2" if next(counts) < 2 else "1"))

    hostile.script = script
    assert reader(hostile.url, way, retries=1).read("m", {}, WEEK).values.tolist() == [7.0]
    with pytest.raises(SourceAnswerError, match="counted 2 samples and gave 1"):
        serving(hostile, way, ONE_SAMPLE[way], count="2").read("m", {}, WEEK)


def up(*pairs: list[object], **more: object) -> dict[str, Any]:
    return {"metric": {"__name__": "up", "job": "a"}, "values": list(pairs), **more}


def labelled(**labels: object) -> dict[str, Any]:
    return matrix({"metric": {"__name__": "up", "job": "a", **labels}, "values": FINE})


def line(metric: Any, values: str, times: list[int]) -> bytes:
    return f'{{"metric":{json.dumps(metric)},"values":{values},"timestamps":{json.dumps(times)}}}\n'.encode()


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(success("vector", []), id="vector"),
        pytest.param(success("matrix", None), id="no list"),
        pytest.param({"status": "success"}, id="no data"),
        pytest.param({"status": "success", "data": ["a", "b"]}, id="foreign data"),
        pytest.param(matrix({"values": FINE}), id="no labels"),
        pytest.param(labelled(__name__="down"), id="other metric"),
        pytest.param(labelled(job="b"), id="other label"),
        pytest.param(labelled(n=7), id="number label"),
        pytest.param(labelled(n="\ud800"), id="surrogate"),
        *(
            pytest.param(matrix(up(pair, [S + 1, "1"])), id=f"{pair}")
            for pair in ([S, "1_0"], [S, ""], [S, 1.5], ["soon", "1"], [S], [S + 1, "2"], [S + 2, "1"])
        ),
    ],
)
def test_json_that_is_not_what_was_asked_for_is_refused(hostile: Hostile, samples: dict[str, Any]) -> None:
    with pytest.raises(
        SourceAnswerError, match=r"not what Prometheus gives for it|not one of|broken or foreign JSON"
    ) as refused:
        serving(hostile, "range_selectors", samples=samples, count=2).read("up", {"job": "a"}, TWO_DAYS)
    said = str(refused.value)
    assert said.startswith('Asked for {__name__="up",job="a"} in two days (2026-11-09 00:00 to 2026-11-11 00:00 UTC): ')
    assert hostile.url in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("count", "samples", "said"),
    [
        *((count, matrix(), "not what Prometheus gives") for count in ("many", "NaN", "+Inf")),
        ("1e+18", matrix(), "has 1,000,000,000,000,000,000 samples, .* Narrow the matchers"),
        (3, matrix(up(*FINE)), "counted 3 samples and gave 2"),
        (2, {**matrix(up(*FINE)), "infos": ["metric might not be a counter"]}, "might not be a counter"),
    ],
)
def test_what_does_not_agree_with_itself_is_refused(hostile: Hostile, count: object, samples: Any, said: str) -> None:
    with pytest.raises(SourceAnswerError, match=said) as refused:
        serving(hostile, "range_selectors", count=count, samples=samples).read("up", {}, TWO_DAYS)
    assert not isinstance(refused.value, NoData)


def test_a_range_holds_each_millisecond_exactly_under_every_version_of_prometheus(hostile: Hostile) -> None:
    # Up to Prometheus 2 a range is [time - length, time], since 3.0 it is (time - length, time].
    source = serving(hostile, "range_selectors", count=2, samples=matrix(up([S + 0.5, "1"], [S + 1.999, "2"])))
    source.read("up", {}, Window(moment(500), moment(2_000)))
    count, samples = (request.fields for request in hostile.seen)
    assert count["query"] == 'sum(count_over_time({__name__="up"}[1500ms]))'
    assert (samples["query"], {count["time"], samples["time"]}) == ('{__name__="up"}[1500ms]', {"1794182401.999"})
    # Just above a power of two the thousandfold of the nearest double is not yet the millisecond.
    times = range(2**30 * 1000, 2**30 * 1000 + 2_000)
    source = serving(hostile, "range_selectors", count=2_000, samples=matrix(up(*([ms / 1000, "1"] for ms in times))))
    day = Window(datetime(2004, 1, 10, tzinfo=UTC), datetime(2004, 1, 11, tzinfo=UTC))
    assert source.read("up", {}, day).times.tolist() == list(times)


def test_native_histograms_are_counted_named_and_left_out(hostile: Hostile) -> None:
    samples = matrix(up(*FINE, histograms=[[S, {}], [S + 1, {}], [S + 2, {}]]))
    source = serving(hostile, "range_selectors", count=5, samples=samples)
    for _ in range(2):  # each reading says its own
        batch = source.read("up", {}, TWO_DAYS)
        assert (batch.samples, dict(batch.left_out)) == (2, {HISTOGRAMS_LEFT_OUT: 3})


GOOD = line({"__name__": "m", "a": "1"}, "[1,2]", [START_MS, START_MS + 1])


def test_lines_are_joined_null_is_a_marker_words_are_infinite_and_what_lies_outside_is_left_out(
    hostile: Hostile,
) -> None:
    times = [START_MS + 2, START_MS + 3, START_MS + 4, START_MS + 5, START_MS - 1, WEEK.end_ms]
    later = line({"a": "1", "__name__": "m"}, '[3,null,"Infinity",-Inf,8,9]', times)
    values = np.array([1, 2, 3, np.nan, np.inf, -np.inf])
    values.view(np.int64)[3] = STALENESS_MARKER_BITS
    expected = SeriesBatch.of("m", [({"a": "1"}, START_MS + np.arange(6), values)])
    assert bits_of(serving(hostile, "export", later + GOOD).read("m", {}, WEEK)) == bits_of(expected)
    asked = next(one for one in hostile.seen if one.path.endswith("/export")).fields
    assert (asked["nocache"], asked["deny_partial_response"]) == ("1", "1")
    assert (asked["start"], asked["end"]) == ("1794182400.000", "1794787199.999")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(GOOD[:-1], "ended in the middle", id="no line feed"),
        pytest.param(b"x" * 17_000_000, "a line of more than 16,777,216 bytes", id="no end"),
        pytest.param(GOOD[:-20] + b"\n", "no export", id="half a line"),
        pytest.param(b"<html>login</html>\n", "no export", id="a page"),
        pytest.param(b"[]\n", "no export", id="a list"),
        pytest.param(b'{"metric":{"__name__":"m"}}\n', "no export", id="no values"),
        pytest.param(line({"__name__": "m"}, "[1]", [1, 2]), "no export", id="more times than values"),
        pytest.param(line({"__name__": "m"}, '["x"]', [1]), "no export", id="no number"),
        pytest.param(line({"__name__": "m"}, "[[1]]", [1]), "no export", id="a list of values"),
        pytest.param(line({"__name__": "other"}, "[1]", [START_MS]), "not one of", id="another metric"),
        pytest.param(line({"__name__": "m", "a": 1}, "[1]", [START_MS]), "not one of", id="a label that is no text"),
    ],
)
def test_what_is_no_export_is_refused(hostile: Hostile, body: bytes, said: str) -> None:
    with pytest.raises(SourceAnswerError, match=said):
        serving(hostile, "export", GOOD + body).read("m", {}, WEEK)
