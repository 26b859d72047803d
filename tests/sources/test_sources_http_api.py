"""Raw samples from a real Prometheus, bit for bit; and from servers that answer in part, wrongly or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_server import Handler, Hostile, Script, matrix, success, vector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server, alertmanager, series

from cloudxai_analysis.ground.errors import CloudxaiError, NoData, RefusedForSecurity, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.answers import NoSuchEndpoint
from cloudxai_analysis.sources.http_api import NORMAL_NAN_BITS, PrometheusSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import promql
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.sources.session import Credentials, ObservingSession

START = datetime(2026, 11, 9, tzinfo=UTC)
START_MS = 1_794_182_400_000
TWO_DAYS = Window(START, START + 2 * DAY, "two days")
HOSTILE_TEXTS = (
    'say "no"',
    "two\nlines",
    "back\\slash\\",
    "</script><script>alert(1)</script>",
    "é 漢字 🙂 \u202e",
    '"} or vector(1) #',
    "\ufffd",
    "=~.*",
    "007",
    "x" * 10_000,
)


def source_at(url: str, **details: Any) -> PrometheusSource:
    limits = Limits(retries=0, total_deadline_seconds=60)
    return PrometheusSource(ObservingSession(url, limits=limits, credentials=Credentials()), **details)


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def by_labels(batch: SeriesBatch) -> dict[str, tuple[list[int], list[int]]]:
    """Times and the bits of the values, by canonical labels."""
    bits, edges = batch.values.view(np.int64), zip(batch.offsets, batch.offsets[1:], strict=False)
    spans = zip(batch.labels, edges, strict=True)
    return {canonical_labels(a): (batch.times[i:j].tolist(), bits[i:j].tolist()) for a, (i, j) in spans}


def clipped(batch: SeriesBatch, window: Window) -> dict[str, tuple[list[int], list[int]]]:
    """What the loaded batch has in the half-open window, counted by hand."""
    kept = {}
    for labels, (times, bits) in by_labels(batch).items():
        inside = [(t, b) for t, b in zip(times, bits, strict=True) if window.start_ms <= t < window.end_ms]
        if inside:
            kept[labels] = ([t for t, _ in inside], [b for _, b in inside])
    return kept


def random_bits() -> SeriesBatch:
    """Doubles of any bits, at any millisecond; each NaN is the one that OpenMetrics can say."""
    draw = np.random.default_rng(20261109)
    parts = []
    for number in range(3):
        times = np.sort(draw.choice(2 * 86_400_000, 4_000, replace=False)) + START_MS
        values = draw.integers(-(2**63), 2**63 - 1, len(times)).view(np.float64)
        values.view(np.int64)[np.isnan(values)] = NORMAL_NAN_BITS
        parts.append(({"tenant": f"t-{number}"}, times, values))
    return SeriesBatch.of("random_bits", parts)


SPECIAL = [float("inf"), float("-inf"), 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1e21, 1e-7, float("nan")]
RANDOM = random_bits()
EDGES = SeriesBatch.of(
    "edges", [series({"job": "a"}, [START_MS + ms for ms in (-1, 0, 1, 999, 1000)], [1, 2, 3, 4, 5])]
)
SPECIALS = SeriesBatch.of("specials", [series({}, [START_MS + 60_000 * i for i in range(len(SPECIAL))], SPECIAL)])
TEXTS = SeriesBatch.of(
    "texts", [series({"tenant": text, "n": "1"}, [START_MS], [i]) for i, text in enumerate(HOSTILE_TEXTS)]
)
DENSE = SeriesBatch.of(
    "dense",
    [
        ({"job": job}, START_MS + 15_000 * np.arange(3_000, dtype=np.int64), np.arange(3_000, dtype=np.float64))
        for job in ("a", "b")
    ],
)
LOADED = (RANDOM, EDGES, SPECIALS, TEXTS, DENSE)


@pytest.fixture(scope="module")
def loaded(start_prometheus: Callable[..., Server]) -> Server:
    return start_prometheus(LOADED)


@pytest.fixture(scope="module")
def narrow(start_prometheus: Callable[..., Server]) -> Server:
    """A Prometheus that loads no more than 500 samples at once."""
    return start_prometheus([DENSE], options=["--query.max-samples=500"])


@pytest.mark.server
@pytest.mark.parametrize("batch", LOADED, ids=lambda batch: batch.metric)
def test_samples_come_back_bit_for_bit(loaded: Server, batch: SeriesBatch) -> None:
    window = Window(START - DAY, START + 2 * DAY)
    got = source_at(loaded.url).read(batch.metric, {}, window)
    want = by_labels(batch)
    for _, bits in want.values():
        bits[:] = [NORMAL_NAN_BITS if np.isnan(np.int64(b).view(np.float64)) else b for b in bits]
    assert by_labels(got) == want
    assert got.metric == batch.metric
    assert got.times.dtype == np.int64
    assert got.values.dtype == np.float64


@pytest.mark.server
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each asks a server
@given(
    edges=st.tuples(*[st.integers(-1_000, 2 * 86_400_000)] * 2).map(sorted), most=st.sampled_from([300, 5_000, 10**6])
)
def test_any_window_is_half_open_however_it_is_cut(loaded: Server, edges: list[int], most: int) -> None:
    window = Window(at(edges[0]), at(edges[1]))
    got = source_at(loaded.url, samples_per_answer=most).read("random_bits", {}, window)
    assert by_labels(got) == clipped(RANDOM, window)


@pytest.mark.server
@pytest.mark.parametrize(
    ("start", "end", "values"),
    [(0, 1, [2]), (-1, 0, [1]), (0, 1000, [2, 3, 4]), (1, 1001, [3, 4, 5]), (2, 999, []), (0, 0, [])],
)
def test_window_edges_to_the_millisecond(loaded: Server, start: int, end: int, values: list[float]) -> None:
    assert source_at(loaded.url).read("edges", {}, Window(at(start), at(end))).values.tolist() == values


@pytest.mark.server
@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=lambda text: ascii(text)[:20])
def test_a_hostile_label_value_is_matched_as_itself_and_only_so(loaded: Server, text: str) -> None:
    got = source_at(loaded.url).read("texts", {"tenant": text, "n": "1", "absent": ""}, TWO_DAYS)
    assert [dict(labels) for labels in got.labels] == [{"tenant": text, "n": "1"}]
    assert got.values.tolist() == [HOSTILE_TEXTS.index(text)]


@pytest.mark.server
def test_a_server_that_loads_little_at_once_is_asked_for_little(narrow: Server) -> None:
    assert by_labels(source_at(narrow.url).read("dense", {}, TWO_DAYS)) == by_labels(DENSE)


@pytest.mark.server
def test_emptiness_says_in_the_log_whether_the_series_is_known(
    loaded: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = source_at(loaded.url)
    before = Window(START - 40 * DAY, START - 39 * DAY)
    for metric, matchers, why in (
        ("edges", {}, "known, but not in this window"),
        ("edges", {"job": "other"}, "not known to the source"),
        ("no_such_metric", {}, "not known to the source"),
    ):
        caplog.clear()
        got = source.read(metric, matchers, before)
        assert (len(got), got.samples, got.offsets.tolist()) == (0, 0, [0])
        assert why in caplog.text


@pytest.mark.server
def test_a_real_server_is_described(prometheus: Server) -> None:
    url = prometheus.url.replace("http://", "http://joe:geheim@") + "/"
    source = open_source(url, limits=Limits(), settings=EnvironmentSettings())
    described = source.describe()
    assert described.pop("version").startswith(("2.", "3."))
    assert described == {
        "kind": "prometheus",
        "source": prometheus.url,
        "way": "streamed remote read over POST /api/v1/read",
        "hides_markers": False,
        "external_labels_left_out": {},
        "chosen": "the server offers it",
        "warnings": [],
    }
    assert source.name == prometheus.url


@pytest.mark.server
def test_promql_is_a_frame_of_labels_and_values(loaded: Server) -> None:
    source = source_at(loaded.url)
    moment = at(1_000)
    frame = promql(source, "sum by (job) (last_over_time({__name__=~'edges|dense'}[1m]))", moment)
    assert frame.sort_values("job").to_dict("list") == {"job": ["a", "b"], "value": [5.0, 0.0]}
    assert promql(source, "6 * 7", moment).to_dict("list") == {"value": [42.0]}
    assert promql(source, "no_such_metric", moment).to_dict("list") == {"value": []}
    assert promql(source, "edges or dense", moment)["value"].dtype == np.float64


@pytest.mark.server
@pytest.mark.parametrize(
    ("expression", "moment", "error", "words"),
    [
        ("up{", START, SourceAnswerError, "parse error"),
        ("edges[5m]", at(1_000), UsageError, "one number a series"),
        ('label_replace(vector(1), "value", "x", "", "")', START, UsageError, "one number a series"),
        ("'text'", START, SourceAnswerError, "no numbers"),
        ("up", START.replace(tzinfo=None), UsageError, "no time zone"),
    ],
)
def test_promql_that_gives_no_numbers_is_refused(
    loaded: Server, expression: str, moment: datetime, error: type[CloudxaiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        promql(source_at(loaded.url), expression, moment)


def test_promql_goes_through_the_hardened_session(hostile: Hostile) -> None:
    source = source_at(hostile.url)
    hostile.script = lambda handler, _: handler.document({**vector("1"), "warnings": ["in part"]})
    with pytest.raises(SourceAnswerError, match="in part"):
        promql(source, "up", START)
    hostile.script = lambda handler, _: handler.say(b"", 302, Location="http://example.org/")
    with pytest.raises(RefusedForSecurity, match="not followed"):
        promql(source, "up", START)


def plays(*, count: object = 2, samples: Any = None, series: Sequence[object] = ()) -> Script:
    """A server that counts, gives and knows what it is told to, whatever is true."""

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        if handler.path.endswith("/series"):
            handler.document({"status": "success", "data": list(series)})
        elif fields["query"].startswith("sum(count_over_time("):
            handler.document(vector(str(count)) if count else vector())
        else:
            handler.document(samples)

    return script


def up(*pairs: list[object], **more: object) -> dict[str, Any]:
    return {"metric": {"__name__": "up", "job": "a"}, "values": list(pairs), **more}


S = START_MS // 1000
FINE = [[S, "1"], [S + 60.5, "2"]]


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(success("vector", []), id="vector"),
        pytest.param(success("matrix", None), id="no list"),
        pytest.param({"status": "success"}, id="no data"),
        pytest.param({"status": "success", "data": ["a", "b"]}, id="foreign data"),
        pytest.param(matrix({"values": FINE}), id="no labels"),
        pytest.param(matrix({"metric": {"__name__": "down", "job": "a"}, "values": FINE}), id="other metric"),
        pytest.param(matrix({"metric": {"__name__": "up", "job": "b"}, "values": FINE}), id="other label"),
        pytest.param(matrix({"metric": {"__name__": "up", "job": "a", "n": 7}, "values": FINE}), id="number label"),
        pytest.param(matrix({"metric": {"__name__": "up", "job": "a", "n": "\ud800"}, "values": FINE}), id="surrogate"),
        pytest.param(matrix(up([S, "1_0"], [S + 1, "1"])), id="python number"),
        pytest.param(matrix(up([S, ""], [S + 1, "1"])), id="empty value"),
        pytest.param(matrix(up([S, 1.5], [S + 1, "1"])), id="number value"),
        pytest.param(matrix(up(["soon", "1"], [S + 1, "1"])), id="text time"),
        pytest.param(matrix(up([S], [S + 1, "1"])), id="no value"),
        pytest.param(matrix(up([S, "1"], [S, "2"])), id="doubled time"),
        pytest.param(matrix(up([S + 1, "1"], [S, "2"])), id="backward time"),
    ],
)
def test_json_that_is_not_what_was_asked_for_is_refused(hostile: Hostile, samples: dict[str, Any]) -> None:
    hostile.script = plays(samples=samples)
    with pytest.raises(SourceAnswerError, match="not what Prometheus gives for it") as refused:
        source_at(hostile.url).read("up", {"job": "a"}, TWO_DAYS)
    said = str(refused.value)
    assert said.startswith('Asked for {__name__="up",job="a"} in two days (2026-11-09 00:00 to 2026-11-11 00:00 UTC): ')
    assert hostile.url in said
    assert said.isprintable()


@pytest.mark.parametrize("count", ["many", "", "NaN", "+Inf"])
def test_a_count_that_is_no_number_is_refused(hostile: Hostile, count: str) -> None:
    hostile.script = lambda handler, _: handler.document(vector(count))
    with pytest.raises(SourceAnswerError, match="not what Prometheus gives"):
        source_at(hostile.url).read("up", {}, TWO_DAYS)


def test_more_samples_than_memory_can_hold_are_not_asked_for(hostile: Hostile) -> None:
    hostile.script = plays(count="1e+18")
    with pytest.raises(SourceAnswerError, match=r"has 1,000,000,000,000,000,000 samples, .* Narrow the matchers"):
        source_at(hostile.url).read("up", {}, TWO_DAYS)
    assert len(hostile.seen) == 1


def test_fewer_samples_than_were_counted_are_a_partial_answer(hostile: Hostile) -> None:
    hostile.script = plays(count=3, samples=matrix(up(*FINE)))
    with pytest.raises(SourceAnswerError, match="counted 3 samples and then gave 2") as refused:
        source_at(hostile.url).read("up", {}, TWO_DAYS)
    assert not isinstance(refused.value, NoData)


def test_what_lies_outside_of_the_window_is_left_out(hostile: Hostile) -> None:
    outside = up([float("nan"), "9"], [S - 0.001, "0"], *FINE, [S + 2 * 86_400, "3"], [1e300, "4"])
    hostile.script = plays(samples=matrix(outside))
    got = source_at(hostile.url).read("up", {}, TWO_DAYS)
    assert (got.times.tolist(), got.values.tolist()) == ([START_MS, START_MS + 60_500], [1, 2])


def test_the_range_holds_the_first_millisecond_under_every_version_of_prometheus(hostile: Hostile) -> None:
    # Up to Prometheus 2 a range is [time - length, time], since 3.0 it is (time - length, time].
    hostile.script = plays(samples=matrix(up(*FINE)))
    source_at(hostile.url).read("up", {}, Window(at(500), at(2_000)))
    count, samples = (request.fields for request in hostile.seen)
    assert count["query"] == 'sum(count_over_time({__name__="up"}[1500ms]))'
    assert samples["query"] == '{__name__="up"}[1500ms]'
    assert {count["time"], samples["time"]} == {"1794182401.999"}


def test_times_are_exact_to_the_millisecond_where_doubles_are_coarsest(hostile: Hostile) -> None:
    # Just above a power of two the thousandfold of the nearest double is not yet the millisecond.
    times = range(2**30 * 1000, 2**30 * 1000 + 2_000)
    hostile.script = plays(count=2_000, samples=matrix(up(*([ms / 1000, "1"] for ms in times))))
    day = Window(datetime(2004, 1, 10, tzinfo=UTC), datetime(2004, 1, 11, tzinfo=UTC))
    assert source_at(hostile.url).read("up", {}, day).times.tolist() == list(times)


def test_a_remark_on_raw_samples_is_refused(hostile: Hostile) -> None:
    hostile.script = plays(samples={**matrix(up(*FINE)), "infos": ["metric might not be a counter"]})
    with pytest.raises(SourceAnswerError, match="might not be a counter"):
        source_at(hostile.url).read("up", {}, TWO_DAYS)


def test_native_histograms_are_counted_named_and_left_out(hostile: Hostile) -> None:
    hostile.script = plays(count=5, samples=matrix(up(*FINE, histograms=[[S, {}], [S + 1, {}], [S + 2, {}]])))
    source = source_at(hostile.url)
    warnings = source_described(source, hostile)["warnings"]
    assert warnings == []
    for _ in range(2):
        assert source.read("up", {}, TWO_DAYS).samples == 2
    assert warnings == ["up: 6 native histogram samples were left out; only classic ones are read."]


def source_described(source: PrometheusSource, hostile: Hostile) -> dict[str, Any]:
    script, hostile.script = hostile.script, lambda handler, _: handler.say(b"", 404)
    described = source.describe()
    hostile.script = script
    return described


def test_emptiness_is_not_believed_while_the_index_knows_better(hostile: Hostile) -> None:
    counts: Iterator[int] = iter([0, 2])

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        count = next(counts) if "count_over_time" in fields.get("query", "") else None
        plays(count=count, samples=matrix(up(*FINE)), series=[{"__name__": "up"}])(handler, fields)

    hostile.script = script
    assert source_at(hostile.url).read("up", {}, TWO_DAYS).samples == 2
    assert [(request.method, request.path) for request in hostile.seen] == [
        ("POST", "/api/v1/query"),
        ("POST", "/api/v1/series"),
        ("POST", "/api/v1/query"),
        ("POST", "/api/v1/query"),
    ]
    assert {request.headers["Cache-Control"] for request in hostile.seen} == {"no-store"}
    assert {request.fields["partial_response"] for request in hostile.seen} == {"false"}
    assert {request.fields["timeout"] for request in hostile.seen} == {"60000ms"}


@pytest.mark.server
@pytest.mark.needs("prometheus-alertmanager")
def test_another_real_server_is_no_prometheus(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as server, pytest.raises(NoSuchEndpoint, match="no Prometheus API under this URL"):
        source_at(server.url).read("up", {}, TWO_DAYS)


def test_an_empty_window_is_not_even_asked_for(hostile: Hostile) -> None:
    assert source_at(hostile.url).read("up", {}, Window(START, START)).samples == 0
    assert hostile.seen == []


def test_a_server_without_buildinfo_is_described_and_no_prometheus_is_refused(hostile: Hostile) -> None:
    assert source_at(hostile.url).describe()["version"] == "unknown"
    with pytest.raises(NoSuchEndpoint, match="there is no Prometheus API under this URL"):
        source_at(hostile.url).read("up", {}, TWO_DAYS)
    hostile.script = lambda handler, _: handler.say(b"<html>", 200)
    with pytest.raises(SourceAnswerError, match=r"Asked for its version: .* HTML"):
        source_at(hostile.url).describe()
    hostile.script = lambda handler, _: handler.document({"status": "success", "data": ["3.0"]})
    assert source_at(hostile.url).describe()["version"] == "unknown"
    hostile.script = lambda handler, _: handler.document({"status": "success", "data": {"version": "3.1\n\x1b"}})
    assert source_at(hostile.url).describe()["version"] == r"3.1 \x1b"
