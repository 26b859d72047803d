"""Showback pages: one file a tenant, that can be handed to it."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.files import make_folder, replace_whole, written
from cloudxai_analysis.report.page import readable, styled, template_of
from cloudxai_analysis.words.csv_cells import neutral

MOST_ROWS = 50
_PLAIN = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[a-z0-9][a-z0-9_-]{0,63}")
_STEM = 40
Progress = Callable[[int, int], None]


def page_name(tenant: str) -> str:
    """The name of a tenant's file, which no other tenant's can be on any disk, whatever the two are called.

    A plain name stays as it is; any other is a readable part of it and, after `~`, which no plain name holds, half of
    its SHA-256. Windows keeps some plain names for devices.
    """
    if _PLAIN.fullmatch(tenant):
        return f"{tenant}.html"
    stem = re.sub("[^a-z0-9]+", "-", tenant.lower())[:_STEM].strip("-")
    return f"{stem}~{hashlib.sha256(tenant.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.html"


def page_of(own: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    """The page of one tenant, of what `cards.showback` tells of it and of what all pages say alike."""
    page = template_of("showback.html.jinja").render(own=own, shared=shared, most_rows=MOST_ROWS, **styled())
    return readable(page)


def write_pages(
    pages: Iterable[tuple[str, str]], folder: Path, *, total: int, progress: Progress | None = None
) -> list[Path]:
    """Write each tenant's page whole; those that were there already, as they are now, are left and given back.

    What is written is its owner's alone. Raises LakeUnwritable (the disk is full, read-only or failing; each page is
    the old or the new one).
    """
    there = []
    with written(f"Showback {folder}"):
        make_folder(folder, mode=0o700)
        for done, (tenant, page) in enumerate(pages, start=1):
            file, content = folder / page_name(tenant), page.encode()
            if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
                there.append(file)
            else:
                replace_whole(file, content)
            if progress:
                progress(done, total)
    return there


def write_index(tenants: Sequence[str], file: Path) -> None:
    """Write which file is whose, as CSV: for the one who hands the pages out. Raises as `write_pages`."""
    text = StringIO()
    rows = [("tenant", "file"), *((neutral(tenant), page_name(tenant)) for tenant in tenants)]
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    with written(f"Showback index {file}"):
        replace_whole(file, text.getvalue().encode("utf-8", "replace"))
