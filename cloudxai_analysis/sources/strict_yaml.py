"""YAML that says one thing only: no anchors or tags, no key twice, and every scalar its own text."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from cloudxai_analysis.ground.errors import UsageError

LARGEST_BYTES = 1 << 20


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
        return parsed_yaml(content)
    except ValueError as error:
        raise UsageError(f"File {file}{error}.") from None


def parsed_yaml(content: bytes) -> Any:
    """What `content` holds, as `read_yaml` says; raises ValueError with the line and what is wrong there."""
    try:
        return yaml.load(content, Loader=_Strict)  # noqa: S506
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        # Ours do not quote the text; PyYAML's can.
        what = error.problem if isinstance(error, _Refused) else "it is no YAML of one document, or nested too deeply"
        raise ValueError(f"{line}: {what}") from None


class _Refused(yaml.MarkedYAMLError):
    def __init__(self, what: str, mark: Any) -> None:
        super().__init__(problem=what, problem_mark=mark)


class _Strict(Composer, yaml.CBaseLoader):
    def __init__(self, content: bytes) -> None:
        Composer.__init__(self)
        yaml.CBaseLoader.__init__(self, content)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
            what = "an anchor, alias or tag is not read; a value that begins with &, * or ! goes in quotes"
            raise _Refused(what, event.start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        nothing = isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~", "null")
        return None if nothing else super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        values: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep)
            if not isinstance(key, str) or key in values:
                what = "a key is there twice" if isinstance(key, str) else "a key is no text"
                raise _Refused(what, key_node.start_mark)
            values[key] = self.construct_object(value_node, deep)
        return values
