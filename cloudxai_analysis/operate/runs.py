"""The last run of each command of an environment: when it began, how it ended; and that two never run at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict

from cloudxai_analysis.ground.errors import LakeLocked
from cloudxai_analysis.ground.files import make_folder, replace_whole, written
from cloudxai_analysis.words.phrases import moment

_NOTES = "runs"  # in the environment's folder
_LOG = logging.getLogger(__name__)


class Run(BaseModel):
    """One run of a command; `ended` and `code` are None until it has ended."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    began: AwareDatetime
    ended: AwareDatetime | None = None
    code: int | None = None


class Outcome:
    """The exit code that a run that raises nothing ends with."""

    code = 0


@contextmanager
def run_of(command: str, environment: Path, *, lock_seconds: float) -> Iterator[Outcome]:
    """A run of `command`, noted in the folder of its environment as it begins, and as it ends with its exit code.

    A run before it that did not end is warned of: whoever dies in between leaves a free lock, and a
    note without an end.

    Raises LakeLocked (the command runs already, for longer than `lock_seconds`); LakeUnwritable.
    """
    folder, outcome = environment / _NOTES, Outcome()
    note, noting = folder / f"{command}.json", f"The note of `cloudxai {command}` in {folder}"
    with _alone(command, environment, note, lock_seconds):
        before, run = last_run(note), Run(began=_now())
        if before and before.ended is None:
            _LOG.warning(
                f"The run of `cloudxai {command}` that began on {moment(before.began)} did not end: it was killed, or "
                "the machine went down. What it had committed stays, and this run goes on from there."
            )
        with written(noting):
            replace_whole(note, run.model_dump_json())
        try:
            yield outcome
        except BaseException as error:
            outcome.code = _code(error)
            raise
        finally:
            ended = run.model_copy(update={"ended": _now(), "code": outcome.code})
            try:
                replace_whole(note, ended.model_dump_json())
            except OSError as error:
                _LOG.warning(f"The end of this run could not be noted in {note}: {error.strerror}.")


@contextmanager
def _alone(command: str, environment: Path, note: Path, seconds: float) -> Iterator[None]:
    lock = FileLock(note.with_suffix(".lock"), mode=0o600)
    try:
        with written(f"The lock of `cloudxai {command}` in {note.parent}"):
            make_folder(note.parent, mode=0o700)
            lock.acquire(timeout=seconds)
    except Timeout:
        run = last_run(note)
        since = f" since {moment(run.began)}" if run else ""
        raise LakeLocked(
            f"`cloudxai {command}` runs already{since}, of environment {environment.name}; waited {seconds:g} s. Wait "
            "for it, or raise `limits.lock_seconds`."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _code(error: BaseException) -> int:
    """What the command line ends with after an error; cli/main.py says it."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 0 if isinstance(error, BrokenPipeError) else getattr(error, "exit_code", 1)


def last_run(note: Path) -> Run | None:
    """What a command's note says; None where there is none, or none that can be read."""
    try:
        return Run.model_validate_json(note.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def run_lines(environment: Path) -> Iterator[str]:
    """How the last run of each command stands, by the notes in its environment's folder."""
    for note in sorted((environment / _NOTES).glob("*.json")):
        run = last_run(note)
        if run is None:
            said = "its note cannot be read; the next run writes it anew"
        elif run.ended:
            said = f"began on {moment(run.began)}, ended on {moment(run.ended)} with {run.code}"
        else:
            said = f"began on {moment(run.began)}, {'runs' if _held(note.with_suffix('.lock')) else 'did not end'}"
        yield f"Last {note.stem}: {said}"


def _held(lock: Path) -> bool:
    if lock.is_symlink() or not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
