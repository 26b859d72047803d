"""The command from any folder, from a wheel, and as its own page gives it; parameters that are names."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from clean_command import PROJECT, cloudxai, run


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("anywhere") / "cloudxai.toml"
    file.write_text("", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def page(settings: Path) -> str:
    """The page of a seed that no environment names, made as cron makes it."""
    done = cloudxai("report", "--week", "2026-W46", "--source", "demo://?seed=3&scenario=clean", settings=settings)
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.splitlines()[-1].removeprefix("Report: "))
    assert made.is_relative_to(settings.parent / "outputs")
    return made.read_text(encoding="utf-8")


@pytest.mark.notebook
def test_the_pages_own_command_opens_the_notebook_as_it_was(page: str, settings: Path) -> None:
    commands = {html.unescape(found) for found in re.findall(r"Open its notebook</dt><dd><code>(.*?)</code>", page)}
    words = shlex.split(next(found for found in commands if "02_cardinality" in found))
    assert words[:3] == ["cloudxai", "lab", "02_cardinality"]
    # The lab itself runs until somebody ends it; asked for its version, it has run the notebook and opened nothing.
    done = cloudxai(*words[1:], "--version", settings=settings)
    assert done.returncode == 0, done.stderr
    kept = list((settings.parent / "outputs" / "runs").iterdir())
    assert [re.sub(r"\d{8}T\d{6}Z", "TIME", file.name) for file in kept] == ["02_cardinality-2026-W46-TIME.ipynb"]
    said = nbformat.read(kept[0], as_version=4).cells
    links = re.findall(r"\]\(([^)#]+)", "".join(cell.source for cell in said if cell.cell_type == "markdown"))
    assert links
    assert [link for link in links if not (kept[0].parent / link).is_file()] == []


@pytest.mark.notebook
def test_papermill_makes_a_number_of_a_tenant_and_is_told_so(page: str, settings: Path, tmp_path: Path) -> None:
    words = ["-r", "week", "2026-W46", "-r", "source", "demo://?seed=3&scenario=clean", "-p", "tenant", "007"]
    notebook, out = PROJECT / "notebooks" / "05_readiness.ipynb", tmp_path / "out.ipynb"
    done = run(sys.executable, "-m", "papermill", str(notebook), str(out), *words, settings=settings)
    assert done.returncode != 0
    raised = done.stderr.partition("Exception encountered at")[2]
    assert re.search(r'In \[\d+\]":\nUsageError: Parameter .tenant. came as 7 .*-r tenant 007\n', raised), done.stderr
    # Given as it is, it is a tenant, if one that is not there.
    text = [*words[:-3], "-r", "tenant", "007"]
    done = run(sys.executable, "-m", "papermill", str(notebook), str(out), *text, settings=settings)
    assert "UsageError: No tenant '007' up to the end of 2026-W46." in done.stderr


def test_a_missing_notebook_is_told_before_anything_is_pulled(settings: Path, tmp_path: Path) -> None:
    package = tmp_path / "cloudxai_analysis"
    shutil.copytree(PROJECT / "cloudxai_analysis", package, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "cloudxai.toml"
    file.write_text("", encoding="utf-8")
    done = cloudxai("report", "--source", "demo://", settings=file, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert f"No notebook 'weekly_report' in {tmp_path / 'notebooks'}, " in done.stderr
    assert not (tmp_path / "outputs" / "demo" / "lake").exists()


def test_a_wheel_brings_its_notebooks(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "cloudxai_analysis", "notebooks"):
        source, target = PROJECT / name, tmp_path / "src" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    how = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(tmp_path / "src"))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *how], check=True, timeout=300)
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(packages)
    (data,) = packages.glob("*.data/data")
    shutil.copytree(data, home, dirs_exist_ok=True)
    python = str(home / "bin" / "python")
    done = run(python, "-m", "cloudxai_analysis.cli", "params", "weekly_report", PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Parameters of weekly_report:")
