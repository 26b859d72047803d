"""Cells that no spreadsheet takes for a formula, and that come back as the text they were."""

from __future__ import annotations

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def with_apostrophe(text: str) -> str:
    """`text` for a cell: one more apostrophe before whatever a spreadsheet would run."""
    return f"'{text}" if _would_run(text) else text


def without_apostrophe(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell.startswith("'") and _would_run(cell) else cell


def _would_run(text: str) -> bool:
    # Text that has an apostrophe of its own there gets a second one, so that the way back is the only one.
    return text.lstrip("'").startswith(FORMULA_SIGNS)
