"""The Site Reliability Workbook's multi-window burn-rate alert, for the contract's readiness gauge."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.measures.readiness import PAIRS
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.replay.left_side import metrics_in, number_text
from cloudxai_analysis.sources.rules import AlertingRule

_PAGED = 6.0  # the slowest burn rate that wakes someone (the Workbook's table 5-8)
NAME = "ReadinessErrorBudgetBurn"


def burn_rules(contract: Contract, *, slo: float) -> tuple[AlertingRule, AlertingRule]:
    """The rule that wakes someone (14.4 over 1 h and 5 min, 6 over 6 h and 30 min) and the one that opens a ticket.

    The error ratio is the share of evaluations at which the least of the instances was not ready, as availability is
    defined. Source: Google, The Site Reliability Workbook, chapter 5, 'Multiwindow, Multi-Burn-Rate Alerts'.
    """
    quick = [pair for pair in PAIRS if pair[0] >= _PAGED]
    slow = [pair for pair in PAIRS if pair[0] < _PAGED]
    return (
        _rule(NAME, quick, contract, slo, "page"),
        _rule(f"{NAME}Slow", slow, contract, slo, "ticket"),
    )


def readiness_rule(rules: list[AlertingRule], contract: Contract) -> AlertingRule | None:
    """The rule that alerts on the global readiness alone and wakes someone, beside which the burn rule stands."""
    gauge = contract["readiness"].name
    paging = {name for name, rule in contract.alerts.items() if rule.paging}
    about = [rule for rule in rules if metrics_in(rule.expr) == {gauge}]
    return next((rule for rule in about if rule.name in paging), next(iter(about), None))


def _rule(
    name: str, pairs: list[tuple[float, pd.Timedelta, pd.Timedelta]], contract: Contract, slo: float, severity: str
) -> AlertingRule:
    seconds = contract.evaluation_interval_seconds
    budget = float(f"{1 - slo:.12g}")  # 0.001 and not the double beside it

    def burns(over: pd.Timedelta, rate: float) -> str:
        span = f"[{duration_text(over.total_seconds())}:{duration_text(seconds)}]"
        least = f"min by (job) ({contract['readiness'].name}){span}"
        return f"1 - avg_over_time({least}) > {number_text(rate)} * {number_text(budget)}"

    either = [f"  ({burns(long, rate)})\nand\n  ({burns(short, rate)})" for rate, long, short in pairs]
    said = ", ".join(
        f"{number_text(rate)}× over {duration_text(long.total_seconds())} and {duration_text(short.total_seconds())}"
        for rate, long, short in pairs
    )
    return AlertingRule(
        name=name,
        expr="\nor\n".join(either),
        labels={"severity": severity},
        annotations={"summary": "{{ $labels.job }} burns its readiness error budget too fast", "description": said},
        group="readiness-error-budget",
        interval_seconds=float(seconds),
    )
