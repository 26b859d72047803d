"""Every code of the audits of dashboards: how grave it is, why it matters, and what to do."""

from __future__ import annotations

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.codes import Code

DASHBOARD_CODES: dict[str, Code] = {
    "dashboards/no-tenant-variable": Code(
        "warning",
        "All tenants are drawn into each other: nobody can look at one, and with many nobody sees anything.",
        "Add a variable of the tenants, as label_values(METRIC, tenant), and select by it in each query of tenants.",
    ),
    "dashboards/ignores-tenant": Code(
        "warning",
        "Whoever chooses a tenant sees all of them here, and takes their numbers for the one's.",
        'Add tenant=~"$tenant" to the query.',
    ),
    "dashboards/undefined-variable": Code(
        "error",
        "Grafana sends the text as it stands, which no series has: the panel stays empty.",
        "Add the variable, or correct its name.",
    ),
    "dashboards/unused-variable": Code(
        "info", "Choosing a value changes nothing.", "Use the variable in a query, or remove it."
    ),
    "dashboards/several-values": Code(
        "error",
        "Several values, or 'All', become a pattern such as (a|b), which = compares with the text: nothing is drawn.",
        "Use =~ in place of =, and !~ in place of !=.",
    ),
    "dashboards/raw-counter": Code(
        "warning",
        "It shows what was counted since each process began, and falls with every restart.",
        "Draw rate() or increase() of it, or its last value as a single number.",
    ),
    "dashboards/wrong-unit": Code(
        "warning",
        "Whoever reads the axis reads a wrong number.",
        "Choose the unit that the values have, or none.",
    ),
    "dashboards/legend-label": Code(
        "warning",
        "The series have no such label: all are called the same, or by nothing.",
        "Name a label that the query keeps, or keep the label in the query.",
    ),
    "dashboards/duplicate-panel-id": Code(
        "warning",
        "Links, alerts and repeated panels find a panel by its id, and find the wrong one.",
        "Give each panel an id of its own.",
    ),
    "dashboards/duplicate-ref-id": Code(
        "error",
        "Of two queries with one refId only one is drawn, and expressions that name it take either.",
        "Give each query of the panel a refId of its own.",
    ),
    "dashboards/nothing-drawn": Code(
        "warning", "The panel is always empty.", "Show one of its queries, or remove the panel."
    ),
    "dashboards/interval-range": Code(
        "warning",
        "$__interval shrinks with the time range, to less than two scrapes: the panel is then empty.",
        "Use $__rate_interval.",
    ),
    "dashboards/fixed-range": Code(
        "info",
        "Other queries here follow the time range; over a long one this one looks at a fraction of the samples.",
        "Use $__rate_interval.",
    ),
    "dashboards/fixed-datasource": Code(
        "warning",
        "The dashboard lets people choose a data source, and this panel asks another one whatever they choose.",
        "Use the variable of the data source.",
    ),
}


def dashboard_finding(code: str, *, file: str, line: int, subject: str, message: str) -> Finding:
    """The finding of that code at that place."""
    shared = DASHBOARD_CODES[code]
    return Finding(file, line, code, shared.severity, subject, message, shared.why, shared.action)
