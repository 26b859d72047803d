"""Templates in labels and annotations: read as Prometheus' template engine reads them, without running them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST = 100_000  # characters
_FUNCTIONS = frozenset(
    {"args", "externalURL", "first", "graphLink", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage"}
    | {"humanizeTimestamp", "label", "match", "now", "parseDuration", "pathPrefix", "query", "reReplaceAll", "safeHtml"}
    | {"sortByLabel", "stripDomain", "stripPort", "strvalue", "tableLink", "title", "tmpl", "toDuration", "toLower"}
    | {"toTime", "toUpper", "urlQueryEscape", "value"}
    # Those of every Go template.
    | {"and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf"}
    | {"println", "slice", "urlquery"}
)
# vmalert's own.
_OTHERS_FUNCTIONS = frozenset(
    {"crlfEscape", "escape", "formatTime", "htmlEscape", "jsonEscape", "parseDurationTime", "pathEscape"}
    | {"queryEscape", "quotesEscape", "quotesEscaped"}
)
FUNCTIONS = _FUNCTIONS | _OTHERS_FUNCTIONS
_FIELDS = frozenset({"Labels", "ExternalLabels", "ExternalURL", "Value"})
_OTHERS_FIELDS = frozenset({"Expr", "AlertID", "GroupID", "ActiveAt", "For", "Type", "IsPartial"})
VARIABLES = frozenset({"$", "$labels", "$externalLabels", "$externalURL", "$value"})
_OTHERS_VARIABLES = frozenset({"$expr", "$for", "$activeAt", "$alertID", "$groupID", "$type", "$isPartial"})
_BLOCKS = frozenset({"if", "range", "with", "define", "block"})
_KEYWORDS = _BLOCKS | {"else", "end", "template", "break", "continue"}
_CONSTANTS = frozenset({"true", "false", "nil"})
_COMMENT = re.compile(r"\{\{(?:-\s+)?/\*")
_COMMENT_END = re.compile(r"\*/(?:\s+-)?\}\}")
_ACTION = re.compile(
    r"""\{\{((?:"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*'|(?!\}\})[^"`'])*)\}\}""",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\\n])+')"""
    r"""|(?P<variable>\$\w*(?:\.\w+)*)|(?P<field>(?:\.[^\W\d]\w*)+)|(?P<number>[-+]?\.?\d[\w.]*)|(?P<word>[^\W\d]\w*)"""
    r"""|(?P<sign>:=|[=|(),.])"""
)
_OUTSIDE = re.compile(r"\$(?:labels|externalLabels)\.\w+|\$value\b|\{\s*\.(?:Labels\.\w+|Value)\s*\}")
_VERB = re.compile(r"%[-+# 0]*\d*(?:\.\d+)?([a-zA-Z%])")
_FOR_NUMBERS = frozenset("veEfFgGbxXT")
_FOR_TEXTS = frozenset("vsqxXT")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an action; `touches` is whether it follows the one before without a space."""

    kind: str
    text: str
    touches: bool


@dataclass
class Template:
    """What a template asks for.

    `labels` are the names that it takes from the alert's series, with those that it only tests in `tested`; `broken` is
    why it cannot be parsed, `unknown` what fails each time it is run, `badly_formatted` what printf cannot print, and
    `outside` what stands there literally though it looks like a part of a template.
    """

    labels: list[str] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)
    prints_value: bool = False
    broken: str = ""
    unknown: list[str] = field(default_factory=list)
    badly_formatted: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


class _Broken(ValueError):
    pass


def read_template(text: str) -> Template:
    """What the template in a label or an annotation asks for, and what is wrong with it."""
    if len(text) > LONGEST:
        return Template()
    reader = _Reader()
    try:
        reader.read(text)
    except _Broken as broken:
        reader.template.broken = str(broken)
    return reader.template


@dataclass
class _Block:
    word: str
    dot_known: bool
    outer_dot_known: bool
    variables: int
    had_else: bool = False


class _Reader:
    def __init__(self) -> None:
        self.template = Template()
        self._blocks: list[_Block] = []
        self._dot_known = True
        self._variables = [*sorted(VARIABLES | _OTHERS_VARIABLES)]
        self._of_value: set[str] = set()

    def read(self, text: str) -> None:
        end = 0
        while (start := text.find("{{", end)) >= 0:
            self._text(text[end:start])
            is_comment = _COMMENT.match(text, start)
            found = _COMMENT_END.search(text, is_comment.end()) if is_comment else _ACTION.match(text, start)
            if found is None:
                raise _Broken(f"an action is not closed: {_cut(text[start : start + 200])}")
            if not is_comment:
                self._action(found[1])
            end = found.end()
        self._text(text[end:])
        if self._blocks:
            raise _Broken(f"{{{{ {self._blocks[-1].word} }}}} has no {{{{ end }}}}")

    def _text(self, text: str) -> None:
        self.template.outside += _OUTSIDE.findall(text)

    def _action(self, inside: str) -> None:
        inside = inside[1:] if re.match(r"-\s", inside) else inside
        inside = inside[:-1] if re.search(r"\s-\Z", inside) else inside
        tokens = _tokens(inside)
        if not tokens:
            raise _Broken("an action is empty: {{ }}")
        word = tokens[0].text if tokens[0].kind == "word" and tokens[0].text in _KEYWORDS else ""
        match word:
            case "":
                self._pipeline(tokens, shown=True)
            case "end":
                self._end(tokens)
            case "else":
                self._else(tokens)
            case "break" | "continue":
                if not any(block.word == "range" for block in self._blocks):
                    raise _Broken(f"{{{{ {word} }}}} outside of {{{{ range }}}}")
            case "template":
                self._pipeline(tokens[2:], shown=False, may_be_empty=True)
            case _:
                self._begin(word, tokens)

    def _begin(self, word: str, tokens: list[Token]) -> None:
        block = _Block(word, self._dot_known, self._dot_known, len(self._variables))
        self._blocks.append(block)
        if word in ("define", "block"):
            self._pipeline(tokens[2:], shown=False, may_be_empty=True)
            self._dot_known = False
            return
        self._pipeline(tokens[1:], shown=False, word=word)
        if word in ("range", "with"):
            self._dot_known = False

    def _else(self, tokens: list[Token]) -> None:
        if not self._blocks or self._blocks[-1].word in ("define", "block"):
            raise _Broken("{{ else }} without {{ if }}")
        block = self._blocks[-1]
        if block.had_else:
            raise _Broken(f"{{{{ {block.word} }}}} has two {{{{ else }}}}")
        self._dot_known = block.outer_dot_known
        if len(tokens) == 1:
            block.had_else = True
            return
        if tokens[1].text not in ("if", "with"):
            raise _Broken(f"'{tokens[1].text}' stands after else")
        self._pipeline(tokens[2:], shown=False, word=tokens[1].text)
        if tokens[1].text == "with":
            self._dot_known = False

    def _end(self, tokens: list[Token]) -> None:
        if len(tokens) > 1:
            raise _Broken(f"'{tokens[1].text}' stands after end")
        if not self._blocks:
            raise _Broken("{{ end }} without a beginning")
        block = self._blocks.pop()
        self._dot_known = block.outer_dot_known
        del self._variables[block.variables :]

    def _pipeline(self, tokens: list[Token], *, shown: bool, word: str = "", may_be_empty: bool = False) -> None:
        declared, tokens = _declaration(tokens, self._variables)
        if not tokens:
            if may_be_empty and not declared:
                return
            raise _Broken(f"a value is missing after {word or 'an action begins'}")
        closing = _brackets(tokens)
        self._check_words(tokens)
        touched_value = False
        for place, token in enumerate(tokens):
            if token.kind in ("variable", "field"):
                touched_value |= self._reference(tokens, place, shown=shown)
            elif token.kind == "word" and token.text == "index" and place + 2 < len(tokens):
                self._indexed(tokens[place + 1], tokens[place + 2])
            elif token.kind == "word" and token.text == "printf" and _begins(tokens, place):
                self._printf(tokens, place, closing)
        self._variables += declared
        if touched_value:
            self._of_value |= set(declared)
            self.template.prints_value |= shown and not declared

    def _check_words(self, tokens: list[Token]) -> None:
        for place, token in enumerate(tokens):
            following = tokens[place + 1] if place + 1 < len(tokens) else None
            if token.kind == "word" and token.text not in FUNCTIONS | _CONSTANTS:
                raise _Broken(f"there is no function '{token.text}'")
            if token.kind == "variable" and token.text.split(".")[0] not in self._variables:
                raise _Broken(f"there is no variable {token.text.split('.')[0]}")
            if token.text == "|" and token.kind == "sign":
                _check_stage(tokens[place - 1] if place else None, following)
            if token.kind == "sign" and token.text in ("=", ":=", ","):
                raise _Broken(f"'{token.text}' is out of place")
            if following is not None and following.touches and _glued(token, following):
                raise _Broken(f"a space is missing: {token.text}{following.text}")

    def _reference(self, tokens: list[Token], place: int, *, shown: bool) -> bool:
        """Note what a variable or field asks for; whether it is the alert's value."""
        token = tokens[place]
        name, *path = token.text.split(".") if token.kind == "variable" else ["", *token.text.split(".")[1:]]
        if token.kind == "field":
            inner = place > 0 and token.touches and tokens[place - 1].text == ")"
            if inner or not self._dot_known:
                return False
        if name in ("", "$"):
            if not path:
                return False
            if path[0] not in _FIELDS | _OTHERS_FIELDS:
                self.template.unknown.append(f".{path[0]}")
                return False
            name, path = "$" + path[0][0].lower() + path[0][1:], path[1:]
        if name == "$labels" and path:
            self.template.labels.append(path[0])
            if not shown:
                self.template.tested.add(path[0])
        if name in ("$labels", "$externalLabels") and len(path) > 1:
            self.template.unknown.append(f"{token.text}: a label's value has no field")
        elif name in ("$value", "$externalURL") and path:
            self.template.unknown.append(f"{token.text}: {name} has no field")
        return name == "$value" or name in self._of_value

    def _indexed(self, table: Token, key: Token) -> None:
        is_labels = table.text in ("$labels", "$.Labels") or (table.text == ".Labels" and self._dot_known)
        if is_labels and key.kind == "string":
            self.template.labels.append(key.text[1:-1])

    def _printf(self, tokens: list[Token], place: int, closing: dict[int, int]) -> None:
        given = list(_operands(tokens, place + 1, closing))
        if not given or given[0].kind != "string" or "*" in given[0].text or "%[" in given[0].text:
            return
        verbs = [verb for verb in _VERB.findall(given[0].text) if verb != "%"]
        kinds = [self._type(token) for token in given[1:]]
        piped = place > 1 and tokens[place - 1].text == "|"
        if piped:
            before = tokens[place - 2]
            alone = place == 2 or tokens[place - 3].text in ("|", "(")
            kinds.append(self._type(before) if alone else "")
        if len(verbs) != len(kinds):
            self.template.badly_formatted.append(f"printf {given[0].text} gets {len(kinds)} values")
            return
        for verb, kind in zip(verbs, kinds, strict=True):
            if (kind == "number" and verb not in _FOR_NUMBERS) or (kind == "text" and verb not in _FOR_TEXTS):
                self.template.badly_formatted.append(f"printf {given[0].text} gets a {kind} for %{verb}")

    def _type(self, token: Token) -> str:
        if token.text == "$value" or (token.text == ".Value" and self._dot_known):
            return "number"
        if token.text.startswith(("humanize", "$labels.")) or token.text in ("title", "toUpper", "toLower"):
            return "text"
        return ""


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    place, touches = 0, False
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _Broken(f"a sign is out of place: {_cut(text[place:])}")
        place = found.end()
        kind = found.lastgroup or ""
        if kind == "space":
            touches = False
            continue
        tokens.append(Token(kind, found[0], touches))
        touches = True
    return tokens


def _declaration(tokens: list[Token], known: list[str]) -> tuple[list[str], list[Token]]:
    """The variables that a pipeline declares, and what is left of it."""
    for count in (1, 3):
        if len(tokens) > count and tokens[count].text in (":=", "="):
            names = [token.text for token in tokens[:count] if token.kind == "variable"]
            if tokens[count].text == "=":
                missing = [name for name in names if name not in known]
                if missing:
                    raise _Broken(f"there is no variable {missing[0]}")
            return names, tokens[count + 1 :]
    return [], tokens


def _brackets(tokens: list[Token]) -> dict[int, int]:
    """Where each bracket that is opened is closed."""
    waiting: list[int] = []
    closing = {}
    for place, token in enumerate(tokens):
        if token.text == "(" and token.kind == "sign":
            waiting.append(place)
        elif token.text == ")" and token.kind == "sign":
            if not waiting:
                raise _Broken("a bracket ) is too many")
            closing[waiting.pop()] = place
    if waiting:
        raise _Broken("a bracket ( is not closed")
    return closing


def _begins(tokens: list[Token], place: int) -> bool:
    return place == 0 or (tokens[place - 1].kind == "sign" and tokens[place - 1].text in ("|", "("))


def _operands(tokens: list[Token], place: int, closing: dict[int, int]) -> Iterator[Token]:
    """What a function is given: a bracket counts as one, of unknown type."""
    while place < len(tokens):
        token = tokens[place]
        if token.kind == "sign" and token.text in ("|", ")"):
            return
        if place in closing:
            place = closing[place]
        # A field of what is in brackets belongs to it.
        if not (token.kind == "field" and token.touches and tokens[place - 1].text == ")"):
            yield token
        place += 1


def _glued(one: Token, other: Token) -> bool:
    """Whether two tokens cannot stand without a space between them."""
    if "sign" in (one.kind, other.kind):
        return other.text == "." and one.text not in ("(", "|")
    return True


def _check_stage(before: Token | None, following: Token | None) -> None:
    if before is None or (before.kind == "sign" and before.text in ("|", "(")):
        raise _Broken("nothing stands before |")
    if following is not None and (following.text == ")" or following.kind in ("string", "char", "number")):
        raise _Broken(f"'{following.text}' after | is no function")


def _cut(text: str) -> str:
    line = text.split("\n", 1)[0].strip()
    return line if len(line) <= 40 else f"{line[:37]}..."
