"""Samples from a real VictoriaMetrics, as near as its decimals allow; and from exports that were cut or made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hostile_server import Handler, Hostile, vector
from readers import START_MS, WEEK, Reader, Samples, bits_of, reader
from remote_write import remote_write, series
from servers import Server, victoria_metrics

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.promql import NORMAL_NAN_BITS
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch

TIMES = START_MS + 15_000 * np.arange(25_000, dtype=np.int64)
DRAW = np.random.default_rng(20261109)
WHOLE = {
    "integers": DRAW.integers(-(2**40), 2**40, len(TIMES)).astype(np.float64),
    "decimals": DRAW.integers(0, 10**6, len(TIMES)) / 100,
    "random": 0.1 + 0.9 * DRAW.random(len(TIMES)),
    "magnitudes": DRAW.random(len(TIMES)) * 10.0 ** DRAW.integers(-5, 9, len(TIMES)),
}


def source_at(url: str, **limits: Any) -> Reader:
    return reader(url, "export", **limits)


def put(url: str, path: str, body: str) -> None:
    with urlopen(Request(f"{url}{path}", data=body.encode()), timeout=30) as answer:
        assert answer.status == 204


def imported(url: str, name: str, labels: Labels, times: np.ndarray, values: np.ndarray) -> None:
    line = {"metric": {"__name__": name, **labels}, "values": values.tolist(), "timestamps": times.tolist()}
    put(url, "/api/v1/import", json.dumps(line))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with victoria_metrics(tmp_path_factory.mktemp("victoria")) as server:
        for name, values in WHOLE.items():
            imported(server.url, name, {"tenant": "007"}, TIMES, values)
        put(
            server.url,
            "/api/v1/import/prometheus",
            f'infinite{{a="1"}} +Inf {START_MS}\ninfinite{{a="1"}} -Inf {START_MS + 1}',
        )
        for value in (1.0, 2.0):
            imported(server.url, "doubled", {}, TIMES[:1], np.array([value]))
        urlopen(f"{server.url}/internal/force_flush").read()
        yield server


@pytest.fixture(scope="module")
def source(server: Server) -> Reader:
    return source_at(server.url)


def only(batch: SeriesBatch) -> tuple[Labels, np.ndarray, np.ndarray]:
    assert len(batch) == 1
    return batch.labels[0], batch.times, batch.values


real = pytest.mark.needs("victoria-metrics")


@real
@pytest.mark.parametrize("name", WHOLE)
def test_values_are_as_near_as_the_provenance_says(source: Reader, name: str) -> None:
    """Integers and short decimals to the bit, others within 1e-11 of the largest beside them."""
    labels, times, values = only(source.read(name, {}, WEEK))
    assert labels == {"tenant": "007"}
    assert np.array_equal(times, TIMES)
    largest = {"random": WHOLE[name], "magnitudes": np.max(np.abs(WHOLE[name]))}.get(name, 0)
    assert np.all(np.abs(values - WHOLE[name]) <= 1e-11 * largest)
    described = source.way.about()
    assert "within 1e-11" in described["precision"]
    assert (described["kind"], described["hides_markers"]) == ("victoria_metrics", False)


@real
def test_infinite_values_are_infinite(source: Reader) -> None:
    assert only(source.read("infinite", {}, WEEK))[2].tolist() == [np.inf, -np.inf]


@real
def test_of_two_values_at_one_time_one_is_kept_and_the_other_counted(source: Reader) -> None:
    assert only(source.read("doubled", {}, WEEK))[2].tolist() in ([1.0], [2.0])
    assert any(line.startswith("doubled: 1 samples stood beside") for line in source.ranges.notes.lines)


# --- exports that were cut or made up ---


def line(metric: Any, values: str, times: list[int]) -> str:
    return f'{{"metric":{json.dumps(metric)},"values":{values},"timestamps":{json.dumps(times)}}}\n'


GOOD = line({"__name__": "m", "a": "1"}, "[1,2]", [START_MS, START_MS + 1])


def serving(hostile: Hostile, body: str, status: int = 200, **headers: str) -> Reader:
    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith("/export"):
            handler.say(body.encode(), status, Content_Type="application/stream+json", **headers)
        elif handler.path.endswith("/query"):
            handler.document(vector("0"))
        else:
            handler.document({"status": "success", "data": []})

    hostile.script = script
    return source_at(hostile.url)


def asked(source: Reader) -> Samples:
    return bits_of(source.read("m", {}, WEEK))


def bits(number: float) -> int:
    return int(np.float64(number).view(np.uint64))


def test_lines_of_one_series_are_joined_in_order(hostile: Hostile) -> None:
    later = line({"a": "1", "__name__": "m"}, "[3]", [START_MS + 2])
    source = serving(hostile, later + GOOD)
    assert asked(source) == {'{"a":"1"}': [(START_MS + ms, bits(ms + 1)) for ms in range(3)]}
    request = next(one for one in hostile.seen if one.path.endswith("/export"))
    assert (request.fields["nocache"], request.fields["deny_partial_response"]) == ("1", "1")
    assert (request.fields["start"], request.fields["end"]) == ("1794182400.000", "1794787199.999")


@real
def test_a_staleness_marker_comes_back_as_one_and_no_other_nan_is_kept(server: Server) -> None:
    """Written as Prometheus writes: 1.5, then the value, then 2.5; VictoriaMetrics drops what is no number."""
    end_of_run, no_number = STALENESS_MARKER_BITS, NORMAL_NAN_BITS
    for name, between in {"ended": end_of_run, "broken": no_number}.items():
        numbers = [1.5, 2.5]
        first, last = np.array(numbers).view(np.int64).tolist()
        samples = [(START_MS, first), (START_MS + 60_000, between), (START_MS + 120_000, last)]
        remote_write(server.url, [series({"__name__": name}, samples)])
    urlopen(f"{server.url}/internal/force_flush").read()
    source = source_at(server.url)
    _, times, values = only(source.read("ended", {}, WEEK))
    assert (times - START_MS).tolist() == [0, 60_000, 120_000]
    assert values.view(np.int64)[1] == STALENESS_MARKER_BITS
    assert values[[0, 2]].tolist() == [1.5, 2.5]
    _, times, values = only(source.read("broken", {}, WEEK))
    assert list(zip((times - START_MS).tolist(), values.tolist(), strict=True)) == [(0, 1.5), (120_000, 2.5)]


def test_null_is_a_staleness_marker_words_are_infinite_and_what_lies_outside_is_left_out(hostile: Hostile) -> None:
    times = [START_MS - 1, START_MS, START_MS + 1, START_MS + 2, WEEK.end_ms]
    body = line({"__name__": "m"}, '[1,null,"Infinity",-Inf,3]', times)
    found = list(zip(times[1:4], [STALENESS_MARKER_BITS, bits(np.inf), bits(-np.inf)], strict=True))
    assert asked(serving(hostile, body)) == {"{}": found}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(GOOD[:-1], "ended in the middle", id="no line feed"),
        pytest.param("x" * 17_000_000, "a line of more than 16,777,216 bytes", id="no end"),
        pytest.param(GOOD[:-20] + "\n", "no export", id="half a line"),
        pytest.param("<html>login</html>\n", "no export", id="a page"),
        pytest.param("[]\n", "no export", id="a list"),
        pytest.param('{"metric":{"__name__":"m"}}\n', "no export", id="no values"),
        pytest.param(line({"__name__": "m"}, "[1]", [1, 2]), "no export", id="more times than values"),
        pytest.param(line({"__name__": "m"}, '["x"]', [1]), "no export", id="no number"),
        pytest.param(line({"__name__": "m"}, "[[1]]", [1]), "no export", id="a list of values"),
        pytest.param(line({"__name__": "other"}, "[1]", [START_MS]), "not one of", id="another metric"),
        pytest.param(line({"__name__": "m", "a": 1}, "[1]", [START_MS]), "not one of", id="a label that is no text"),
    ],
)
def test_what_is_no_export_is_refused(hostile: Hostile, body: str, said: str) -> None:
    with pytest.raises(SourceAnswerError, match=said):
        asked(serving(hostile, GOOD + body))
