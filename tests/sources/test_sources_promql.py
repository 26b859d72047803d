"""PromQL: selectors safe for any text; at a moment and over steps, from real servers and from wrong answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import servers
from hostile_server import Hostile, matrix
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import Steps, promql, promql_range, quoted, selector
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
ZERO = int(START.timestamp() * 1000)
HOURS = Window(START, START + timedelta(hours=4))


@pytest.mark.parametrize(
    ("matchers", "said"),
    [
        ({"job": "cloudxai", "cluster": "beta-1"}, 'cluster="beta-1",job="cloudxai"'),
        ({"tenant": ""}, 'tenant=""'),  # asks for series without the label
        ({"a": 'é 漢 🙂 "no"\\'}, r'a="é 漢 🙂 \"no\"\\"'),
        ({"a": "two\nlines\r\x00\x7f\u2028"}, r'a="two\u000alines\u000d\u0000\u007f\u2028"'),
        ({"a": "\ufffd\U000e0001"}, r'a="\ufffd\U000e0001"'),
        *(({name: "x"}, None) for name in ("", "0job", "a-b", "a.b", "job\n", "ünder", '"', "__name__")),
        ({"job": "\ud800"}, None),
    ],
)
def test_a_selector_escapes_what_would_end_or_break_it_and_refuses_the_rest(matchers: dict, said: str | None) -> None:
    if said is not None:
        assert selector("up", matchers) == '{__name__="up",' + said + "}"
        return
    with pytest.raises(UsageError, match=r"names no label|lone surrogate U\+D800") as refused:
        selector("up", matchers)
    assert len(str(refused.value).splitlines()) == 1


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_literal_unescaped_is_the_text_again(text: str) -> None:
    literal = quoted(text)
    assert literal.isprintable()
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"', literal)

    def back(match: re.Match[str]) -> str:
        return match[1] or chr(int(match[2] or match[3], 16))

    assert re.sub(r'\\(?:(["\\])|u(.{4})|U(.{8}))', back, literal[1:-1]) == text


def opened(url: str) -> Any:
    return open_source(url, limits=Limits(retries=0), settings=EnvironmentSettings())


@pytest.fixture(scope="module")
def batch() -> SeriesBatch:
    minutes, values = ZERO + 60_000 * np.arange(240), np.arange(240, dtype=np.float64)
    series = [
        ({"job": "a", "tenant": 'quoted " and \\ é'}, minutes, values / 7),
        ({"job": "b", "tenant": "late"}, minutes[200:], values[200:]),
        ({"job": "c", "tenant": "odd"}, minutes[:3], np.array([np.nan, np.inf, -np.inf])),
    ]
    return SeriesBatch.of("some_metric", series)


@pytest.fixture(scope="module")
def source(start_prometheus: Any, batch: SeriesBatch) -> Any:
    return opened(start_prometheus([batch]).url)


def test_steps_are_the_groups_times_in_the_window() -> None:
    for phase in (0, 17, 59_999):
        expected = [ZERO + phase + 60_000 * n for n in range(240)]
        assert Steps.within(HOURS, 60_000, phase=phase).times.tolist() == expected
    assert Steps.within(Window(START, START), 1000).count == 0
    with pytest.raises(UsageError, match="Step of 0 ms"):
        Steps.within(HOURS, 0)


@pytest.mark.server
def test_each_point_is_what_an_instant_query_gives_at_its_time(
    start_prometheus: Any, source: Any, batch: SeriesBatch
) -> None:
    steps = Steps.within(HOURS, 3 * 60_000, phase=12_345)
    whole = promql_range(source, "some_metric * 2", steps)
    points = {
        (labels["tenant"], int(time)): value
        for labels, low, high in zip(whole.labels, whole.offsets[:-1], whole.offsets[1:], strict=True)
        for time, value in zip(whole.times[low:high], whole.values[low:high], strict=True)
    }
    for time in steps.times[::7].tolist():
        asked = promql(source, "some_metric * 2", datetime.fromtimestamp(time / 1000, tz=UTC))
        for row in asked.to_dict("records"):
            np.testing.assert_equal(points.pop((row["tenant"], time)), row["value"])
    assert not any(time in steps.times[::7] for _, time in points)
    # A server that loads little at once is asked for fewer steps, and the pieces make the same whole.
    narrow = opened(start_prometheus([batch], options=["--query.max-samples=50"]).url)
    pieces = promql_range(narrow, "some_metric * 2", steps)
    assert pieces.labels == whole.labels
    np.testing.assert_array_equal(pieces.times, whole.times)
    np.testing.assert_array_equal(pieces.values, whole.values)
    with pytest.raises(SourceAnswerError, match=r"Asked for sum\( from .*unclosed left parenthesis"):
        promql_range(source, "sum(", steps)


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
    for expression, at, error, words in (
        ("up{", START, SourceAnswerError, "parse error"),
        ("some_metric[5m]", START, UsageError, "one number a series"),
        ('label_replace(vector(1), "value", "x", "", "")', START, UsageError, "one number a series"),
        ("'text'", START, SourceAnswerError, "no numbers"),
        ("up", START.replace(tzinfo=None), UsageError, "no time zone"),
    ):
        with pytest.raises(error, match=words):
            promql(source, expression, at)


def given_points(*points: tuple[float, str], **more: Any) -> bytes:
    series = {"metric": {"tenant": "a"}, "values": [list(point) for point in points]}
    return json.dumps({**matrix(series), **more}).encode()


AT = ZERO / 1000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (given_points((AT, "1"), warnings=["some store is down"]), "in part, or with a warning"),
        (given_points((AT, "1"), isPartial=True), "answered in part"),
        *((given_points(*points), "not what Prometheus gives") for points in (
            [(AT + 30, "1")], [(AT - 60, "1")], [(AT, "1"), (AT, "1")], [(AT, "one")],
        )),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "not what Prometheus gives"),
        (given_points((AT, "1"))[:-4], "broken or foreign JSON"),
    ],
)  # fmt: skip
def test_an_answer_that_is_wrong_or_in_part_is_refused(hostile: Hostile, body: bytes, said: str) -> None:
    hostile.script = lambda handler, _: handler.say(body)
    with pytest.raises(SourceAnswerError, match=said):
        promql_range(opened(hostile.url), "up", Steps.within(HOURS, 60_000))
    if "not what" not in said:  # an instant query goes the same way
        with pytest.raises(SourceAnswerError, match=said):
            promql(opened(hostile.url), "up", START)
