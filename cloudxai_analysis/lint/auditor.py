"""All audits of one expression, be it an alert's, a recording rule's or a panel's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cloudxai_analysis.lint import Finding, findings_of, found
from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.facts import Facts, Inference
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.rules import PLACEHOLDER, language_of

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

Use = Literal["alert", "record", "panel"]
# What is only the consequence of another fault is not told beside it.
_CONSEQUENCES = {
    "promql/quantile-without-le": ("promql/lost-label", "promql/unknown-label"),
    "promql/lost-label": ("promql/never-matches",),
    "promql/not-on-server": ("promql/unknown-label",),
}


@dataclass(frozen=True)
class Asked:
    """An expression as a whole, with what is known of it: what the rules of its terms are asked with."""

    root: Term
    use: Use
    inference: Inference
    scrape_seconds: float | None

    @property
    def metrics(self) -> Metrics:
        """What is known of metrics."""
        return self.inference.metrics

    def facts(self, term: Term) -> Facts:
        """What is sure of a term."""
        return self.inference.of(term)


class Auditor:
    """Audits of expressions by what contract, recording rules and a server say of metrics."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.metrics = Metrics(corpus.contract, corpus.rules, names=corpus.known_metrics, types=corpus.metric_types)
        self.inference = Inference(self.metrics)
        self.scrape_seconds = corpus.scrape_seconds

    def findings(self, text: str, file: str, line: int, subject: str, use: Use) -> tuple[Term | None, list[Finding]]:
        """The expression, None where it is none that can be read, and every fault that it has by itself."""
        self.inference.file = file
        if not text.strip():
            return None, []
        if "{{" in text or "[[" in text or PLACEHOLDER.fullmatch(text):
            return None, [found("files/templated", "The expression holds a template.", file, line, subject)]
        try:
            root = parse(text)
        except Unparsed as error:
            if language_of(text) == "MetricsQL":
                said = "Expressions in it are MetricsQL, for VictoriaMetrics; those were not audited."
                return None, [found("files/other-language", said, file, 1)]
            said = f"The parser of these audits cannot read it: {error}."
            return None, [found("promql/unread", said, file, line, subject)]
        asked = Asked(root, use, self.inference, self.scrape_seconds)
        findings = findings_of(root, asked, of="expression", file=file, line=line, subject=subject)
        for term in root.walk():
            findings += findings_of(term, asked, of=term.form, file=file, line=line, subject=subject)
        return root, _told_once(findings)


def _told_once(findings: list[Finding]) -> list[Finding]:
    """The findings, each once, without those that are only the consequence of another."""
    codes = {finding.code for finding in findings}
    consequences = {code for cause in codes for code in _CONSEQUENCES.get(cause, ())}
    left = [finding for finding in dict.fromkeys(findings) if finding.code not in consequences]
    # Where a part never matches, what stands around it does not either.
    inner = [finding for finding in left if finding.code == "promql/never-matches"][-1:]
    return [finding for finding in left if finding.code != "promql/never-matches" or finding in inner]
