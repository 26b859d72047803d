"""One hardened HTTP session: it only observes, waits for nothing for ever, and shows no credential."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3 import exceptions
from urllib3.util.retry import Retry

from cloudxai_analysis.ground.errors import (
    CloudxaiError,
    RefusedForSecurity,
    SourceAnswerError,
    SourceUnreachable,
    UsageError,
)
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources.answers import checked, one_line
from cloudxai_analysis.sources.credentials import Credentials
from cloudxai_analysis.sources.transport import DeadlineAdapter, advice, in_time, pool_options

POSTED = frozenset({"query", "query_range", "series", "labels", "read", "export"})
TRANSIENT = frozenset({429, 500, 502, 503, 504})
LONGEST_WAIT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 16

# The first that fits a failure of a connection, and what is said then.
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NameResolutionError, "is unknown: its host name has no address. Check the spelling and the DNS."),
    (exceptions.NewConnectionError, "took no connection: {cause}. Check that it runs, and its host and port."),
    (
        exceptions.ConnectTimeoutError,
        "took no connection within {limits.connect_timeout_seconds:g} s. Check host, port and network.",
    ),
    (
        exceptions.ReadTimeoutError,
        "gave no answer within {limits.request_timeout_seconds:g} s. Look at its load, or raise "
        "`limits.request_timeout_seconds`.",
    ),
    (exceptions.SSLError, "has no TLS that can be trusted: {said}. {advice}"),
    (exceptions.ProxyError, "is not reached through the proxy {proxy}: {cause}. Check the proxy and `proxy_url`."),
    (Exception, "did not answer: {said}. Check that it runs, and the network."),
)

T = TypeVar("T")
# What takes a body in pieces, and begins anew when it is called again: an answer cut short is asked for once more.
Read = Callable[[requests.Response, Iterator[bytes]], T]


class CutShort(exceptions.ProtocolError):
    """The body of an answer ended before its end."""


class ObservingSession(requests.Session):
    """A session with one server: GET, and POST to those endpoints of the API that only read.

    Every request has a deadline, a byte cap and bounded retries; TLS is verified, no redirect is followed, no cookie
    kept, and nothing is taken from the machine's environment. What comes back is checked, or an error of ours.
    A UsageError says at once that a file of certificates cannot be used.
    """

    def __init__(self, base: str, *, limits: Limits, credentials: Credentials) -> None:
        super().__init__()
        self.base = _normal(base)
        if self.base.startswith("https:"):
            with self._named():
                pool_options(credentials.config.tls_config)
        # The server, too, gives up when nobody waits any longer: a query costs it nothing after that.
        self.patience = f"{round(limits.request_timeout_seconds * 1000)}ms"
        self.retries = limits.retries
        self.received = 0
        self.auth = credentials
        self.trust_env = False
        # Unpacked on purpose: packing costs the server more than half of its speed, at every rate above 7 MB/s.
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "Cache-Control": "no-store"})
        self._credentials = credentials
        self._limits = limits
        self._proxies = {"http": credentials.proxy, "https": credentials.proxy} if credentials.proxy else {}
        # Retries are ours, below: urllib3's own would read the whole body of a failed answer, however long it is.
        self._adapter = DeadlineAdapter(credentials, max_retries=0, pool_connections=1, pool_maxsize=8)
        self.mount("http://", self._adapter)
        self.mount("https://", self._adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The checked answer to a request; what a caller says about time-outs, TLS or redirects does not count.

        Raises RefusedForSecurity where it could change the server, goes to another one or is redirected there;
        SourceUnreachable without an answer in time, after every retry; SourceAnswerError where the answer is wrong.
        """
        del kwargs
        self._refuse_writes(request)
        with self._named():
            response, _ = self._persistent(request, _whole, self._limits.request_timeout_seconds)
            checked(response, say=self._say)
            return response

    def ask(self, what: str, endpoint: str, fields: Mapping[str, Any] | None = None, *, read: Callable[[Any], T]) -> T:
        """What `read` makes of the `data` of an answer to `api/v1/` and `endpoint`; every error begins with `what`.

        Fields are posted, where the endpoint may be posted to. What `read` trips over is an answer of a wrong shape.
        Raises as `send`, and where the answer comes with a remark.
        """

        def document(response: requests.Response, body: Iterator[bytes]) -> tuple[T]:
            _whole(response, body)
            found = checked(response, say=self._say)
            if infos := found.get("infos"):
                raise SourceAnswerError(
                    f"answered with a remark that raw samples should not need: '{self._say(infos)}'. Look at the "
                    "metric's type there."
                )
            try:
                return (read(found.get("data")),)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
                raise SourceAnswerError(
                    "answered with JSON that is not what Prometheus gives for it. Check that the URL is a "
                    "Prometheus' and not another API's."
                ) from None

        posted = fields is not None and endpoint in POSTED
        how = {"data": fields} if posted else {"params": fields}
        return self.receive(what, endpoint, read=document, **how)[0]

    def receive(
        self, what: str, endpoint: str, *, read: Read[T], headers: Mapping[str, str] | None = None, **fields: Any
    ) -> T:
        """What `read` makes of the answer to `api/v1/` and `endpoint`, which comes in pieces; `data` is posted.

        The answer must begin within the request's time-out and end within the total deadline; `read` raises errors of
        ours, whose message goes on from 'Source http://host'. Raises as `send`.
        """
        method = "POST" if "data" in fields else "GET"
        with asking(what):
            request = self.prepare_request(
                requests.Request(method, f"{self.base}/api/v1/{endpoint}", headers=dict(headers or {}), **fields)
            )
            self._refuse_writes(request)
            with self._named():
                response, result = self._persistent(request, read, self._limits.total_deadline_seconds)
                if result is None:
                    checked(response, say=self._say)
                    raise SourceAnswerError(f"answered HTTP {response.status_code} without what was asked for.")
                return result

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except CloudxaiError as error:
            raise type(error)(f"Source {self.base} {error}") from None

    def _say(self, words: object) -> str:
        return one_line(self._credentials.hide(str(words)))

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

    def _persistent(
        self, request: requests.PreparedRequest, read: Read[T], body_seconds: float
    ) -> tuple[requests.Response, T | None]:
        """The last answer, with its whole body where it is a failure, and what `read` made of it where it is none."""
        limits, deadline = self._limits, time.monotonic() + self._limits.total_deadline_seconds
        retry = Retry(
            total=limits.retries,
            connect=min(limits.retries, 2),  # a closed port should be told soon, not after every backoff
            other=0,  # TLS and broken encodings do not pass by waiting
            allowed_methods=frozenset({"GET", "POST"}),  # each POST of ours only reads
            backoff_factor=0.25,
            backoff_jitter=0.25,
        )
        while True:
            response, result, failure = None, None, None
            try:
                response, result = self._attempt(request, deadline, read, body_seconds)
            except (requests.RequestException, exceptions.HTTPError) as error:
                failure = _root(error)
            if response is not None and response.status_code not in TRANSIENT:
                return response, result
            try:
                retry = retry.increment(request.method, request.url, error=failure)
                time.sleep(_wait(retry, response, deadline))
            except (exceptions.MaxRetryError, TimeoutError):
                if response is not None:
                    return response, None
                raise self._typed(failure) from None

    def _attempt(
        self, request: requests.PreparedRequest, deadline: float, read: Read[T], body_seconds: float
    ) -> tuple[requests.Response, T | None]:
        limits = self._limits
        left = max(deadline - time.monotonic(), 0.001)
        timeout = (min(limits.connect_timeout_seconds, left), min(limits.request_timeout_seconds, left))
        try:
            response = self._adapter.send(request, stream=True, timeout=timeout, proxies=self._proxies)
        except (OSError, ValueError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise SourceUnreachable(f"could not be asked: {self._say(error)}. Check the URL.") from None
        body = self._body(response, min(deadline - time.monotonic(), body_seconds))
        try:
            if response.status_code == 200:
                return response, read(response, body)
            response._content = b"".join(body)
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
            with in_time(raw.line, max(seconds, 0.001)):
                # `read1` gives what has come; `read` would wait for a full chunk.
                while chunk := raw.read1(_CHUNK_BYTES):
                    size += len(chunk)
                    self.received += len(chunk)
                    if size > self._limits.response_bytes:
                        raise SourceAnswerError(
                            f"sent more than {self._limits.response_bytes:,} bytes. Narrow the matchers, or raise "
                            "`limits.response_bytes` if such answers are meant."
                        )
                    seen = last + chunk if secrets else b""
                    if any(secret in seen for secret in secrets):
                        raise RefusedForSecurity("repeats the credentials in its answer, of which nothing is kept.")
                    last = seen[-overlap:] if overlap else b""
                    yield chunk
        except TimeoutError:
            raise SourceUnreachable(
                "began an answer and did not finish it in time. Raise `limits.request_timeout_seconds` or "
                "`limits.total_deadline_seconds` if the server is meant to be slow."
            ) from None

    def _typed(self, failure: Exception | None) -> CloudxaiError:
        if isinstance(failure, CutShort):
            return SourceAnswerError(
                "cut its answer short or garbled it, so it is not taken for whole. Run again; look at the server "
                "and at what stands between."
            )
        said, proxy = self._say(failure), self._credentials.proxy
        cause = self._say(getattr(failure, "original_error", failure)).rpartition(": ")[2]
        words = next(words for kind, words in _FAILURES if isinstance(failure or Exception(), kind))
        facts = {"said": said, "cause": cause, "proxy": proxy, "limits": self._limits, "advice": advice(said)}
        return SourceUnreachable(words.format(**facts))


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Put what was asked before every error of ours that is raised inside."""
    try:
        yield
    except CloudxaiError as error:
        raise type(error)(f"{what}: {error}") from None


def _whole(response: requests.Response, body: Iterator[bytes]) -> None:
    response._content = b"".join(body)


def _normal(base: str) -> str:
    """The base URL as requests will write it, with an international host name in ASCII."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(base, None)
    except requests.RequestException:
        raise UsageError("The source's URL has a host name that cannot be one. Correct it.") from None
    return str(prepared.url).rstrip("/")


def _root(error: Exception) -> Exception:
    """The urllib3 error inside those that requests and urllib3 wrap around it."""
    inner = error.args[0] if error.args else None
    if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
        return error.reason
    if isinstance(error, requests.RequestException) and isinstance(inner, Exception):
        return _root(inner)
    return error


def _wait(retry: Retry, response: requests.Response | None, deadline: float) -> float:
    """Seconds to wait before the next attempt; raises TimeoutError where the deadline would pass meanwhile."""
    asked = None
    if response is not None:
        try:
            asked = retry.get_retry_after(response.raw)
        except exceptions.InvalidHeader:
            asked = None
    wait = min(retry.get_backoff_time() if asked is None else asked, LONGEST_WAIT_SECONDS)
    if time.monotonic() + wait > deadline:
        raise TimeoutError
    return wait
