"""Which old versions were given up by a vacuum, kept beside the tables."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cloudxai_analysis.errors import LakeDamaged, UsageError
from cloudxai_analysis.lake.read import Snapshot

RECORD = "vacuumed.json"


@dataclass(frozen=True)
class Vacuumed:
    """What the last vacuum left: when it was, the newest version then, and the versions that it kept."""

    at: datetime
    newest: int
    kept: tuple[int, ...]

    def gave_up(self, version: int) -> bool:
        """Whether files of a version may have been removed."""
        return version <= self.newest and version not in self.kept


def last_vacuum(lake: Path) -> Vacuumed | None:
    """What stands in a lake about its last vacuum, or None.

    Raises
    ------
    LakeDamaged
        The record cannot be read.
    """
    file = lake / RECORD
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        kept = tuple(int(version) for version in stated["kept"])
        return Vacuumed(datetime.fromisoformat(stated["at"]), int(stated["newest"]), kept)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LakeDamaged(
            f"Lake file {file} cannot be read: {type(error).__name__}. It names the versions that the last vacuum "
            "kept; restore it from a copy, or delete it: an old version then counts as whole while its files are there."
        ) from None


def note_vacuum(lake: Path, vacuumed: Vacuumed) -> None:
    """Write the record, on disk before anything is removed."""
    stated = {"at": vacuumed.at.isoformat(), "newest": vacuumed.newest, "kept": list(vacuumed.kept)}
    building = lake / f"{RECORD}.{os.getpid()}.building"
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
        sink.write(json.dumps(stated) + "\n")
        sink.flush()
        os.fsync(sink.fileno())
    building.replace(lake / RECORD)


def refuse_vacuumed(snapshot: Snapshot) -> None:
    """Refuse an old version of which a vacuum removed files.

    Raises
    ------
    UsageError
        It was vacuumed; the versions that can still be opened are named.
    """
    vacuumed = last_vacuum(snapshot.path)
    if vacuumed and vacuumed.gave_up(snapshot.version) and snapshot.lost():
        raise UsageError(
            f"Version {snapshot.version} of lake {snapshot.path} was vacuumed on {vacuumed.at:%Y-%m-%d}: files of it "
            f"are gone. Kept were {said_versions(vacuumed.kept)}, and every one since."
        )


def said_versions(versions: Sequence[int]) -> str:
    """'version 3', or 'versions 1, 4 to 6' of 1, 4, 5, 6."""
    runs: list[list[int]] = []
    for version in sorted(versions):
        if runs and version == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], version]
        else:
            runs.append([version])
    shown = ", ".join(" to ".join(map(str, run)) for run in runs)
    return f"version {shown}" if len(versions) == 1 else f"versions {shown}"
