"""The ledger as a machine: any row of appends, refusals and cut tails beside a plain list of entries."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from written import OBSERVATION

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.ledger import Head, Ledger

SAID = st.lists(st.text(min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=3)


class LedgerMachine(RuleBasedStateMachine):
    """A ledger of observations; `said` are their summaries, `known` are heads that somebody wrote down."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.opened()
        self.said: list[str] = []
        self.known: list[tuple[str, Head]] = []

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule()
    def opened(self) -> None:
        self.ledger = Ledger(Path(self.folder.name) / "incidents.jsonl")

    @rule(said=SAID)
    def append(self, said: list[str]) -> None:
        kept = self.ledger.append_all([{**OBSERVATION, "summary": one} for one in said])
        self.said += [entry.model_dump()["summary"] for entry in kept]
        assert len(kept) == len(said)

    @precondition(lambda self: self.said)
    @rule()
    def append_what_is_known(self) -> None:
        assert self.ledger.append_all([{**OBSERVATION, "summary": self.said[0]}], unless_known=True) == []

    @rule(said=SAID)
    def append_one_that_is_refused(self, said: list[str]) -> None:
        entries = [{**OBSERVATION, "summary": one} for one in said]
        with pytest.raises(UsageError):
            self.ledger.append_all([*entries, {**OBSERVATION, "at": "yesterday"}])

    @rule()
    def note_the_head(self) -> None:
        self.known.append(("a report", self.ledger.head()))

    @precondition(lambda self: self.said)
    @rule(share=st.floats(0, 0.999))
    def the_tail_is_cut_and_restored(self, share: float) -> None:
        whole = self.ledger.path.read_bytes()
        cut = whole[: int(share * len(whole))]
        self.ledger.path.write_bytes(cut)
        with pytest.raises(LakeDamaged):
            self.ledger.verify([("what was written", Head(len(self.said), "0" * 64))])
        if cut and not cut.endswith(b"\n"):
            with pytest.raises(LakeDamaged, match="cut off before its end"):
                self.append(["lost"])
        self.ledger.path.write_bytes(whole)

    @invariant()
    def every_entry_is_there_in_its_order(self) -> None:
        assert [entry.model_dump()["summary"] for entry in self.ledger.entries()] == self.said
        assert self.ledger.verify(self.known).entries == len(self.said)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=max(5, settings().max_examples // 5), stateful_step_count=15, deadline=None)
