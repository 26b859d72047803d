"""What published reports were made from, as their summaries say: the lake and the ledger must not forget it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Published:
    """One summary: its report's name, where it lies, and what it says; `said` is None where it cannot be read."""

    report: str
    file: Path
    said: dict[str, Any] | None


def published_summaries(reports: Path) -> Iterator[Published]:
    """The summaries of all reports in a folder, their earlier editions and one under way included."""
    seen = set()
    for folder in sorted(reports.glob("*")):
        # What is published is a link: one that leads nowhere has lost its summary.
        if folder.is_symlink() or (folder / "summary.json").exists():
            seen.add(folder.resolve())
            name = "a report under way" if folder.name.startswith(".") else f"report {folder.name}"
            yield _published(name, folder / "summary.json")
    for folder in sorted(reports.glob(".published/*")):
        if folder.resolve() not in seen:
            name = folder.name.rpartition("-")[0]
            yield _published(f"report {name} (an earlier edition)", folder / "summary.json")


def _published(report: str, file: Path) -> Published:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        said = None
    return Published(report, file, said if isinstance(said, dict) else None)
