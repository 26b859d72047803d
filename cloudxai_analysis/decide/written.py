"""What a migration leaves on disk: patched copies, rules that bridge two names, a schema file of the changes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from cloudxai_analysis.decide.migration import Migrated
from cloudxai_analysis.decide.rewriting import Plan, rewriting
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import no_link, written
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.report.publish import write_folder
from cloudxai_analysis.words.phrases import plain

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
BRIDGES = {"old-from-new.rules.yml": "the new version runs", "new-from-old.rules.yml": "the old version runs"}


def unbridged(name: str, plan: Plan) -> str:
    """Why no rule can make the series of that name from what they are called now; '' where one can."""
    move = plan.move(name)
    told = [said for _, said in plan.told(name)]
    gone = sorted(old for old, new in move.labels.items() if not new)
    if told:
        return told[0]
    if gone:
        return f"Label {', '.join(gone)} is gone, or its values are others: what it held cannot be made again."
    if move.new == name:
        return "It keeps its name, so that one server cannot hold both. Read with the factor or label instead."
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(move.new)):
        return "Its name is none that a rule can record on every server."
    is_plain = all(map(_LABEL.fullmatch, (*move.labels, *move.labels.values())))
    return "" if is_plain else "A label's name is no plain one."


def bridge(plan: Plan, *, when: str) -> str:
    """A rule file that records each old name from the new one, with what cannot be bridged as comments."""
    names = dict.fromkeys(row.old for row in plan.changes if row.old)
    left = {name: why for name in names if (why := unbridged(name, plan))}
    lines = [
        f"# For as long as {when} and something reads the names that it does not export. A recorded series is one",
        "# evaluation late, and begins when the rule is loaded: till then a range that reaches back is incomplete.",
        *(f"# Not bridged: {plain(name)}. {plain(' '.join(why.split()))}" for name, why in left.items()),
        "groups:" if len(left) < len(names) else "groups: []",
    ]
    if len(left) < len(names):
        lines += ["  - name: migration", "    rules:"]
    for name in (name for name in names if name not in left):
        lines.append(f"      - record: {json.dumps(name)}")
        lines.append(f"        expr: {json.dumps(_bridged(name, plan), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _bridged(name: str, plan: Plan) -> str:
    expression = rewriting(name, plan).of(name)
    for old, new in plan.move(name).labels.items():
        copied = f'label_replace({expression}, "{old}", "$1", "{new}", "(.*)")'
        expression = f'label_replace({copied}, "{new}", "", "", "")'
    return expression


def schema(plan: Plan, old: Contract, new: Contract) -> str:
    """The changes as an OpenTelemetry schema file 1.1.0; what its words do not know stands in comments.

    A histogram is one metric there, not the three series that Prometheus has of it. Source:
    https://opentelemetry.io/docs/specs/otel/schemas/file_format_v1.1.0/
    """
    import yaml

    moves = {name: plan.move(name) for name in dict.fromkeys(row.old for row in plan.changes if row.old)}
    whole = {name: re.sub(r"_(bucket|count|sum)\Z", "", name) for name in moves}
    base = {name: whole[name] if f"{whole[name]}_bucket" in moves else name for name in moves}
    to = {name: move.new.removesuffix(name.removeprefix(base[name])) for name, move in moves.items()}
    renamed = {base[name]: to[name] for name in moves if base[name] != to[name]}
    labels: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, move in moves.items():
        if known := tuple((was, now) for was, now in move.labels.items() if now):
            labels.setdefault(known, []).append(to[name])
    changes: list[dict[str, object]] = [{"rename_metrics": renamed}] if renamed else []
    for one, metrics in labels.items():
        changes.append({"rename_attributes": {"attribute_map": dict(one), "apply_to_metrics": sorted(set(metrics))}})
    was, now = _version(old), _version(new)
    said = {
        "file_format": "1.1.0",
        "schema_url": f"https://schemas.example.com/{re.sub(r'[^a-z0-9]+', '-', new.platform.lower())}/{now}",
        "versions": {was: None, now: {"metrics": {"changes": changes}} if changes else None},
    }
    others = [row for row in plan.changes if row.kind != "renamed"]
    scaled = {name: move for name, move in moves.items() if move.factor != 1}
    notes = [f"{row.kind}: {row.old or row.new}{f', {row.note}' if row.note else ''}" for row in others]
    notes += [f"factor: {move.new} is {move.factor:.6g} times {name}" for name, move in scaled.items()]
    comments = [f"# {plain(' '.join(note.split()))}\n" for note in notes]
    head = "# Put the address at which you publish this file in place of the example host.\n"
    return head + "".join(comments) + yaml.safe_dump(said, sort_keys=False, allow_unicode=True).replace(": null", ":")


def _numbers(contract: Contract) -> list[int]:
    return [int(number) for number in _version(contract).split(".")]


def _version(contract: Contract) -> str:
    """A contract's version with its three numbers."""
    return ".".join([*re.findall(r"\d+", contract.platform_version), "0", "0", "0"][:3])


def write(
    files: Sequence[Migrated], paths: Sequence[Path], plan: Plan, folder: Path, *, old: Contract, new: Contract
) -> list[str]:
    """Write the copies, the bridges and the schema file to a new folder, or nothing; the names of all files in it.

    Raises UsageError (the folder is there, or two files would have one name), RefusedForSecurity (a
    link stands in its place), LakeUnwritable.
    """
    contents: dict[str, bytes] = {}
    for file in files:
        if file.content is not None:
            name = f"patched/{_below(file.path, paths)}"
            if name in contents:
                raise UsageError(f"Two files would be written as {name}. Give their folders one by one.")
            contents[name] = file.content
    for (name, when), towards in zip(BRIDGES.items(), (plan, plan.back()), strict=True):
        contents[name] = bridge(towards, when=when).encode("utf-8", "replace")
    forth = _numbers(old) <= _numbers(new)
    ordered = (plan, old, new) if forth else (plan.back(), new, old)
    contents[f"schema-{_version(ordered[2])}.yaml"] = schema(*ordered).encode("utf-8", "replace")
    if no_link(folder).exists():
        raise UsageError(f"Folder {folder} is there already, and nothing is overwritten. Choose another --output.")
    with written(f"Folder {folder}"):
        write_folder(contents, folder, for_others=True)
    return list(contents)


def _below(path: Path, paths: Sequence[Path]) -> str:
    """A file's name from the folder that it was found in; its own where it was named itself."""
    root = next(one for one in paths if path == one or path.is_relative_to(one))
    return path.name if path == root else (Path(root.resolve().name) / path.relative_to(root)).as_posix()
