"""What lies in a lake's folder: the files that versions hold, whole or damaged, and those that no version names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake

KINDS = ("samples", "rollups")
_TILE_FILE = re.compile(r"\d{4}-\d{2}-\d{2}/\d+-[\w-]+-[0-9a-f]{32}\.parquet", re.ASCII)
_MAKING = re.compile(r".*(\.building|\.json\.tmp|\.json#\d+)", re.ASCII)
_LOG = re.compile(r"_delta_log/(\d{20}\.(json|checkpoint\.parquet)|_last_checkpoint)(\.set-aside-\d+)?", re.ASCII)


@dataclass(frozen=True)
class HeldFile:
    """A file that a version holds: which table, metric and day it is of, where it lies, its rows, its bytes."""

    kind: str
    metric: str
    date: str
    path: Path
    rows: int
    size: int

    @property
    def tile(self) -> tuple[str, str]:
        """Metric and date."""
        return self.metric, self.date


@dataclass(frozen=True)
class Damage:
    """A held file that is not what was written, and how that shows."""

    file: HeldFile
    cause: str


@dataclass(frozen=True)
class Tree:
    """The files found in a lake's folder, by what they are to it.

    `tiles` have the name of a tile's file, whether a version holds them or not; `making` are half-written; all that
    nobody of this suite has put there is `foreign`.
    """

    tiles: tuple[Path, ...]
    making: tuple[Path, ...]
    foreign: tuple[Path, ...]


def held_files(snapshots: Iterable[Snapshot]) -> list[HeldFile]:
    """The files of these versions, each once, by table, day and metric."""
    found = {}
    for snapshot in snapshots:
        for kind in KINDS:
            for file in snapshot.files[kind]:
                path = snapshot.path / kind / file["path"]
                key = file["partition.metric"], file["partition.date"]
                found[path] = HeldFile(kind, *key, path, file["num_records"], file["size_bytes"])
    return sorted(found.values(), key=lambda file: (file.date, file.metric, file.kind))


def damages(files: Iterable[HeldFile]) -> Iterator[Damage]:
    """Those of the files that are missing, or whose bytes are not those that their name was made from."""
    for file in files:
        cause = _cause(file)
        if cause:
            yield Damage(file, cause)


def found_files(lake: Lake) -> Tree:
    """Every file in the lake's folder."""
    tiles, making, foreign = [], [], []
    for path in sorted(lake.path.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        place = path.relative_to(lake.path)
        inside = place.relative_to(place.parts[0]).as_posix() if place.parts[0] in KINDS else ""
        if _MAKING.fullmatch(path.name):
            making.append(path)
        elif inside and _TILE_FILE.fullmatch(inside) and not path.is_symlink():
            tiles.append(path)
        elif not (inside and _LOG.fullmatch(inside)) and place.as_posix() != ".lock":
            foreign.append(path)
    return Tree(tuple(tiles), tuple(making), tuple(foreign))


def ever_named(lake: Lake) -> set[Path]:
    """Every file that any commit of the two tables has added, of interrupted publications, too.

    Raises
    ------
    LakeDamaged
        A log cannot be read.
    """
    named = set()
    for kind in KINDS:
        for log in sorted((lake.path / kind / "_delta_log").glob("*.json")):
            try:
                entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
                named |= {lake.path / kind / entry["add"]["path"] for entry in entries if "add" in entry}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise LakeDamaged(
                    f"Lake log {log} cannot be read: {type(error).__name__}. Restore it, or move the lake away and "
                    "pull again."
                ) from None
    return named


def bytes_of(paths: Iterable[Path]) -> int:
    """The bytes of the files that are there."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def _cause(file: HeldFile) -> str:
    named = file.path.stem.split("-")[-1]
    try:
        with file.path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()[: len(named)]
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"unreadable: {error.strerror or type(error).__name__}"
    return "" if found == named else f"damaged: its SHA-256 begins with {found}"
