"""What people's files must change when a platform's metrics do: each place, and the files with it done."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from cloudxai_analysis.decide.places import SUFFIXES, Place, Unplaced, places
from cloudxai_analysis.decide.rewriting import Edit, Plan, edited, refused, rewriting
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding, codes_of, found
from cloudxai_analysis.lint.corpus import files_at
from cloudxai_analysis.lint.documents import LARGEST_BYTES
from cloudxai_analysis.words.phrases import count

CODES = codes_of(Path(__file__).with_name("codes.toml"))
# How a text about series names a label of theirs.
_NAMED = {"template": r"\$labels\.({})\b", "legend": r"\{{\{{\s*({})\s*\}}\}}"}
_LONGEST_CHAIN = 5  # rules that record from each other


class Read(NamedTuple):
    """One file: its path, its text, the places in it, what is not looked into, and why it cannot be read."""

    path: Path
    text: str
    encoding: str
    places: list[Place]
    left: list[Unplaced]
    faults: list[Finding]


class Migrated(NamedTuple):
    """One file: what must change, and its content with that done; None where nothing of it is."""

    path: Path
    findings: list[Finding]
    content: bytes | None


def migrated(paths: Sequence[Path], plan: Plan) -> list[Migrated]:
    """Each file at these paths that holds what the linter knows, or a notebook, with what must change in it.

    Raises UsageError where a path does not exist or holds no such file.
    """
    files = [_read(path) for path in files_at(paths, SUFFIXES)]
    if not files:
        said = ", ".join(map(str, paths))
        raise UsageError(f"Nothing to migrate in {said}: no rules, routing, dashboard or notebook. Name the files.")
    whole = _with_recorded(plan, [place for file in files for place in file.places if place.records])
    return [_migrated(file, whole) for file in files]


def _read(path: Path) -> Read:
    name = path.as_posix()
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise OSError(0, f"it is larger than {LARGEST_BYTES >> 20} MiB")
        encoding = json.detect_encoding(content)
        text = content.decode(encoding)
    except (OSError, UnicodeDecodeError) as error:
        said = f"The file cannot be read: {getattr(error, 'strerror', None) or error}."
        return Read(path, "", "utf-8", [], [], [found("files/unreadable", said, name, 1)])
    try:
        return Read(path, text, encoding, *places(text, name))
    except ValueError:  # a scalar that is written as no other one
        return Read(path, text, encoding, [], [Unplaced(0, "Its texts cannot be told apart")], [])


def _with_recorded(plan: Plan, recording: list[Place]) -> Plan:
    """The plan, and the labels of what rules record from series whose labels have other names."""
    labels: dict[str, dict[str, str]] = {}
    if not any(row.labels for row in plan.changes):
        return plan
    for _ in range(_LONGEST_CHAIN):
        known, before = plan.with_labels(labels), labels
        labels = {}
        for place in recording:
            own = rewriting(place.text, known).labels
            shared = labels.get(place.records, own).items() & own.items()
            labels[place.records] = dict(shared)
        labels = {name: own for name, own in labels.items() if own}
        if labels == before:
            break
    return plan.with_labels(labels)


def _migrated(file: Read, plan: Plan) -> Migrated:
    lines = [0, *accumulate(len(line) for line in file.text.splitlines(keepends=True))]
    edits: set[Edit] = set()
    told: list[tuple[int, str, str, str]] = []
    for place in file.places:
        made, said = _of_place(place, plan)
        edits.update(made)
        told += [(at, code, place.subject, words) for at, code, words in said]
    seen = {edit.start for edit in edits} | {at for at, *_ in told}
    mentions = _mentions(file.text, plan, seen)
    told += [(at, "migration/text", name, said) for name, (at, said) in mentions.items()]
    if mentions or (file.faults and any(name in file.text for name in plan.names)):
        told += [(one.at, "migration/not-read", "", f"{one.said}; this was not looked into.") for one in file.left]
        told += [(lines[min(one.line, len(lines)) - 1], "migration/not-read", "", one.message) for one in file.faults]
    findings = [
        found(code, said, file.path.as_posix(), bisect_right(lines, at), subject, of=CODES)
        for at, code, subject, said in dict.fromkeys(told)
    ]
    text = edited(file.text, edits)
    return Migrated(file.path, sorted(findings), text.encode(file.encoding) if edits else None)


def _of_place(place: Place, plan: Plan) -> tuple[list[Edit], list[tuple[int, str, str]]]:
    """The edits of one place, as they stand in the file, and what is told: where, a code, and the words."""
    if place.kind == "route":
        return [], [(place.at[0], "migration/by-hand", said) for said in _routed(place.text, plan)] if place.at else []
    if place.kind == "code" and refused(place.text):
        return [], []  # a text for people
    made = rewriting(place.text, plan)
    told = [(place.at[one.start], one.code, one.said) for one in made.told]
    if place.records in plan.appeared:
        told.append((place.at[0], "migration/recorded", f"It records {place.records} itself."))
    edits = made.edits
    alone = place.kind == "series" or (place.kind == "code" and place.text.strip() in plan)
    if alone and made.of(place.text).strip().startswith("("):
        told = [(at, "migration/by-hand" if code == "migration/renamed" else code, said) for at, code, said in told]
        edits = []
    placed = [Edit(place.at[one.start], place.at[one.end - 1] + 1, one.text) for one in edits]
    for template in place.templates:
        for old, new in made.labels.items():
            for one in re.finditer(_NAMED[template.kind].format(re.escape(old)), template.text):
                start, end = template.at[one.start(1)], template.at[one.end(1) - 1] + 1
                placed += [Edit(start, end, new)] if new else []
                code, said = ("renamed", f"{old} is called {new}") if new else ("by-hand", f"Label {old} is gone")
                told.append((start, f"migration/{code}", f"{said}."))
    return placed, told


def _routed(text: str, plan: Plan) -> Iterator[str]:
    """What is told of a text of a routing tree that names a label which series have under another name."""
    called = {(old, new) for row in plan.changes for old, new in row.labels.items()}
    for old, new in sorted(called):
        if re.search(rf"(?<!\w){re.escape(old)}(?!\w)", text.partition('"')[0]):
            yield f"Label {old} is {f'called {new}' if new else 'gone'}: alerts of such series carry it no more."


def _mentions(text: str, plan: Plan, seen: set[int]) -> dict[str, tuple[int, str]]:
    """Where a file first names each metric that has changed, other than in an expression of it, and how often."""
    places: dict[str, list[int]] = {}
    if names := sorted(plan.names, key=len, reverse=True):
        for one in re.finditer(rf"(?:(?<![\w:])|(?<=\\n))(?:{'|'.join(map(re.escape, names))})(?![\w:])", text):
            if one.start() not in seen and one.start() - 1 not in seen:
                places.setdefault(one[0], []).append(one.start())
    return {name: (found[0], f"It is named in a text, {count(len(found), 'time')}.") for name, found in places.items()}
