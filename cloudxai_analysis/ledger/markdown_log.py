"""Incidents out of a log that people keep in Markdown: a section, a row of a table or a bullet each.

What a section, row or bullet tells is known by how people call it (`markdown_log.toml`). What
belongs to none of these names is never guessed at: its line is named, and nothing of it is taken.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.exchange import Imported, Row
from cloudxai_analysis.ledger.markdown_blocks import Block, blocks_of
from cloudxai_analysis.ledger.written_times import WHEN, lasting, moment, parted
from cloudxai_analysis.words.phrases import short

LARGEST_BYTES = 4 << 20  # a log is read as a whole, and slowly
_NAMES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_FIELDS = {name: one for one, names in _NAMES["fields"].items() for name in names}
_WORDS = {one: frozenset(words) for one, words in _NAMES["words"].items()}
_LISTS = ("alerts", "follow_ups")
_LATER = ("acknowledged_at", "mitigated_at", "end")  # moments that may be given as a clock alone
_ONCE = ("id", "date", "tenant", "severity", "source", "by")
_TIMES = ("date", "period", "duration", "start", *_LATER)
_ID = re.compile(
    r"(?:[Ii]ncident\b[\s:]*)?([A-Z][A-Z0-9]{1,15}(?:[-_]\d+)+|#\d+)\b|.*?\b([Ii]ncident (?:[Nn]o\.? ?)?#?\d+)\b"
)
_LINK = re.compile(r"\s*\((https?://\S+)\)$")
_SAID = re.compile(r"([^:=]{1,40}?)\s*(?::(?!//)|\s[–—]\s)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Log:
    """The incidents of a log, those of it that cannot be taken, and what no incident tells: line and words."""

    rows: list[Row]
    refused: list[Imported]
    unread: list[tuple[int, str]]


def read_log(content: bytes, file: str, *, zone: ZoneInfo | None = None) -> Log:
    """The log in a Markdown file; `zone` is that of times without one.

    Parts of one incident, as a row of an overview and a section, are one. Without an id, an incident
    is told from others by its start and tenant. Raises UsageError (the file is no UTF-8, too large,
    or no incident is in it).
    """
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"File {file} is larger than {LARGEST_BYTES:,} bytes of Markdown. Import it in parts.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"File {file} is no UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    reader = _Reader()
    for block in blocks_of(text):
        reader.take(block)
    reader.unread += [(one.line, f"{one.id} tells nothing") for one in reader.named if not one.said]
    rows: dict[str, Row] = {}
    refused = []
    for told in _merged(reader.told):
        try:
            data = _entry(told, zone)
            place, known = rows.setdefault(data["id"], (f"line {told.line}", data))
            if known != data:
                raise ValueError(f"its start and tenant are those of {place}; give each an id")
        except (ValueError, OverflowError) as error:
            refused.append(Imported(f"line {told.line}", "refuse", None, str(error)))
    if not rows and not refused:
        raise UsageError(f"File {file} holds no incident that could be read. See docs/howto for what a log looks like.")
    return Log(list(rows.values()), refused, sorted(reader.unread))


@dataclass(eq=False)
class _Told:
    """What a section, row or bullet tells: the words for each field, with the line of each."""

    line: int
    level: int
    title: str = ""
    id: str = ""
    day: str = ""
    more: bool = False  # of a row: cells than the table has columns
    said: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def is_one(self) -> bool:
        """Whether it is sure to be an incident: it has an id, or says when it began."""
        return bool(self.id or self.said)

    @classmethod
    def of(cls, line: int, level: int, text: str, day: str = "") -> _Told:
        """What a heading, or a bullet like one, tells by itself; `day` is that of the section around it."""
        when = WHEN.search(text)
        rest = text if when is None else f"{text[: when.start()]} {text[when.end() :]}"
        rest = re.sub(r"[(\[]\s*[)\]]", " ", rest).strip(" :;,.–—-|[](")
        named = _ID.match(rest)
        name = next(filter(None, named.groups()), "") if named else ""
        title = rest[named.end() :].strip(" :;,.–—-|[])") if named else rest
        timed = {"period": [(line, when[0])]} if when and (when[2] or when[3]) else {}
        return cls(line, level, title or rest, name, (when and when[1]) or day, said=timed)


def _known(name: str) -> tuple[str, str]:
    """The field that people call so, or '', and the zone that stands beside it, as in 'Start (UTC)'."""
    words = " ".join(re.sub(r"[^a-z0-9]+", " ", name.lower()).split())
    return _FIELDS.get(words.removesuffix(" utc"), ""), " UTC" if words.endswith(" utc") else ""


class _Reader:
    """Goes through a log's blocks: which incident each is of, and which of its fields it tells."""

    def __init__(self) -> None:
        self.told: list[_Told] = []
        self.named: list[_Told] = []
        self.unread: list[tuple[int, str]] = []
        self.sections: list[_Told] = []  # headings, and bullets like them, that hold what is read now
        # What is being told, as under a heading (of which level), a bullet (of which depth), or a line that names it.
        self.field, self.under, self.level = "", 0, 0

    def take(self, block: Block) -> None:
        """Read one block."""
        getattr(self, f"_{block.kind}")(block)

    def _heading(self, block: Block) -> None:
        self.sections = [one for one in self.sections if one.level < block.level]
        name, self.level = _known(block.lines[0])[0] if self.sections else "", 0
        if not name and self.field and 0 < self.under < block.level:
            self._say(self.field, f"{block.lines[0]}:", block.line)
            return
        self.field, self.under = name, block.level if name else 0
        if not name:
            self._open(block, block.level)

    def _open(self, block: Block, level: int) -> None:
        told = _Told.of(block.line, level, " ".join(block.lines[0].split()), self._day())
        self.sections.append(told)
        self.told += [told] if told.said else []
        self.named += [told] if told.id else []

    def _day(self) -> str:
        return self.sections[-1].day if self.sections else ""

    def _inside(self) -> bool:
        return bool(self.field) or any(one.is_one for one in self.sections)

    def _item(self, block: Block) -> None:
        self.sections = [one for one in self.sections if one.level < 10 + block.level]
        if self.level >= block.level:
            self.field, self.level = "", 0
        like = _Told.of(block.line, 0, block.lines[0])
        if like.is_one and not self._inside() and not self._key(block.lines[0]):
            self._open(block, 10 + block.level)
            self._lines(block, 1)
        else:
            self._lines(block)

    def _text(self, block: Block) -> None:
        self.sections = [one for one in self.sections if one.level < 10]
        if self.level:
            self.field, self.level = "", 0
        self._lines(block)

    def _lines(self, block: Block, first: int = 0) -> None:
        """The lines of a paragraph or bullet: 'name: words', or what goes on with the one before."""
        around, name = self.under or self.level, self.field
        for number, text in enumerate(block.lines[first:], start=block.line + first):
            if key := self._key(text):
                name, words = key
                self._say(name, words, number)
                if not words.strip():
                    self.field, self.under, self.level = name, 0, block.level
            elif name and not (not around and re.match(r"[A-Z][\w /-]{1,30}:\s", text)):
                self._say(name, text, number, new=name == self.field and number == block.line)
            elif text.strip():
                self.unread.append((number, text))

    def _key(self, text: str) -> tuple[str, str] | None:
        found = _SAID.fullmatch(text.strip())
        called, words = found.groups() if found else (text, "")
        name, zone = _known(called)
        return (name, words + zone if words and name in _TIMES else words) if name else None

    def _say(self, name: str, words: str, line: int, *, new: bool = True) -> None:
        """Keep words for a field of the incident that is read; of one that has none yet, it begins here."""
        own = [one for one in self.sections if one.is_one][-1:]
        apart = [one for one in self.sections if one.title.lower() not in _WORDS["parts"]]
        if not (own or apart):
            self.sections.insert(0, _Told(line, 0))
        told = (own or apart[-1:] or self.sections)[0]
        self.told += [] if told.said else [told]
        lines = told.said.setdefault(name, [])
        if new or not lines:
            lines.append((line, words.strip()))
        else:
            lines[-1] = lines[-1][0], f"{lines[-1][1]} {words.strip()}".strip()

    def _header(self, block: Block) -> None:
        known = [bool(_known(cell)[0]) for cell in block.header]
        self.field = self.field if self.under or self.level else ""
        if self._lists_incidents(block.header):
            unknown = [cell for cell, name in zip(block.header, known, strict=True) if cell and not name]
            self.unread += [(block.line, f"column {cell}") for cell in unknown]
        elif (
            known == [True, False] and not self.field
        ):  # a table of names and words, whose first row Markdown makes its header
            self._row(block)

    def _lists_incidents(self, header: list[str]) -> bool:
        names = {_known(cell)[0] for cell in header} - {""}
        return len(names) > 1 and bool({"start", "period", "date"} & names) and ("id" in names or not self._inside())

    def _row(self, block: Block) -> None:
        if self._lists_incidents(block.header):
            told = _Told(block.line, 0, day=self._day(), more=block.more)
            for called, words in zip(block.header, block.lines, strict=False):
                name, zone = _known(called)
                if name and words:
                    told.said.setdefault(name, []).append((block.line, words + zone if name in _TIMES else words))
            self.told += [told] if told.said else []
        elif self.field:
            self._say(self.field, "; ".join(filter(None, block.lines)), block.line)
        elif len(block.lines) == 2 and (key := self._key(": ".join(block.lines))):
            self._say(*key, block.line)
        else:
            self.unread.append((block.line, " | ".join(block.lines)))


def _merged(told: Iterable[_Told]) -> list[_Told]:
    """Each incident once: what several parts tell under one id is one, at the place of the first."""
    found: dict[Any, _Told] = {}
    for one in told:
        for line, name in one.said.pop("id", [(one.line, one.id)] if one.id else []):
            one.said.setdefault("id", []).append((line, _LINK.sub("", name)))
            if link := _LINK.search(name):
                one.said.setdefault("source", []).append((line, link[1]))
        one.id = one.said.get("id", [(0, "")])[0][1]
        known = found.setdefault(one.id or one.line, one)
        if known is not one:
            for name, lines in one.said.items():
                known.said[name] = [*known.said.get(name, ()), *lines]
            known.title, known.day = known.title or one.title, known.day or one.day
            known.more |= one.more
    return list(found.values())


def _entry(told: _Told, zone: ZoneInfo | None) -> dict[str, Any]:
    """The incident that was told; ValueError says which line of it cannot be read as what."""
    if told.more:
        raise ValueError("the row has more cells than its header; a bar within a cell is written \\|")
    said = {
        name: {text: line for line, text in lines[::-1] if text.lower() not in _WORDS["nothing"]}
        for name, lines in told.said.items()
    }
    data: dict[str, Any] = {"kind": "incident", **_moments(said, told.day, zone)}
    for name, lines in said.items():
        texts = list(lines)[::-1]
        if name in _ONCE and len(texts) > 1:
            raise ValueError(f"{name}, line {lines[texts[1]]}: '{short(texts[1])}' is another than '{short(texts[0])}'")
        if name in _LISTS:
            split = r"[,;\n]|\s+and\s+" if name == "alerts" else r"\n"
            parts = [part.strip(" `") for text in texts for part in re.split(split, text)]
            data[name] = list(dict.fromkeys(filter(None, parts)))
        elif texts and name not in _TIMES:
            data[name] = "\n".join(texts)
    tenant = data.get("tenant", "")
    if tenant.lower() in _WORDS["everyone"]:
        data["tenant"] = tenant = ""
    if re.search(r"[,;\n]", tenant):
        raise ValueError(f"tenant: '{short(tenant)}' are several; write an incident for each")
    data.setdefault("summary", told.title)
    made = hashlib.sha256(f"{data['start'].astimezone(UTC).isoformat()} {tenant}".encode()).hexdigest()[:16]
    return {**data, "id": told.id or f"log-{made}"}


def _moments(said: Mapping[str, Mapping[str, int]], day: str, zone: ZoneInfo | None) -> dict[str, datetime]:
    """When it began, ended, was taken on and was mitigated, as far as it is told, by one part or several alike."""
    given = {name: {**said.get(name, {})} for name in ("start", *_LATER, "duration")}
    for period, line in said.get("period", {}).items():
        for name, text in zip(("start", "end"), parted(period), strict=True):
            given[name] |= {text: line} if text else {}
    if not {text.lower() for text in given["start"]} - _WORDS["ongoing"]:
        raise ValueError("start: nobody wrote when it began")
    day = next(iter(said.get("date", ())), day)
    found: dict[str, Any] = {}
    for name, text, line in ((name, *one) for name, lines in given.items() for one in lines.items()):
        try:
            if text.lower().strip("() ") in _WORDS["ongoing"]:
                continue
            of, after = "end" if name == "duration" else name, found.get("start")
            if of == name:
                time = moment(text, zone, day=day, after=None if name == "start" else after)
            else:
                time = found["start"].astimezone(UTC) + lasting(text)
            if abs(found.setdefault(of, time) - time) >= timedelta(minutes=1):
                raise ValueError(f"'{short(text)}' does not fit {of} {found[of].isoformat()}")
        except ValueError as error:
            raise ValueError(f"{name}, line {line}: {error}") from None
    return found
