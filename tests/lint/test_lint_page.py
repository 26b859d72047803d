"""The page of codes says what the code does: every code with its weight, its reason and its remedy."""

from __future__ import annotations

from pathlib import Path

from cloudxai_analysis.lint.codes import CODES, Code

PAGE = Path(__file__).parent.parent.parent / "docs" / "audits.md"


def row(name: str, code: Code) -> str:
    cells = (f"`{name}`", code.severity, code.why, code.action)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def test_every_code_has_its_line_and_no_other_is_there():
    page = PAGE.read_text(encoding="utf-8").partition("## How often it is wrong")[0]
    said = [line for line in page.splitlines() if line.startswith("| `")]
    assert sorted(said) == sorted(row(name, code) for name, code in CODES.items())
