"""Which entries count: of those with one `id` the last, none that was withdrawn, no proposal that nobody confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.entries import (
    Confirmation,
    Entry,
    Incident,
    Proposal,
    Rejection,
    Withdrawal,
    same_thing,
)

State = Literal["open", "confirmed", "rejected"]
_Kind = TypeVar("_Kind", bound=Entry)


@dataclass(frozen=True)
class Proposed:
    """A proposal, as it was when it was decided on, and by whom it was."""

    proposal: Proposal
    state: State = "open"
    decided_by: str = ""


@dataclass
class Standing:
    """What a ledger's entries come to, one after the other; positions count from 0."""

    entries: list[Entry] = field(default_factory=list)
    versions: dict[str, list[int]] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Standing:
        """The standing after these entries."""
        standing = cls()
        for entry in entries:
            standing.add(entry)
        return standing

    def add(self, entry: Entry) -> None:
        """Take up the next entry."""
        position, name = len(self.entries), str(entry.id)
        self.entries.append(entry)
        self.versions.setdefault(name, []).append(position)
        self.withdrawn.pop(name, None)
        if isinstance(entry, Withdrawal):
            self.withdrawn[entry.entry] = position

    def admit(self, entry: Entry) -> None:
        """Take up an entry that is to be written, if it fits what is there.

        Raises
        ------
        UsageError
            Its `id` is that of another kind, it names an entry that is not there, or a job judges
            its own proposal.
        """
        self._check_kind(entry)
        if isinstance(entry, Withdrawal):
            self._check_withdrawal(entry)
        if isinstance(entry, Confirmation | Rejection):
            self._check_proposals(entry)
        self.add(entry)

    def version_like(self, entry: Entry) -> int | None:
        """The position of the last entry that says the same under the same `id`, whatever was written since."""
        alike = (place for place in self.versions.get(str(entry.id), ()) if same_thing(self.entries[place], entry))
        return max(alike, default=None)

    def current(self, name: str) -> Entry | None:
        """The entry that counts under an `id`."""
        return None if name in self.withdrawn or name not in self.versions else self.entries[self.versions[name][-1]]

    def since(self, entry: Entry, before: int) -> str:
        """Where an entry says what this one does (`before`), and what became of it since, in a few words."""
        name = str(entry.id)
        if name in self.withdrawn:
            return f"withdrawn since, in line {self.withdrawn[name] + 1}"
        last = self.versions[name][-1]
        return f"as in line {before + 1}" + (f", corrected since in line {last + 1}" if last != before else "")

    def replaced(self) -> dict[int, int]:
        """For each position that no longer counts, the position of the entry that superseded or withdrew it."""
        found = {}
        for name, places in self.versions.items():
            last = self.withdrawn.get(name, places[-1])
            found.update({place: last for place in places if place != last})
        return found

    def counting(self, kind: type[_Kind]) -> list[_Kind]:
        """The entries of one kind that count, in the order written."""
        last = sorted(places[-1] for name, places in self.versions.items() if name not in self.withdrawn)
        return [entry for place in last if isinstance(entry := self.entries[place], kind)]

    def proposed(self) -> list[Proposed]:
        """Every proposal that was not withdrawn, with what became of it.

        Once it is decided on, what a job writes again under its `id` changes nothing. The last
        decision counts; an incident under a proposal's `id` is a decision, too.
        """
        found: dict[str, Proposed] = {}
        others: set[str] = set()
        for position, entry in enumerate(self.entries):
            name = str(entry.id)
            if name in self.withdrawn:
                continue
            if isinstance(entry, Proposal):
                if name not in others and found.get(name, Proposed(entry)).state == "open":
                    found[name] = Proposed(entry)
            elif isinstance(entry, Incident) and name not in found:
                # What a person wrote is no proposal, whatever a job writes under its id.
                others.add(name)
            elif isinstance(entry, Incident):
                found[name] = Proposed(found[name].proposal, "confirmed", entry.by)
            elif isinstance(entry, Confirmation | Rejection) and position == self.versions[name][-1]:
                state: State = "confirmed" if isinstance(entry, Confirmation) else "rejected"
                for one in entry.proposals:
                    if one in found:
                        found[one] = Proposed(found[one].proposal, state, entry.by)
        return list(found.values())

    def incidents(self) -> list[Incident]:
        """The incidents that people wrote, and the proposals that they confirmed."""
        written = {str(entry.id): entry for entry in self._last(Incident)}
        decided = {str(one.proposal.id): one for one in self.proposed()}
        for name, one in decided.items():
            if one.state == "confirmed" and name not in written:
                data = one.proposal.model_dump(exclude={"kind", "evidence", "by"})
                written[name] = Incident(**data, by=one.decided_by)
        return [entry for name, entry in written.items() if name not in decided or decided[name].state == "confirmed"]

    def _last(self, kind: type[_Kind]) -> Iterable[_Kind]:
        """The last entry of a kind under each `id`, whatever of another kind followed."""
        for name, places in self.versions.items():
            of_kind = [entry for place in places if isinstance(entry := self.entries[place], kind)]
            if of_kind and name not in self.withdrawn:
                yield of_kind[-1]

    def _check_kind(self, entry: Entry) -> None:
        versions = [self.entries[place] for place in self.versions.get(str(entry.id), ())]
        # An incident under a proposal's id confirms it with changes.
        fits = {entry.kind, "proposal"} if entry.kind == "incident" else {entry.kind}
        if entry.kind == "proposal" and versions and versions[0].kind == "proposal":
            fits = {"proposal", "incident"}
        for other in versions:
            if other.kind not in fits:
                raise _refused(f"'{entry.id}' is an id of the kind {other.kind}, and not of {entry.kind}")

    def _check_withdrawal(self, entry: Withdrawal) -> None:
        withdrawn = self.current(entry.entry)
        if withdrawn is None or isinstance(withdrawn, Withdrawal):
            raise _refused(f"there is no entry '{entry.entry}' to withdraw")

    def _check_proposals(self, entry: Confirmation | Rejection) -> None:
        for name in entry.proposals:
            versions = (self.entries[place] for place in self.versions.get(name, ()))
            makers = {version.by for version in versions if isinstance(version, Proposal)}
            if not makers or name in self.withdrawn:
                raise _refused(f"there is no proposal '{name}'")
            if entry.by in makers:
                raise _refused(f"'{name}' was proposed by '{entry.by}'; a {entry.kind} is by somebody else's name")


def _refused(why: str) -> UsageError:
    return UsageError(f"Ledger entry refused: {why}. Nothing was written.")
