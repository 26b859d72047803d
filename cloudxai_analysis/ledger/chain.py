"""The chain: each line names the SHA-256 of the line before it and carries its own, so that any changed byte is found.

A line is one JSON object in one spelling: keys sorted, no blanks, ASCII. `previous` is the SHA-256
of the whole line before, '' in the first; `hash`, the last key, is that of the object without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ledger.entries import Entry, parsed

_RESCUE = "Restore the file from a copy; entries are only ever added by the suite."
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Head:
    """Where a ledger stood: its length in lines and the SHA-256 of its last line ('' of an empty one)."""

    entries: int
    head: str


@dataclass(frozen=True)
class Chain:
    """A file's bytes as read, its entries, and each line's SHA-256."""

    content: bytes
    entries: tuple[Entry, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def head(self) -> Head:
        """Length and last line."""
        return Head(len(self.digests), self.digests[-1] if self.digests else "")

    def holds(self, head: Head) -> bool:
        """Whether the ledger once stood there, by what it holds now."""
        return 0 <= head.entries <= len(self.digests) and head.head == ("", *self.digests)[head.entries]


def lines_of(entries: Iterable[Entry], previous: str) -> bytes:
    """The lines of several entries, the first of which follows a line with the SHA-256 `previous`."""
    text = []
    for entry in entries:
        body = _spelled({**entry.model_dump(mode="json", exclude_none=True), "previous": previous})
        line = _signed(body, sha256(body))
        previous = sha256(line)
        text.append(line + b"\n")
    return b"".join(text)


def read_chain(content: bytes, path: Path) -> Chain:
    """Every line of a ledger's bytes, checked.

    Raises
    ------
    LakeDamaged
        A line is no entry, or not the one that was written; the message names the line.
    """
    *lines, tail = content.split(b"\n")
    entries: list[Entry] = []
    digests: list[str] = []
    previous = ""
    for number, line in enumerate(lines, start=1):
        entries.append(_entry(line, previous, f"Ledger {path}, line {number}"))
        previous = sha256(line)
        digests.append(previous)
    if tail:
        raise LakeDamaged(f"Ledger {path}, line {len(lines) + 1}: cut off before its end. {_RESCUE}")
    return Chain(content, tuple(entries), tuple(digests))


def sha256(text: bytes) -> str:
    """As hexadecimal digits."""
    return hashlib.sha256(text).hexdigest()


def _entry(line: bytes, previous: str, place: str) -> Entry:
    try:
        data = json.loads(line)
        own = data.pop("hash", None) if isinstance(data, dict) else None
        body = _spelled(data)
    except (ValueError, RecursionError) as error:
        raise LakeDamaged(f"{place}: not JSON ({error}). {_RESCUE}") from None
    if not isinstance(data, dict):
        raise LakeDamaged(f"{place}: not a JSON object. {_RESCUE}")
    if own is None:
        raise LakeDamaged(f"{place}: has no hash of its own, as every line has. {_RESCUE}")
    if own != sha256(body):
        raise LakeDamaged(f"{place}: changed after it was written; its hash is another's. {_RESCUE}")
    if line != _signed(body, own):
        raise LakeDamaged(f"{place}: changed after it was written; it is not spelled as the suite does. {_RESCUE}")
    chain = data.pop("previous", None)
    try:
        entry = parsed(data)
    except ValueError as error:
        raise LakeDamaged(f"{place}: no valid entry ({error}). {_RESCUE}") from None
    if chain != previous:
        raise LakeDamaged(f"{place}: does not follow the line before it; one was changed or removed. {_RESCUE}")
    return entry


def _signed(body: bytes, own: str) -> bytes:
    return b'%s,"hash":"%s"}' % (body[:-1], own.encode())


def _spelled(data: dict[str, Any]) -> bytes:
    return _ENCODER.encode(data).encode()
