"""What an answer of Prometheus' HTTP API must be before anything is read from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError

Say = Callable[[object], str]
_MOST_TEXT = 200


class TooManySamples(SourceAnswerError):
    """The server will not load so many samples at once; a shorter stretch may do."""


class Declined(SourceAnswerError):
    """The server does not take such a request; it is up, and others may do."""


class NoSuchEndpoint(Declined):
    """The server has nothing under the path asked for."""


def checked(response: requests.Response, *, say: Say) -> dict[str, Any]:
    """The document of an answer whose body is read; `say` makes a server's words fit to show.

    Source: Prometheus docs, HTTP API, 'Format overview'. VictoriaMetrics adds `isPartial`.

    Raises
    ------
    SourceAnswerError
        The status is an error's, the body is no JSON of the API, or the answer came with warnings or in part.
    RefusedForSecurity
        The server redirects to another host, or from https to http.
    """
    _refuse_redirect(response, say)
    document = _document(response)
    _refuse_status(response, document, say)
    if document is None:
        kinds = {b"": "an empty body", b"<": "HTML or XML", b"{": "broken or foreign JSON", b"[": "foreign JSON"}
        raise SourceAnswerError(
            f"answered HTTP 200 with {kinds.get(response.content.lstrip()[:1], 'something')} instead of the JSON of "
            "Prometheus' API. Check the URL and its path; a login page or a proxy may stand before the server."
        )
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


def one_line(text: object, *, most: int = _MOST_TEXT) -> str:
    """Words of a server, printable, on one line and not endless."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(str(text).split()))
    return line if len(line) <= most else f"{line[:most]}…"


def _document(response: requests.Response) -> dict[str, Any] | None:
    try:
        document = orjson.loads(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "status" in document else None


def _refuse_redirect(response: requests.Response, say: Say) -> None:
    location = response.headers.get("Location")
    if not 300 <= response.status_code < 400 or location is None:
        return
    try:
        here, there = urlsplit(response.url), urlsplit(urljoin(response.url, location))
        same_host = here.hostname == there.hostname
        same_port = here.port == there.port
    except ValueError:
        raise RefusedForSecurity("redirects to something that is no URL; it was not followed.") from None
    # Another path, or https in place of http, on the same host is no danger, but still not what was configured.
    if same_host and ((same_port and here.scheme == there.scheme) or (here.scheme, there.scheme) == ("http", "https")):
        raise SourceAnswerError(
            f"redirects to {say(there.scheme)} and the path '{say(there.path)}' of the same host. Give that "
            "URL as the source if it is the API's; a redirect to a login page means that credentials are missing."
        )
    raise RefusedForSecurity(
        f"redirects to {say(there.scheme)}://{say(there.hostname)}, which was not followed. "
        "If that is the server, give its URL as the source."
    )


def _refuse_status(response: requests.Response, document: dict[str, Any] | None, say: Say) -> None:
    status, words = response.status_code, ""
    if document is not None and "error" in document:
        words = f": {say(document.get('errorType', 'error'))}: '{say(document['error'])}'"
    if status in (401, 403):
        raise SourceAnswerError(
            f"refused the request with HTTP {status}{words}. Check the credentials: user and password in the URL, or "
            "the environment's `http_config_file`."
        )
    if status in (404, 405, 501) and document is None:
        raise NoSuchEndpoint(
            f"answered HTTP {status}: there is no Prometheus API under this URL. "
            "Check host and port, and the path prefix if the server has one."
        )
    if status == 422 and any(word in words.lower() for word in ("too many", "exceed", "limit")):
        raise TooManySamples(f"answered HTTP 422{words}. Narrow the matchers, or raise the server's query limits.")
    if status == 429:
        raise SourceAnswerError(f"answered HTTP 429{words}. It is too busy: run again later.")
    if 400 <= status < 500:
        next_step = "Check the matchers and the URL; if they are right, look at the server's log."
        raise Declined(f"answered HTTP {status}{words}. {next_step}")
    if status != 200:
        raise SourceAnswerError(f"answered HTTP {status}{words}. Look at its log, or run again later.")
    if document is not None and document["status"] != "success":
        raise SourceAnswerError(f"answered with status '{say(document['status'])}'{words}. Look at its log.")
