"""Every code of the audits of rules as such: how grave it is, why it matters, and what to do."""

from __future__ import annotations

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.codes import Code

RULE_CODES: dict[str, Code] = {
    "rules/no-severity": Code(
        "warning",
        "Routes decide by the severity who is woken; without one, the alert goes to the default receiver.",
        "Add the label `severity`, as page or ticket.",
    ),
    "rules/no-summary": Code(
        "warning",
        "Who is paged reads the name of the alert and has to guess the rest.",
        "Add the annotation `summary`: one line that names what is broken, with {{ $labels.… }}.",
    ),
    "rules/no-runbook": Code(
        "warning",
        "Who is paged at night has to find out alone what the alert means and what to do first.",
        "Add the annotation `runbook_url`, which leads to what to look at and to do.",
    ),
    "rules/no-owner": Code(
        "info",
        "When the alert is noisy or wrong, nobody knows who may change it.",
        "Add the label `owner` or `team`.",
    ),
    "rules/short-for": Code(
        "warning",
        "`for` then waits for one more evaluation at most: a single late or odd scrape sets the alert off.",
        "Wait for two intervals or more, or leave `for` out if one sample is enough.",
    ),
    "rules/no-condition": Code(
        "error",
        "An alert fires for every series that its expression returns, whatever the value, also for 0.",
        "Compare with something: EXPR > BOUND.",
    ),
    "rules/bool-condition": Code(
        "error",
        "With `bool` the comparison returns 0 in place of nothing, and an alert fires for 0, too: at all times.",
        "Take `bool` out.",
    ),
    "rules/constant-alert": Code(
        "warning",
        "It looks at no metric, so it always fires or never does.",
        "Ask for a metric; if it is the signal that alerting works at all, call it Watchdog.",
    ),
    "rules/no-absent": Code(
        "warning",
        "When the metric is gone, this alert is as silent as if all were well.",
        "Add an alert on absent(METRIC) with the labels that it must have.",
    ),
    "rules/duplicate": Code(
        "error",
        "Both write the same series or alerts: everyone is told twice, or samples are refused.",
        "Take one of the two out.",
    ),
    "rules/same-alert": Code(
        "warning",
        "Alerts with equal labels are one alert: while both hold, neither route nor receiver can tell them apart.",
        "Give them different labels, as two severities.",
    ),
    "rules/broken-template": Code(
        "error",
        "Prometheus refuses the whole file: none of its rules runs.",
        "Correct the template; `promtool check rules` says whether it can be read.",
    ),
    "rules/unknown-template-field": Code(
        "error",
        "The text that people get reads '<error expanding template …>'.",
        "Use .Labels, .ExternalLabels, .ExternalURL or .Value, or $labels and $value.",
    ),
    "rules/lost-template-label": Code(
        "warning",
        "The expression's series have no such label, so the text has a hole where the name should be.",
        "Keep the label in the expression, as in sum by (…), or take it out of the text.",
    ),
    "rules/unexpanded-template": Code(
        "warning",
        "Only what stands inside {{ }} is filled in: people read the name of the variable.",
        "Write {{ $labels.… }} or {{ $value }}; a name of an alert cannot hold either.",
    ),
    "rules/bad-format": Code(
        "warning",
        "Instead of the number people read something like %!d(float64=3).",
        "The value is a float: print it with %.0f or %.2f, or through humanize; a label with %s.",
    ),
    "rules/label-of-value": Code(
        "error",
        "Each change of the value is a new alert: `for` begins again, and every one is sent anew.",
        "Put the value in an annotation.",
    ),
    "rules/nobody-records": Code(
        "info",
        "If no server records it, the alert never fires.",
        "Audit the recording rules together with the alerts, or add the rule.",
    ),
}


def rule_finding(code: str, *, file: str, line: int, subject: str, message: str) -> Finding:
    """The finding of that code at that place."""
    shared = RULE_CODES[code]
    return Finding(file, line, code, shared.severity, subject, message, shared.why, shared.action)
