"""The files of tiles: each is named by its contents, so that its name tells whether it is what was written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloudxai_analysis.ground.errors import LakeDamaged

KINDS = ("samples", "rollups")
TileKey = tuple[str, str]


@dataclass(frozen=True)
class TileFile:
    """One of the two files of a tile: of which table, metric and day, its name in the table's folder, rows, bytes."""

    kind: str
    metric: str
    date: str
    name: str
    rows: int
    size: int

    @property
    def tile(self) -> TileKey:
        """Metric and date, by which a lake knows its tiles."""
        return self.metric, self.date

    @property
    def asked(self) -> datetime:
        """The moment up to which the tile was asked for."""
        return asked_of(self.name)

    def path(self, lake: Path) -> Path:
        """Where it lies in a lake."""
        return lake / self.kind / self.name


def asked_of(name: str) -> datetime:
    """The moment up to which a tile was asked for, from a name of a file of its."""
    return datetime.fromtimestamp(int(Path(name).name.split("-", maxsplit=1)[0]), UTC)


def checked(path: Path) -> tuple[bytes, str]:
    """The bytes of a tile's file, held against the SHA-256 in its name; and what is wrong with them, '' if nothing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b"", "missing"
    except OSError as error:
        return b"", f"unreadable: {error.strerror or type(error).__name__}"
    named = path.stem.split("-")[-1]
    found = hashlib.sha256(content).hexdigest()[: len(named)]
    return content, "" if found == named else f"damaged: its SHA-256 begins with {found}"


def damaged(path: Path, cause: str) -> LakeDamaged:
    """The error of a tile's file that is not what was written."""
    return LakeDamaged(
        f"Lake file {path} is {cause}. Nothing was read from it; `cloudxai lake verify` sets it aside, and the next "
        "`cloudxai pull` brings it back."
    )
