"""What an answer of Prometheus' HTTP API must be before anything is read from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests

from cloudxai_analysis.ground.errors import CloudxaiError, RefusedForSecurity, SourceAnswerError

MOST_VALUES = 8_000_000  # in one document of JSON: each takes some 60 bytes as an object of Python's
TRANSIENT = frozenset({429, 500, 502, 503, 504})
_LONGEST_WORDS = 4_096


class TooManySamples(SourceAnswerError):
    """The server will not load so many samples at once; a shorter stretch may do."""


class Momentary(SourceAnswerError):
    """The server is too busy or failing, or its answer was cut short: the same question may do later."""


class Declined(SourceAnswerError):
    """The server does not take such a request; it is up, and others may do."""


class NoSuchEndpoint(Declined):
    """The server has nothing under the path asked for."""


def checked(response: requests.Response, *, say: Callable[[object], str]) -> dict[str, Any]:
    """The document of an answer whose body is read; `say` makes a server's words fit to show.

    Source: Prometheus docs, HTTP API, 'Format overview'; VictoriaMetrics adds `isPartial`. Raises
    RefusedForSecurity where the server redirects elsewhere, SourceAnswerError where the answer is
    none, in part or with warnings.
    """
    if 300 <= response.status_code < 400 and "Location" in response.headers:
        raise _redirected(response, say)
    document = _document(response.content)
    words = f": {say(document.get('errorType', 'error'))}: '{say(document['error'])}'" if "error" in document else ""
    if response.status_code != 200:
        raise _failed(response.status_code, words, answers="status" in document)
    if "status" not in document:
        begin = say(response.content[:40].decode(errors="replace"))
        raise SourceAnswerError(
            f"answered HTTP 200 with broken or foreign JSON, or a page: '{begin}'. "
            "Check the URL and its path; a login page or a proxy may stand before the server."
        )
    if document["status"] != "success":
        raise SourceAnswerError(f"answered with status '{say(document['status'])}'{words}. Look at its log.")
    if document.get("warnings") or document.get("isPartial"):
        raise SourceAnswerError(
            f"answered in part, or with a warning: '{say(document.get('warnings') or 'isPartial')}'. "
            "It is not taken for whole; run again when all of the server's storage is up."
        )
    return document


def one_line(text: object, *, most: int = 200) -> str:
    """Words of a server, printable, on one line and not endless."""
    try:
        said = str(text)[:_LONGEST_WORDS]
    except RecursionError:
        said = "(nested too deeply to be shown)"
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(said.split()))
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


def _redirected(response: requests.Response, say: Callable[[object], str]) -> CloudxaiError:
    try:
        here, there = urlsplit(response.url), urlsplit(urljoin(response.url, response.headers["Location"]))
        # Another path, or https in place of http, on the same host is no danger, but still not what was configured.
        upgraded = (here.scheme, there.scheme, there.hostname) == ("http", "https", here.hostname)
    except ValueError:
        return RefusedForSecurity("redirects to something that is no URL; it was not followed.")
    place = say(f"{there.scheme}://{there.netloc.rpartition('@')[2]}{there.path}")
    kind = SourceAnswerError if upgraded or here[:2] == there[:2] else RefusedForSecurity
    return kind(
        f"redirects to {place}, which was not followed. If the API is there, give its URL as the source; a redirect to "
        "a login page means that credentials are missing."
    )


def _failed(status: int, words: str, *, answers: bool) -> SourceAnswerError:
    kind, do = SourceAnswerError, "Look at its log, or run again later."
    if status in (401, 403):
        do = "Check the credentials: user and password in the URL, or the environment's `http_config_file`."
    elif status in (404, 405, 501) and not answers:
        kind = NoSuchEndpoint
        do = "There is no such API under this URL: check host, port and path prefix."
    elif status == 422 and any(word in words.lower() for word in ("too many", "exceed", "limit")):
        kind, do = TooManySamples, "Narrow the matchers, or raise the server's query limits."
    elif status == 429:
        kind, do = Momentary, "It is too busy: run again later."
    elif status in TRANSIENT:
        kind = Momentary
    elif 400 <= status < 500:
        kind, do = Declined, "Check the matchers and the URL; if they are right, look at the server's log."
    return kind(f"answered HTTP {status}{words}. {do}")
