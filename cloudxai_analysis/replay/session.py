"""A replay opened: the server that evaluates, the rules, the weeks and the ledger; and what is compared in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.replay.candidates import Truth, Variant, candidates, proposal, quality, variants
from cloudxai_analysis.replay.episodes import agreement_counts
from cloudxai_analysis.replay.history import WARM_UP, History, Named
from cloudxai_analysis.replay.own_server import demo_server
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.replay.written import PRESENT, RuleReplay, Variants, drafted, reason
from cloudxai_analysis.sources.open import open_source, source_of
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.sources.series import SeededSource

PROPOSED = "proposed"
_LONGEST_RANGE = timedelta(days=3)  # what the slowest burn rate looks back, and every rule of the demo


@dataclass(frozen=True)
class Session:
    """A window of a server's past with its truth, and each rule with what stands beside it."""

    history: History
    truth: Truth
    beside: list[Variants]
    concurrency: int

    def compared(self, *, only: Sequence[str] = (), vary: bool = True) -> list[RuleReplay]:
        """Each rule, or `only` some, beside what is proposed for it; `vary` replays its candidates, too.

        Raises UsageError where `only` names a rule that is not there, and the source's errors where
        it does not answer.
        """
        known = {rules[0][1].name for rules in self.beside}
        if missing := [name for name in only if name not in known]:
            raise UsageError(f"No rule '{missing[0]}'. There are {', '.join(sorted(known)) or 'no alerting rules'}.")
        wanted = [rules for rules in self.beside if not only or rules[0][1].name in only]
        # What all of them look at is read once, before they are replayed beside each other.
        _ = self.history.alerts, self.history.scrapes
        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(partial(self._compared, vary=vary), wanted))

    def _compared(self, beside: Variants, *, vary: bool) -> RuleReplay:
        """The variants of one rule replayed and judged, and with `vary` its candidates, too."""
        try:
            return self._replayed(beside, vary=vary)
        except (SourceAnswerError, UsageError) as error:
            return RuleReplay(beside, unknown=str(error))

    def _replayed(self, beside: Variants, *, vary: bool) -> RuleReplay:
        (status, first), history = beside[0], self.history
        replayed = [history.replay(rule) for _, rule in beside]
        parts = [fires.assign(variant=place) for place, fires in enumerate(replayed)]
        held = self.truth.judge(pd.concat(parts, ignore_index=True), first.name)
        table = quality(held, self.truth, history.window, alertname=first.name, variants=len(beside))
        table.insert(0, "name", pd.Series([name for name, _ in beside], dtype="str"))
        notes = tuple(dict.fromkeys(note for _, rule in beside for note in history.notes(rule)))
        found: dict[str, Any] = {"table": table, "episodes": held, "notes": notes}
        if status == PRESENT:
            found["agreement"] = agreement_counts(history.agreement(first, replayed[0]))
        if vary:
            side = history.left_side(first)
            tried = variants(side, Variant.of(first))
            rows = candidates(side, tried, self.truth, history.window, alertname=first.name, markers=history.markers)
            best = proposal(rows)
            why = reason(rows, best, history.window)
            found |= {"candidates": rows, "reason": why, "draft": drafted(first, tried[best], why) if best else None}
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

    `given` are the rules to replay; without any those that the server has loaded, of the demo the
    reference ones. For the demo a Prometheus of our own runs as long as this is open. Raises
    UsageError where there is no rule to replay, or nothing that evaluates PromQL (`NeedsServer`),
    and the source's errors.
    """
    end = min(window.end, now)
    span = Window(end - weeks * WEEK, end, window.name if weeks == 1 else "")
    origin = source_of(environment)
    ledger = Ledger.of(environment)
    if isinstance(origin, SeededSource):
        ledger.seed(origin.ledger_entries())
        rules = list(given) or rules_in([project_folder() / "reference" / "rules"])[0]
    else:
        rules = list(given) or loaded_rules(origin)
    if not rules:
        raise UsageError(f"Source {origin.name} has loaded no alerting rule. Give rule files.")
    names = environment.contract.series_names()
    with past(environment, span, [*rules, *proposed], origin=origin, names=names) as history:
        yield Session(history, Truth.of(ledger, span), _beside(rules, proposed), environment.limits.concurrency)


@contextmanager
def past(
    environment: Environment,
    span: Window,
    rules: Sequence[AlertingRule],
    *,
    origin: Any,
    names: Iterable[str],
    named: Named | None = None,
) -> Iterator[History]:
    """A source's past, ready to be asked for rules: of the demo with a Prometheus of our own as long as this is open.

    `names` are those of series that a seeded source has, `named` tells tenant and process from an
    alert's labels, by default as the contract does. Raises as `opened` does.
    """
    settings, contract, server = environment.settings, environment.contract, origin
    seeded = isinstance(origin, SeededSource)
    with ExitStack() as running:
        if seeded:
            asked = "\n".join(rule.expr for rule in rules)
            long = Window(span.start - WARM_UP - _LONGEST_RANGE, span.end)
            url = running.enter_context(demo_server(origin, [name for name in names if name in asked], long))
            server = open_source(url, limits=environment.limits, settings=settings)
        yield History(
            server,
            origin,
            span,
            rules,
            evaluation_seconds=contract.evaluation_interval_seconds,
            rule_matchers=settings.rule_matchers,
            replica_labels=settings.replica_labels,
            named=named or contract.named,
        )


def _beside(rules: Sequence[AlertingRule], proposed: Sequence[AlertingRule]) -> list[Variants]:
    """Each rule with what is proposed under its name, and what is proposed alone."""
    names = {rule.name for rule in rules}
    pairs = [((PRESENT, rule), *((PROPOSED, one) for one in proposed if one.name == rule.name)) for rule in rules]
    return [*pairs, *(((PROPOSED, rule),) for rule in proposed if rule.name not in names)]
