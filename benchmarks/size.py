"""How large the package and its tests are: lines, files and tokens by room, held against what they may be.

    benchmarks/size.py            # the table; exits with 1 where a bound is passed
    benchmarks/size.py --json

Lines count docstrings and blank lines; tokens count neither comments nor docstrings. A function's length is that from
`def` to its last line.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "cloudxai_analysis"
WIDE = 100
BOUNDS = {"lines": 19_500, "tokens": 150_000, "files": 170, "tests": 15_000, "room": 4_000, "function_p95": 40}
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


def docstrings(tree: ast.AST) -> set[tuple[int, int]]:
    """Where the docstrings of a module begin: line and column."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    firsts = (node.body[0] for node in ast.walk(tree) if isinstance(node, owners) and node.body)
    return {
        (first.value.lineno, first.value.col_offset)
        for first in firsts
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    }


def tokens(text: str) -> int:
    """Tokens of Python that are neither comment nor docstring nor layout."""
    said = docstrings(ast.parse(text))
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(1 for one in found if one.type not in _LAYOUT and one.start not in said)


def function_lengths(text: str) -> Iterator[int]:
    """Lines of each function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def measured(files: list[Path]) -> dict[str, Any]:
    """Size of these files together."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    lines = [line for text in texts for line in text.splitlines()]
    lengths = sorted(length for text in texts for length in function_lengths(text))
    return {
        "files": len(files),
        "lines": len(lines),
        "tokens": sum(map(tokens, texts)),
        "wide_share": round(sum(len(line) > WIDE for line in lines) / max(len(lines), 1), 4),
        "function_p95": lengths[int(0.95 * len(lengths))] if lengths else 0,
    }


def sizes() -> dict[str, dict[str, Any]]:
    """Size by room, of the package, and of the tests."""
    rooms = sorted(path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__")
    found = {room.name: measured(sorted(room.rglob("*.py"))) for room in rooms}
    found["package"] = measured(sorted(PACKAGE.rglob("*.py")))
    found["tests"] = measured(sorted((PROJECT / "tests").rglob("*.py")))
    return found


def passed(found: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each bound that is passed."""
    package = found["package"]
    rooms = {name: one["lines"] for name, one in found.items() if name not in ("package", "tests")}
    values = {
        "lines": package["lines"],
        "tokens": package["tokens"],
        "files": package["files"],
        "tests": found["tests"]["lines"],
        "room": max(rooms.values()),
        "function_p95": package["function_p95"],
    }
    return [f"{name}: {value:,} of {BOUNDS[name]:,}" for name, value in values.items() if value > BOUNDS[name]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    found = sizes()
    over = passed(found)
    if arguments.parse_args().json:
        print(json.dumps({"sizes": found, "over": over}, indent=1))
    else:
        print(f"{'room':<12}{'files':>7}{'lines':>9}{'tokens':>9}{'wide':>8}{'p95':>6}")
        for name, one in found.items():
            wide = f"{one['wide_share']:.1%}"
            print(f"{name:<12}{one['files']:>7}{one['lines']:>9,}{one['tokens']:>9,}{wide:>8}{one['function_p95']:>6}")
        print("\n".join(["", *(f"over the bound: {line}" for line in over)]) if over else "\nwithin every bound")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
