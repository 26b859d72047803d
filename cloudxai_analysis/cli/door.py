"""The one door to the terminal: nothing steers it, no secret goes through, and no stream that fails ends a run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cloudxai_analysis.ground.errors import LakeUnwritable
from cloudxai_analysis.ground.secrets import hidden
from cloudxai_analysis.words.phrases import plain


def say(lines: Iterable[str], *, err: bool = False) -> None:
    """Lines for people, which none of their words can steer; raises LakeUnwritable where standard output takes none."""
    for line in lines:
        stream = sys.stderr if err else sys.stdout
        stream.write(f"{plain(hidden(line))}\n")
        stream.flush()


def hand_over(text: str) -> None:
    """Data, exactly as it is and in UTF-8, where a file or a program takes it; on a terminal, lines for people."""
    if sys.stdout.isatty():
        say(text.removesuffix("\n").split("\n"))
        return
    sys.stdout.flush()
    with _told_of_output():
        sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
        sys.stdout.buffer.flush()


@contextmanager
def streams() -> Iterator[None]:
    """All three standard streams, of which a caller may have closed some, for a whole run.

    The next file that is opened would else be standard output, and be written to by every child.
    What standard error does not take changes nothing about how the run ends.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out, err = (stream or open(os.devnull, "w", encoding="utf-8") for stream in before)  # noqa: SIM115
    for stream in (out, err):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = _Stream(out, _told_of_output), _Stream(err, lambda: suppress(OSError, ValueError))
    heard, log = _Told(), logging.getLogger("cloudxai_analysis")
    log.addHandler(heard)
    try:
        yield
    finally:
        log.removeHandler(heard)
        sys.stdout, sys.stderr = before
        for stream in (out, err):
            # What Python could not write at its end would change the exit code.
            try:
                stream.flush()
            except (OSError, ValueError):
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _told_of_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LakeUnwritable(
            f"Standard output cannot be written: {error.strerror}. What was committed stays; make room, and run again."
        ) from None


class _Stream:
    """A stream that says in our words what it does not take."""

    def __init__(self, stream: Any, failing: Any) -> None:
        self._stream, self._failing = stream, failing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: Any) -> Any:
        with self._failing():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._failing():
            self._stream.flush()


class _Told(logging.Handler):
    """What the rooms below warn of."""

    def emit(self, record: logging.LogRecord) -> None:
        say([f"{record.levelname.lower()}: {record.getMessage()}"], err=True)
