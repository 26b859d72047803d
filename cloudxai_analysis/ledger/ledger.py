"""The ledger: one append-only file, entries in, frames out; any changed byte of it is found.

A line is one JSON object in one spelling: keys sorted, no blanks, ASCII. `previous` is the SHA-256
of the whole line before, '' in the first; `hash`, the last key, is that of the object without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.files import one_writer, replace_whole
from cloudxai_analysis.ledger import entries as kinds
from cloudxai_analysis.ledger.entries import Entry, checked, parsed
from cloudxai_analysis.ledger.jobs import DayObserved
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.platform.published import published_summaries
from cloudxai_analysis.platform.settings import Environment

if TYPE_CHECKING:
    import pandas as pd

_RESCUE = "Restore the file from a copy; entries are only ever added by the suite."
_TIMES = ("start", "end", "at", "date", "acknowledged_at", "mitigated_at", "fired_at", "written_at")
_TYPES = dict.fromkeys(_TIMES, "datetime64[us, UTC]")
_TYPES |= {**dict.fromkeys(("alerts", "tenants", "follow_ups"), "object"), "refused": "float64"}
_TROUBLE = ("id", "start", "end", "tenant", "alerts", "severity", "summary", "source")


@dataclass(frozen=True)
class Head:
    """Where a ledger stood: its length in lines and the SHA-256 of its last line ('' of an empty one)."""

    entries: int
    head: str


class Ledger:
    """The ledger kept in the file at `path`; a file that is not there is an empty ledger."""

    def __init__(self, path: Path, *, lock_seconds: float = 10.0) -> None:
        self.path = Path(path)
        self._lock_seconds = lock_seconds
        self._content: bytes | None = None
        self._chain: tuple[list[Entry], list[str]] = ([], [])

    @classmethod
    def of(cls, environment: Environment) -> Ledger:
        """The ledger of an environment."""
        return cls(environment.ledger, lock_seconds=environment.limits.lock_seconds)

    def append(self, entry: Mapping[str, Any] | BaseModel) -> Entry:
        """Write one entry and return it as kept; raises as `append_all`."""
        return self.append_all([entry])[0]

    def append_all(
        self,
        entries: Iterable[Mapping[str, Any] | BaseModel],
        *,
        unless_known: bool = False,
        unless_current: bool = False,
    ) -> list[Entry]:
        """Write several entries, all or none, and return them as kept; when this returns they are on disk.

        With `unless_known`, one that says what an entry under the same `id` said before is left
        out; with `unless_current`, one that says what the entry that counts under it says.

        Raises UsageError (an entry is of no known kind, a field is unknown, missing or wrong, or it
        does not fit what is there); LakeDamaged (the ledger is damaged; nothing was written);
        LakeLocked (another process is writing to the ledger); LakeUnwritable (the disk is full,
        read-only or failing; the ledger is as it was).
        """
        given = [checked(entry) for entry in entries]
        with self._writing():
            before, digests = self._read()
            standing, kept = Standing.of(before), []
            for entry in given:
                now = standing.current(str(entry.id)) if unless_current else None
                known = unless_known and standing.version_like(entry) is not None
                if not known and (now is None or now.said() != entry.said()):
                    standing.admit(entry)
                    kept.append(entry)
            if kept:
                replace_whole(self.path, (self._content or b"") + lines_of(kept, ("", *digests)[-1]))
        return kept

    def seed(self, entries: Iterable[Mapping[str, Any] | BaseModel]) -> bool:
        """Write the ledger whole where there is none yet; whether it was written. Raises as `append_all`."""
        standing = Standing()
        for entry in entries:
            standing.admit(checked(entry))
        with self._writing():
            if self.path.exists():
                return False
            replace_whole(self.path, lines_of(standing.entries, ""))
        return True

    def entries(self) -> list[Entry]:
        """Every entry, in the order written; raises LakeDamaged where a line is not the one that was written."""
        return list(self._read()[0])

    def lines(self) -> dict[str, bytes]:
        """The line of the last entry under each `id`, as it stands in the file; raises as `entries`."""
        entries = self._read()[0]
        return {str(entry.id): line for entry, line in zip(entries, (self._content or b"").split(b"\n"), strict=False)}

    def standing(self) -> Standing:
        """Which of the entries count, and what superseded the others."""
        return Standing.of(self._read()[0])

    def head(self) -> Head:
        """How many entries there are, and the SHA-256 of the last line."""
        digests = self._read()[1]
        return Head(len(digests), ("", *digests)[-1])

    def verify(self, known: Iterable[tuple[str, Head]] = ()) -> Head:
        """Check every line, and hold the whole against what others, by their names, knew of it; where it stands.

        Raises LakeDamaged (a line is not the one that was written; the ledger has fewer entries
        than somebody knew, or others).
        """
        digests = ["", *self._read()[1]]
        for name, head in known:
            if not 0 <= head.entries < len(digests) or digests[head.entries] != head.head:
                left = len(digests) - 1
                now = f", of which {left:,} are left" if head.entries > left else " that were others than the first now"
                raise LakeDamaged(
                    f"Ledger {self.path}: its end was cut off, or it was written anew: {name} was made from "
                    f"{head.entries:,} entries{now}. Restore the file from a copy."
                )
        return self.head()

    def incidents(self) -> pd.DataFrame:
        """Incidents that people wrote and proposals that they confirmed, one row per `id` as last written, by start.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts (tuple of rule
        names; empty for any), severity, summary, source, acknowledged_at (NaT where not known), and its
        course, missing where nobody wrote it: trigger, evidence, immediate_action, mitigated_at,
        root_cause, fix, hotfix, approved_by, follow_ups (tuple), lessons.
        """
        return _by_start(_frame(map(dict, self.standing().incidents()), *_TROUBLE, "acknowledged_at", *kinds.COURSE))

    def proposals(self) -> pd.DataFrame:
        """What jobs took for incidents, by start; only one whose `state` is 'confirmed' is an incident.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts, severity,
        summary, source (what proposed it), evidence, state ('open', 'confirmed' or 'rejected'),
        decided_by ('' while open).
        """
        found = self.standing().proposed()
        said = ({**dict(one.proposal), "state": one.state, "decided_by": one.decided_by} for one in found)
        return _by_start(_frame(said, *_TROUBLE, "evidence", "state", "decided_by"))

    def labels(self) -> pd.DataFrame:
        """Analysts' labels, the last one of each episode: alertname, tenant, fired_at, judgement, by, written_at."""
        return self._counting(kinds.Label, "alertname", "tenant", "fired_at", "judgement", "by", "written_at")

    def complete(self) -> pd.DataFrame:
        """Times for which the ledger is declared complete: start, end, by."""
        return self._counting(kinds.Complete, "start", "end", "by")

    def stretches(self) -> pd.DataFrame:
        """Maintenance and deploys: kind, start, end, tenant ('' for all), summary."""
        return self._counting(kinds.Planned, "kind", "start", "end", "tenant", "summary")

    def drills(self) -> pd.DataFrame:
        """Drills and load tests, by start.

        Columns: id, start, end, tenants (names or stems ending in `*`; empty for any), refused (NaN
        where not counted), summary.
        """
        return _by_start(self._counting(kinds.Drill, "id", "start", "end", "tenants", "refused", "summary"))

    def observations(self) -> pd.DataFrame:
        """What people saw at a time: at, tenant ('' for all), summary, link, by."""
        return self._counting(kinds.Observation, "at", "tenant", "summary", "link", "by")

    def attestations(self) -> pd.DataFrame:
        """What people have signed elsewhere: date, name, role, summary, link, by."""
        return self._counting(kinds.Attestation, "date", "name", "role", "summary", "link", "by")

    def days(self) -> list[DayObserved]:
        """The days that were observed, as last written, in their order."""
        return sorted(self.standing().counting(DayObserved), key=lambda day: day.date)

    def provenance(self) -> dict[str, Any]:
        """How many `entries` the ledger holds, the SHA-256 of the last line (`head`), and that of all (`sha256`)."""
        head = self.head()
        return {"entries": head.entries, "head": head.head, "sha256": _sha256(self._content or b"")}

    def _counting(self, kind: type[Entry], *columns: str) -> pd.DataFrame:
        return _frame(map(dict, self.standing().counting(kind)), *columns)

    def _writing(self) -> AbstractContextManager[None]:
        return one_writer(Path(f"{self.path}.lock"), self._lock_seconds, of=f"Ledger {self.path}")

    def _read(self) -> tuple[list[Entry], list[str]]:
        """Its entries, and each line's SHA-256; a report reads the same bytes many times."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise LakeDamaged(f"Ledger {self.path} cannot be read: {error.strerror}. Check the file.") from error
        if content != self._content:
            self._chain = read_lines(content, self.path)
            self._content = content
        return self._chain


def published_heads(reports: Path) -> tuple[list[tuple[str, Head]], list[Path]]:
    """What the reports in a folder know of the ledger, each by its name, and the summaries that cannot be read.

    Who cut off a tail of the ledger, or wrote it anew as a whole, contradicts them.
    """
    known, unreadable = [], []
    for one in published_summaries(reports):
        match (one.said or {}).get("ledger"):
            case {"entries": int(entries), "head": str(head)}:
                known.append((one.report, Head(entries, head)))
            case _:
                unreadable.append(one.file)
    return known, unreadable


def lines_of(entries: Iterable[Entry], previous: str) -> bytes:
    """The lines of several entries, the first of which follows a line with the SHA-256 `previous`."""
    text = []
    for entry in entries:
        line = _signed({**entry.model_dump(mode="json", exclude_none=True), "previous": previous})
        previous = _sha256(line)
        text.append(line + b"\n")
    return b"".join(text)


def read_lines(content: bytes, path: Path) -> tuple[list[Entry], list[str]]:
    """The entries of a ledger's bytes, every line checked, and each line's SHA-256.

    Raises LakeDamaged (a line is no entry, or not the one that was written; the message names the
    line).
    """
    *lines, tail = content.split(b"\n")
    entries: list[Entry] = []
    digests: list[str] = []
    try:
        for line in lines:
            entries.append(_entry(line, ("", *digests[-1:])[-1]))
            digests.append(_sha256(line))
        if tail:
            raise ValueError("cut off before its end")
    except ValueError as error:
        raise LakeDamaged(f"Ledger {path}, line {len(digests) + 1}: {error}. {_RESCUE}") from None
    return entries, digests


def _entry(line: bytes, previous: str) -> Entry:
    """The entry of a line that follows one with the SHA-256 `previous`; ValueError says what is wrong with it."""
    try:
        data = json.loads(line)
        signed = _signed({key: value for key, value in data.items() if key != "hash"})
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    except AttributeError:
        raise ValueError("not a JSON object") from None
    if "hash" not in data:
        raise ValueError("has no hash of its own, as every line has")
    if json.loads(signed)["hash"] != data.pop("hash"):
        raise ValueError("changed after it was written; its hash is another's")
    if line != signed:
        raise ValueError("changed after it was written; it is not spelled as the suite does")
    before = data.pop("previous", None)
    try:
        entry = parsed(data)
    except ValueError as error:
        raise ValueError(f"no valid entry ({error})") from None
    if before != previous:
        raise ValueError("does not follow the line before it; one was changed or removed")
    return entry


def _signed(data: Mapping[str, Any]) -> bytes:
    body = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    return b'%s,"hash":"%s"}' % (body[:-1], _sha256(body).encode())


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _frame(said: Iterable[Mapping[str, Any]], *columns: str) -> pd.DataFrame:
    import pandas as pd

    rows = [[one[name] for name in columns] for one in said]
    return pd.DataFrame(rows, columns=list(columns)).astype({name: _TYPES.get(name, "str") for name in columns})


def _by_start(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["start", "id"], ignore_index=True)
