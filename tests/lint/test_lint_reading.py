"""Files as they come: what can be read of a broken one, and the line of what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_text, read_tree


def codes(text: str, *, as_json: bool = False) -> list[tuple[str, int]]:
    return [(finding.code, finding.line) for finding in read_text(text, "f", as_json=as_json)[1]]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", "files/duplicate-key", 2),
        ("a:\n  b: 1\n  b: 2\n", "files/duplicate-key", 3),
        ("a: 1\n---\nb: 1\nb: 1\n", "files/duplicate-key", 4),
        ("a: *x\n", "files/broken", 1),
        ("a: &x [*x]\n", "files/broken", 1),
        ("a: b: c\n", "files/broken", 1),
        ("a: 1\n\tb: 2\n", "files/broken", 1),
        ("- a\n- 'open\n- c\n", "files/broken", 2),
        ("- a\n- [open\n- c\n", "files/broken", 2),
        ("a: {{ x }}\n", "files/templated", 1),
        ("x: 1\n{{- if a }}\nb: 1\n{{- end }}\n", "files/templated", 2),
        ("[" * 100 + "]" * 100, "files/broken", 1),
        ("{ " * 5_000, "files/broken", 1),
    ],
)
def test_what_is_wrong_and_where(text: str, code: str, line: int) -> None:
    assert (code, line) in codes(text)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('{"a": 1,\n "a": 2}', "files/duplicate-key", 2),
        ('{"a": 1,\n "b": }', "files/broken", 2),
        ("[" * 5_000, "files/broken", 1),
        ("", "files/broken", 1),
    ],
)
def test_what_is_wrong_with_json(text: str, code: str, line: int) -> None:
    assert (code, line) in codes(text, as_json=True)


def test_lines_of_keys_and_values() -> None:
    (tree,), _ = read_text("a: 1\nb:\n  - x\n  - {c: 2}\n", "f", first_line=10)
    assert (tree.get("b").key_lines, tree.key_lines) == ({}, {"a": 10, "b": 11})
    assert [node.line for node in tree.get("b").items()] == [12, 13]
    assert (tree.get("b", "nothing").value, tree.get("x").line) == (None, 10)


def test_values_stand_in_place_for_other_tools() -> None:
    text = "# a\nb:\n  - x: '1'\n\n    y: [2, null]\nc: true\n"
    (tree,), _ = read_text(text, "f")
    assert yaml.safe_load(tree.in_place()) == yaml.safe_load(text)
    (again,), _ = read_text(tree.in_place(), "f")
    assert [node.line for node in again.walk()][1:] == [node.line for node in tree.walk()][1:]


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", tmp_path):
        trees, faults = read_tree(path)
        assert (trees, [fault.code for fault in faults]) == ([], ["files/unreadable"])


def test_an_alias_bomb_is_not_unfolded() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 20)
    )
    documents, faults = read_text(bomb, "f")
    assert (documents, [fault.code for fault in faults]) == ([], ["files/broken"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text("abc :'\"{}-#\n\u00e9", max_size=8),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inside, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_a_sound_file_is_read_as_yaml_reads_it(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    documents, faults = read_text(text, "f")
    assert faults == []
    assert [node.plain() for node in documents] == list(yaml.safe_load_all(text))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | st.text(max_size=8),
        lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside, max_size=4),
        max_leaves=20,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_sound_json_is_read_as_json_reads_it(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for sign in re.findall("[\x7f-\x84\x86-\x9f\ufeff-\uffff]", text):  # what a file is not read with
        text = text.replace(sign, "x")
    (document,), faults = read_text(text, "f", as_json=True)
    assert [fault for fault in faults if fault.code != "files/duplicate-key"] == []
    if '"<<"' not in text:
        assert document.plain() == json.loads(text)


@pytest.mark.parametrize("text", ['{"a": 1,}', "{'a': 1}", '{"a": 1 "b": 2}', '{"a": tru}', "{} {}", "[1, 2"])
def test_what_only_yaml_takes_is_no_json(text: str) -> None:
    assert codes(text, as_json=True) == [("files/broken", 1)]


def test_nodes_of_other_kinds_are_empty() -> None:
    node = Node(True, 3)
    assert (node.text(), node.items(), node.pairs(), node.get("a").value, node.has("a")) == (
        "true",
        [],
        [],
        None,
        False,
    )
