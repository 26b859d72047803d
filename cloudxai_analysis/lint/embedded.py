"""Files inside a file: rules in the data of a `ConfigMap`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_text


@dataclass(frozen=True)
class Embedded:
    """One file of a `ConfigMap`: its name, its documents with lines of the outer file, and what is wrong with it."""

    name: str
    documents: list[Node]
    findings: list[Finding]


def embedded_documents(tree: Node, file: str) -> Iterator[Embedded]:
    """The files of rules in the `ConfigMap`s of a document, and of a `List` of them."""
    for resource in (tree, *tree.get("items").items()):
        if resource.get("kind").text() != "ConfigMap":
            continue
        for name, content in resource.get("data").pairs():
            text = content.value
            if not isinstance(text, str) or "groups:" not in text:
                continue
            # The text of a block begins on the line after its sign; a quoted one begins on its own.
            is_block = "\n" in text and not file.lower().endswith(".json")
            yield Embedded(name, *read_text(text, file, first_line=content.line + 1 if is_block else content.line))
