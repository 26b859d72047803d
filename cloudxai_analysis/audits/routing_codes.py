"""Every code of the audits of routing: how grave it is, why it matters, and what to do."""

from __future__ import annotations

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.codes import Code

_REFUSED = "Alertmanager refuses the whole file and goes on with the last one it could read, or does not start."

ROUTING_CODES: dict[str, Code] = {
    # what keeps the file from being loaded
    "routing/unreadable": Code("error", _REFUSED, "Write it as `amtool check-config` wants it."),
    "routing/unknown-key": Code("error", _REFUSED, "Correct the key's name, or remove it."),
    "routing/bad-matcher": Code("error", _REFUSED, 'Write it as label="value", with one of = != =~ !~.'),
    "routing/bad-duration": Code("error", _REFUSED, "Write it as 30s, 5m or 4h; not zero."),
    "routing/bad-group-by": Code("error", _REFUSED, "Name each label once, or only '...' to group nothing."),
    "routing/bad-root": Code(
        "error", _REFUSED, "Give the first route a receiver, and no conditions: it takes every alert."
    ),
    "routing/undefined-receiver": Code("error", _REFUSED, "Add the receiver, or correct the name."),
    "routing/duplicate-receiver": Code("error", _REFUSED, "Give each receiver a name of its own."),
    "routing/undefined-interval": Code("error", _REFUSED, "Add it under `time_intervals`, or correct the name."),
    "routing/duplicate-interval": Code("error", _REFUSED, "Give each time interval a name of its own."),
    # who is told
    "routing/default-only": Code(
        "warning",
        "Nobody decided who is to be told of this alert: it goes wherever all unknown ones go.",
        "Add a route for it, or give the rule the labels that one of the routes asks for.",
    ),
    "routing/paging-nobody": Code(
        "error",
        "It is meant to wake someone, and wakes nobody: the receiver at its end sends nothing anywhere.",
        "Give the receiver an integration, or send the alert to one that has some.",
    ),
    "routing/paging-muted": Code(
        "warning",
        "It is meant to wake someone, and whatever fires in that time is never sent.",
        "Take the time interval off this route, or move the paging alerts to a route without one.",
    ),
    "routing/severity-case": Code(
        "warning",
        "Labels are compared letter for letter: an alert of the other spelling passes the route by.",
        "Spell the severity the same way in rules and routes.",
    ),
    "routing/unknown-severity": Code(
        "warning",
        "No route asks for this severity, and it is nearly one that a route asks for.",
        "Correct the severity, or add a route for it.",
    ),
    "routing/unused-receiver": Code("info", "Nothing is ever sent to it.", "Name it in a route, or remove it."),
    # what never happens
    "routing/unknown-alert": Code(
        "warning",
        "No rule makes an alert of this name, so this waits for what never comes; renamed alerts are lost this way.",
        "Correct the name, add the rule, or remove what waits for it.",
    ),
    "routing/unknown-label": Code(
        "warning",
        "A label that is missing counts as empty: the matcher decides the same for every alert.",
        "Correct the label's name.",
    ),
    "routing/never-matches": Code(
        "error", "No alert can ever come here, whatever its labels are.", "Mend the matchers that exclude each other."
    ),
    "routing/shadowed": Code(
        "error",
        "Each alert that it is meant for is taken by an earlier route, which does not go on.",
        "Move it before that route, or give that route `continue: true`.",
    ),
    "routing/no-alert-comes": Code(
        "info",
        "It could match, but the labels of each rule that was read say that its alerts never do.",
        "Correct the label or the value, or remove it.",
    ),
    "routing/useless-continue": Code(
        "info",
        "No later neighbour can match the same alert, so `continue` does nothing.",
        "Remove it, or move the route before the one that is to be asked as well.",
    ),
    "routing/inhibition-never": Code("error", "It never keeps an alert back.", "Mend the matchers, or remove it."),
    "routing/inhibition-of-itself": Code(
        "error",
        "Source and target are the same alerts, and such alerts never inhibit each other: it never keeps one back.",
        "Make the source the alert that explains the target.",
    ),
    "routing/inhibition-too-wide": Code(
        "warning",
        "Without a label that must be equal, one alert of the source keeps back all of the target, of any tenant.",
        "Add `equal` with the labels that say what the two have in common.",
    ),
    "routing/inhibition-mixes-tenants": Code(
        "warning",
        "One tenant's alert keeps back those of all others.",
        "Add the tenant's label to `equal`.",
    ),
    "routing/inhibition-unknown-label": Code(
        "warning",
        "No alert has the label: missing counts as equal, so it separates nothing.",
        "Correct the label's name.",
    ),
    "routing/silence-never": Code("warning", "It silences nothing.", "Mend its matchers, or let it expire."),
    "routing/silence-of-everything": Code(
        "error", "It silences every alert, those that page included.", "Name in the silence what is to be silent."
    ),
    # how it is told
    "routing/group-by-loses-tenant": Code(
        "warning",
        "Alerts of several tenants come as one notification: a second tenant's waits up to a group interval, and "
        "whoever gets it sees all of them.",
        "Add the tenant's label to `group_by`.",
    ),
    "routing/group-by-unknown-label": Code(
        "warning", "No alert that comes here has the label, so it separates nothing.", "Correct the label's name."
    ),
    "routing/wait-over-interval": Code(
        "warning",
        "The first notification of a group waits longer than the later ones.",
        "Make `group_wait` shorter than `group_interval`.",
    ),
    "routing/repeat-under-interval": Code(
        "warning",
        "A group is looked at once in a group interval: it cannot be sent again sooner.",
        "Make `repeat_interval` a multiple of `group_interval`.",
    ),
    "routing/unused-interval": Code("info", "No route uses the time interval.", "Name it in a route, or remove it."),
    "routing/old-matchers": Code(
        "info",
        "Two ways to say the same make a file hard to read; the older one is deprecated since Alertmanager 0.22.",
        "Write them as `matchers`.",
    ),
}


def routing_finding(code: str, *, file: str, line: int, subject: str, message: str) -> Finding:
    """The finding of that code at that place."""
    shared = ROUTING_CODES[code]
    return Finding(file, line, code, shared.severity, subject, message, shared.why, shared.action)
