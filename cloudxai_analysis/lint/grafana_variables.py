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
_BY_CLAUSE = re.compile(r"\s*(?:by|without)?\s*\(")
_WORD = re.compile(r"\w")


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
    if "$" not in text and "[[" not in text:
        return Plain(text, (), True)
    quotes = _quotes(text)
    parts: list[str] = []
    names: list[str] = []
    certain, end = True, 0
    for found in _VARIABLE.finditer(text):
        name = _name(found)
        quote = quotes[found.start()]
        if name.isdigit():
            continue
        if quote and found[0].startswith("$") and name not in ("",) and text[found.start() - 1] == "\\":
            continue
        names.append(name)
        before, after = text[: found.start()], text[found.end() :]
        instead, sure = (f"{STAND_IN}{name}", True) if quote else _instead(name, before, after)
        certain = certain and sure
        parts += [text[end : found.start()], instead]
        end = found.end()
    return Plain("".join([*parts, text[end:]]), tuple(names), certain)


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[4]


def _instead(name: str, before: str, after: str) -> tuple[str, bool]:
    glued = bool(_WORD.match(before[-1:]) or _WORD.match(after[:1]) or after[:1] == "$" or before[-1:] == ":")
    inside = before.rfind("[") > before.rfind("]")
    if inside or _OFFSET.search(before):
        unit = re.match(r"(?:ms|[smhdwy])\b", after)
        return ("5" if unit else _BUILT_IN.get(name, "5m")), True
    if name in _BUILT_IN:
        return _BUILT_IN[name], True
    if glued:
        # Without underscores, so that its end can be seen in the name around it.
        return f"{STAND_IN}{name.replace('_', '')}", False
    if _NUMBER_FUNCTION.search(before) or _OPERATOR.search(before):
        return "1", False
    if _BY_CLAUSE.match(after) and not _in_labels(before):
        return "sum", False
    return f"{STAND_IN}{name}", False


def _in_labels(before: str) -> bool:
    return before.rfind("{") > before.rfind("}")


def _quotes(text: str) -> list[str]:
    """For each character the quote that it stands inside, or ''."""
    inside, escaped, found = "", False, []
    for sign in text:
        found.append(inside)
        if inside:
            if escaped:
                escaped = False
            elif sign == "\\" and inside != "`":
                escaped = True
            elif sign == inside:
                inside = ""
        elif sign in "\"'`":
            inside = sign
    return found
