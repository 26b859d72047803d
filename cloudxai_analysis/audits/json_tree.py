"""A JSON text as nodes with lines; where it is broken, what stands around the fault is kept."""

from __future__ import annotations

import re
from bisect import bisect_right
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.codes import found
from cloudxai_analysis.audits.nodes import DEEPEST, Node, Scalar

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(\.[0-9]+)?([eE][-+]?[0-9]+)?(?![\w.])|true\b|false\b|null\b")
_NEXT = re.compile(r'[\[\]{},:"]')
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_NO_KEYS: dict[str, int] = {}
_MOST_FAULTS = 20


class _Open:
    __slots__ = ("key", "node", "state")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: str | None = None
        self.state = "start"  # start, key (its value comes next), comma (a member comes next), member (a comma or end)


class JsonTree:
    """One pass over a text; `document` and `findings` are what came of it."""

    def __init__(self, text: str, file: str) -> None:
        self.document: Node | None = None
        self.findings: list[Finding] = []
        self._text = text
        self._file = file
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._stack: list[_Open] = []
        self._faults = 0
        self._read()

    def _line(self, place: int) -> int:
        return bisect_right(self._breaks, place - 1) + 1

    def _read(self) -> None:
        place, text = 0, self._text
        while True:
            place = _SPACE.match(text, place).end()  # type: ignore[union-attr]
            if place >= len(text):
                break
            if self.document is not None and not self._stack:
                self._broken(place, "Text goes on after the end")
                break
            after = self._step(place, text[place])
            if after is None:
                if self._faults >= _MOST_FAULTS:
                    return
                following = _NEXT.search(text, place + 1)
                after = following.start() if following else len(text)
            place = after
        if self._stack or self.document is None:
            self._broken(len(text), "The text ends before the JSON does")

    def _step(self, place: int, sign: str) -> int | None:
        """Where the text goes on after the token at `place`; None where there is none, with a finding."""
        inside = self._stack[-1] if self._stack else None
        if sign in "}]":
            return self._end(place, sign, inside)
        if inside is not None and sign == ",":
            if inside.state != "member":
                self._broken(place, "A comma stands where a value is due")
            inside.state = "comma"
            return place + 1
        if inside is not None and inside.state == "member":
            self._broken(place, "A comma is missing")
            inside.state = "comma"
        if inside is not None and isinstance(inside.node.value, dict) and inside.state in ("start", "comma"):
            return self._key(place, sign, inside)
        if sign in "{[":
            return self._begin(place, sign)
        if sign == '"':
            return self._string(place)
        plain = _PLAIN.match(self._text, place)
        if plain is None:
            self._broken(place, "No value")
            return None
        number = float(plain[0]) if plain[2] or plain[3] else int(plain[1] or 0)
        self._place(Node(number if plain[1] else _WORDS[plain[0]], self._line(place), _NO_KEYS))
        return plain.end()

    def _string(self, place: int) -> int | None:
        try:
            value, after = scanstring(self._text, place + 1, False)
        except JSONDecodeError as error:
            self._broken(place, error.msg)
            return None
        self._place(Node(value, self._line(place), _NO_KEYS))
        return after

    def _key(self, place: int, sign: str, inside: _Open) -> int | None:
        if sign != '"':
            self._broken(place, "A key in double quotes is due")
            return None
        try:
            key, after = scanstring(self._text, place + 1, False)
        except JSONDecodeError as error:
            self._broken(place, error.msg)
            return None
        after = _SPACE.match(self._text, after).end()  # type: ignore[union-attr]
        if self._text[after : after + 1] != ":":
            inside.state = "member"
            self._broken(place, f"Key '{key}' has no colon")
            return None
        line = self._line(place)
        if key in inside.node.key_lines:
            first = inside.node.key_lines[key]
            message = f"Key '{key}' is there twice; it stands on line {first} already."
            self.findings.append(found("files/duplicate-key", file=self._file, line=line, subject="", message=message))
        inside.node.key_lines[key] = line
        inside.key, inside.state = key, "key"
        return after + 1

    def _begin(self, place: int, sign: str) -> int:
        line = self._line(place)
        if len(self._stack) >= DEEPEST:
            message = f"Nested deeper than {DEEPEST} levels."
            self.findings.append(found("files/too-deep", file=self._file, line=line, subject="", message=message))
            self._place(Node(None, line, _NO_KEYS))
            return _past(self._text, place)
        node = Node({} if sign == "{" else [], line, {})
        self._place(node)
        self._stack.append(_Open(node))
        return place + 1

    def _end(self, place: int, sign: str, inside: _Open | None) -> int:
        fits = inside is not None and isinstance(inside.node.value, dict) == (sign == "}")
        if not fits:
            self._broken(place, f"'{sign}' closes nothing")
            return place + 1
        if inside is not None and inside.state in ("comma", "key"):
            self._broken(place, f"A value is due before '{sign}'")
        self._stack.pop()
        return place + 1

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.document = node
            return
        inside = self._stack[-1]
        if isinstance(inside.node.value, dict):
            if inside.key is not None:
                inside.node.value[inside.key] = node
                inside.key = None
        elif isinstance(inside.node.value, list):
            inside.node.value.append(node)
        inside.state = "member"

    def _broken(self, place: int, what: str) -> None:
        self._faults += 1
        if self._faults <= _MOST_FAULTS:
            self.findings.append(
                found(
                    "files/broken-json",
                    file=self._file,
                    line=self._line(min(place, max(len(self._text) - 1, 0))),
                    subject="",
                    message=f"{what}.",
                )
            )


def _past(text: str, place: int) -> int:
    """The place after the bracket that closes the one at `place`; strings in between are passed over."""
    depth = 0
    while (sign := _NEXT.search(text, place)) is not None:
        place = sign.end()
        if sign[0] == '"':
            try:
                place = scanstring(text, place, False)[1]
            except JSONDecodeError:
                return len(text)
        elif sign[0] in "{[":
            depth += 1
        elif sign[0] in "}]":
            depth -= 1
            if not depth:
                break
    return place
