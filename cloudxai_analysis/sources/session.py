"""One hardened HTTP session: it only observes, waits for nothing for ever, and shows no credential."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Timeout, exceptions
from urllib3.util.retry import Retry

from cloudxai_analysis.ground.errors import (
    CloudxaiError,
    RefusedForSecurity,
    SourceAnswerError,
    SourceUnreachable,
    UsageError,
)
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.answers import TRANSIENT, Momentary, TooManySamples, checked, one_line
from cloudxai_analysis.sources.credentials import Credentials
from cloudxai_analysis.sources.transport import in_time, pools_of

POSTED = frozenset({"query", "query_range", "series", "labels", "read", "export"})
LONGEST_WAIT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 16

# What reading a document of another shape than was asked for, or nested too deeply, trips over.
MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)

T = TypeVar("T")
# What takes a body in pieces, and begins anew when it is called again: an answer cut short is asked for once more.
Read = Callable[[requests.Response, Iterator[bytes]], T]


class CutShort(exceptions.ProtocolError):
    """The body of an answer ended before its end."""


# The first that fits a failure of a connection, and what is said then; `{cause}` is the library's own word.
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (CutShort, "cut its answer short or garbled it: it is not taken for whole. Look at what stands between."),
    (exceptions.NameResolutionError, "is unknown: its host name has no address. Check the spelling and the DNS."),
    (
        exceptions.SSLError,
        "has no TLS that can be trusted: {cause}. It may speak plain http, or want other values of `ca_file`, "
        "`server_name`, `cert_file` and `key_file`, or `min_version` in `tls_config`.",
    ),
    (exceptions.ReadTimeoutError, "gave no answer in time. Look at its load and `limits.request_timeout_seconds`."),
    (exceptions.ProxyError, "is not reached through the proxy {proxy}: {cause}. Check it and `proxy_url`."),
    (Exception, "took no connection, or gave no answer: {cause}. Check that it runs, and the URL."),
)


class ObservingSession(requests.Session):
    """A session with one server: GET, and POST to those endpoints of the API that only read.

    Every request has a deadline, a byte cap and bounded retries; TLS is verified, no redirect is
    followed, no cookie kept, and nothing is taken from the machine's environment. What comes back
    is checked, or an error of ours. A UsageError says at once that a file of certificates cannot be
    used.
    """

    def __init__(self, base: str, *, limits: Limits, credentials: Credentials) -> None:
        super().__init__()
        self.base = _normal(base)
        # The server, too, gives up when nobody waits any longer: a query costs it nothing after that.
        self.patience = f"{round(limits.request_timeout_seconds * 1000)}ms"
        self.auth = credentials
        self.trust_env = False
        # Unpacked on purpose: packing costs the server more than half of its speed, at every rate above 7 MB/s.
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "Cache-Control": "no-store"})
        self._credentials = credentials
        self.limits = limits
        self._named = partial(asking, f"Source {self.base}", then=" ")
        with self._named():
            self._pools = pools_of(credentials, tls=self.base.startswith("https:"))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process makes connections of its own."""
        return partial(ObservingSession, self.base, limits=self.limits, credentials=self._credentials), ()

    def close(self) -> None:
        """Close every connection."""
        self._pools.clear()
        super().close()

    @contextmanager
    def narrowed(self, text_bytes: int) -> Iterator[None]:
        """In the block no answer in one piece of JSON may be larger; TooManySamples where one is."""
        before = self.limits
        self.limits = before.model_copy(update={"text_bytes": min(before.text_bytes, text_bytes)})
        try:
            yield
        finally:
            self.limits = before

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The checked answer to a request; what a caller says about time-outs, TLS or redirects does not count.

        Raises RefusedForSecurity where it could change the server, goes to another one or is
        redirected there; SourceUnreachable without an answer in time, after every retry;
        SourceAnswerError where the answer is wrong.
        """
        del kwargs

        def whole(response: requests.Response, body: Iterator[bytes]) -> requests.Response:
            self._document(response, body)
            return response

        return self._persistent(request, whole)

    def ask(self, what: str, endpoint: str, fields: Mapping[str, Any] | None = None, *, read: Callable[[Any], T]) -> T:
        """What `read` makes of the `data` of an answer to `api/v1/` and `endpoint`; every error begins with `what`.

        Fields are posted, where the endpoint may be posted to. What `read` trips over is an answer
        of a wrong shape. Raises as `send`, and where the answer comes with a remark.
        """

        def data(response: requests.Response, body: Iterator[bytes]) -> T:
            document = self._document(response, body)
            if infos := document.get("infos"):
                raise SourceAnswerError(f"answered with a remark: '{self._say(infos)}'. Look at the metric's type.")
            try:
                return read(document.get("data"))
            except MISSHAPEN:
                raise SourceAnswerError(
                    "answered with what is not what Prometheus gives for it. Check the URL."
                ) from None

        posted = fields is not None and endpoint in POSTED
        return self.receive(what, endpoint, read=data, **{"data" if posted else "params": fields})

    def receive(
        self, what: str, endpoint: str, *, read: Read[T], headers: Mapping[str, str] | None = None, **fields: Any
    ) -> T:
        """What `read` makes of the answer to `api/v1/` and `endpoint`, which comes in pieces; `data` is posted.

        The answer must begin within the request's time-out and end within the total deadline;
        `read` raises errors of ours, whose message goes on from 'Source http://host'. Raises as
        `send`.
        """
        method, url = "POST" if "data" in fields else "GET", f"{self.base}/api/v1/{endpoint}"
        with asking(what):
            request = self.prepare_request(requests.Request(method, url, headers=dict(headers or {}), **fields))
            return self._persistent(request, read)

    def _say(self, words: object) -> str:
        return one_line(self._credentials.hide(str(words)))

    def _document(self, response: requests.Response, body: Iterator[bytes]) -> dict[str, Any]:
        response._content = self._joined(body)
        document = checked(response, say=self._say)
        if b"\\" in response.content and (secrets := self._credentials.repeatable()):
            # JSON has several spellings of one text.
            try:
                told = orjson.dumps(document)
            except TypeError:
                raise SourceAnswerError("answered with what is nested too deeply to be read.") from None
            if any(secret in told for secret in secrets):
                raise _repeated()
        return document

    def _joined(self, body: Iterator[bytes]) -> bytes:
        """A body in one piece, which takes many times its size once it is read."""
        pieces, size, most = [], 0, self.limits.text_bytes
        for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise TooManySamples(
                    f"sent more than {most:,} bytes in one piece of JSON. Narrow the matchers, or raise "
                    "`limits.text_bytes`."
                )
        return b"".join(pieces)

    def _refuse_writes(self, request: requests.PreparedRequest) -> None:
        url, base = urlsplit(str(request.url)), urlsplit(self.base)
        elsewhere = (url.scheme, url.netloc) != (base.scheme, base.netloc)
        reads = {f"{base.path}/api/v1/{endpoint}" for endpoint in POSTED}
        if elsewhere or not (request.method == "GET" or (request.method == "POST" and url.path in reads)):
            place = "another host" if elsewhere else one_line(url.path)
            raise RefusedForSecurity(
                f"Refused to send {request.method} to {place}: the suite only observes {self.base}, by GET and by "
                f"POST to api/v1/({'|'.join(sorted(POSTED))})."
            )

    def _persistent(self, request: requests.PreparedRequest, read: Read[T]) -> T:
        """What `read` makes of the first whole answer; urllib3 decides what is worth another attempt, and when."""
        self._refuse_writes(request)
        retries, deadline = self.limits.retries, time.monotonic() + self.limits.total_deadline_seconds
        retry = Retry(
            total=retries,
            connect=min(retries, 2),  # a closed port should be told soon, not after every backoff
            other=0,  # TLS and broken encodings do not pass by waiting
            allowed_methods=frozenset({"GET", "POST"}),  # each POST of ours only reads
            backoff_factor=0.25,
            backoff_jitter=0.25,
        )
        while True:
            response, failure = None, None
            with self._named():
                try:
                    response, result = self._attempt(request, deadline, read)
                except exceptions.HTTPError as error:
                    failure = error
                else:
                    if response.status_code == 200:
                        return cast(T, result)
                try:
                    if response is not None and response.status_code not in TRANSIENT:
                        raise TimeoutError
                    retry = retry.increment(request.method, request.url, error=failure)
                    time.sleep(_wait(retry, response, deadline))
                except (exceptions.MaxRetryError, TimeoutError):
                    if response is not None:
                        checked(response, say=self._say)
                    raise self._typed(failure) from None

    def _attempt(
        self, request: requests.PreparedRequest, deadline: float, read: Read[T]
    ) -> tuple[requests.Response, T | None]:
        """The answer, and what `read` makes of it where it is none of a failure."""
        left = max(deadline - time.monotonic(), 0.001)
        limits = self.limits
        raw: Any = self._pools.urlopen(
            str(request.method),
            str(request.url),
            body=request.body,
            headers=request.headers,
            redirect=False,
            # Retries are ours: urllib3's own would read the whole body of a failed answer, however long it is.
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=Timeout(
                connect=min(limits.connect_timeout_seconds, left), read=min(limits.request_timeout_seconds, left)
            ),
        )
        response = HTTPAdapter().build_response(request, raw)
        body = self._body(response, deadline - time.monotonic())
        try:
            if response.status_code == 200:
                return response, read(response, body)
            response._content = self._joined(body)
            return response, None
        except exceptions.ProtocolError as error:
            raise CutShort(str(error)) from None
        finally:
            response.close()
            body.close()

    def _body(self, response: requests.Response, seconds: float) -> Generator[bytes, None, None]:
        """The pieces of a body as they come, bounded in size and time; an answer's repeat no credentials."""
        raw: Any = response.raw
        taken, size, last = response.status_code == 200, 0, b""
        if taken and response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise SourceAnswerError("packed its answer, though it was asked not to. Look at what stands between.")
        secrets = self._credentials.repeatable() if taken else []
        overlap = max(map(len, secrets), default=1) - 1
        try:
            with in_time(raw.line, seconds):
                # `read1` gives what has come; `read` would wait for a full chunk.
                while chunk := raw.read1(_CHUNK_BYTES):
                    size += len(chunk)
                    if size > self.limits.response_bytes:
                        raise SourceAnswerError(
                            f"sent more than {self.limits.response_bytes:,} bytes. Narrow the matchers, or raise "
                            "`limits.response_bytes`."
                        )
                    seen = last + chunk if secrets else b""
                    if any(secret in seen for secret in secrets):
                        raise _repeated()
                    last = seen[-overlap:] if overlap else b""
                    yield chunk
        except TimeoutError:
            raise SourceUnreachable(
                "began an answer and did not finish it in time. Look at its load and `limits.total_deadline_seconds`."
            ) from None

    def _typed(self, failure: Exception | None) -> CloudxaiError:
        cause = re.split(r"[:\]] ", self._say(getattr(failure, "original_error", failure)))[-1]
        words = next(words for kind, words in _FAILURES if isinstance(failure, kind))
        error = Momentary if isinstance(failure, CutShort) else SourceUnreachable
        return error(words.format(cause=cause, proxy=self._credentials.proxy()[0]))


@contextmanager
def asking(what: str, *, then: str = ": ") -> Iterator[None]:
    """Put what was asked before every error of ours that is raised inside."""
    try:
        yield
    except CloudxaiError as error:
        raise type(error)(f"{what}{then}{error}") from None


def _repeated() -> RefusedForSecurity:
    return RefusedForSecurity(
        "repeats the credentials in its answer, of which nothing is kept. Look at what stands between; where the "
        "secret is a word of the data, choose another."
    )


def _normal(base: str) -> str:
    """The base URL as requests will write it, with an international host name in ASCII."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(base, None)
    except requests.RequestException:
        raise UsageError("The source's URL has a host name that cannot be one. Correct it.") from None
    return str(prepared.url).rstrip("/")


def _wait(retry: Retry, response: requests.Response | None, deadline: float) -> float:
    """Seconds to wait before the next attempt; raises TimeoutError where the deadline would pass meanwhile."""
    asked = None
    with suppress(exceptions.InvalidHeader):
        asked = retry.get_retry_after(response.raw) if response is not None else None
    wait = min(retry.get_backoff_time() if asked is None else asked, LONGEST_WAIT_SECONDS)
    if time.monotonic() + wait > deadline:
        raise TimeoutError
    return wait
