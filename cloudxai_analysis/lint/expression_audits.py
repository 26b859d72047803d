"""All audits of one expression, be it an alert's, a recording rule's or a panel's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.counter_audits import counter_faults
from cloudxai_analysis.lint.expressions import Expression, Unparsed, parse
from cloudxai_analysis.lint.facts import Inference
from cloudxai_analysis.lint.matching_audits import matching_faults
from cloudxai_analysis.lint.metric_audits import metric_faults
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.threshold_audits import threshold_faults

Use = Literal["alert", "record", "panel"]
DEFAULT_SCRAPE_SECONDS = 30.0
_OF_A_LABEL = frozenset({"promql/unknown-label", "promql/lost-label"})


@dataclass(frozen=True)
class Place:
    """Where an expression stands, what it belongs to, and what it is used for."""

    file: str
    line: int
    subject: str
    use: Use


class Auditor:
    """Audits of expressions by what is known of metrics; `scrape_seconds` is how often targets are scraped."""

    def __init__(self, metrics: Metrics, *, scrape_seconds: float, evaluation_seconds: float) -> None:
        self.metrics = metrics
        self.inference = Inference(metrics)
        self.scrape_seconds = scrape_seconds
        self.evaluation_seconds = evaluation_seconds

    def findings(
        self, text: str, place: Place, *, evaluation_seconds: float | None = None
    ) -> tuple[Expression | None, list[Finding]]:
        """The expression, None where it is none, and every fault that it has by itself."""
        if "{{" in text or "[[" in text:
            return None, [_of("files/templated", place, "The expression holds a template.")]
        try:
            expression = parse(text)
        except Unparsed as error:
            return None, [_of("promql/unparsed", place, f"The expression cannot be parsed: {error}.")]
        self.inference.forget()
        faults = dict.fromkeys(self._faults(expression, place.use, evaluation_seconds or self.evaluation_seconds))
        if any(code == "promql/quantile-without-le" for code, _ in faults):
            # That nothing can be grouped by 'le' comes of the same.
            faults = {fault: None for fault in faults if not (fault[0] in _OF_A_LABEL and "no label 'le'" in fault[1])}
        return expression, [_of(code, place, message) for code, message in faults]

    def _faults(self, expression: Expression, use: Use, evaluation_seconds: float) -> Iterator[tuple[str, str]]:
        root = expression.root
        yield from counter_faults(root, self.inference, use=use)
        yield from threshold_faults(root, self.inference, use=use)
        yield from matching_faults(root, self.inference)
        yield from metric_faults(
            root, self.metrics, scrape_seconds=self.scrape_seconds, evaluation_seconds=evaluation_seconds
        )


def _of(code: str, place: Place, message: str) -> Finding:
    return found(code, file=place.file, line=place.line, subject=place.subject, message=message)
