"""The ledger: what people and jobs wrote down about incidents, alerts and deploys, append-only and hash-chained.

One JSON object a line. Each line carries under `previous` the SHA-256 of the line before it, so that a line changed,
moved or taken out later is found by every reader. A correction is a further entry: of incidents with one `id` the
last written counts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from filelock import FileLock, Timeout
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cloudxai_analysis.errors import LakeDamaged, LakeLocked, UsageError

_TIME = "datetime64[us, UTC]"
_INCIDENTS = {
    "id": "str",
    "start": _TIME,
    "end": _TIME,
    "tenant": "str",
    "alerts": "object",
    "severity": "str",
    "summary": "str",
    "source": "str",
}
_LABELS = {"alertname": "str", "tenant": "str", "fired_at": _TIME, "judgement": "str", "by": "str", "written_at": _TIME}
_COMPLETE = {"start": _TIME, "end": _TIME, "by": "str"}
_STRETCHES = {"kind": "str", "start": _TIME, "end": _TIME, "tenant": "str", "summary": "str"}

Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(max_length=10_000), BeforeValidator(lambda name: "" if name is None else name)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    written_at: Moment = Field(default_factory=lambda: datetime.now(UTC))
    by: Text


class _Stretch(_Entry):
    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _in_order(self) -> _Stretch:
        if self.end <= self.start:
            raise ValueError(f"end {self.end.isoformat()} is not after start {self.start.isoformat()}")
        return self


class Incident(_Entry):
    """Something went wrong for one tenant, or for all where `tenant` is ''; `end` None while it goes on."""

    kind: Literal["incident"] = "incident"
    id: Text
    start: Moment
    end: Moment | None = None
    scope: Literal["global", "tenant"] | None = None
    tenant: Name = ""
    alerts: tuple[Text, ...] = ()
    severity: Name = ""
    summary: Name = ""
    source: Name = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Incident:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end.isoformat()} is not after start {self.start.isoformat()}")
        if self.scope is not None and (self.scope == "tenant") != bool(self.tenant):
            raise ValueError(f"scope '{self.scope}' does not fit tenant '{self.tenant}'")
        return self


class Label(_Entry):
    """An analyst's judgement of one alert episode, named by rule, tenant ('' for none) and `fired_at`."""

    kind: Literal["label"] = "label"
    alertname: Text
    tenant: Name = ""
    fired_at: Moment
    judgement: Literal["actionable", "noise", "unknown"]


class Complete(_Stretch):
    """The ledger holds every incident that began in this time."""

    kind: Literal["complete"] = "complete"


class Maintenance(_Stretch):
    """Planned work, on one tenant or on all."""

    kind: Literal["maintenance"] = "maintenance"
    tenant: Name = ""
    summary: Name = ""


class Deploy(_Stretch):
    """A roll-out, for one tenant or for all."""

    kind: Literal["deploy"] = "deploy"
    tenant: Name = ""
    summary: Name = ""


Entry = Annotated[Incident | Label | Complete | Maintenance | Deploy, Field(discriminator="kind")]
_ENTRY: TypeAdapter[Any] = TypeAdapter(Entry)


class Ledger:
    """The ledger kept in the file at `path`; a file that is not there is an empty ledger."""

    def __init__(self, path: Path, *, lock_seconds: float = 10.0) -> None:
        self.path = Path(path)
        self._lock_seconds = lock_seconds

    def append(self, entry: Mapping[str, Any] | BaseModel) -> BaseModel:
        """Write one entry and return it as kept; when this returns it is on disk.

        Raises
        ------
        UsageError
            The entry is of no known kind, or a field is unknown, missing or wrong.
        LakeDamaged
            The ledger is damaged; nothing was written.
        LakeLocked
            Another process is writing to the ledger.
        """
        kept = _checked(entry)
        with self._writing():
            content = self._content()
            lines = content.splitlines()
            list(_read(lines, self.path))
            _append(self.path, content, _chained(kept, lines[-1] if lines else b""))
        return kept

    def seed(self, entries: Iterable[Mapping[str, Any] | BaseModel]) -> bool:
        """Write the ledger whole where there is none yet; True if it was written, False if there was one.

        Raises
        ------
        UsageError
            One of the entries is wrong; nothing was written.
        """
        text, previous = b"", b""
        for entry in entries:
            previous = _chained(_checked(entry), previous)
            text += previous + b"\n"
        with self._writing():
            if self.path.exists():
                return False
            _create(self.path, text)
        return True

    def entries(self) -> list[BaseModel]:
        """Every entry, in the order written.

        Raises
        ------
        LakeDamaged
            A line is no entry, or not the one that was written; the message names the line.
        """
        return list(_read(self._content().splitlines(), self.path))

    def incidents(self) -> pd.DataFrame:
        """Incidents, one row per `id` as last written, by start.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts (tuple of rule names; empty for
        any), severity, summary, source.
        """
        last = {entry.id: entry for entry in self.entries() if isinstance(entry, Incident)}
        frame = _frame(last.values(), _INCIDENTS)
        return frame.sort_values(["start", "id"], ignore_index=True)

    def labels(self) -> pd.DataFrame:
        """Analysts' labels, in the order written: alertname, tenant, fired_at, judgement, by, written_at."""
        return _frame((entry for entry in self.entries() if isinstance(entry, Label)), _LABELS)

    def complete(self) -> pd.DataFrame:
        """Times for which the ledger is declared complete: start, end, by."""
        return _frame((entry for entry in self.entries() if isinstance(entry, Complete)), _COMPLETE)

    def stretches(self) -> pd.DataFrame:
        """Maintenance and deploys: kind, start, end, tenant ('' for all), summary."""
        return _frame((entry for entry in self.entries() if isinstance(entry, Maintenance | Deploy)), _STRETCHES)

    def provenance(self) -> dict[str, Any]:
        """How many `entries` the ledger holds, and the `sha256` of their bytes."""
        content = self._content()
        return {"entries": len(content.splitlines()), "sha256": hashlib.sha256(content).hexdigest()}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=self._lock_seconds, mode=0o600):
                yield
        except Timeout:
            raise LakeLocked(
                f"Ledger {self.path}: another run has been writing to it for over {self._lock_seconds:g} s. Try again."
            ) from None
        except OSError as error:
            raise UsageError(
                f"Ledger {self.path} cannot be written: {error.strerror}. Mend that and add the entry again."
            ) from error

    def _content(self) -> bytes:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise LakeDamaged(f"Ledger {self.path} cannot be read: {error.strerror}. Check the file.") from error
        # A piece of a line at the end is an append that was cut off before anybody was told that it had been kept.
        whole, line_feed, tail = content.rpartition(b"\n")
        return content if _is_json(tail) else whole + line_feed


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _checked(entry: Mapping[str, Any] | BaseModel) -> BaseModel:
    data = entry.model_dump() if isinstance(entry, BaseModel) else dict(entry)
    try:
        return _ENTRY.validate_python(data)
    except ValidationError as error:
        raise UsageError(f"Ledger entry refused: {_first_fault(error)}. Nothing was written.") from None


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _chained(entry: BaseModel, previous: bytes) -> bytes:
    data = {
        **entry.model_dump(mode="json", exclude_none=True),
        "previous": hashlib.sha256(previous).hexdigest() if previous else "",
    }
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def _read(lines: Iterable[bytes], path: Path) -> Iterator[BaseModel]:
    previous = b""
    for number, line in enumerate(lines, start=1):
        yield _parse(line, previous, f"Ledger {path}, line {number}")
        previous = line


def _parse(line: bytes, previous: bytes, place: str) -> BaseModel:
    rescue = "Restore the file from a copy; entries are only ever added by the suite."
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            raise LakeDamaged(f"{place}: not a JSON object. {rescue}")
        chain = data.pop("previous", None)
        entry: BaseModel = _ENTRY.validate_python(data, strict=False)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LakeDamaged(f"{place}: not JSON ({error}). {rescue}") from None
    except ValidationError as error:
        raise LakeDamaged(f"{place}: no valid entry ({_first_fault(error)}). {rescue}") from None
    if chain != (hashlib.sha256(previous).hexdigest() if previous else ""):
        raise LakeDamaged(f"{place}: does not follow the line before it; one was changed or removed. {rescue}")
    return entry


def _append(path: Path, content: bytes, line: bytes) -> None:
    addition = (b"" if content.endswith(b"\n") or not content else b"\n") + line + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        if os.fstat(descriptor).st_size != len(content):
            os.ftruncate(descriptor, len(content))
        if os.write(descriptor, addition) != len(addition):
            os.ftruncate(descriptor, len(content))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def _create(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _frame(entries: Iterable[BaseModel], columns: Mapping[str, str]) -> pd.DataFrame:
    rows = [[getattr(entry, column) for column in columns] for entry in entries]
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))
