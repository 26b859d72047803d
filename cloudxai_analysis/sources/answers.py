"""What an answer of Prometheus' HTTP API must be before anything is read from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

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


class Answer(requests.Response):
    """A whole and checked answer; `json()` gives the very document that was checked."""

    document: dict[str, Any]

    @classmethod
    def checked(cls, response: requests.Response, *, say: Say) -> Answer:
        """The answer in `response`, whose body must already be read; `say` makes a server's words fit to show.

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
            raise SourceAnswerError(
                f"answered HTTP 200 with {_kind(response)} instead of the JSON of Prometheus' API. "
                "Check the URL and its path; a login page or a proxy may stand before the server."
            )
        _refuse_partial(document, say)
        answer = cls()
        vars(answer).update(vars(response), document=document)
        return answer

    def json(self, **kwargs: Any) -> Any:
        """The checked document."""
        del kwargs
        return self.document


def refuse_failure(response: requests.Response, *, say: Say) -> None:
    """Raise what a status of failure or a redirect means; the body must already be read.

    Raises
    ------
    SourceAnswerError, RefusedForSecurity
        The status is an error's; the server redirects.
    """
    _refuse_redirect(response, say)
    _refuse_status(response, _document(response), say)


def one_line(text: object, *, most: int = _MOST_TEXT) -> str:
    """Words of a server, printable, on one line and not endless."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(str(text).split()))
    return line if len(line) <= most else f"{line[:most]}…"


def _document(response: requests.Response) -> dict[str, Any] | None:
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "status" in document else None


def _kind(response: requests.Response) -> str:
    body = response.content.lstrip()[:1]
    if not body:
        return "an empty body"
    return {b"<": "HTML or XML", b"{": "broken or foreign JSON", b"[": "foreign JSON"}.get(body, "something")


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
    status = response.status_code
    words = _words(document, say)
    if status in (401, 403):
        raise SourceAnswerError(
            f"refused the request with HTTP {status}{words}. Check the credentials: user and password in the URL, "
            "`http_config` or `http_config_file` of the environment."
        )
    if status in (404, 405, 501) and document is None:
        raise NoSuchEndpoint(
            f"answered HTTP {status}: there is no Prometheus API under this URL. "
            "Check host and port, and the path prefix if the server has one."
        )
    if status == 422 and any(word in words.lower() for word in ("too many", "exceed", "limit")):
        raise TooManySamples(f"answered HTTP 422{words}. Narrow the matchers, or raise the server's query limits.")
    if status != 200:
        kind = Declined if 400 <= status < 500 and status != 429 else SourceAnswerError
        raise kind(f"answered HTTP {status}{words}. {_next_step(status)}")
    if document is not None and document["status"] != "success":
        raise SourceAnswerError(f"answered with status '{say(document['status'])}'{words}. Look at its log.")


def _refuse_partial(document: dict[str, Any], say: Say) -> None:
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


def _words(document: dict[str, Any] | None, say: Say) -> str:
    if document is None or "error" not in document:
        return ""
    return f": {say(document.get('errorType', 'error'))}: '{say(document['error'])}'"


def _next_step(status: int) -> str:
    if status == 429:
        return "It is too busy: run again later."
    if status >= 500:
        return "Look at its log, or run again later."
    return "Check the matchers and the URL; if they are right, look at the server's log."
