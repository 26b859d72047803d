"""YAML that says one thing only: no anchors or tags, no key twice, and every scalar its own text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cloudxai_analysis.errors import UsageError

LARGEST_BYTES = 1 << 20
DEEPEST = 20
_NOTHING = ("", "~", "null", "Null", "NULL")
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path) -> Any:
    """What `file` holds: dicts with text keys, lists, texts, and None where nothing is given.

    `007` stays '007' and `true` stays 'true': who knows what a key means makes a number of it. No message repeats a
    value, for it can be a secret.

    Raises
    ------
    UsageError
        The file cannot be read, is larger than 1 MiB, is no YAML, or holds an anchor, alias, tag or key that is there
        twice.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"File {file} cannot be read: {error.strerror}.") from None
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"File {file} is larger than {LARGEST_BYTES:,} bytes.")
    return _Reader(file, content).document()


class _Reader:
    """The parser's events, one after the other, made into values."""

    def __init__(self, file: Path, content: bytes) -> None:
        self._file = file
        self._events = yaml.parse(content, Loader=_Parser)

    def document(self) -> Any:
        """The value of the only document; None of an empty file."""
        self._next()  # the stream begins
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), 0)
        self._next()  # the document ends
        last = self._next()
        if not isinstance(last, yaml.StreamEndEvent):
            raise self._fault(last, "a second document begins; a file holds one")
        return value

    def _value(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._fault(event, "an anchor or alias is not read; a value that begins with & or * goes in quotes")
        if getattr(event, "tag", None):
            raise self._fault(event, "a tag is not read; a value that begins with ! goes in quotes")
        if depth > DEEPEST:
            raise self._fault(event, f"it is nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.ScalarEvent):
            return None if event.style in (None, "") and event.value in _NOTHING else event.value
        return self._mapping(depth) if isinstance(event, yaml.MappingStartEvent) else self._list(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                raise self._fault(event, "a key is no text")
            if key in values:
                raise self._fault(event, "a key is there twice")
            values[key] = self._value(self._next(), depth + 1)
        return values

    def _list(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1))
        return values

    def _next(self) -> yaml.Event:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            # Its own words can quote the text.
            what = "it is no YAML; indent with spaces, and put texts with special signs in quotes"
            raise self._fault(error, what) from None
        except yaml.YAMLError:
            raise UsageError(f"File {self._file} is no YAML: it has bytes that are no text.") from None

    def _fault(self, where: yaml.Event | yaml.MarkedYAMLError, what: str) -> UsageError:
        mark = where.problem_mark if isinstance(where, yaml.MarkedYAMLError) else where.start_mark
        line = f", line {mark.line + 1}" if mark else ""
        return UsageError(f"File {self._file}{line}: {what}.")
