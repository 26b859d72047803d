"""Whatever a server says, in whatever place: samples or an answer, or one line of ours; never much time or memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hostile_server import Handler, Hostile, matrix, vector
from readers import BODIES, START, START_MS, WEEK, reader, serving
from remote_write import field, frame, label_fields, xor_chunk

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources import catalogue
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import Steps, promql, promql_range
from cloudxai_analysis.sources.remote_read import RemoteRead
from cloudxai_analysis.sources.rules import loaded_rules
from cloudxai_analysis.sources.server import ServerSource

WHOLE = load_contract()
# Every place in which a document of a server is read; the last three take what cannot be read for 'does not say'.
PLACES: dict[str, Callable[[ServerSource], Any]] = {
    "promql": lambda source: promql(source, "up", START),
    "promql_range": lambda source: promql_range(source, "up", Steps.within(WEEK, 86_400_000)),
    "rules": loaded_rules,
    "names": catalogue.metric_names,
    "types": catalogue.metric_types,
    "labels": lambda source: catalogue.labels_of(source, WHOLE, WEEK, {}),
    "jobs": lambda source: catalogue.exporting_jobs(source, WHOLE, WEEK, {}),
    "told apart": lambda source: catalogue.told_apart_by(source, WHOLE, START, {}),
    "clock": ServerSource.clock,
    "counts": lambda source: source.counts("m", {}, [Window(START, START + DAY)]),
    "samples": lambda source: source.read("m", {}, WEEK),
    "build": catalogue.kind_of,
    "oldest": lambda source: catalogue.oldest(source, "up", WEEK),
    "external labels": lambda source: RemoteRead(source._ranges).external_labels,
}
SILENT = ("build", "oldest", "external labels")


def data(text: str) -> bytes:
    return f'{{"status":"success","data":{text}}}'.encode()


def of_series(text: str) -> bytes:
    return data(f'{{"resultType":"vector","result":[{text}]}}')


DOCUMENTS = {
    "deep lists": data("[" * 1_000 + "]" * 1_000),
    "deeper lists": data("[" * 100_000 + "]" * 100_000),
    "deep objects": data('{"a":' * 1_000 + "1" + "}" * 1_000),
    "a million numbers": data("[" + "1," * 1_000_000 + "1]"),
    "a million objects": of_series("{}," * 1_000_000 + "{}"),
    "a huge whole number": data("9" * 100_000),
    "a huge value": of_series(f'{{"metric":{{}},"value":[1,"{"9" * 1_000}"]}}'),
    "a huge moment": of_series('{"metric":{},"value":[1e308,"1e308"]}'),
    "a bare NaN": of_series('{"metric":{},"value":[NaN,"NaN"]}'),
    "a huge text": data(f'{{"version":"{" x" * 2_000_000}","yaml":"{"- x" * 1_000_000}"}}'),
    "half a surrogate": of_series('{"metric":{"a":"\\ud800"},"value":[0,"1"]}'),
    "a hundred thousand labels": of_series(
        json.dumps({"metric": {f"l{n}": "" for n in range(100_000)}, "value": [0, "1"]})
    ),
    "labels that no other has": of_series(
        ",".join(json.dumps({"metric": {f"l{n}_{k}": "v" for k in range(9)}, "value": [0, "1"]}) for n in range(2_000))
    ),
    **{f"data {text}": data(text) for text in ("null", "7", '"x"', "[]", "{}", '["a"]', "[null]", '{"result":null}')},
    **{f"series {text}": of_series(text) for text in ("null", "7", '{"metric":null,"value":[0,"1"]}', '{"metric":{}}')},
    "labels of numbers": of_series('{"metric":{"a":[1]},"value":[0,"1"]}'),
    "no value": of_series('{"metric":{},"value":[]}'),
    "rules without end": data(
        json.dumps({"groups": [{"name": "g", "rules": [{"type": "alerting", "name": "a", "query": "x"}] * 20_000}]})
    ),
    "an odd rule": data('{"groups":[{"name":"g","rules":[{"type":"alerting","name":"a","query":"x","labels":[]}]}]}'),
}


def opened(url: str, limits: Limits, way: Any = "auto") -> Any:
    return open_source(url, limits=limits, settings=EnvironmentSettings(way=way))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_any_document_in_any_place_is_an_answer_or_one_line(hostile: Hostile, document: str) -> None:
    hostile.script = lambda handler, _: handler.say(DOCUMENTS[document], Content_Type="application/json")
    source = opened(hostile.url, Limits(retries=0), way="range_selectors")
    for place, read in PLACES.items():
        try:
            read(source)
        except SourceAnswerError as error:
            said = str(error)
            assert place not in SILENT
            assert hostile.url in said
            assert said.isprintable()
            assert len(said) < 1_000


def test_a_long_document_is_refused_by_a_limit_with_a_name(hostile: Hostile) -> None:
    hostile.script = lambda handler, _: handler.say(data('"' + "x" * 200_000 + '"'))
    limits = Limits(retries=0, text_bytes=100_000)
    source = opened(hostile.url, limits)
    with pytest.raises(SourceAnswerError, match=r"more than 100,000 bytes in one piece of JSON.*`limits\.text_bytes`"):
        catalogue.metric_names(source)


@pytest.mark.parametrize(
    "rest",
    ["scrape_configs: [" + "{job_name: x, a: [b, c]}, " * 100_000 + "]\n", "a: &a [x]\nb: *a\n", "z: [\n", "- x\n"],
    ids=["long", "alias", "broken", "no map"],
)
def test_only_the_section_that_is_asked_for_is_read_of_a_configuration(hostile: Hostile, rest: str) -> None:
    config = f"{rest}global:\n  scrape_interval: 15s\n  external_labels:\n    cluster: beta\n{rest}"
    hostile.script = lambda handler, _: handler.document({"status": "success", "data": {"yaml": config}})
    assert reader(hostile.url, "remote_read").way.external_labels == {"cluster": "beta"}


# --- how much may come ---


def body(way: str, labels: list[dict[str, str]]) -> dict[str, Any]:
    """An answer with a sample for each label set, as `serving` takes it."""
    named = [{"__name__": "m", **one} for one in labels]
    if way == "remote_read":
        return {"body": b"".join(frame(field(1, label_fields(one) + xor_chunk(START_MS, 1.0))) for one in named)}
    if way == "export":
        lines = [json.dumps({"metric": one, "values": [1], "timestamps": [START_MS]}) + "\n" for one in named]
        return {"body": "".join(lines).encode()}
    return {"samples": matrix(*({"metric": one, "values": [[START_MS // 1000, "1"]]} for one in named))}


@pytest.mark.parametrize("way", BODIES)
def test_what_a_server_counts_is_refused_before_it_is_asked_for(hostile: Hostile, way: str) -> None:
    for count, limit in (("300000", "series"), ("100000001", "samples")):
        with pytest.raises(SourceAnswerError, match=rf"has [0-9,]+ {limit}, more than 100,000.* `limits\.{limit}`"):
            serving(hostile, way, count=count).read("m", {}, WEEK)
    paths = {request.path.removeprefix("/api/v1/") for request in hostile.seen}
    assert paths <= {"query", "status/config"}


@pytest.mark.parametrize("way", BODIES)
@pytest.mark.parametrize(
    ("limit", "labels"),
    [
        ("series", [{"tenant": f"t{number}"} for number in range(30)]),
        ("samples", [{"tenant": f"t{number}"} for number in range(30)]),
        ("labels", [{f"l{number}": "x" for number in range(2_000)}]),
        ("text_bytes", [{"tenant": "x" * 4_000 + str(number)} for number in range(10)]),
    ],
)
def test_what_a_server_counts_wrongly_is_refused_while_it_comes(
    hostile: Hostile, way: str, limit: str, labels: list[dict[str, str]]
) -> None:
    serving(hostile, way, **body(way, labels), count="1")
    most = {"series": 10, "samples": 10, "labels": 50, "text_bytes": 20_000}[limit]
    with pytest.raises(SourceAnswerError, match=rf"sent more than {most:,} .* raise `limits\.{limit}`|one of"):
        reader(hostile.url, way, **{limit: most}).read("m", {}, WEEK)
    roomy = reader(hostile.url, way, **{limit: most * 100})
    assert len(roomy.read("m", {}, WEEK)) == len(labels)


# --- counted by the day, many days at once ---


def test_a_run_of_days_is_counted_by_one_query_and_each_reading_held_against_it(hostile: Hostile) -> None:
    days = [Window(START + number * DAY, START + (number + 1) * DAY) for number in range(7)]

    def script(handler: Handler, fields: Any) -> None:
        ends = [day.end_ms - 1 for day in days]
        if handler.path.endswith("/query_range"):
            values = [[end / 1000, "1"] for end in ends]
            handler.document(matrix({"metric": {}, "values": values}))
        elif fields["query"].startswith("sum("):
            handler.document(vector("1"))
        else:
            moment = round(float(fields["time"]) * 1000) - 86_400_000 + 1
            here = [[moment / 1000, "1"]] if moment != days[3].start_ms else []  # a stream that ended properly
            handler.document(matrix(*([{"metric": {"__name__": "m"}, "values": here}] if here else [])))

    hostile.script = script
    source = opened(hostile.url, Limits(retries=0), way="range_selectors")
    source.foresee("m", {}, days)
    for day in (*days[:3], *days[4:]):
        assert source.read("m", {}, day).samples == 1
    counted = [request for request in hostile.seen if request.fields.get("query", "").startswith("sum(")]
    assert [request.path for request in counted] == ["/api/v1/query_range"]
    with pytest.raises(SourceAnswerError, match="counted 1 samples and gave 0"):
        source.read("m", {}, days[3])


@pytest.mark.parametrize("status", [422, 400, 404])
def test_a_server_that_declines_a_run_of_days_is_asked_day_by_day(hostile: Hostile, status: int) -> None:
    def script(handler: Handler, fields: Any) -> None:
        if handler.path.endswith("/query_range"):
            handler.document({"status": "error", "errorType": "execution", "error": "too many samples"}, status)
        elif fields["query"].startswith("sum("):
            handler.document(vector("1"))
        else:
            handler.document(matrix({"metric": {"__name__": "m"}, "values": [[START_MS // 1000, "1"]]}))

    hostile.script = script
    source = opened(hostile.url, Limits(retries=0), way="range_selectors")
    source.foresee("m", {}, [Window(START, START + DAY), Window(START + DAY, START + 2 * DAY)])
    assert source.read("m", {}, Window(START, START + DAY)).samples == 1


@pytest.mark.parametrize("values", [["NaN"], ["-1"], ["+Inf"], ["1", "1"]])
def test_a_run_of_days_is_not_counted_by_what_is_no_number(hostile: Hostile, values: list[str]) -> None:
    end = Window(START, START + DAY).end_ms - 1
    series = [{"metric": {"n": str(place)}, "values": [[end / 1000, value]]} for place, value in enumerate(values)]
    hostile.script = lambda handler, _: handler.document(matrix(*series))
    source = opened(hostile.url, Limits(retries=0))
    with pytest.raises(SourceAnswerError, match="no number of samples"):
        source.counts("m", {}, [Window(datetime(2026, 11, 9, tzinfo=UTC), START + DAY)])
