"""What an answer of Prometheus' HTTP API must be before anything is read from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError

MOST_VALUES = 20_000_000  # in one document of JSON: each takes some 60 bytes as an object of Python's
_KINDS = {b"": "an empty body", b"<": "HTML or XML", b"{": "broken or foreign JSON", b"[": "foreign JSON"}


class TooManySamples(SourceAnswerError):
    """The server will not load so many samples at once; a shorter stretch may do."""


class Declined(SourceAnswerError):
    """The server does not take such a request; it is up, and others may do."""


class NoSuchEndpoint(Declined):
    """The server has nothing under the path asked for."""


def checked(response: requests.Response, *, say: Callable[[object], str]) -> dict[str, Any]:
    """The document of an answer whose body is read; `say` makes a server's words fit to show.

    Source: Prometheus docs, HTTP API, 'Format overview'; VictoriaMetrics adds `isPartial`. Raises RefusedForSecurity
    where the server redirects elsewhere, SourceAnswerError where the answer is none, in part or with warnings.
    """
    if 300 <= response.status_code < 400 and "Location" in response.headers:
        raise _redirected(response, say)
    document = _document(response.content)
    words = f": {say(document.get('errorType', 'error'))}: '{say(document['error'])}'" if "error" in document else ""
    if response.status_code != 200:
        raise _failed(response.status_code, words, answers="status" in document)
    if "status" not in document:
        raise SourceAnswerError(
            f"answered HTTP 200 with {_KINDS.get(response.content.lstrip()[:1], 'something')} instead of the JSON of "
            "Prometheus' API. Check the URL and its path; a login page or a proxy may stand before the server."
        )
    if document["status"] != "success":
        raise SourceAnswerError(f"answered with status '{say(document['status'])}'{words}. Look at its log.")
    if warnings := document.get("warnings"):
        said = say(warnings[0] if isinstance(warnings, list) else warnings)
        raise SourceAnswerError(
            f"answered with a warning, so the answer may be in part: '{said}'. "
            "It is not taken for whole; run again when the server can answer in full."
        )
    if document.get("isPartial"):
        raise SourceAnswerError(
            "answered in part (isPartial), which is not taken for whole. Run again when all of its storage is up."
        )
    return document


def one_line(text: object, *, most: int = 200) -> str:
    """Words of a server, printable, on one line and not endless."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(str(text).split()))
    return line if len(line) <= most else f"{line[:most]}…"


def _document(content: bytes) -> dict[str, Any]:
    """An object of JSON with a status; an empty one where the content is none."""
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise TooManySamples(f"answered with more than {MOST_VALUES:,} values at once. Narrow the matchers.")
    try:
        document = orjson.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and "status" in document else {}


def _redirected(response: requests.Response, say: Callable[[object], str]) -> Exception:
    try:
        here = urlsplit(response.url)
        there = urlsplit(urljoin(response.url, response.headers["Location"]))
        same_place = (here.scheme, here.port) == (there.scheme, there.port)
    except ValueError:
        return RefusedForSecurity("redirects to something that is no URL; it was not followed.")
    # Another path, or https in place of http, on the same host is no danger, but still not what was configured.
    if here.hostname == there.hostname and (same_place or (here.scheme, there.scheme) == ("http", "https")):
        return SourceAnswerError(
            f"redirects to {say(there.scheme)} and the path '{say(there.path)}' of the same host. Give that "
            "URL as the source if it is the API's; a redirect to a login page means that credentials are missing."
        )
    return RefusedForSecurity(
        f"redirects to {say(there.scheme)}://{say(there.hostname)}, which was not followed. "
        "If that is the server, give its URL as the source."
    )


def _failed(status: int, words: str, *, answers: bool) -> SourceAnswerError:
    if status in (401, 403):
        return SourceAnswerError(
            f"refused the request with HTTP {status}{words}. Check the credentials: user and password in the URL, or "
            "the environment's `http_config_file`."
        )
    if status in (404, 405, 501) and not answers:
        return NoSuchEndpoint(
            f"answered HTTP {status}: there is no such API under this URL. "
            "Check host and port, and the path prefix if the server has one."
        )
    if status == 422 and any(word in words.lower() for word in ("too many", "exceed", "limit")):
        return TooManySamples(f"answered HTTP 422{words}. Narrow the matchers, or raise the server's query limits.")
    if status == 429:
        return SourceAnswerError(f"answered HTTP 429{words}. It is too busy: run again later.")
    if 400 <= status < 500:
        next_step = "Check the matchers and the URL; if they are right, look at the server's log."
        return Declined(f"answered HTTP {status}{words}. {next_step}")
    return SourceAnswerError(f"answered HTTP {status}{words}. Look at its log, or run again later.")
