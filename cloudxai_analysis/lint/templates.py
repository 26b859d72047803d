"""What the templates in an alert's texts ask for; whether they can be read at all is promtool's to say."""

from __future__ import annotations

import re
from typing import NamedTuple

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_]\w*)")
_TESTED = re.compile(r"^-?\s*(?:if|with|else if)\b")
_OUTSIDE = re.compile(
    r"\$(?:labels\.\w+|value\b)|\$\{\s*(?:labels|value)[^}]*\}|(?<!\{)\{\s*\$(?:labels|value)[^{}]*\}"
)
_VERB = re.compile(
    r"^-?\s*printf\s+(\"(?:[^\"\\]|\\.)*\"|`[^`]*`)\s+(\$value|\.Value|\$labels\.\w+|\.Labels\.\w+)\s*-?$"
)
_PIPED = re.compile(
    r"^-?\s*(\$value|\.Value|\$labels\.\w+|\.Labels\.\w+)\s*\|\s*printf\s+(\"(?:[^\"\\]|\\.)*\"|`[^`]*`)\s*-?$"
)
_SIGNS = re.compile(r"%[-+# 0]*\d*(?:\.\d*)?([a-zA-Z%])")
_VALUE = re.compile(r"^-?\s*(?:\$value|\.Value)\b")
_QUERY = re.compile(r"\bquery\s+(?:\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`)")
# What a template of an alert can ask of the dot, unless the dot is moved.
_FIELD = re.compile(r"(?:^|[\s(|-])\.(?!(?:Labels|ExternalLabels|ExternalURL|Value)\b)([A-Za-z_]\w*)")
_MOVES_DOT = re.compile(r"\{\{-?\s*(?:range|with|block|define|template)\b")
_OF_NUMBERS, _OF_TEXTS = frozenset("eEfFgGvb%"), frozenset("svqxX%")


class Template(NamedTuple):
    """One text of an alert: labels that it prints and tests, queries, what stands outside of braces, wrong verbs."""

    labels: tuple[str, ...]
    tested: frozenset[str]
    queries: tuple[str, ...]
    asks_server: bool
    outside: tuple[str, ...]
    badly_formatted: tuple[str, ...]
    prints_value: bool
    unknown: tuple[str, ...]


def read_template(text: str) -> Template:
    """What stands in the actions of a text, as far as it is said plainly."""
    actions = _ACTION.findall(text)
    tests = " ".join(action for action in actions if _TESTED.match(action))
    return Template(
        labels=tuple(dict.fromkeys(label for action in actions for label in _LABEL.findall(action))),
        tested=frozenset(_LABEL.findall(tests)),
        queries=tuple(one or other for action in actions for one, other in _QUERY.findall(action)),
        asks_server=any(re.search(r"\bquery\b", action) for action in actions),
        outside=tuple(dict.fromkeys(_OUTSIDE.findall(_ACTION.sub(" ", text)))) if _closed(text) else (),
        badly_formatted=tuple(said for action in actions if (said := _misfit(action))),
        prints_value=any(_VALUE.match(action) for action in actions),
        unknown=() if _MOVES_DOT.search(text) else tuple(_FIELD.findall(" ".join(actions))),
    )


def _closed(text: str) -> bool:
    """Whether each action that is opened is closed; of a broken template nothing else is told."""
    return text.count("{{") == text.count("}}")


def _misfit(action: str) -> str:
    """What is wrong with a printf of one value: a verb that does not fit its type."""
    if found := _VERB.match(action):
        form, printed = found[1], found[2]
    elif found := _PIPED.match(action):
        form, printed = found[2], found[1]
    else:
        return ""
    fitting = _OF_NUMBERS if printed in ("$value", ".Value") else _OF_TEXTS
    wrong = [verb for verb in _SIGNS.findall(form) if verb not in fitting]
    kind = "a number" if fitting is _OF_NUMBERS else "a text"
    return f"%{wrong[0]} does not print {printed}, which is {kind}" if wrong else ""
