"""The chain: each line names the SHA-256 of the line before it and carries its own, so that any changed byte is found.

A line is one JSON object in one spelling: keys sorted, no blanks, ASCII. `previous` is the SHA-256 of the whole line
before, '' in the first; `hash`, the last key, is that of the object without it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ledger.entries import Entry, parsed

_RESCUE = "Restore the file from a copy; entries are only ever added by the suite."
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_PRINTABLE = re.compile(rb"\{(?:\"[ -~]*)?")


@dataclass(frozen=True)
class Head:
    """Where a ledger stood: its length in lines and the SHA-256 of its last line ('' of an empty one)."""

    entries: int
    head: str


@dataclass(frozen=True)
class Chain:
    """A file's lines as read: entries, each line's SHA-256, and what follows the last whole line."""

    content: bytes
    entries: tuple[Entry, ...] = ()
    digests: tuple[str, ...] = ()
    torn: bytes = field(default=b"", repr=False)

    @property
    def head(self) -> Head:
        """Length and last line."""
        return Head(len(self.digests), self.digests[-1] if self.digests else "")

    @property
    def size(self) -> int:
        """Bytes of the file's whole lines."""
        return len(self.content)

    @property
    def ended(self) -> bool:
        """Whether the last whole line has its line feed."""
        return not self.content or self.content.endswith(b"\n")

    def sha256(self) -> str:
        """SHA-256 of all lines, each with its line feed."""
        return _sha256(self.content if self.ended else self.content + b"\n")


def linked(entry: Entry, previous: str) -> bytes:
    """The line of an entry that follows a line with the SHA-256 `previous`, without its line feed."""
    body = _spelled({**entry.model_dump(mode="json", exclude_none=True), "previous": previous})
    return b'%s,"hash":"%s"}' % (body[:-1], _sha256(body).encode())


def lines_of(entries: Iterable[Entry], previous: str) -> bytes:
    """The lines of several entries, the first of which follows a line with the SHA-256 `previous`."""
    text = []
    for entry in entries:
        line = linked(entry, previous)
        previous = _sha256(line)
        text.append(line + b"\n")
    return b"".join(text)


def read_chain(content: bytes, path: Path) -> Chain:
    """Every line of a ledger's bytes, checked.

    What follows the last line feed is an entry where it is a whole one, and `torn` where it can be the beginning of
    one: an append that was cut off, or is under way.

    Raises
    ------
    LakeDamaged
        A line is no entry, or not the one that was written; the message names the line.
    """
    *lines, tail = content.split(b"\n")
    torn = b"" if not _can_be_torn(tail) else tail
    if tail and not torn:
        lines.append(tail)
    entries: list[Entry] = []
    digests: list[str] = []
    previous = ""
    for number, line in enumerate(lines, start=1):
        entries.append(_parsed(line, previous, f"Ledger {path}, line {number}"))
        previous = _sha256(line)
        digests.append(previous)
    whole = content[: len(content) - len(torn)]
    return Chain(whole, tuple(entries), tuple(digests), torn)


def _parsed(line: bytes, previous: str, place: str) -> Entry:
    data, own, body = _object(line, place)
    if own is not None and own != _sha256(body):
        raise LakeDamaged(f"{place}: changed after it was written; its hash is another's. {_RESCUE}")
    if line != (body if own is None else b'%s,"hash":"%s"}' % (body[:-1], own.encode())):
        raise LakeDamaged(f"{place}: changed after it was written; it is not spelled as the suite does. {_RESCUE}")
    chain = data.pop("previous", None)
    try:
        entry = parsed(data)
    except ValueError as error:
        raise LakeDamaged(f"{place}: no valid entry ({error}). {_RESCUE}") from None
    if own is None:
        raise LakeDamaged(f"{place}: has no hash of its own, as every line has. {_RESCUE}")
    if chain != previous:
        raise LakeDamaged(f"{place}: does not follow the line before it; one was changed or removed. {_RESCUE}")
    return entry


def _object(line: bytes, place: str) -> tuple[dict[str, Any], Any, bytes]:
    """A line's object without its hash, the hash (None if there is none), and how that object is spelled."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            raise LakeDamaged(f"{place}: not a JSON object. {_RESCUE}")
        own = data.pop("hash", None)
        return data, own, _spelled(data)
    except (ValueError, RecursionError) as error:
        raise LakeDamaged(f"{place}: not JSON ({error}). {_RESCUE}") from None


def _can_be_torn(tail: bytes) -> bool:
    """Whether bytes without a line feed can be the beginning of a line; a file system may have filled it with zeros."""
    text = tail.rstrip(b"\0")
    if not text:
        return bool(tail)
    if not _PRINTABLE.fullmatch(text):
        return False
    try:
        json.JSONDecoder().raw_decode(text.decode("ascii"))
    except (ValueError, RecursionError):
        return True
    return False


def _spelled(data: dict[str, Any]) -> bytes:
    return _ENCODER.encode(data).encode()


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
