"""The ledger as its readers and writers meet it: one file, entries in, frames out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.files import one_writer, replace_whole
from cloudxai_analysis.ledger.chain import Chain, Head, lines_of, read_chain, sha256
from cloudxai_analysis.ledger.entries import Complete, Deploy, Entry, Label, Maintenance, checked
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.platform.published import published_summaries

if TYPE_CHECKING:
    import pandas as pd

_TIME = "datetime64[us, UTC]"
_TROUBLE = {
    "id": "str",
    "start": _TIME,
    "end": _TIME,
    "tenant": "str",
    "alerts": "object",
    "severity": "str",
    "summary": "str",
    "source": "str",
}
_INCIDENTS = {**_TROUBLE, "acknowledged_at": _TIME}
_PROPOSALS = {**_TROUBLE, "evidence": "str", "state": "str", "decided_by": "str"}
_LABELS = {"alertname": "str", "tenant": "str", "fired_at": _TIME, "judgement": "str", "by": "str", "written_at": _TIME}
_COMPLETE = {"start": _TIME, "end": _TIME, "by": "str"}
_STRETCHES = {"kind": "str", "start": _TIME, "end": _TIME, "tenant": "str", "summary": "str"}


class Ledger:
    """The ledger kept in the file at `path`; a file that is not there is an empty ledger."""

    def __init__(self, path: Path, *, lock_seconds: float = 10.0) -> None:
        self.path = Path(path)
        self._lock_seconds = lock_seconds
        self._read: tuple[bytes, Chain] | None = None

    def append(self, entry: Mapping[str, Any] | BaseModel) -> Entry:
        """Write one entry and return it as kept; when this returns it is on disk.

        Raises
        ------
        UsageError
            The entry is of no known kind, a field is unknown, missing or wrong, or it does not fit
            what is there.
        LakeDamaged
            The ledger is damaged; nothing was written.
        LakeLocked
            Another process is writing to the ledger.
        LakeUnwritable
            The disk is full, read-only or failing; the ledger is as it was.
        """
        return self.append_all([entry])[0]

    def append_all(
        self, entries: Iterable[Mapping[str, Any] | BaseModel], *, unless_known: bool = False
    ) -> list[Entry]:
        """Write several entries, all or none, and return them as kept; when this returns they are on disk.

        With `unless_known`, one that says what an entry under the same `id` said before is left
        out.

        Raises
        ------
        UsageError, LakeDamaged, LakeLocked, LakeUnwritable
            As `append`; not one of the entries was written.
        """
        given = [checked(entry) for entry in entries]
        with self._writing():
            chain = self._chain()
            standing, kept = Standing.of(chain.entries), []
            for entry in given:
                if not unless_known or standing.version_like(entry) is None:
                    standing.admit(entry)
                    kept.append(entry)
            if kept:
                replace_whole(self.path, chain.content + lines_of(kept, chain.head.head))
        return kept

    def seed(self, entries: Iterable[Mapping[str, Any] | BaseModel]) -> bool:
        """Write the ledger whole where there is none yet; True if it was written, False if there was one.

        Raises
        ------
        UsageError
            One of the entries is wrong; nothing was written.
        """
        standing = Standing()
        for entry in entries:
            standing.admit(checked(entry))
        with self._writing():
            if self.path.exists():
                return False
            replace_whole(self.path, lines_of(standing.entries, ""))
        return True

    def entries(self) -> list[Entry]:
        """Every entry, in the order written.

        Raises
        ------
        LakeDamaged
            A line is no entry, or not the one that was written; the message names the line.
        """
        return list(self._chain().entries)

    def standing(self) -> Standing:
        """Which of the entries count, and what superseded the others."""
        return Standing.of(self._chain().entries)

    def head(self) -> Head:
        """How many entries there are, and the SHA-256 of the last line."""
        return self._chain().head

    def verify(self, known: Iterable[tuple[str, Head]] = ()) -> Head:
        """Check every line, and hold the whole against what others, by their names, knew of it; where it stands.

        Raises
        ------
        LakeDamaged
            A line is not the one that was written; the ledger has fewer entries than somebody knew,
            or others.
        """
        chain = self._chain()
        for name, head in known:
            if not chain.holds(head):
                left = chain.head.entries
                now = f", of which {left:,} are left" if head.entries > left else " that were others than the first now"
                raise LakeDamaged(
                    f"Ledger {self.path}: its end was cut off, or it was written anew: {name} was made from "
                    f"{head.entries:,} entries{now}. Restore the file from a copy."
                )
        return chain.head

    def incidents(self) -> pd.DataFrame:
        """Incidents that people wrote and proposals that they confirmed, one row per `id` as last written, by start.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts (tuple of rule
        names; empty for any), severity, summary, source, acknowledged_at (NaT where not known).
        """
        return _by_start(_frame(map(dict, self.standing().incidents()), _INCIDENTS))

    def proposals(self) -> pd.DataFrame:
        """What jobs took for incidents, by start; only one whose `state` is 'confirmed' is an incident.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts, severity,
        summary, source (what proposed it), evidence, state ('open', 'confirmed' or 'rejected'),
        decided_by ('' while open).
        """
        found = self.standing().proposed()
        said = [{**dict(one.proposal), "state": one.state, "decided_by": one.decided_by} for one in found]
        return _by_start(_frame(said, _PROPOSALS))

    def labels(self) -> pd.DataFrame:
        """Analysts' labels, the last one of each episode: alertname, tenant, fired_at, judgement, by, written_at."""
        return _frame(map(dict, self.standing().counting(Label)), _LABELS)

    def complete(self) -> pd.DataFrame:
        """Times for which the ledger is declared complete: start, end, by."""
        return _frame(map(dict, self.standing().counting(Complete)), _COMPLETE)

    def stretches(self) -> pd.DataFrame:
        """Maintenance and deploys: kind, start, end, tenant ('' for all), summary."""
        planned = (entry for entry in self.standing().counting(Entry) if isinstance(entry, Maintenance | Deploy))
        return _frame(map(dict, planned), _STRETCHES)

    def provenance(self) -> dict[str, Any]:
        """How many `entries` the ledger holds, the SHA-256 of the last line (`head`), and that of all (`sha256`)."""
        chain = self._chain()
        return {"entries": chain.head.entries, "head": chain.head.head, "sha256": sha256(chain.content)}

    def _writing(self) -> AbstractContextManager[None]:
        return one_writer(Path(f"{self.path}.lock"), self._lock_seconds, of=f"Ledger {self.path}")

    def _chain(self) -> Chain:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise LakeDamaged(f"Ledger {self.path} cannot be read: {error.strerror}. Check the file.") from error
        # A report reads the same ledger many times.
        if self._read is None or self._read[0] != content:
            self._read = (content, read_chain(content, self.path))
        return self._read[1]


def published_heads(reports: Path) -> tuple[list[tuple[str, Head]], list[Path]]:
    """What the reports in a folder know of the ledger, each by its name, and the summaries that cannot be read.

    Who cut off a tail of the ledger, or wrote it anew as a whole, contradicts them.
    """
    known, unreadable = [], []
    for one in published_summaries(reports):
        said = (one.said or {}).get("ledger")
        entries, head = (said.get("entries"), said.get("head")) if isinstance(said, dict) else (None, None)
        if isinstance(entries, int) and isinstance(head, str):
            known.append((one.report, Head(entries, head)))
        else:
            unreadable.append(one.file)
    return known, unreadable


def _frame(said: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    rows = [[one[name] for name in columns] for one in said]
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def _by_start(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["start", "id"], ignore_index=True)
