"""The rules of the house: small documented modules, light imports, no machine's paths, nothing left out of a wheel."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from clean_command import run

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloudxai_analysis"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def undocumented(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            # What a protocol asks for is said by its own docstring.
            if not ast.get_docstring(node) and ast.unparse(node.body[0]) != "...":
                yield f"{within}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{node.name}.")


def test_each_module_is_one_idea_and_what_is_public_has_a_docstring() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        assert len(text.splitlines()) <= 400, path
        assert ast.get_docstring(tree), f"{path} has no docstring"
        assert list(undocumented(tree.body)) == [], path


def test_what_is_called_slow_is_there() -> None:
    listed = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").split()
    assert listed == sorted(set(listed))
    for name in listed:
        file, *within = name.partition("[")[0].split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert [part for part in within if not re.search(rf"(def|class) {part}\b", text)] == [], name


# Named apart from their slashes, so that this file does not name one itself.
HOMES = ("home", "Users", "root", "work")


def kept_files() -> Iterator[Path]:
    folders = ("cloudxai_analysis", "tests", "docs", "notebooks", "benchmarks", "reference", ".ci")
    kinds = {".py", ".md", ".toml", ".ipynb", ".json", ".jinja", ".css", ".yml", ".yaml", ".txt", ".example", ""}
    listed = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*"))
    for path in listed:
        parts = path.relative_to(ROOT).parts
        if (
            path.is_file()
            and path.suffix in kinds
            and "__pycache__" not in parts
            and path.name not in ("cloudxai.toml", ".git")
        ):
            yield path


def test_no_file_names_a_place_on_one_machine() -> None:
    place = re.compile(rf"(?<![\w.~>])/(?:{'|'.join(HOMES)})/\w")
    for path in kept_files():
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        assert [line[:120] for line in lines if place.search(line)] == [], path


HEAVY = ("scipy", "statsmodels", "matplotlib", "papermill", "numba", "deltalake", "pyarrow", "pandas", "numpy")
ENTRY = '{"kind": "decision", "at": "2026-11-12T14:03Z", "summary": "stay", "by": "on-call"}'


def test_quick_commands_answer_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "entry.json").write_text(ENTRY.replace("stay", "go"), encoding="utf-8")
    orders = ["--help"], ["add", ENTRY], ["list"], ["verify"], ["export"], ["import", str(tmp_path / "entry.json")]
    look = "print([name for name in sys.argv[1].split() if name in sys.modules], file=sys.stderr)"
    code = "import sys\nfrom cloudxai_analysis.cli import main\n" + look
    for order in orders:
        words = order if order == ["--help"] else ["ledger", *order]
        code += f"\ntry:\n    main({words})\nexcept SystemExit as ended:\n    assert not ended.code\n{look}"
    done = run(sys.executable, "-c", code, " ".join(HEAVY), CLOUDXAI_OUTPUTS=str(tmp_path / "outputs"))
    assert (done.returncode, set(done.stderr.splitlines())) == (0, {"[]"}), done.stderr


def test_package_carries_what_is_not_code() -> None:
    # A file beside the modules that no pattern of package-data names would be missing from a wheel.
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    carried = {path for pattern in patterns["cloudxai_analysis"] for path in PACKAGE.glob(pattern)}
    data = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    numba_caches = {path for path in data if "__pycache__" in path.parts}
    assert data - numba_caches == carried
