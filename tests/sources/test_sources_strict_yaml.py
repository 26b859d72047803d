"""YAML that says one thing only: what is read, and what is refused without a word of it being repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.strict_yaml import LARGEST_BYTES, read_yaml


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "file.yml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("a: 1", {"a": "1"}),
        (
            "a: 007\nb: true\nc: 2026-11-01\nd: 1e3\ne: no",
            {"a": "007", "b": "true", "c": "2026-11-01", "d": "1e3", "e": "no"},
        ),
        ("a:\nb: ~\nc: null\nd: 'null'\ne: ''", {"a": None, "b": None, "c": None, "d": "null", "e": ""}),
        ("a: {b: [x, 'y', [z]]}", {"a": {"b": ["x", "y", ["z"]]}}),
        ("a: |\n  -----BEGIN-----\n  abc\n", {"a": "-----BEGIN-----\nabc\n"}),
        ("a: größe # told", {"a": "größe"}),
        ("- a\n- b", ["a", "b"]),
        ("<<: {a: b}", {"<<": {"a": "b"}}),
        ("", None),
        ("# nothing\n", None),
    ],
)
def test_every_scalar_is_its_own_text(tmp_path: Path, content: str, value: object) -> None:
    assert read_yaml(written(tmp_path, content)) == value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: 2\na: geheim", "line 3: a key is there twice"),
        ("x: {a: geheim, a: geheim}", "line 1: a key is there twice"),
        ("a: &x geheim\nb: *x", "line 1: an anchor, alias or tag is not read"),
        ("a: 1\nb: *geheim", "line 2: an anchor, alias or tag is not read"),
        ("a: !geheim x", "line 1: an anchor, alias or tag is not read"),
        ("a: !geheim!x y", "line 1: it is no YAML"),
        ("a: !!python/object:os.system geheim", "line 1: an anchor, alias or tag is not read"),
        ("a: !!str geheim", "line 1: an anchor, alias or tag is not read"),
        ("[geheim]: x", "line 1: a key is no text"),
        ("~: geheim", "line 1: a key is no text"),
        ("a: b\n---\nc: geheim", "line 2: it is no YAML of one document"),
        ("a:\n  b: 1\n  password:geheim\n", "line 4: it is no YAML"),
        ("a: %geheim", "line 1: it is no YAML"),
        ("a: 'geheim", "it is no YAML"),
        ("a:\n\t- geheim", "line 2: it is no YAML"),
        (b"a: \xff\xfegeheim", "is no YAML"),
        (b"a: \x00geheim", "is no YAML"),
    ],
)
def test_anything_else_is_refused_by_its_line_and_not_repeated(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(UsageError, match=words) as refused:
        read_yaml(file)
    assert str(file) in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_what_is_large_or_deep_costs_little(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than 1,048,576 bytes"):
        read_yaml(written(tmp_path, "a: " + "x" * LARGEST_BYTES))
    with pytest.raises(UsageError, match="nested too deeply"):
        read_yaml(written(tmp_path, "[" * 100_000))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.yml cannot be read: No such file"):
        read_yaml(tmp_path / "absent.yml")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
