"""YAML that says one thing only: no anchors or tags, no key twice, and every scalar its own text."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError

from cloudxai_analysis.ground.errors import UsageError

LARGEST_BYTES = 1 << 20
DEEPEST = 20
_NOTHING = ("", "~", "null", "Null", "NULL")


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
    try:
        return yaml.load(content, Loader=_Strict)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        # A composer's words, ours too, do not quote the text; a scanner's can.
        words = (error.context, error.problem) if isinstance(error, ComposerError) else ("it is no YAML",)
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"File {file}{line}: {', '.join(filter(None, words))}.") from None
    except yaml.YAMLError:
        raise UsageError(f"File {file} is no YAML: it has bytes that are no text.") from None


class _Strict(Composer, yaml.CBaseLoader):
    def __init__(self, content: bytes) -> None:
        Composer.__init__(self)
        yaml.CBaseLoader.__init__(self, content)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
            what = "an anchor, alias or tag is not read; a value that begins with &, * or ! goes in quotes"
            raise ComposerError(None, None, what, event.start_mark)
        if self._depth > DEEPEST:
            raise ComposerError(None, None, f"it is nested deeper than {DEEPEST} levels", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        nothing = isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NOTHING
        return None if nothing else super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        values: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node)
            if not isinstance(key, str) or key in values:
                what = "a key is there twice" if isinstance(key, str) else "a key is no text"
                raise ComposerError(None, None, what, key_node.start_mark)
            values[key] = self.construct_object(value_node, deep)
        return values
