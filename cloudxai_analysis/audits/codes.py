"""Every code of the audits of files, rules and expressions: how grave it is, why it matters, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from cloudxai_analysis.audits import Finding, Severity


@dataclass(frozen=True)
class Code:
    """What all findings of one code share."""

    severity: Severity
    why: str
    action: str


def found(code: str, *, file: str, line: int, subject: str, message: str) -> Finding:
    """The finding of that code at that place."""
    shared = CODES[code]
    return Finding(file, line, code, shared.severity, subject, message, shared.why, shared.action)


CODES: dict[str, Code] = {
    "files/unreadable": Code(
        "error",
        "What stands in it was not audited.",
        "Make it readable, or leave it out of the paths.",
    ),
    "files/too-large": Code(
        "warning",
        "What stands in it was not audited.",
        "Split the file, or leave it out of the paths.",
    ),
    "files/encoding": Code(
        "error",
        "Prometheus and Alertmanager read UTF-8 without control characters and refuse the whole file.",
        "Save the file as UTF-8 and take the character out.",
    ),
    "files/broken-yaml": Code(
        "error",
        "A server refuses the whole file, and keeps running with its old rules or does not start.",
        "Mend the YAML there; the entry around it was left out, the rest was audited.",
    ),
    "files/broken-json": Code(
        "error",
        "Grafana refuses the whole file.",
        "Mend the JSON there; nothing of the file was audited.",
    ),
    "files/duplicate-key": Code(
        "error",
        "Prometheus and Alertmanager refuse the file; other readers keep one of the two without a word.",
        "Keep one of the two.",
    ),
    "files/alias": Code(
        "error",
        "An alias that is undefined, holds itself or grows without bound cannot be read by a server either.",
        "Write out what the alias stands for.",
    ),
    "files/too-deep": Code(
        "error",
        "No server reads a file like that, and it can stop one that tries.",
        "Flatten it; what is deeper was not audited.",
    ),
    "files/templated": Code(
        "info",
        "What the template puts there is not known, so this place was audited without it.",
        "Render the template (helm template, ansible) and audit what comes out.",
    ),
}
CODES |= {
    "rules/no-group": Code(
        "error",
        "Prometheus reads rules only from `groups`, and refuses the file.",
        "Put the rules under `groups: [{name: …, rules: […]}]`.",
    ),
    "rules/malformed": Code(
        "error",
        "Prometheus refuses the whole file: none of its rules runs.",
        "Bring the rule into the form that `promtool check rules` accepts.",
    ),
    "rules/unknown-key": Code(
        "error",
        "Prometheus refuses the whole file: none of its rules runs.",
        "Correct the key, or take it out.",
    ),
    "rules/duplicate-group": Code(
        "error",
        "Prometheus refuses a file that names a group twice.",
        "Rename one of the two, or put their rules together.",
    ),
    "rules/invalid-name": Code(
        "error",
        "Prometheus refuses the whole file: none of its rules runs.",
        "Use letters, digits and underscores, and colons in a recorded name only.",
    ),
    "rules/invalid-duration": Code(
        "error",
        "Prometheus refuses the whole file: none of its rules runs.",
        "Write whole numbers with ms, s, m, h, d, w or y, the largest first: 1h30m.",
    ),
}
CODES |= {
    "promql/unparsed": Code(
        "error",
        "Nothing was audited of it. A server as old as the parser refuses the whole file; a newer one may know it.",
        "Correct the syntax; if `promtool check rules` accepts it, silence this finding with that reason.",
    ),
    "promql/raw-counter": Code(
        "error",
        "A counter only rises until its process restarts: once it is over the bound, the alert never resolves.",
        "Compare rate(…[5m]) or increase(…[1h]) of it.",
    ),
    "promql/equality-of-rate": Code(
        "warning",
        "rate() and increase() extrapolate to the whole range, so the exact number hardly ever comes.",
        "Compare with > or <.",
    ),
    "promql/irate-in-alert": Code(
        "warning",
        "One odd pair of samples sets off the alert or resets its `for`, and most of the range is not looked at.",
        "Use rate() over a range of at least four scrapes.",
    ),
    "promql/rate-of-gauge": Code(
        "error",
        "Each fall of a gauge is taken for a restart, so that what comes out is no change of anything.",
        "Use delta() or deriv() for the change of a gauge, avg_over_time() for its level.",
    ),
    "promql/gauge-function-of-counter": Code(
        "error",
        "The function takes the restart of a process, at which a counter begins at 0, for a real change.",
        "Use increase() in place of delta(), and rate() in place of deriv() or a mean.",
    ),
    "promql/rate-of-aggregate": Code(
        "error",
        "When one process restarts, the sum falls a little, which looks like a restart of everything: a huge rise.",
        "Take rate() of each series first, then sum: sum(rate(…)).",
    ),
    "promql/quantile-without-le": Code(
        "error",
        "histogram_quantile() reads the buckets by their label 'le'; without it, it returns nothing.",
        "Use the _bucket series, and keep 'le': sum by (le, …) (rate(…_bucket[5m])).",
    ),
    "promql/quantile-without-rate": Code(
        "error",
        "The quantile is that of everything since the process began, so that it hardly moves any more.",
        "Use histogram_quantile(…, rate(…_bucket[5m])).",
    ),
    "promql/quantile-out-of-range": Code(
        "error",
        "Below 0 a quantile is -Inf and above 1 it is +Inf, whatever is measured.",
        "Write 0.95 for the 95th percentile.",
    ),
    "promql/aggregated-quantile": Code(
        "error",
        "The mean or sum of quantiles is a quantile of nothing.",
        "Add up the buckets and take the quantile of the sum, or take max() of the quantiles.",
    ),
    "promql/always-true": Code(
        "error",
        "The alert fires as long as the metric is there, and says nothing about it.",
        "Correct the sign or the bound.",
    ),
    "promql/never-true": Code(
        "error",
        "Nothing comes out of it, whatever happens: the alert cannot fire.",
        "Correct the sign, the bound, or the values that are combined.",
    ),
    "promql/lost-label": Code(
        "error",
        "The label was aggregated away before, so nothing is grouped or matched by it.",
        "Keep it in the aggregation inside, or leave it out here.",
    ),
    "promql/never-matches": Code(
        "error",
        "Not one pair of series has equal labels: the result is empty, and an alert cannot fire.",
        "Match with on (…) by labels that both sides have, or keep the label on both sides.",
    ),
    "promql/many-to-one": Code(
        "error",
        "As soon as two such series are there, the evaluation of the rule fails with 'many-to-many matching'.",
        "Add group_left or group_right, match by that label, or aggregate it away.",
    ),
    "promql/unknown-metric": Code(
        "error",
        "A query of a metric that is not there is empty without an error: an alert never fires, a panel stays empty.",
        "Correct the name; if it is exported after all, add it to the contract.",
    ),
    "promql/renamed-metric": Code(
        "warning",
        "On the day of the upgrade the old name ends, and an alert on it stops without a word.",
        "Ask for both: (new_name or old_name), until no process exports the old one.",
    ),
    "promql/unknown-label": Code(
        "error",
        "A matcher on a label that is not there finds nothing, and grouping by it throws everything together.",
        "Correct the label; if it is exported after all, add it to the contract.",
    ),
    "promql/selects-nothing": Code(
        "error",
        "No series can be selected by that: the result is always empty.",
        "Correct the matcher.",
    ),
    "promql/pattern-as-text": Code(
        "warning",
        "= and != compare the whole text; a pattern in it is taken letter by letter.",
        "Use =~ in place of =, and !~ in place of !=.",
    ),
    "promql/short-range": Code(
        "warning",
        "In most evaluations there are too few samples in the range, and the result is empty.",
        "Take a range of at least four scrape intervals.",
    ),
}
CODES |= {
    "files/nothing-to-audit": Code(
        "warning",
        "A file that was named and holds nothing to audit is not what was meant, or is broken.",
        "Check the path; rules stand under `groups`, routing has `route` and `receivers`, a dashboard has `panels`.",
    ),
    "audit/unused-silence": Code(
        "info",
        "What it hid is gone, or it never fitted: it would hide the same fault when it comes back.",
        "Remove it, or correct its code, file or subject.",
    ),
    "audit/expired-silence": Code(
        "warning",
        "What it hid is told again.",
        "Mend what it hid, or give it a new day and the reason.",
    ),
}
