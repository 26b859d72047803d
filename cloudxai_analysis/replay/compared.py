"""Each rule beside what is proposed for it, over the same weeks and incidents, with its candidates and a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError, SourceUnreachable, UsageError
from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.measures.judgement import first_catches
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.replay.agreement import agreement_counts
from cloudxai_analysis.replay.burn_rule import burn_rules, readiness_rule
from cloudxai_analysis.replay.candidates import candidates, proposal, variants
from cloudxai_analysis.replay.draft import Draft, draft, reason
from cloudxai_analysis.replay.history import History, present
from cloudxai_analysis.replay.quality import judged_variants, quality
from cloudxai_analysis.replay.truth import Truth
from cloudxai_analysis.sources.rules import AlertingRule

PRESENT = "present"
PROPOSED = "proposed"
BURN = ("burn rate, pages", "burn rate, tickets")
_INCIDENTS = {
    "id": "str",
    "start": TIME,
    "end": TIME,
    "tenant": "str",
    "summary": "str",
    "variant": "int64",
    "fired_at": TIME,
    "detection_seconds": "float64",
}


@dataclass(frozen=True)
class RuleReplay:
    """One rule over the window: itself and its variants, judged alike.

    `variants` are names and rules, the present one first; `table` has a row of `quality` for each; `episodes` are
    judged, with the variant's number; `incidents` has a row for each incident that names the rule and each variant,
    with when it fired first; `agreement` counts the present rule's episodes against those that the server fired;
    `unknown`
    is why the rule could not be replayed, and then all else is empty.
    """

    name: str
    variants: tuple[tuple[str, AlertingRule], ...]
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


def compared(
    history: History,
    rules: Sequence[AlertingRule],
    truth: Truth,
    *,
    contract: Contract,
    slo: float,
    proposed: Sequence[AlertingRule] = (),
    only: Sequence[str] = (),
    vary: bool = True,
    concurrency: int = 2,
) -> list[RuleReplay]:
    """Each rule replayed beside those that are proposed under its name, and the readiness alert beside burn rates.

    `only` names the rules that are looked at; a proposed rule without a present one of its name stands alone. `vary`
    replays each rule's candidates, too.

    Raises
    ------
    UsageError
        `only` names a rule that is not there.
    SourceUnreachable
        The server did not answer.
    """
    known = {rule.name for rule in (*rules, *proposed)}
    if missing := [name for name in only if name not in known]:
        raise UsageError(f"No rule '{missing[0]}'. There are {', '.join(sorted(known)) or 'no alerting rules'}.")
    readiness = readiness_rule(list(rules), contract)
    pairs: list[tuple[tuple[str, AlertingRule], ...]] = []
    for rule in rules:
        beside = [(PROPOSED, other) for other in proposed if other.name == rule.name]
        if rule is readiness:
            beside += zip(BURN, burn_rules(contract, slo=slo), strict=True)
        pairs.append(((PRESENT, rule), *beside))
    names = {rule.name for rule in rules}
    pairs += [((PROPOSED, rule),) for rule in proposed if rule.name not in names]
    wanted = [pair for pair in pairs if not only or pair[0][1].name in only]
    history.ask([rule for pair in wanted for _, rule in pair], concurrency=concurrency)
    return [_one(history, pair, list(rules), truth, vary=vary) for pair in wanted]


def _one(
    history: History,
    beside: tuple[tuple[str, AlertingRule], ...],
    rules: list[AlertingRule],
    truth: Truth,
    *,
    vary: bool,
) -> RuleReplay:
    first = beside[0][1]
    group = [rule.name for rule in rules if rule.place == first.place]
    try:
        # What is proposed would be evaluated beside the present rule, at its times.
        replayed = [history.replay(rule, group) for _, rule in beside]
        side, levels = history.left_side(first, group) if vary else (None, [])
    except (RefusedForSecurity, SourceUnreachable):
        raise
    except (SourceAnswerError, UsageError) as error:
        return RuleReplay(first.name, beside, unknown=str(error))
    episodes = pd.concat([one.episodes.assign(variant=place) for place, one in enumerate(replayed)], ignore_index=True)
    held = judged_variants(episodes, truth, alertname=first.name)
    table = quality(held, truth, history.window, alertname=first.name, variants=len(beside))
    table.insert(0, "name", pd.Series([name for name, _ in beside], dtype="str"))
    notes = dict.fromkeys(note for one in replayed for note in one.notes)
    result = {
        "table": table,
        "episodes": held,
        "incidents": _incidents(held, truth, first.name, len(beside)),
        "notes": tuple(notes),
    }
    if beside[0][0] == PRESENT:
        result["agreement"] = agreement_counts(history.agreement(replayed[0]))
    if side is not None:
        tried = variants(side, present(first), levels)
        rows = candidates(side, tried, truth, history.window, alertname=first.name, markers=history.markers)
        best = proposal(rows)
        why = reason(rows, best, history.window)
        result |= {"candidates": rows, "best": best, "reason": why}
        if best:
            result["draft"] = draft(first, tried[best], why)
    return RuleReplay(first.name, beside, **result)


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
