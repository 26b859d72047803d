"""A replay opened: the server that evaluates, the rules, the weeks and the ledger; and what is compared in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import RefusedForSecurity, SourceAnswerError, SourceUnreachable, UsageError
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.replay.agreement import agreement_counts
from cloudxai_analysis.replay.candidates import Variant, candidates, proposal, variants
from cloudxai_analysis.replay.demo_server import demo_server
from cloudxai_analysis.replay.draft import Draft, draft, reason
from cloudxai_analysis.replay.history import WARM_UP, History
from cloudxai_analysis.replay.quality import Truth, judged_variants, quality
from cloudxai_analysis.replay.rules import burn_rules, readiness_rule, rules_in
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.sources.series import SeededSource

PRESENT, _PROPOSED = "present", "proposed"
_BURN = ("burn rate, pages", "burn rate, tickets")
_LONGEST_RANGE = timedelta(days=3)  # what the burn rates look back, and every rule of the demo
Variants = tuple[tuple[str, AlertingRule], ...]


@dataclass(frozen=True)
class RuleReplay:
    """One rule over the window beside its variants, the present one first: a row of `quality` for each in `table`.

    `unknown` is why the rule could not be replayed, and then all else is empty.
    """

    variants: Variants
    unknown: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    episodes: pd.DataFrame = field(default_factory=pd.DataFrame)
    agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    reason: str = ""
    draft: Draft | None = None
    notes: tuple[str, ...] = ()

    @property
    def rule(self) -> AlertingRule:
        """The present rule, or the proposed one that stands alone."""
        return self.variants[0][1]

    @property
    def name(self) -> str:
        """Its name."""
        return self.rule.name


@dataclass(frozen=True)
class Session:
    """A window of a server's past with its truth, and each rule with what stands beside it."""

    history: History
    truth: Truth
    beside: list[Variants]
    concurrency: int

    def compared(self, *, only: Sequence[str] = (), vary: bool = True) -> list[RuleReplay]:
        """Each rule, or `only` some, beside what is proposed for it; `vary` replays its candidates, too.

        Raises UsageError where `only` names a rule that is not there, and the source's errors where it does not answer.
        """
        known = {rules[0][1].name for rules in self.beside}
        if missing := [name for name in only if name not in known]:
            raise UsageError(f"No rule '{missing[0]}'. There are {', '.join(sorted(known)) or 'no alerting rules'}.")
        wanted = [rules for rules in self.beside if not only or rules[0][1].name in only]
        self.history.ask([rule for rules in wanted for _, rule in rules], concurrency=self.concurrency)
        found = []
        for rules in wanted:
            try:
                found.append(self._compared(rules, vary=vary))
            except (RefusedForSecurity, SourceUnreachable):
                raise
            except (SourceAnswerError, UsageError) as error:
                found.append(RuleReplay(rules, unknown=str(error)))
        return found

    def _compared(self, beside: Variants, *, vary: bool) -> RuleReplay:
        """The variants of one rule replayed and judged, and with `vary` its candidates, too."""
        (status, first), history = beside[0], self.history
        replayed = [history.replay(rule) for _, rule in beside]
        parts = [one.episodes.assign(variant=place) for place, one in enumerate(replayed)]
        held = judged_variants(pd.concat(parts, ignore_index=True), self.truth, alertname=first.name)
        table = quality(held, self.truth, history.window, alertname=first.name, variants=len(beside))
        table.insert(0, "name", pd.Series([name for name, _ in beside], dtype="str"))
        found: dict[str, Any] = {"table": table, "episodes": held}
        found["notes"] = tuple(dict.fromkeys(note for one in replayed for note in one.notes))
        if status == PRESENT:
            found["agreement"] = agreement_counts(history.agreement(replayed[0]))
        if vary:
            side = history.left_side(first)
            tried = variants(side, Variant.of(first))
            rows = candidates(side, tried, self.truth, history.window, alertname=first.name, markers=history.markers)
            best = proposal(rows)
            why = reason(rows, best, history.window)
            found |= {"candidates": rows, "reason": why}
            found["draft"] = draft(first, tried[best], why) if best else None
        return RuleReplay(beside, **found)


@contextmanager
def opened(
    environment: Environment,
    window: Window,
    now: datetime,
    *,
    weeks: int = 4,
    given: Sequence[AlertingRule] = (),
    proposed: Sequence[AlertingRule] = (),
) -> Iterator[Session]:
    """The last `weeks` weeks up to the window's end, or to `now`, ready to be replayed.

    `given` are the rules to replay; without any those that the server has loaded, of the demo the reference ones. For
    the demo a Prometheus of our own runs as long as this is open. Raises UsageError where there is no rule to replay,
    or nothing that evaluates PromQL (`NeedsServer`), and the source's errors.
    """
    end = min(window.end, now)
    span = Window(end - weeks * WEEK, end, window.name if weeks == 1 else "")
    origin = open_source(environment.source, limits=environment.limits, settings=environment.settings)
    server: Any = origin
    ledger = Ledger(environment.ledger)
    with ExitStack() as running:
        if isinstance(origin, SeededSource):
            ledger.seed(origin.ledger_entries())
            rules = list(given) or rules_in([project_folder() / "reference" / "rules"])[0]
            burns = burn_rules(environment.contract, slo=environment.bounds.availability)
            asked = "\n".join(rule.expr for rule in (*rules, *proposed, *burns))
            metrics = [name for name in environment.contract.series_names() if name in asked]
            long = Window(span.start - WARM_UP - _LONGEST_RANGE, span.end)
            url = running.enter_context(demo_server(origin, metrics, long))
            server = open_source(url, limits=environment.limits, settings=environment.settings)
        else:
            rules = list(given) or loaded_rules(server)
        if not rules:
            raise UsageError(f"Source {origin.name} has loaded no alerting rule. Give rule files.")
        beside = _beside(rules, proposed, environment)
        history = History(
            server,
            origin,
            span,
            [rule for own in beside for _, rule in own],
            evaluation_seconds=environment.contract.evaluation_interval_seconds,
            rule_matchers=environment.settings.rule_matchers,
            replica_labels=environment.settings.replica_labels,
            named=environment.contract.named,
        )
        yield Session(history, Truth.of(ledger, span), beside, environment.limits.concurrency)


def _beside(
    rules: Sequence[AlertingRule], proposed: Sequence[AlertingRule], environment: Environment
) -> list[Variants]:
    """Each rule, named, with those to be set beside it."""
    readiness = readiness_rule(list(rules), environment.contract)
    found: list[Variants] = []
    for rule in rules:
        others = [(_PROPOSED, other) for other in proposed if other.name == rule.name]
        if rule is readiness:
            burns = burn_rules(environment.contract, slo=environment.bounds.availability)
            others += zip(_BURN, burns, strict=True)
        found.append(((PRESENT, rule), *others))
    names = {rule.name for rule in rules}
    return found + [((_PROPOSED, rule),) for rule in proposed if rule.name not in names]
