"""Which entries count: of those with one `id` the last, none that was withdrawn, no proposal that nobody confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.entries import Decided, Entry, Incident, Proposal, Withdrawal

_Kind = TypeVar("_Kind", bound=Entry)


@dataclass(frozen=True)
class Proposed:
    """A proposal as it was when it was decided on, its state ('open', 'confirmed', 'rejected'), and who decided."""

    proposal: Proposal
    state: str = "open"
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
            standing._add(entry)
        return standing

    def admit(self, entry: Entry) -> None:
        """Take up an entry that is to be written, if it fits what is there.

        Raises UsageError (its `id` is that of another kind, it names an entry that is not there, or
        a job judges its own proposal).
        """
        for why in self._misfits(entry):
            raise UsageError(f"Ledger entry refused: {why}. Nothing was written.")
        self._add(entry)

    def version_like(self, entry: Entry) -> int | None:
        """The position of the last entry that says the same under the same `id`, whatever was written since."""
        alike = [place for place in self.versions.get(str(entry.id), ()) if self.entries[place].said() == entry.said()]
        return max(alike, default=None)

    def current(self, name: str) -> Entry | None:
        """The entry that counts under an `id`."""
        return None if name in self.withdrawn or name not in self.versions else self.entries[self.versions[name][-1]]

    def replaced(self) -> dict[int, int]:
        """For each position that no longer counts, the position of the entry that superseded or withdrew it."""
        last = {name: self.withdrawn.get(name, places[-1]) for name, places in self.versions.items()}
        return {place: last[name] for name, places in self.versions.items() for place in places if place != last[name]}

    def counting(self, kind: type[_Kind]) -> list[_Kind]:
        """The entries of one kind that count, in the order written."""
        replaced = self.replaced()
        return [entry for place, entry in enumerate(self.entries) if place not in replaced and isinstance(entry, kind)]

    def proposed(self) -> list[Proposed]:
        """Every proposal that was not withdrawn, with what became of it.

        Once it is decided on, what a job writes again under its `id` changes nothing. The last
        decision counts; an incident under a proposal's `id` is a decision, too. What a person wrote
        is no proposal, whatever a job writes under its id.
        """
        found: dict[str, Proposed] = {}
        written: set[str] = set()
        for position, entry in enumerate(self.entries):
            name = str(entry.id)
            if name in self.withdrawn:
                continue
            if isinstance(entry, Proposal) and name not in written:
                if name not in found or found[name].state == "open":
                    found[name] = Proposed(entry)
            elif isinstance(entry, Incident) and name not in found:
                written.add(name)
            elif isinstance(entry, Incident):
                found[name] = Proposed(found[name].proposal, "confirmed", entry.by)
            elif isinstance(entry, Decided) and position == self.versions[name][-1]:
                state = {"confirmation": "confirmed", "rejection": "rejected"}[entry.kind]
                for one in found.keys() & set(entry.proposals):
                    found[one] = Proposed(found[one].proposal, state, entry.by)
        return list(found.values())

    def incidents(self) -> list[Incident]:
        """The incidents that people wrote, and the proposals that they confirmed."""
        written = {str(entry.id): entry for entry in self.entries if isinstance(entry, Incident)}
        for one in self.proposed():
            name = str(one.proposal.id)
            if one.state != "confirmed":
                written.pop(name, None)
            elif name not in written:
                data = one.proposal.model_dump(exclude={"kind", "by"})
                written[name] = Incident(**data, by=one.decided_by)
        return [entry for name, entry in written.items() if name not in self.withdrawn]

    def _add(self, entry: Entry) -> None:
        position, name = len(self.entries), str(entry.id)
        self.entries.append(entry)
        self.versions.setdefault(name, []).append(position)
        self.withdrawn.pop(name, None)
        if isinstance(entry, Withdrawal):
            self.withdrawn[entry.entry] = position

    def _misfits(self, entry: Entry) -> Iterable[str]:
        """Why an entry does not fit what is there."""
        versions = [self.entries[place] for place in self.versions.get(str(entry.id), ())]
        # An incident under a proposal's id confirms it with changes, and its job may propose it again.
        first = versions[0].kind if versions else entry.kind
        fits = {entry.kind, "proposal"} if entry.kind == "incident" else {entry.kind}
        if entry.kind == first == "proposal":
            fits = {"proposal", "incident"}
        for other in versions:
            if other.kind not in fits:
                yield f"'{entry.id}' is an id of the kind {other.kind}, and not of {entry.kind}"
        if isinstance(entry, Withdrawal):
            withdrawn = self.current(entry.entry)
            if withdrawn is None or isinstance(withdrawn, Withdrawal):
                yield f"there is no entry '{entry.entry}' to withdraw"
        for name in entry.proposals if isinstance(entry, Decided) else ():
            proposals = (self.entries[place] for place in self.versions.get(name, ()))
            makers = {version.by for version in proposals if isinstance(version, Proposal)}
            if not makers or name in self.withdrawn:
                yield f"there is no proposal '{name}'"
            if entry.by in makers:
                yield f"'{name}' was proposed by '{entry.by}'; a {entry.kind} is by somebody else's name"
