"""Tables as CSV that a spreadsheet reads as data, never as formulas."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Behind what a program may drop as it reads: apostrophes of ours, NUL and other controls, a byte order mark.
_WOULD_RUN = re.compile("'*(?:[\t\r\n]|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def write_csv(frame: pd.DataFrame, file: Path) -> None:
    """Write `frame` in UTF-8, times in ISO 8601; text that a spreadsheet would run gets an apostrophe in front.

    The rule is OWASP's on CSV injection, full-width signs included; numbers stay numbers, negative
    ones too. The report's folder, in which it stands, is brought to disk as a whole when it is
    published.
    """
    import pandas as pd

    def cell(value: Any) -> Any:
        return neutral(", ".join(map(str, value)) if isinstance(value, tuple | list) else value)

    safe = {}
    for name, column in frame.items():
        if pd.api.types.is_datetime64_any_dtype(column):
            cells = [None if pd.isna(time) else time.isoformat() for time in column]
        else:
            cells = column if pd.api.types.is_numeric_dtype(column) else [cell(value) for value in column]
        # As objects: pandas' own strings cannot hold half of a surrogate pair.
        safe[neutral(str(name))] = cells if cells is column else pd.Series(cells, column.index, dtype="object")
    # All text in quotes: Python's writer would leave a lone carriage return without, and break the row.
    text = pd.DataFrame(safe).to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    # What is no character of its own (half of a surrogate pair) becomes a question mark: the rest must be readable.
    file.write_bytes(text.encode("utf-8", "replace"))


def neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and _would_run(value) else value


def restored(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell.startswith("'") and _would_run(cell) else cell


def _would_run(text: str) -> bool:
    # Text that has an apostrophe of its own there gets a second one, so that the way back is the only one.
    return _WOULD_RUN.match(text) is not None
