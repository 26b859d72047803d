"""A replay opened: the server that evaluates, the rules, the weeks and the ledger, for a command or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Environment, project_folder
from cloudxai_analysis.replay.burn_rule import burn_rules
from cloudxai_analysis.replay.compared import RuleReplay, compared
from cloudxai_analysis.replay.demo_server import demo_server
from cloudxai_analysis.replay.history import WARM_UP, History
from cloudxai_analysis.replay.left_side import metrics_in
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.replay.truth import Truth
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.sources.series import SeededSource, Source

_LONGEST_RANGE = timedelta(days=3)  # what the burn rates look back, and every rule of the demo


@dataclass(frozen=True)
class Opened:
    """A window of a server's past with its rules and its truth."""

    environment: Environment
    history: History
    rules: list[AlertingRule]
    proposed: list[AlertingRule]
    truth: Truth

    def compared(self, *, only: Sequence[str] = (), vary: bool = True) -> list[RuleReplay]:
        """Each rule beside what is proposed for it; see `compared.compared`."""
        return compared(
            self.history,
            self.rules,
            self.truth,
            contract=self.environment.contract,
            slo=self.environment.bounds.availability,
            proposed=self.proposed,
            only=only,
            vary=vary,
            concurrency=self.environment.limits.concurrency,
        )


@contextmanager
def opened(
    environment: Environment,
    window: Window,
    now: datetime,
    *,
    weeks: int = 4,
    given: Sequence[AlertingRule] = (),
    proposed: Sequence[AlertingRule] = (),
) -> Iterator[Opened]:
    """The last `weeks` weeks up to the window's end, or to `now`, ready to be replayed.

    `given` are the rules to replay; without any those that the server has loaded, of the demo the reference ones. For
    the demo a Prometheus of our own runs as long as this is open.

    Raises
    ------
    UsageError
        There is no rule to replay, or nothing that evaluates PromQL (`NeedsServer`).
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly or in part.
    """
    end = min(window.end, now)
    span = Window(end - weeks * WEEK, end, window.name if weeks == 1 else "")
    origin = open_source(environment.source, limits=environment.limits, settings=environment.settings)
    truth = Ledger(environment.ledger)
    if isinstance(origin, SeededSource):
        truth.seed(origin.ledger_entries())
        rules = list(given) or _reference_rules()
        metrics = _metrics([*rules, *proposed], environment)
        long = Window(span.start - WARM_UP - _LONGEST_RANGE, span.end)
        with demo_server(origin, metrics, long) as url:
            server: Any = open_source(url, limits=environment.limits, settings=environment.settings)
            yield _opened(environment, server, origin, span, rules, list(proposed), truth)
        return
    rules = list(given) or loaded_rules(origin)
    if not rules:
        raise UsageError(f"Source {origin.name} has loaded no alerting rule. Give rule files.")
    yield _opened(environment, origin, origin, span, rules, list(proposed), truth)


def _opened(
    environment: Environment,
    server: Any,
    watched: Source,
    window: Window,
    rules: list[AlertingRule],
    proposed: list[AlertingRule],
    ledger: Ledger,
) -> Opened:
    history = History(
        server,
        watched,
        window,
        evaluation_seconds=environment.contract.evaluation_interval_seconds,
        rule_matchers=environment.settings.rule_matchers,
        replica_labels=environment.settings.replica_labels,
        named=environment.contract.named,
    )
    return Opened(environment, history, rules, proposed, Truth.of(ledger, window))


def _reference_rules() -> list[AlertingRule]:
    folder = project_folder() / "reference" / "rules"
    rules = rules_in([folder])[0] if folder.is_dir() else []
    if not rules:
        raise UsageError(f"Source {DEMO_SOURCE} has loaded no rules. Give rule files, as `cloudxai replay PATH`.")
    return rules


def _metrics(rules: Sequence[AlertingRule], environment: Environment) -> list[str]:
    """The series that the rules look at, those of the burn rates, and `up`."""
    known = environment.contract.series_names()
    wanted = {"up"}
    for rule in (*rules, *burn_rules(environment.contract, slo=environment.bounds.availability)):
        found = metrics_in(rule.expr)
        # What names no metric, or is no PromQL that can be read here, the server is asked of what its text names.
        wanted |= found if found is not None else {name for name in known if name in rule.expr}
    return sorted(wanted - {"ALERTS", "ALERTS_FOR_STATE"})
