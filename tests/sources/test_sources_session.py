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

from cloudxai_analysis.ground.errors import (
    CloudxaiError,
    RefusedForSecurity,
    SourceAnswerError,
    SourceUnreachable,
)
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.answers import Declined, NoSuchEndpoint, TooManySamples

SECRET = "geheim/%wort"
LOGIN: dict[str, Any] = {"basic_auth": {"username": "joe", "password": SECRET}}


def limits(**changes: float) -> Limits:
    return Limits.model_validate({**QUICK.model_dump(), "connect_timeout_seconds": 1, **changes})


def asked(url: str, how: Limits = QUICK) -> Any:
    with session_of(url, how, **LOGIN) as session:
        return ask(session)


def refusal(url: str, how: Limits = QUICK) -> CloudxaiError:
    """The error that asking raises, after a look that it is one line, names the server and shows no secret."""
    with pytest.raises(CloudxaiError) as refused:
        asked(url, how)
    shown = "".join(traceback.format_exception(refused.value))
    said = str(refused.value)
    assert url in said
    assert said.isprintable()
    for secret in (SECRET, "geheim%2F%25wort", "am9lOmdlaGVpbS8ld29ydA=="):
        assert secret not in shown
    return refused.value


def assert_match(words: str, said: str) -> None:
    assert re.search(words, said), said


def says(body: bytes, status: int = 200, **headers: str) -> Script:
    return lambda handler, _: handler.say(body, status, **headers)


def gives(document: object, status: int = 200, **headers: str) -> Script:
    return lambda handler, _: handler.document(document, status, **headers)


def failed(kind: str, words: str) -> dict[str, str]:
    return {"status": "error", "errorType": kind, "error": words}


def cut_short(handler: Handler, _: Mapping[str, str]) -> None:
    handler.head(Content_Length="1000")
    handler.wfile.write(b'{"status": "success"}')
    handler.close_connection = True


def without_last_chunk(handler: Handler, _: Mapping[str, str]) -> None:
    handler.head(Transfer_Encoding="chunked")
    body = b'{"status": "success"}'
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
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


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "body": drips(b"Content-Length: 100000\r\n\r\n"),
    "body without a length": drips(b"\r\n"),
    "size of a chunk": drips(CHUNKED, b"0"),
    "extension of a chunk": drips(CHUNKED + b"5;"),
    "trailer": drips(CHUNKED + b"2\r\n{}\r\n0\r\nX-Slow: "),
}


def silent(handler: Handler, _: Mapping[str, str]) -> None:
    handler.server.hostile.over.wait()


def echo(handler: Handler, fields: Mapping[str, str]) -> None:
    sent = handler.headers["Authorization"]
    handler.document(failed("bad_data", f"no: {sent} {SECRET} joe\n\x1b[31m</script>"), 400)


@pytest.mark.parametrize(
    ("script", "error", "code", "words"),
    [
        (says(b"<html><title>Log in</title>", Content_Type="text/html"), SourceAnswerError, 4, "HTML .* login page"),
        (says(b"no", 404), NoSuchEndpoint, 4, "404: there is no such API"),
        (says(b"oops", 500), SourceAnswerError, 4, "HTTP 500. Look at its log"),
        (says(b"", 503), SourceAnswerError, 4, "HTTP 503"),
        (says(b""), SourceAnswerError, 4, "an empty body"),
        (says(b'{"status": "success", "data": {'), SourceAnswerError, 4, "broken or foreign JSON"),
        (says(b"[" * 200_000), SourceAnswerError, 4, "foreign JSON"),
        (says(b'{"took": 3}'), SourceAnswerError, 4, "foreign JSON"),
        (says(b'{"status": "\xff"}'), SourceAnswerError, 4, "foreign JSON"),
        (says(b"packed", Content_Encoding="gzip"), SourceAnswerError, 4, "packed its answer, though"),
        (says(b"[" + b"[]," * 11_000_000), TooManySamples, 4, "more than 20,000,000 values at once"),
        (gives(failed("execution", "it broke")), SourceAnswerError, 4, "status 'error': execution: 'it broke'"),
        (gives(failed("bad_data", "parse error"), 400), Declined, 4, "400: bad_data: 'parse error'"),
        (gives(failed("execution", "too many samples"), 422), TooManySamples, 4, "too many samples"),
        (gives(failed("execution", "division"), 422), Declined, 4, "HTTP 422: execution: 'division'"),
        (gives({**vector("1"), "warnings": ["store 3 is gone"]}), SourceAnswerError, 4, "in part: 'store 3 is gone'"),
        (gives({**vector("1"), "isPartial": True}), SourceAnswerError, 4, "isPartial"),
        (says(b"", 401), SourceAnswerError, 4, "refused the request with HTTP 401. Check the credentials"),
        (gives(failed("x", "forbidden"), 403), SourceAnswerError, 4, "HTTP 403: x: 'forbidden'"),
        (says(b"", 302, Location="http://example.org/x"), RefusedForSecurity, 8, "redirects to http://example.org,"),
        (says(b"", 307, Location="//example.org"), RefusedForSecurity, 8, "example.org"),
        (says(b"", 302, Location="http://127.0.0.1:1/"), RefusedForSecurity, 8, "not followed"),
        (says(b"", 302, Location="http://[::1"), RefusedForSecurity, 8, "no URL"),
        (says(b"", 302, Location="/login?next=/"), SourceAnswerError, 4, "path '/login' of the same host"),
        (says(b"", 304), SourceAnswerError, 4, "HTTP 304"),
        (cut_short, SourceAnswerError, 4, "cut its answer short"),
        (without_last_chunk, SourceAnswerError, 4, "cut its answer short"),
        (closed, SourceUnreachable, 3, "did not answer"),
        (echo, Declined, 4, "no: .*<secret>.*</script>"),
    ],
)
def test_a_bad_answer_is_its_error(
    hostile: Hostile, script: Script, error: type[CloudxaiError], code: int, words: str
) -> None:
    hostile.script = script
    refused = refusal(hostile.url)
    assert type(refused) is error
    assert refused.exit_code == code
    assert_match(words, str(refused))


@pytest.mark.parametrize(
    ("script", "changes", "error", "words", "times"),
    [
        (endless, {"response_bytes": 10**6}, SourceAnswerError, "more than 1,000,000 bytes.*limits.response_bytes", 1),
        *(
            (script, {"request_timeout_seconds": 0.3}, SourceUnreachable, "finish it in time", 1)
            for script in DRIPS.values()
        ),
        (DRIPS["body"], {"total_deadline_seconds": 0.3}, SourceUnreachable, "did not finish it in time", 1),
        (drips(b"X: "), {"request_timeout_seconds": 0.3, "retries": 0}, SourceUnreachable, "no answer within 0.3 s", 1),
        (silent, {"request_timeout_seconds": 0.2}, SourceUnreachable, "no answer within 0.2 s", 2),
        (says(b"", 429, Retry_After="3600"), {}, SourceAnswerError, "HTTP 429. It is too busy", 1),
    ],
)
def test_what_would_never_end_ends_at_its_bound(
    hostile: Hostile, script: Script, changes: dict[str, Any], error: type[CloudxaiError], words: str, times: int
) -> None:
    hostile.script = script
    refused = refusal(hostile.url, limits(**changes))
    assert isinstance(refused, error)
    assert_match(words, str(refused))
    assert len(hostile.seen) == times


RETRY_AFTER = ["0", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"]


@pytest.mark.parametrize(
    "first",
    [
        *(says(b"busy", status, Retry_After=when) for status in (429, 502, 503, 504) for when in RETRY_AFTER),
        *(says(b"busy", status) for status in (429, 502, 503, 504)),
        cut_short,
    ],
)
def test_what_may_pass_is_asked_again(hostile: Hostile, first: Script) -> None:
    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        then = first if len(hostile.seen) == 1 else gives(vector("7"))
        then(handler, fields)

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
    for place, words in ((url, "took no connection: .*refused"), ("http://name.invalid:9090", "host name has no addr")):
        refused = refusal(place)
        assert isinstance(refused, SourceUnreachable)
        assert_match(words, str(refused))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/-/quit", "/api/v1/admin/tsdb/delete_series", "/api/v1/write", "/api/v1/query/../write"]
)
def test_nothing_but_reads_is_ever_sent(hostile: Hostile, method: str, path: str) -> None:
    with session_of(hostile.url, **LOGIN) as session, pytest.raises(RefusedForSecurity, match="only observes"):
        session.request(method, hostile.url + path)
    assert hostile.seen == []


def test_no_other_host_is_asked(hostile: Hostile) -> None:
    with session_of(hostile.url, **LOGIN) as session, hostile_server() as other:
        with pytest.raises(RefusedForSecurity, match="another host"):
            session.get(f"{other.url}/api/v1/query")
        assert other.seen == []


def test_what_a_caller_asks_for_does_not_loosen_the_session(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    hostile.script = says(b"", 302, Location="http://example.org/")
    with session_of(hostile.url, **LOGIN) as session:
        session.mount(hostile.url, requests.adapters.HTTPAdapter())
        with pytest.raises(RefusedForSecurity):
            session.get(f"{hostile.url}/api/v1/query", allow_redirects=True, verify=False, stream=True, timeout=None)
    assert len(hostile.seen) == 1


def test_no_cookie_is_kept(hostile: Hostile) -> None:
    hostile.script = gives(vector("1"), Set_Cookie="session=1")
    with session_of(hostile.url, **LOGIN) as session:
        ask(session)
        ask(session)
    assert not any("Cookie" in request.headers for request in hostile.seen)
