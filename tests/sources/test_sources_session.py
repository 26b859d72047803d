"""The session against servers that answer badly: each fault its error, its exit code, one line, and no secret."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from hostile_server import Handler, Hostile, Script, hostile_server, vector
from readers import QUICK, ask, session_of

from cloudxai_analysis.ground.errors import CloudxaiError, RefusedForSecurity, SourceAnswerError, SourceUnreachable
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.answers import Declined, Momentary, NoSuchEndpoint, TooManySamples

SECRET = "geheim/%wort"
LOGIN: dict[str, Any] = {"basic_auth": {"username": "joe", "password": SECRET}}


def asked(url: str, how: Limits = QUICK) -> Any:
    with session_of(url, how, **LOGIN) as session:
        return ask(session)


def refusal(url: str, how: Limits = QUICK) -> CloudxaiError:
    """The error that asking raises, after a look that it is one line, names the server and shows no secret."""
    with pytest.raises(CloudxaiError) as refused:
        asked(url, how)
    said, shown = str(refused.value), "".join(traceback.format_exception(refused.value))
    assert said.startswith(f"Source {url} ")
    assert said.isprintable()
    assert not re.search("geheim(/%|%2F%25)wort|am9lOmdlaGVpbS8ld29ydA==", shown)
    return refused.value


def says(body: bytes, status: int = 200, **headers: str) -> Script:
    return lambda handler, _: handler.say(body, status, **headers)


def gives(document: object, status: int = 200, **headers: str) -> Script:
    return lambda handler, _: handler.document(document, status, **headers)


def failed(kind: str, words: str, status: int = 200) -> Script:
    return gives({"status": "error", "errorType": kind, "error": words}, status)


def cut_short(handler: Handler, _: Mapping[str, str]) -> None:
    handler.head(Content_Length="1000")
    handler.wfile.write(b'{"status": "success"}')
    handler.close_connection = True


def without_last_chunk(handler: Handler, _: Mapping[str, str]) -> None:
    handler.head(Transfer_Encoding="chunked")
    handler.wfile.write(b'15\r\n{"status": "success"}\r\n')
    handler.close_connection = True


def closed(handler: Handler, _: Mapping[str, str]) -> None:
    handler.close_connection = True


def endless(handler: Handler, _: Mapping[str, str]) -> None:
    handler.head(Content_Type="application/json")
    handler.close_connection = True
    while not handler.server.hostile.over.is_set():
        handler.wfile.write(b" " * 65536)


def drips(first: bytes, more: bytes = b"z") -> Script:
    """An answer that comes whole up to a point, and then a byte at a time without end."""

    def script(handler: Handler, _: Mapping[str, str]) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + first)
        handler.close_connection = True
        while not handler.server.hostile.over.wait(0.02):
            handler.wfile.write(more)

    return script


def silent(handler: Handler, _: Mapping[str, str]) -> None:
    handler.server.hostile.over.wait()


def echo(handler: Handler, _: Mapping[str, str]) -> None:
    words = f"no: {handler.headers['Authorization']} {SECRET} joe\n\x1b[31m</script>"
    handler.document({"status": "error", "errorType": "bad_data", "error": words}, 400)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (says(b"<html><title>Log in</title>"), SourceAnswerError, "or a page: '<html>.* login page"),
        (says(b"no", 404), NoSuchEndpoint, "404. There is no such API"),
        (says(b"oops", 500), Momentary, "HTTP 500. Look at its log"),
        (says(b""), SourceAnswerError, "or a page: ''"),
        (says(b'{"status": "success", "data": {'), SourceAnswerError, "broken or foreign JSON"),
        (says(b"[" * 200_000), SourceAnswerError, "broken or foreign JSON"),
        (says(b'{"took": 3}'), SourceAnswerError, "broken or foreign JSON"),
        (says(b'{"status": "\xff"}'), SourceAnswerError, "broken or foreign JSON"),
        (says(b"packed", Content_Encoding="gzip"), SourceAnswerError, "packed its answer, though"),
        (says(b"[" + b"[]," * 11_000_000), TooManySamples, "more than 8,000,000 values at once"),
        (failed("execution", "it broke"), SourceAnswerError, "status 'error': execution: 'it broke'"),
        (failed("bad_data", "parse error", 400), Declined, "400: bad_data: 'parse error'"),
        (failed("execution", "too many samples", 422), TooManySamples, "too many samples"),
        (failed("execution", "division", 422), Declined, "HTTP 422: execution: 'division'"),
        (gives({**vector("1"), "warnings": ["store 3 is gone"]}), SourceAnswerError, "in part.*store 3 is gone"),
        (gives({**vector("1"), "isPartial": True}), SourceAnswerError, "isPartial"),
        (says(b"", 401), SourceAnswerError, "HTTP 401. Check the credentials"),
        (failed("x", "forbidden", 403), SourceAnswerError, "HTTP 403: x: 'forbidden'"),
        (says(b"", 302, Location="http://joe:x@example.org/x"), RefusedForSecurity, "to http://example.org/x, which"),
        (says(b"", 307, Location="//example.org"), RefusedForSecurity, "example.org"),
        (says(b"", 302, Location="http://127.0.0.1:1/"), RefusedForSecurity, "not followed"),
        (says(b"", 302, Location="http://[::1"), RefusedForSecurity, "no URL"),
        (says(b"", 302, Location="/login?next=/"), SourceAnswerError, "/login, which was not followed"),
        (says(b"", 302, Location="https://127.0.0.1/"), SourceAnswerError, "to https://127.0.0.1/, which"),
        (says(b"", 304), SourceAnswerError, "HTTP 304"),
        (cut_short, Momentary, "cut its answer short"),
        (without_last_chunk, Momentary, "cut its answer short"),
        (closed, SourceUnreachable, "gave no answer: .*Remote end closed"),
        (echo, Declined, "no: .*<secret>.*</script>"),
    ],
)
def test_a_bad_answer_is_its_error(hostile: Hostile, script: Script, error: type[CloudxaiError], words: str) -> None:
    hostile.script = script
    refused = refusal(hostile.url)
    assert type(refused) is error
    assert re.search(words, str(refused)), refused


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = {"total_deadline_seconds": 0.4}


@pytest.mark.parametrize(
    ("script", "changes", "error", "words"),
    [
        (endless, {"response_bytes": 10**6}, SourceAnswerError, "more than 1,000,000 bytes.*limits.response_bytes"),
        (drips(b"Content-Length: 100000\r\n\r\n"), SHORT, SourceUnreachable, "did not finish it in time"),
        (drips(b"\r\n"), SHORT, SourceUnreachable, "did not finish it in time"),
        (drips(CHUNKED, b"0"), SHORT, SourceUnreachable, "did not finish it in time"),
        (drips(CHUNKED + b"5;"), SHORT, SourceUnreachable, "did not finish it in time"),
        (drips(CHUNKED + b"2\r\n{}\r\n0\r\nX-Slow: "), SHORT, SourceUnreachable, "did not finish it in time"),
        (drips(b"X: "), {"request_timeout_seconds": 0.3, "retries": 0}, SourceUnreachable, "gave no answer in time"),
        (silent, SHORT, SourceUnreachable, "gave no answer in time"),
        (says(b"", 429, Retry_After="3600"), {}, SourceAnswerError, "HTTP 429. It is too busy"),
    ],
)
def test_what_would_never_end_ends_at_its_bound(
    hostile: Hostile, script: Script, changes: dict[str, Any], error: type[CloudxaiError], words: str
) -> None:
    hostile.script = script
    refused = refusal(hostile.url, Limits.model_validate({**QUICK.model_dump(), **changes}))
    assert isinstance(refused, error)
    assert re.search(words, str(refused)), refused
    assert len(hostile.seen) == 1


@pytest.mark.parametrize(
    "first",
    [
        *(says(b"busy", 429, Retry_After=when) for when in ("0", "soon", "Wed, 21 Oct 2015 07:28:00 GMT")),
        *(says(b"busy", status) for status in (429, 502, 503, 504)),
        *(cut_short, closed),
    ],
)
def test_what_may_pass_is_asked_again(hostile: Hostile, first: Script) -> None:
    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        (first if len(hostile.seen) == 1 else gives(vector("7")))(handler, fields)

    hostile.script = script
    assert asked(hostile.url) == vector("7")
    assert [request.fields for request in hostile.seen] == [{"query": "up"}] * 2


@pytest.mark.parametrize("status", [400, 401, 404, 422, 302])
def test_what_does_not_pass_is_asked_once(hostile: Hostile, status: int) -> None:
    hostile.script = says(b"", status, Location="/elsewhere")
    refusal(hostile.url)
    assert len(hostile.seen) == 1


def test_a_closed_port_and_an_unknown_host_are_unreachable() -> None:
    with hostile_server() as server:
        url = server.url
    for place, words in ((url, "took no connection.*refused"), ("http://name.invalid:9090", "host name has no addr")):
        refused = refusal(place)
        assert isinstance(refused, SourceUnreachable)
        assert re.search(words, str(refused)), refused


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS"])
def test_nothing_but_reads_of_one_server_is_ever_sent(hostile: Hostile, method: str) -> None:
    with session_of(hostile.url, **LOGIN) as session, hostile_server() as other:
        for path in ("/-/quit", "/api/v1/admin/tsdb/delete_series", "/api/v1/write", "/api/v1/query/../write"):
            with pytest.raises(RefusedForSecurity, match="only observes"):
                session.request(method, hostile.url + path)
        with pytest.raises(RefusedForSecurity, match="another host"):
            session.get(f"{other.url}/api/v1/query")
    assert hostile.seen == other.seen == []


def test_what_a_caller_or_the_machine_says_does_not_loosen_the_session(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with session_of(hostile.url, **LOGIN) as session:
        session.mount(hostile.url, requests.adapters.HTTPAdapter())
        hostile.script = gives(vector("1"), Set_Cookie="session=1")
        ask(session)
        hostile.script = says(b"", 302, Location="http://example.org/")
        with pytest.raises(RefusedForSecurity):
            session.get(f"{hostile.url}/api/v1/query", allow_redirects=True, verify=False, stream=True, timeout=None)
    assert len(hostile.seen) == 2
    assert not any("Cookie" in request.headers for request in hostile.seen)
