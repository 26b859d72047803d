"""What the suite answers, kept before a change of the house and held against afterwards: byte for byte.

    benchmarks/oracle.py keep FOLDER      # in the old checkout
    benchmarks/oracle.py hold FOLDER      # in the new one; names each file that differs, and exits with 1

The demo of two seeds, two weeks and a month: summary.json and each CSV of the report; what `cloudxai audit` finds in
each fixture of the audits and in the reference files; what `cloudxai replay` says of the reference rules. The same week
on a real Prometheus is held to the demo's by tests/test_real_server.py.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
REPORTS = [(1, "2026-W46"), (1, "2026-W45"), (7, "2026-W46"), (7, "2026-W45"), (1, "2026-10")]
# What differs from run to run: when a file was made, and by which versions of what.
VOLATILE = ("generated_at", "pulled_at", "created_at", "package_version", "versions")


def cloudxai(*words: str, outputs: Path) -> subprocess.CompletedProcess[str]:
    """One run of the command from this checkout."""
    settings = str(PROJECT / "cloudxai.toml.example")
    return subprocess.run(
        [sys.executable, "-m", "cloudxai_analysis.cli", *words],
        env=os.environ | {"PYTHONPATH": str(PROJECT), "CLOUDXAI_OUTPUTS": str(outputs), "CLOUDXAI_SETTINGS": settings},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def without_volatile(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    return [without_volatile(item) for item in value] if isinstance(value, list) else value


def report(seed: int, window: str, outputs: Path) -> dict[str, str]:
    """The data of one report, by file name."""
    name = f"seed{seed}-{window}"
    done = cloudxai(
        "report", "--week", window, "--source", f"demo://?seed={seed}", "--environment", name, outputs=outputs
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    folder = outputs / name / "reports" / window
    made = {
        path: path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.suffix == ".csv" or path.name == "summary.json"
    }
    for path, text in made.items():
        if path.suffix == ".json":
            made[path] = json.dumps(without_volatile(json.loads(text)), indent=1, sort_keys=True)
    return {f"{name}/{path.relative_to(folder)}": text.replace(str(outputs), "OUTPUTS") for path, text in made.items()}


def fixtures() -> list[Path]:
    """Each folder or file that the audits are tried on, wherever this checkout keeps them."""
    beside = next(path for path in (PROJECT / "tests/lint", PROJECT / "tests/audits") if path.is_dir())
    files = sorted(path for path in beside.rglob("*") if path.suffix in (".yml", ".yaml", ".json"))
    return [*files, PROJECT / "reference"]


def audits(outputs: Path) -> dict[str, str]:
    """The findings in each fixture, as JSON."""

    def found(path: Path) -> tuple[str, str]:
        done = cloudxai(
            "audit", "--format", "json", "--fail-on", "never", str(path.relative_to(PROJECT)), outputs=outputs
        )
        name = re.sub(r"^tests/(audits|lint)/", "", str(path.relative_to(PROJECT)))
        text = re.sub(r"tests/(audits|lint)/", "", done.stdout)
        return f"audit/{name}.txt", f"exit {done.returncode}\n{text}{done.stderr}"

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(found, fixtures()))


def replay(outputs: Path) -> dict[str, str]:
    """What replay says of two reference rules over four weeks of the demo."""
    words = ("--rule", "TenantReadinessBreach", "--source", "demo://", "--week", "2026-W46", "--format", "json")
    done = cloudxai("replay", "reference", *words, outputs=outputs)
    return {"replay.txt": f"exit {done.returncode}\n{done.stdout}"}


def answers(only: str) -> dict[str, str]:
    """All answers, by name."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder)
        found: dict[str, str] = {}
        if only in ("", "reports"):
            with ThreadPoolExecutor(2) as pool:
                for made in pool.map(lambda asked: report(*asked, outputs), REPORTS):
                    found |= made
        found |= audits(outputs) if only in ("", "audits") else {}
        found |= replay(outputs) if only in ("", "replay") else {}
        return found


def differences(kept: dict[str, str], found: dict[str, str]) -> list[str]:
    """A line for each answer that is not as it was, with the first lines of the difference."""
    told = [f"{name}: not made any more" for name in sorted(kept.keys() - found.keys())]
    told += [f"{name}: new" for name in sorted(found.keys() - kept.keys())]
    for name in sorted(kept.keys() & found.keys()):
        lines = list(
            difflib.unified_diff(kept[name].splitlines(), found[name].splitlines(), "kept", "now", n=0, lineterm="")
        )
        if lines:
            told.append("\n    ".join([f"{name}: {len(lines)} lines differ", *(line[:160] for line in lines[2:14])]))
    return told


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("do", choices=["keep", "hold"])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--only", choices=["reports", "audits", "replay"], default="")
    given = arguments.parse_args()
    found = answers(given.only)
    if given.do == "keep":
        for name, text in found.items():
            file = given.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        print(f"{len(found)} answers kept")
        return
    files = (path for path in sorted(given.folder.rglob("*")) if path.is_file())
    kept = {str(path.relative_to(given.folder)): path.read_text(encoding="utf-8") for path in files}
    begins = {"reports": "seed", "audits": "audit/", "replay": "replay"}.get(given.only, "")
    kept = {name: text for name, text in kept.items() if name.startswith(begins)}
    told = differences(kept, found)
    print("\n".join(told) or f"{len(found)} answers as they were")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
