"""PromQL at a moment and over steps, against a real Prometheus, and against servers that answer wrongly."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import servers
from hostile_server import Hostile, matrix

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources import promql as module
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import Steps, promql, promql_range
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
HOURS = Window(START, START + timedelta(hours=4))


def opened(url: str, **limits: Any) -> Any:
    return open_source(url, limits=Limits(**{"retries": 0, **limits}), settings=EnvironmentSettings())


@pytest.fixture(scope="module")
def source(start_prometheus: Any) -> Any:
    minutes = ZERO + 60_000 * np.arange(240)
    values = np.arange(240, dtype=np.float64)
    series = [
        ({"job": "a", "tenant": 'quoted " and \\ é'}, minutes, values / 7),
        ({"job": "b", "tenant": "late"}, minutes[200:], values[200:]),
        ({"job": "c", "tenant": "odd"}, minutes[:3], np.array([np.nan, np.inf, -np.inf])),
    ]
    return opened(start_prometheus([SeriesBatch.of("some_metric", series)]).url)


def test_steps_are_the_groups_times_in_the_window() -> None:
    for phase in (0, 17, 59_999):
        assert Steps.within(HOURS, 60_000, phase=phase).times.tolist() == [
            ZERO + phase + 60_000 * n for n in range(240)
        ]
    assert Steps.within(Window(START, START), 1000).count == 0
    with pytest.raises(UsageError, match="Step of 0 ms"):
        Steps.within(HOURS, 0)


@pytest.mark.server
def test_each_point_is_what_an_instant_query_gives_at_its_time(source: Any) -> None:
    steps = Steps.within(HOURS, 3 * 60_000, phase=12_345)
    batch = promql_range(source, "some_metric * 2", steps)
    points = {
        (labels["tenant"], int(time)): value
        for labels, low, high in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
        for time, value in zip(batch.times[low:high], batch.values[low:high], strict=True)
    }
    seen = 0
    for time in steps.times[::7].tolist():
        asked = promql(source, "some_metric * 2", datetime.fromtimestamp(time / 1000, tz=UTC))
        for row in asked.to_dict("records"):
            np.testing.assert_equal(points.pop((row["tenant"], time)), row["value"])
            seen += 1
    assert seen > 12
    assert not any(time in steps.times[::7] for _, time in points)


@pytest.mark.server
@pytest.mark.parametrize("most", [1, 37, 1000])
def test_pieces_make_the_same_whole(source: Any, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps.within(HOURS, 60_000)
    whole = promql_range(source, "some_metric", steps)
    monkeypatch.setattr(module, "MOST_STEPS", most)
    pieces = promql_range(source, "some_metric", steps)
    assert pieces.labels == whole.labels
    np.testing.assert_array_equal(pieces.times, whole.times)
    np.testing.assert_array_equal(pieces.values, whole.values)


@pytest.mark.server
def test_what_the_server_refuses_is_an_error_that_names_the_expression(source: Any) -> None:
    with pytest.raises(SourceAnswerError, match=r"Asked for sum\( from .*unclosed left parenthesis"):
        promql_range(source, "sum(", Steps.within(HOURS, 60_000))


@pytest.mark.needs("victoria-metrics")
def test_victoria_metrics_gives_the_very_times_that_were_asked_for(tmp_path: Any) -> None:
    with servers.victoria_metrics(tmp_path) as server:
        steps = Steps.within(HOURS, 60_000, phase=12_345)
        batch = promql_range(opened(server.url), "vector(3)", steps)
    np.testing.assert_array_equal(batch.times, steps.times)
    assert (batch.values == 3).all()


@pytest.mark.server
def test_promql_is_a_frame_of_labels_and_values(source: Any) -> None:
    moment = START + timedelta(minutes=2)
    frame = promql(source, "count by (job) (some_metric)", moment)
    assert frame.sort_values("job").to_dict("list") == {"job": ["a", "c"], "value": [1.0, 1.0]}
    assert promql(source, "6 * 7", moment).to_dict("list") == {"value": [42.0]}
    assert promql(source, "no_such_metric", moment).to_dict("list") == {"value": []}
    assert promql(source, "some_metric", moment)["value"].dtype == np.float64


@pytest.mark.server
@pytest.mark.parametrize(
    ("expression", "moment", "error", "words"),
    [
        ("up{", START, SourceAnswerError, "parse error"),
        ("some_metric[5m]", START, UsageError, "one number a series"),
        ('label_replace(vector(1), "value", "x", "", "")', START, UsageError, "one number a series"),
        ("'text'", START, SourceAnswerError, "no numbers"),
        ("up", START.replace(tzinfo=None), UsageError, "no time zone"),
    ],
)
def test_promql_that_gives_no_numbers_is_refused(
    source: Any, expression: str, moment: datetime, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        promql(source, expression, moment)


def given(*points: tuple[float, str], **more: Any) -> bytes:
    return json.dumps(
        {**matrix({"metric": {"tenant": "a"}, "values": [list(point) for point in points]}), **more}
    ).encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (given((ZERO / 1000, "1"), warnings=["some store is down"]), "in part, or with a warning"),
        (given((ZERO / 1000, "1"), isPartial=True), "answered in part"),
        (given((ZERO / 1000 + 30, "1")), "not what Prometheus gives"),
        (given((ZERO / 1000 - 60, "1")), "not what Prometheus gives"),
        (given((ZERO / 1000, "1"), (ZERO / 1000, "1")), "not what Prometheus gives"),
        (given((ZERO / 1000, "one")), "not what Prometheus gives"),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "not what Prometheus gives"),
        (b'{"status":"error","error":"x"}', "status 'error'"),
        (b"<html>login</html>", "a login page"),
        (given((ZERO / 1000, "1"))[:-4], "broken or foreign JSON"),
    ],
)
def test_an_answer_that_is_wrong_or_in_part_is_refused(hostile: Hostile, body: bytes, said: str) -> None:
    hostile.script = lambda handler, _: handler.say(body)
    with pytest.raises(SourceAnswerError, match=said):
        promql_range(opened(hostile.url), "up", Steps.within(HOURS, 60_000))
    if "not what" not in said:  # an instant query goes the same way
        with pytest.raises(SourceAnswerError, match=said):
            promql(opened(hostile.url), "up", START)
