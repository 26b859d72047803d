"""Where the tiles of a pull are made: in threads of this process, in processes beside it, or on a Dask cluster.

Workers write files and give back what they wrote; only who called them commits. Dask is imported only where it is
asked for.
"""

from __future__ import annotations

import logging
import pickle
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from cloudxai_analysis.ground.errors import SourceUnreachable, UsageError

if TYPE_CHECKING:
    from distributed import Client

_SECONDS = 15  # for a scheduler to answer, and for its first worker to be there
_ALONE_SECONDS = 60  # without any worker
_ALIKE = ("cloudxai-analysis", "pyarrow", "numpy", "numba")  # what decides the bytes of a tile


@contextmanager
def opened_executor(word: str, workers: int) -> Iterator[Executor]:
    """What tiles are handed to: `threads`, `dask` (processes on this machine) or `dask://HOST:PORT` (a scheduler).

    The first two have so many workers. Raises UsageError (it is none of these, Dask is not
    installed, or a worker has other versions than this process); SourceUnreachable (no scheduler
    or worker is there, or they went away).
    """
    scheme, _, place = word.partition("://")
    if word == "threads":
        with ThreadPoolExecutor(workers) as pool:
            yield pool
    elif word == "dask" or (scheme == "dask" and place.rpartition(":")[2].isdecimal()):
        with _told(word), ExitStack() as stack:
            client = _client(word, place, workers, stack)
            with _Cluster(client) as cluster, _watched(client, cluster):
                yield cluster
    else:
        raise UsageError(f"Executor '{word}' is none of threads, dask and dask://HOST:PORT.")


def _client(word: str, place: str, workers: int, stack: ExitStack) -> Client:
    """A client of the scheduler at a place, or of a local cluster that ends with the stack; all workers are alike."""
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said in one line, by us
    at: Any = f"{'tls' if dask.config.get('distributed.comm.require-encryption', False) else 'tcp'}://{place}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions, which are looked at here
            if not place:
                local: Any = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
                at = stack.enter_context(LocalCluster(n_workers=workers, host="127.0.0.1", **local))
            client = stack.enter_context(Client(at, timeout=_SECONDS, set_as_default=False))
            client.wait_for_workers(1, timeout=_SECONDS)
    except (OSError, RuntimeError) as error:
        raise SourceUnreachable(
            f"Executor '{word}' gave no scheduler with a worker within {_SECONDS} s: {_line(error)}. Nothing was "
            "pulled; see that they run."
        ) from None
    # A worker without our code would be ended by its first task, and take the reason along.
    for worker, found in client.run(_versions, on_error="return").items():
        _refuse_other(found, _versions(), f"Worker {worker}")
    return client


@contextmanager
def _watched(client: Client, cluster: _Cluster) -> Iterator[None]:
    """A cluster that has lost its last worker is given up, since Dask would wait for ever for the next one."""
    over = Event()

    def watch() -> None:
        alone = 0
        while not over.wait(1) and alone < _ALONE_SECONDS:
            alone = 0 if client.scheduler_info()["workers"] else alone + 1
        if not over.is_set():
            cluster.shutdown(wait=False)

    guard = Thread(target=watch, daemon=True)
    guard.start()
    try:
        yield
    finally:
        over.set()
        guard.join()


@contextmanager
def _told(word: str) -> Iterator[None]:
    """What Dask raises as one line of ours; what is raised for a tile stays what it is."""
    try:
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker, NoWorkerError
    except ImportError:
        raise UsageError(
            f"Executor '{word}' needs Dask, which is not installed. Run `pip install 'cloudxai-analysis[cluster]'`."
        ) from None
    try:
        yield
    except (KilledWorker, NoWorkerError, CancelledError, CommClosedError) as error:
        killed = isinstance(error, KilledWorker)
        cause = "a tile ended several workers, as lack of memory does" if killed else "scheduler or workers went away"
        raise SourceUnreachable(
            f"Executor '{word}' was lost: {cause}. Nothing was committed; tiles that were finished stay, and the same "
            "command takes them up."
        ) from None
    except RuntimeError as error:
        # What Dask says where a scheduler does not have the code; all else goes on as it is.
        if not isinstance(error.__cause__, ImportError | AttributeError):
            raise
        _refuse_other(error.__cause__, _versions(), f"Scheduler of executor '{word}'")


def _refuse_other(found: Any, own: dict[str, str], who: str) -> None:
    """Raise UsageError where versions are not our own, or an error came in their place."""
    if isinstance(found, BaseException):
        raise UsageError(f"{who} does not have this suite: {_line(found)}. Install the same requirements there.")
    if other := [name for name in own if found.get(name) != own[name]]:
        theirs, ours = (", ".join(f"{name} {of.get(name)}" for name in other) for of in (found, own))
        raise UsageError(
            f"{who} has {theirs}, and who asked has {ours}: its tiles might have other bytes. Install the same "
            "requirements there, and run again."
        )


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


@dataclass(frozen=True)
class _Packed:
    """What is sent to a worker, whose logs show arguments: of this they show nothing."""

    content: bytes = field(repr=False)


class _Cluster(Executor):
    """Dask's own executor, to which the work that all tiles share, with its credentials, is sent once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inner = client.get_executor(pure=False)
        self._shared: tuple[Callable[..., Any] | None, Any] = None, None

    def submit(self, fn: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """As `Executor.submit`; a worker that is lost costs another attempt, an error of the work does not."""
        if self._shared[0] is not fn:
            # Tasks and no datum: they come back where the worker that holds them is lost. The first knows nothing of
            # this package, since what a worker cannot unpack stands in its log, bytes and all.
            plain = self._client.submit(bytes, pickle.dumps(fn), pure=False)
            self._shared = fn, self._client.submit(_Packed, plain, pure=False)
        task = _Packed(pickle.dumps((given, named)))
        future: Future[Any] = self._inner.submit(_worked, _versions(), self._shared[1], task)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`."""
        self._inner.shutdown(wait=wait and not cancel_futures)


def _worked(caller: dict[str, str], work: _Packed, task: _Packed) -> Any:
    """On a worker: the work, done for one task; a worker may have come since all were looked at."""
    _refuse_other(_versions(), caller, f"Worker on {socket.gethostname()}")
    given, named = pickle.loads(task.content)  # noqa: S301 - Dask runs whatever its scheduler sends anyway
    return _unpacked(work)(*given, **named)


@lru_cache(maxsize=1)
def _unpacked(work: _Packed) -> Callable[..., Any]:
    """Once a process: with it a source is opened, and what it made so far is kept."""
    work_of: Callable[..., Any] = pickle.loads(work.content)  # noqa: S301
    return work_of


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python, **{name: version(name) for name in _ALIKE}}
