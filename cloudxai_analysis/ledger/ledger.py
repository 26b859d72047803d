"""The ledger as its readers and writers meet it: one file, entries in, frames out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ledger import frames
from cloudxai_analysis.ledger.chain import Chain, Head, lines_of, read_chain
from cloudxai_analysis.ledger.entries import Entry, checked
from cloudxai_analysis.ledger.heads import KnownHead, contradictions
from cloudxai_analysis.ledger.standing import Standing
from cloudxai_analysis.ledger.writing import append_line, replace_lines, torn_file, writing
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verified:
    """What a look at the whole ledger found: where it stands, and what to know that is no damage.

    `torn` bytes follow the last whole line; `ended` is False where that line lacks its line feed; `set_aside` pieces
    lie in the file beside.
    """

    head: Head
    torn: int
    ended: bool
    set_aside: int

    def warnings(self) -> Iterator[str]:
        """What a person should know, a line each."""
        if self.torn:
            yield (
                f"warning: {count(self.torn, 'byte')} after the ledger's last whole line: an append was cut off, or is "
                "under way. They are no entry; the next write sets them aside."
            )
        if not self.ended:
            yield "warning: the ledger's last line lacks its line feed; the next write adds it."
        if self.set_aside:
            yield f"warning: {count(self.set_aside, 'piece')} of cut-off lines set aside beside the ledger, in *.torn."


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
            The entry is of no known kind, a field is unknown, missing or wrong, or it does not fit what is there.
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

        With `unless_known`, one that says what an entry under the same `id` said before is left out.

        Raises
        ------
        UsageError, LakeDamaged, LakeLocked, LakeUnwritable
            As `append`; not one of the entries was written.
        """
        given = [checked(entry) for entry in entries]
        with writing(self.path, self._lock_seconds):
            chain = self._chain()
            standing, kept = Standing.of(chain.entries), []
            for entry in given:
                if not unless_known or standing.version_like(entry) is None:
                    standing.admit(entry)
                    kept.append(entry)
            if kept:
                write = append_line if len(kept) == 1 else replace_lines
                write(self.path, chain, lines_of(kept, chain.head.head))
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
        with writing(self.path, self._lock_seconds):
            if self.path.exists():
                return False
            replace_lines(self.path, Chain(b""), lines_of(standing.entries, ""))
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

    def verify(self, known: Iterable[Head | KnownHead] = ()) -> Verified:
        """Check every line, and hold the whole against what is `known` of it from before.

        Raises
        ------
        LakeDamaged
            A line is not the one that was written; the ledger has fewer entries than somebody knew, or others.
        """
        chain = self._chain()
        if told := list(contradictions(chain, known)):
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            raise LakeDamaged(
                f"Ledger {self.path}: its end was cut off, or it was written anew: {told[0]}{more}. Restore the file "
                "from a copy."
            )
        side = torn_file(self.path)
        aside = side.read_bytes().count(b"\n") if side.is_file() else 0
        return Verified(chain.head, len(chain.torn), chain.ended, aside)

    def incidents(self) -> pd.DataFrame:
        """Incidents that people wrote and proposals that they confirmed, one row per `id` as last written, by start.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts (tuple of rule names; empty for
        any), severity, summary, source, acknowledged_at (NaT where not known).
        """
        return frames.incidents(self.standing())

    def proposals(self) -> pd.DataFrame:
        """What jobs took for incidents, by start; only one whose `state` is 'confirmed' is an incident.

        Columns: id, start, end (NaT while it goes on), tenant ('' for all), alerts, severity, summary, source (what
        proposed it), evidence, state ('open', 'confirmed' or 'rejected'), decided_by ('' while open).
        """
        return frames.proposals(self.standing())

    def labels(self) -> pd.DataFrame:
        """Analysts' labels, the last one of each episode: alertname, tenant, fired_at, judgement, by, written_at."""
        return frames.labels(self.standing())

    def complete(self) -> pd.DataFrame:
        """Times for which the ledger is declared complete: start, end, by."""
        return frames.complete(self.standing())

    def stretches(self) -> pd.DataFrame:
        """Maintenance and deploys: kind, start, end, tenant ('' for all), summary."""
        return frames.stretches(self.standing())

    def attestations(self) -> pd.DataFrame:
        """Signatures kept elsewhere: name, role, date (midnight UTC), link, summary, by."""
        return frames.attestations(self.standing())

    def observations(self) -> pd.DataFrame:
        """What was seen: at, tenant ('' for all), summary, link, by."""
        return frames.observations(self.standing())

    def decisions(self) -> pd.DataFrame:
        """What was decided: at, summary, reason, link, by."""
        return frames.decisions(self.standing())

    def provenance(self) -> dict[str, Any]:
        """How many `entries` the ledger holds, the SHA-256 of the last line (`head`), and that of all (`sha256`)."""
        chain = self._chain()
        return {"entries": chain.head.entries, "head": chain.head.head, "sha256": chain.sha256()}

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
