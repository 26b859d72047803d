"""Range selectors against a real Prometheus that loads little at once, and servers that answer in part or wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_server import Handler, Hostile, Script, matrix, success, vector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import START, START_MS, Reader, bits_of, moment, reader, within
from servers import Server, alertmanager, series

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.sources.answers import NoSuchEndpoint
from cloudxai_analysis.sources.promql import NORMAL_NAN_BITS
from cloudxai_analysis.sources.series import SeriesBatch

TWO_DAYS = Window(START, START + 2 * DAY, "two days")


def source_at(url: str, **details: Any) -> Reader:
    return reader(url, "range_selectors", **details)


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
SPECIALS = SeriesBatch.of("specials", [series({}, [START_MS + 60_000 * i for i in range(len(SPECIAL))], SPECIAL)])
DENSE = SeriesBatch.of(
    "dense",
    [
        ({"job": job}, START_MS + 15_000 * np.arange(3_000, dtype=np.int64), np.arange(3_000, dtype=np.float64))
        for job in ("a", "b")
    ],
)


@pytest.fixture(scope="module")
def loaded(start_prometheus: Callable[..., Server]) -> Server:
    return start_prometheus([RANDOM, SPECIALS])


@pytest.fixture(scope="module")
def narrow(start_prometheus: Callable[..., Server]) -> Server:
    """A Prometheus that loads no more than 500 samples at once."""
    return start_prometheus([DENSE], options=["--query.max-samples=500"])


@pytest.mark.server
def test_any_bits_come_back_and_each_nan_is_the_normal_one(loaded: Server) -> None:
    for batch in (RANDOM, SPECIALS):
        batch.values.view(np.int64)[np.isnan(batch.values)] = NORMAL_NAN_BITS
        assert bits_of(source_at(loaded.url).read(batch.metric, {}, TWO_DAYS)) == bits_of(batch)


@pytest.mark.server
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each asks a server
@given(
    edges=st.tuples(*[st.integers(-1_000, 2 * 86_400_000)] * 2).map(sorted), most=st.sampled_from([300, 5_000, 10**6])
)
def test_any_window_is_half_open_however_it_is_cut(loaded: Server, edges: list[int], most: int) -> None:
    window = Window(moment(edges[0]), moment(edges[1] + 1))
    got = source_at(loaded.url, most=most).read("random_bits", {}, window)
    assert bits_of(got) == within(bits_of(RANDOM), window)


@pytest.mark.server
def test_a_server_that_loads_little_at_once_is_asked_for_little(narrow: Server) -> None:
    assert bits_of(source_at(narrow.url).read("dense", {}, TWO_DAYS)) == bits_of(DENSE)


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
        pytest.param(matrix(up([S, "1_0"], [S + 1, "1"])), id="python number"),
        pytest.param(matrix(up([S, ""], [S + 1, "1"])), id="empty value"),
        pytest.param(matrix(up([S, 1.5], [S + 1, "1"])), id="number value"),
        pytest.param(matrix(up(["soon", "1"], [S + 1, "1"])), id="text time"),
        pytest.param(matrix(up([S], [S + 1, "1"])), id="no value"),
        pytest.param(matrix(up([S, "1"], [S, "2"])), id="doubled time"),
        pytest.param(matrix(up([S + 1, "1"], [S, "2"])), id="backward time"),
        pytest.param(matrix({"metric": {"__name__": "up", "job": "a", "n": "\ud800"}, "values": FINE}), id="surrogate"),
    ],
)
def test_json_that_is_not_what_was_asked_for_is_refused(hostile: Hostile, samples: dict[str, Any]) -> None:
    hostile.script = plays(samples=samples)
    with pytest.raises(
        SourceAnswerError, match=r"not what Prometheus gives for it|not one of|broken or foreign JSON"
    ) as refused:
        source_at(hostile.url).read("up", {"job": "a"}, TWO_DAYS)
    said = str(refused.value)
    assert said.startswith('Asked for {__name__="up",job="a"} in two days (2026-11-09 00:00 to 2026-11-11 00:00 UTC): ')
    assert hostile.url in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        *((plays(count=count), "not what Prometheus gives") for count in ("many", "NaN", "+Inf")),
        (plays(count="1e+18"), "has 1,000,000,000,000,000,000 samples, .* Narrow the matchers"),
        (plays(count=3, samples=matrix(up(*FINE))), "counted 3 samples and gave 2"),
        (plays(samples={**matrix(up(*FINE)), "infos": ["metric might not be a counter"]}), "might not be a counter"),
    ],
)
def test_what_does_not_agree_with_itself_is_refused(hostile: Hostile, script: Script, said: str) -> None:
    hostile.script = script
    with pytest.raises(SourceAnswerError, match=said) as refused:
        source_at(hostile.url).read("up", {}, TWO_DAYS)
    assert not isinstance(refused.value, NoData)


def test_the_range_holds_the_first_millisecond_under_every_version_of_prometheus(hostile: Hostile) -> None:
    # Up to Prometheus 2 a range is [time - length, time], since 3.0 it is (time - length, time].
    hostile.script = plays(samples=matrix(up([S + 0.5, "1"], [S + 1.999, "2"])))
    source_at(hostile.url).read("up", {}, Window(moment(500), moment(2_000)))
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


def test_native_histograms_are_counted_named_and_left_out(hostile: Hostile) -> None:
    hostile.script = plays(count=5, samples=matrix(up(*FINE, histograms=[[S, {}], [S + 1, {}], [S + 2, {}]])))
    source = source_at(hostile.url)
    for _ in range(2):
        assert source.read("up", {}, TWO_DAYS).samples == 2
    assert source.ranges.notes.lines == ["up: 6 native histogram samples were left out; only classic ones are read."]


@pytest.mark.server
@pytest.mark.needs("prometheus-alertmanager")
def test_another_real_server_is_no_prometheus(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as server, pytest.raises(NoSuchEndpoint, match="no such API under this URL"):
        source_at(server.url).read("up", {}, TWO_DAYS)
