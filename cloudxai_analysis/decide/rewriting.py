"""PromQL under other names: which pieces of an expression a change replaces, so that all else stays as it was written.

A selector `old` becomes `new`. Where the values have a factor, the vector that comes of it is put in brackets
with the factor that gives the old values: `(new / 1000)`; of a range that is its function's result, as a rate's is
as many times larger. What cannot be said so is told, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cloudxai_analysis.decide.changes import Change
from cloudxai_analysis.lint.dashboards import without_variables
from cloudxai_analysis.lint.expressions import Unparsed, parse

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)"""
    r"|(?P<variable>\$\{[^}]*\}|\$\w+|\[\[\w[^\]]*\]\]|\{\{.*?\}\})|(?P<name>[a-zA-Z_][\w:]*|:[a-zA-Z_][\w:]*)"
    r"|(?P<number>[0-9][\w.]*)|(?P<sign>\S)",
    re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_SIDES = ("group_left", "group_right")
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "bool"})
# A range's functions whose result is as many times larger as its values, and those that do not look at values.
_LINEAR = frozenset({
    *("rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "holt_winters", "avg_over_time"),
    *("sum_over_time", "min_over_time", "max_over_time", "quantile_over_time", "stddev_over_time", "last_over_time"),
    *("first_over_time", "mad_over_time", "double_exponential_smoothing"),
})  # fmt: skip
_NO_VALUES = frozenset({
    *("absent", "absent_over_time", "present_over_time", "count_over_time", "changes", "resets", "timestamp"),
    *("label_values", "metrics"),
})  # fmt: skip
_OF_GRAFANA = re.compile(r"\s*(?:label_values|query_result|label_names|metrics)\(")


class Edit(NamedTuple):
    """The text from `start` to `end` replaced."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with its edits."""
    parts, at = [], 0
    for edit in sorted(edits):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


class Told(NamedTuple):
    """What is to be seen at a place: a code of `codes.toml`, and the words."""

    start: int
    code: str
    said: str


class Plan:
    """Changes, to be asked by the name of the series that an expression reads."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changes = tuple(changes)
        self._by_name: dict[str, list[Change]] = {}
        for row in self.changes:
            if row.old:
                self._by_name.setdefault(row.old, []).append(row)
        self.appeared = frozenset(row.new for row in self.changes if row.new and row.new != row.old)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> list[str]:
        """The names that something is said of."""
        return list(self._by_name)

    def rows(self, name: str) -> list[Change]:
        """All that is said of the series of that name, and of what they are called now."""
        own = self._by_name.get(name, [])
        later = (row for one in own if one.new != name for row in self._by_name.get(one.new, []))
        return [*own, *(row for row in later if row.kind != "renamed")]

    def move(self, name: str) -> Change:
        """The name, factor and labels that the series of that name have now; their own where nothing is said."""
        new, factor, labels = name, 1.0, dict[str, str]()
        for row in self.rows(name):
            if row.kind in ("renamed", "unit", "label"):
                new, factor, labels = row.new, factor * row.factor, {**labels, **row.labels}
        return Change(kind="label" if new == name else "renamed", old=name, new=new, factor=factor, labels=labels)

    def told(self, name: str) -> Iterator[tuple[str, str]]:
        """What no edit does for the series of that name: a code and the words."""
        renamed = sorted({row.new for row in self._by_name.get(name, []) if row.kind == "renamed"})
        if len(renamed) > 1:
            yield "migration/by-hand", f"{name} is now {' and '.join(renamed)}: choose."
        for row in self.rows(name):
            note = f": {row.note}" if row.note else ""
            if row.kind == "vanished":
                yield "migration/vanished", f"{name} is exported no more{note}."
            elif row.kind in ("type", "meaning") or (row.kind == "unit" and row.factor == 1):
                code = "migration/locked" if row.locked else "migration/meaning"
                yield code, f"{name} has another {row.kind}{note}."
            elif row.added:
                yield "migration/meaning", f"{row.new} has labels that {name} had not: {', '.join(row.added)}."

    def back(self) -> Plan:
        """The changes that lead from the new version to the old one."""
        return Plan(reversed([_backwards(row) for row in self.changes]))

    def with_labels(self, names: Mapping[str, Mapping[str, str]]) -> Plan:
        """The same, and these labels changed on these series."""
        more = (Change(kind="label", old=one, new=one, labels=dict(to)) for one, to in names.items())
        return Plan([*self.changes, *more])


def _backwards(row: Change) -> Change:
    kind = {"appeared": "vanished", "vanished": "appeared"}.get(row.kind, row.kind)
    labels = {new: old for old, new in row.labels.items() if new} | dict.fromkeys(row.added, "")
    gone = tuple(old for old, new in row.labels.items() if not new)
    told = {"kind": kind, "old": row.new, "new": row.old, "factor": 1 / row.factor, "labels": labels, "added": gone}
    return Change.model_validate(told | {"note": row.note, "locked": row.locked})


class Rewriting(NamedTuple):
    """The edits of one expression, what is told of it, and the labels that all its series call otherwise, or lost."""

    edits: list[Edit]
    told: list[Told]
    labels: dict[str, str]

    def of(self, text: str) -> str:
        """The text with its edits."""
        return edited(text, self.edits)


def rewriting(text: str, plan: Plan) -> Rewriting:
    """What the plan makes of an expression, which may hold variables of Grafana."""
    if not any(name in text for name in plan.names):
        return Rewriting([], [], {})
    found = _Expression(text, plan).rewriting()
    if found.edits and not _OF_GRAFANA.match(text) and (why := refused(text) or refused(found.of(text))):
        unread = Told(found.edits[0].start, "migration/by-hand", f"It cannot be read: {why}.")
        return Rewriting([], [*found.told, unread], {})
    return found


def refused(text: str) -> str:
    """Why a text is no PromQL; '' where it is."""
    try:
        parse(without_variables(text)[0])
    except Unparsed as error:
        return str(error)
    return ""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Expression:
    """The tokens of an expression, each with the bracket that it stands in."""

    def __init__(self, text: str, plan: Plan) -> None:
        self.text, self.plan = text, plan
        every = (_Token(one.lastgroup or "", one[0], *one.span()) for one in _TOKEN.finditer(text))
        self.tokens = [one for one in every if one.kind != "comment"]
        self.inside: list[int] = []  # the token of the innermost open bracket, -1 where there is none
        self.partner: dict[int, int] = {}
        open_now: list[int] = []
        for number, token in enumerate(self.tokens):
            if open_now and token.text == _CLOSING[self.tokens[open_now[-1]].text] and token.kind == "sign":
                opener = open_now.pop()
                self.partner |= {opener: number, number: opener}
            self.inside.append(open_now[-1] if open_now else -1)
            if token.kind == "sign" and token.text in _CLOSING:
                open_now.append(number)
        self.edits: dict[int, list[str]] = {}  # by token: what stands before it, it, what stands behind it
        self.cuts: list[Edit] = []
        self.told: list[Told] = []

    def rewriting(self) -> Rewriting:
        selected = [(number, name) for number in range(len(self.tokens)) if (name := self._selected(number))]
        moves = {number: self.plan.move(name) for number, name in selected}
        for number, name in selected:
            self.told += [Told(self.tokens[number].start, code, said) for code, said in self.plan.told(name)]
            self._move(number, moves[number])
        shared = [one.labels for one in moves.values()]
        self._lists(shared, alone=len(moves) == self._metrics())
        edits = [Edit(self.tokens[at].start, self.tokens[at].end, "".join(made)) for at, made in self.edits.items()]
        first = shared[0] if shared else {}
        both = {old: new for old, new in first.items() if all(one.get(old) == new for one in shared)}
        sure = both if len(moves) == self._metrics() else {}
        return Rewriting(sorted([*edits, *self.cuts]), self.told, sure)

    def _text(self, number: int) -> str:
        return self.tokens[number].text if 0 <= number < len(self.tokens) else ""

    def _selected(self, number: int) -> str:
        """The planned name that the selector has which this token names; '' of all else."""
        token, opener = self.tokens[number], self._text(self.inside[number]) if self.inside[number] >= 0 else ""
        if token.kind == "name" and opener not in ("{", "[") and self._role(self.inside[number]) != "list":
            beside = self.tokens[max(number - 1, 0) : number + 2]
            touching = (one for one in beside if one.end >= token.start and one.start <= token.end)
            glued = any(one.kind == "variable" for one in touching)
            return token.text if token.text in self.plan and self._text(number + 1) != "(" and not glued else ""
        if token.kind == "text" and opener == "{" and token.text[1:-1] in self.plan:
            named = self._text(number - 1) == "=" and self._text(number - 2) == "__name__"
            return token.text[1:-1] if named or self._text(number - 1) in "{," else ""
        return ""

    def _metrics(self) -> int:
        """How many selectors the expression has; more than any where it cannot be read."""
        try:
            return len(parse(without_variables(self.text)[0]).selectors)
        except Unparsed:
            return -1

    def _role(self, opener: int) -> str:
        """What a bracket is for: a 'list' of labels, the arguments of a 'call', or a 'group'."""
        word = self._text(opener - 1)
        if opener < 0 or self._text(opener) != "(":
            return ""
        if opener and self.tokens[opener - 1].kind == "name" and word.lower() not in _OPERATORS:
            return "list" if word.lower() in _LISTS else "call"
        if word == ")" and opener - 1 in self.partner:
            listed = self._text(self.partner[opener - 1] - 1).lower()
            return "call" if listed in ("by", "without") else "group"
        return "group"

    def _edit(self, number: int) -> list[str]:
        return self.edits.setdefault(number, ["", self.tokens[number].text, ""])

    def _by_hand(self, number: int, said: str) -> None:
        self.told.append(Told(self.tokens[number].start, "migration/by-hand", said))

    def _move(self, number: int, move: Change) -> None:
        token = self.tokens[number]
        self.told.append(Told(token.start, "migration/renamed", _moved(move))) if _moved(move) else None
        braces = number + 1 if self._text(number + 1) == "{" else self.inside[number] if token.kind == "text" else -1
        if move.new != move.old:
            if token.kind == "text":
                self.cuts.append(Edit(token.start + 1, token.end - 1, move.new))
            else:
                self._edit(number)[1] = move.new
        for at in range(braces + 1, self.partner.get(braces, 0)) if braces >= 0 else ():
            label, sign = self.tokens[at], self._text(at + 1)
            if label.kind == "name" and sign in ("=", "!") and label.text in move.labels:
                if move.labels[label.text]:
                    self._edit(at)[1] = move.labels[label.text]
                else:
                    self._by_hand(at, f"{move.new} has no label {label.text} to match.")
        if move.factor != 1:
            first = braces if token.kind == "text" else number
            self._scale(first, self.partner[braces] if braces >= 0 else number, move)

    def _scale(self, first: int, last: int, move: Change) -> None:
        """Put brackets and the factor around the vector that comes of the selector from token `first` to `last`."""
        around = self.inside[first]
        is_call = self._role(around) == "call" and self.tokens[around - 1].kind == "name"
        function = self._text(around - 1).lower() if is_call else ""
        if function in _NO_VALUES:
            return
        if self._text(last + 1) == "[":
            within = self.tokens[last + 2 : self.partner.get(last + 1, 0)]
            if not any(":" in one.text for one in within):
                if function not in _LINEAR:
                    under = f"here under {function or 'no function'}"
                    self._by_hand(first, f"{move.new} is {move.factor:g} times {move.old}, {under}.")
                    return
                first, last = around - 1, self.partner[around]
        else:
            while self._text(last + 1).lower() in ("offset", "@"):
                last += 3 if self._text(last + 2) == "-" else 2
                last = self.partner.get(last + 1, last) if self._text(last + 1) == "(" else last
        self._scaled(first, last, move.factor)

    def _scaled(self, first: int, last: int, factor: float) -> None:
        """The brackets; where they are there already with the opposite factor, as a way back finds them, they go."""
        end = self.tokens[last].end
        there = re.match(r" [/*] [\w.+-]+\)", self.text[end:])
        opens = first - 1
        in_group = self._text(opens) == "(" and self._role(opens) == "group"
        if there and there[0] == f"{_factor(1 / factor)})" and in_group:
            start, stop = self.tokens[opens].start, self.tokens[opens].end
            listed = "()" if self.text[:start].endswith("()") and self._text(opens - 3) in _SIDES else ""
            self.cuts += [Edit(start - len(listed), stop, ""), Edit(end, end + len(there[0]), "")]
            return
        # What follows such a word in brackets is a list of labels. A person would put a space behind it.
        listed = "()" if self._text(opens) in _SIDES else ""
        self._edit(first)[0] = f"{listed}(" + self._edit(first)[0]
        self._edit(last)[2] += f"{_factor(factor)})"

    def _lists(self, shared: list[dict[str, str]], *, alone: bool) -> None:
        """The labels that an expression groups and matches by: renamed where all its series call them otherwise."""
        changed = {old for labels in shared for old in labels}
        for number, token in enumerate(self.tokens):
            grouped = token.kind == "name" and self._role(self.inside[number]) == "list"
            listed = token.kind == "name" and self._of_label_values(number)
            written = token.kind == "text" and token.text[1:-1] in changed and self._text(self.inside[number]) == "("
            name = token.text[1:-1] if written else token.text
            if name not in changed or not (grouped or listed or written):
                continue
            new = {labels.get(name, "") for labels in shared}
            if len(new) == 1 and "" not in new and (alone or listed) and not written:
                self._edit(number)[1] = new.pop()
            else:
                self._by_hand(number, f"Label {name} is another one, or gone, in some of these series.")

    def _of_label_values(self, number: int) -> bool:
        opener = self.inside[number]
        return opener > 0 and self._text(opener - 1) == "label_values" and self.partner.get(opener) == number + 1


def _moved(move: Change) -> str:
    """What becomes of a selector; '' where nothing does."""
    times = f", {move.factor:.6g} times as large" if move.factor != 1 else ""
    called = [f"{old} is called {new}" for old, new in move.labels.items() if new]
    said = ", ".join([f"{move.old} becomes {move.new}{times}" if move.new != move.old or times else "", *called])
    return f"{said.removeprefix(', ')}." if said else ""


def _factor(factor: float) -> str:
    """What makes the old values of new ones, as it is written behind them."""
    return f" / {factor:.15g}" if factor >= 1 else f" * {1 / factor:.15g}"
