"""One rule beside what is proposed for it, over the same weeks, with its candidates and a draft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError, SourceUnreachable, UsageError
from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.measures.judgement import first_catches
from cloudxai_analysis.replay.agreement import agreement_counts
from cloudxai_analysis.replay.candidates import candidates, proposal, variants
from cloudxai_analysis.replay.draft import Draft, draft, reason
from cloudxai_analysis.replay.history import History, present
from cloudxai_analysis.replay.quality import Truth, judged_variants, quality
from cloudxai_analysis.sources.rules import AlertingRule

PRESENT = "present"
_INCIDENTS = {"id": "str", "start": TIME, "end": TIME, "tenant": "str", "summary": "str"} | {
    "variant": "int64",
    "fired_at": TIME,
    "detection_seconds": "float64",
}
Variants = tuple[tuple[str, AlertingRule], ...]


@dataclass(frozen=True)
class RuleReplay:
    """One rule over the window: itself and its variants, judged alike.

    `variants` are names and rules, the present one first; `table` has a row of `quality` for each; `episodes` are
    judged, with the variant's number; `incidents` has a row for each incident that names the rule and each variant,
    with when it fired first; `agreement` counts the present rule's episodes against those that the server fired;
    `unknown` is why the rule could not be replayed, and then all else is empty.
    """

    variants: Variants
    unknown: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    episodes: pd.DataFrame = field(default_factory=pd.DataFrame)
    incidents: pd.DataFrame = field(default_factory=pd.DataFrame)
    agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    best: int = 0
    reason: str = ""
    draft: Draft | None = None
    notes: tuple[str, ...] = ()

    @property
    def rule(self) -> AlertingRule:
        """The present rule, or the proposed one that stands alone."""
        return self.variants[0][1]

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.rule.name


def compared(history: History, beside: Variants, truth: Truth, *, vary: bool) -> RuleReplay:
    """The variants of one rule replayed and judged, and with `vary` its candidates, too.

    Raises
    ------
    SourceUnreachable, RefusedForSecurity
        The server did not answer.
    """
    first = beside[0][1]
    try:
        replayed = [history.replay(rule) for _, rule in beside]
        side = history.left_side(first) if vary else None
    except (RefusedForSecurity, SourceUnreachable):
        raise
    except (SourceAnswerError, UsageError) as error:
        return RuleReplay(beside, unknown=str(error))
    parts = [one.episodes.assign(variant=place) for place, one in enumerate(replayed)]
    episodes = pd.concat(parts, ignore_index=True)
    held = judged_variants(episodes, truth, alertname=first.name)
    table = quality(held, truth, history.window, alertname=first.name, variants=len(beside))
    table.insert(0, "name", pd.Series([name for name, _ in beside], dtype="str"))
    found: dict[str, Any] = {}
    if beside[0][0] == PRESENT:
        found["agreement"] = agreement_counts(history.agreement(replayed[0]))
    if side is not None:
        tried = variants(side, present(first))
        rows = candidates(side, tried, truth, history.window, alertname=first.name, markers=history.markers)
        best = proposal(rows)
        why = reason(rows, best, history.window)
        found |= {"candidates": rows, "best": best, "reason": why}
        if best:
            found["draft"] = draft(first, tried[best], why)
    return RuleReplay(
        beside,
        table=table,
        episodes=held,
        incidents=_incidents(held, truth, first.name, len(beside)),
        notes=tuple(dict.fromkeys(note for one in replayed for note in one.notes)),
        **found,
    )


def _incidents(judged: pd.DataFrame, truth: Truth, alertname: str, variants: int) -> pd.DataFrame:
    """Each incident that names the rule, by variant, with when that first fired in it; NaT where it did not."""
    named = truth.naming(alertname)
    rows = []
    for number in range(variants):
        caught = first_catches(judged[judged["variant"] == number].reset_index(drop=True), named)
        found = named.merge(caught[["id", "fired_at", "detection"]], how="left", on="id")
        rows.append(found.assign(variant=number, detection_seconds=found["detection"]))
    frame = typed(pd.concat(rows, ignore_index=True), _INCIDENTS)
    return frame.sort_values(["start", "id", "variant"], ignore_index=True)
