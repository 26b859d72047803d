"""Grafana's variables in a PromQL text: which there are, and the text with something plain in their place.

What stands in for a variable depends on where it stands: a duration inside brackets, a text inside quotes, a number
where one is due, a name everywhere else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

STAND_IN = "grafana_variable_"
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+?)(?:\.[^:^\]]+)?(?::([^\]]+))?\]\]")
# As Grafana's own would be over a day at a scrape each 15 seconds to a minute.
_BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__range": "1h",
    "__auto": "5m",
    "__interval_ms": "60000",
    "__range_s": "3600",
    "__range_ms": "3600000",
    "__from": "1700000000000",
    "__to": "1700003600000",
}
_NUMBER_FUNCTION = re.compile(
    r"(?:vector|topk|bottomk|quantile|limitk|limit_ratio|histogram_quantile|quantile_over_time)\s*"
    r"(?:(?:by|without)\s*\([^()]*\)\s*)?\(\s*\Z|\b(?:clamp(?:_min|_max)?|round|predict_linear)\s*\(.*,\s*\Z",
    re.DOTALL,
)
_OPERATOR = re.compile(r"(?:[-+*/%^]|[=!<>]=|[<>]|(?:[<>=!]=?)\s*bool|\batan2|@)\s*\Z")
_OFFSET = re.compile(r"\boffset\s+-?\Z")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?""", re.DOTALL)


class Plain(NamedTuple):
    """A text without variables; `certain` unless a variable stood for a name, function or whole expression."""

    text: str
    variables: tuple[str, ...]
    certain: bool


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables in any text of a dashboard; not the groups of a pattern, such as $1."""
    return tuple(name for found in _VARIABLE.finditer(text) if not (name := _name(found)).isdigit())


def without_variables(text: str) -> Plain:
    """The PromQL text with plain PromQL in place of Grafana's variables."""
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    parts: list[str] = []
    names: list[str] = []
    certain, end = True, 0
    for found in _VARIABLE.finditer(text):
        name, start = _name(found), found.start()
        in_quotes = any(first < start < last for first, last in quoted)
        if name.isdigit() or (in_quotes and text[start - 1] == "\\"):
            continue
        names.append(name)
        instead, sure = (STAND_IN + name, True) if in_quotes else _instead(name, text[:start], text[found.end() :])
        certain = certain and sure
        parts += [text[end:start], instead]
        end = found.end()
    return Plain("".join([*parts, text[end:]]), tuple(names), certain)


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[4]


def _instead(name: str, before: str, after: str) -> tuple[str, bool]:
    """What stands in for a variable between two texts, and whether it is like it, whatever its value."""
    if before.rfind("[") > before.rfind("]") or _OFFSET.search(before):
        unit = re.match(r"(?:ms|[smhdwy])\b", after)
        return ("5" if unit else _BUILT_IN.get(name, "5m")), True
    if name in _BUILT_IN:
        return _BUILT_IN[name], True
    if re.search(r"[\w:]\Z", before) or re.match(r"[\w$]", after):
        # Without underscores, so that its end can be seen in the name around it.
        return f"{STAND_IN}{name.replace('_', '')}", False
    if _NUMBER_FUNCTION.search(before) or _OPERATOR.search(before):
        return "1", False
    if re.match(r"\s*(?:by|without)?\s*\(", after) and before.rfind("{") <= before.rfind("}"):
        return "sum", False
    return f"{STAND_IN}{name}", False
