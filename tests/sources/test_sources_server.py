"""Which way samples are read, and why: what a server offers is found out by asking it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hostile_server import Handler, Hostile, matrix, vector
from servers import Server, victoria_metrics

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits, Way
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import SeriesBatch, Source

START = datetime(2026, 11, 9, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
TIMES = HOUR.start_ms + 15_000 * np.arange(240, dtype=np.int64)
BATCH = SeriesBatch.of("m", [({"tenant": "007"}, TIMES, np.sqrt(np.arange(240)))])


def source_at(url: str, way: Way = "auto") -> Source:
    return open_source(url, limits=Limits(retries=0), settings=EnvironmentSettings(way=way))


@pytest.fixture(scope="module")
def loaded(start_prometheus: Callable[..., Server]) -> Server:
    return start_prometheus([BATCH])


@pytest.mark.server
@pytest.mark.parametrize(
    ("way", "said", "why"),
    [
        ("auto", "streamed remote read over POST /api/v1/read", "the server offers it"),
        ("remote_read", "streamed remote read over POST /api/v1/read", "the settings ask for it"),
        ("range_selectors", "range selectors over POST /api/v1/query", "the settings ask for it"),
    ],
)
def test_a_prometheus_is_read_by_remote_read_unless_the_settings_say_otherwise(
    loaded: Server, way: Way, said: str, why: str
) -> None:
    source = source_at(loaded.url, way)
    described = source.describe()
    assert (described["way"], described["chosen"]) == (said, why)
    batch = source.read("m", {"tenant": "007"}, HOUR)
    assert batch.labels == BATCH.labels
    assert np.array_equal(batch.times, TIMES)
    assert np.array_equal(batch.values.view(np.int64), BATCH.values.view(np.int64))


@pytest.mark.server
def test_a_way_that_is_not_offered_is_a_mistake_of_the_settings(loaded: Server) -> None:
    with pytest.raises(UsageError, match=r'does not offer `export`, which the settings ask for. Set `way` to "auto".'):
        source_at(loaded.url, "export").describe()


@pytest.mark.needs("victoria-metrics")
def test_a_victoria_metrics_is_read_by_its_export(tmp_path: Any) -> None:
    with victoria_metrics(tmp_path) as server:
        described = source_at(server.url).describe()
    assert described["kind"] == "victoria_metrics"
    assert described["chosen"] == "remote_read is not offered; the server offers it"


def declining(status: int) -> Callable[[Handler, Any], None]:
    """A server with nothing but PromQL: remote read and export end in a status."""

    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith(("/read", "/export")):
            handler.say(b"unsupported path", status, Content_Type="text/plain")
        elif handler.path.endswith("/query"):
            counted = fields["query"].startswith("sum(")
            handler.document(
                vector("1") if counted else matrix({"metric": {"__name__": "m"}, "values": [[1794182400, "1"]]})
            )
        else:
            handler.document({"status": "success", "data": {"version": "9"}})

    return script


@pytest.mark.parametrize("status", [400, 404, 501])
def test_all_else_is_read_by_range_selectors(hostile: Hostile, status: int) -> None:
    hostile.script = declining(status)
    source = source_at(hostile.url)
    assert source.describe()["chosen"] == "remote_read is not offered; export is not offered"
    assert source.read("m", {}, HOUR).samples == 1
    # Full answers are demanded of servers that give what they have.
    asked = next(request.fields for request in hostile.seen if request.path.endswith("/query"))
    assert (asked["partial_response"], asked["deny_partial_response"]) == ("false", "1")


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_refusal_or_a_failure_does_not_choose_another_way(hostile: Hostile, status: int) -> None:
    hostile.script = declining(status)
    with pytest.raises(SourceAnswerError, match=f"Asked whether it offers remote_read: Source .* HTTP {status}"):
        source_at(hostile.url).describe()
