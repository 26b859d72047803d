"""Requirements: the locks, the project file and conda's environment file say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
SETS = {"core": (), "lab": ("lab",), "test": ("lab", "test")}


def required(*extras: str) -> list[Requirement]:
    texts = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        texts += PROJECT["project"]["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def locked(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> list[Requirement]:
    lines = locked(name).split("\n")
    return [Requirement(line.rstrip(" \\")) for line in lines if line and not line.startswith(" ")]


@pytest.mark.parametrize("name", SETS)
def test_lock_is_pins_with_hashes_and_nothing_else(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", locked(name).rstrip("\n"))
    pin = r"[a-z0-9.-]+==[\w.]+( ; [^\n\\]+)?"
    for block in blocks:
        assert re.fullmatch(pin + r"( \\\n    --hash=sha256:[0-9a-f]{64})+", block), block.split("\n")[0]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_the_project_on_every_python(name: str, python: str) -> None:
    here = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    valid = [pin for pin in pins(name) if pin.marker is None or pin.marker.evaluate(here)]
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in valid}
    assert len(versions) == len(valid), "a package is pinned twice"
    build = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    for requirement in [*required(*SETS[name]), *build]:
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in requirements/{name}.txt; run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}; run make lock"


def test_a_report_is_made_with_the_versions_that_are_tested() -> None:
    core, lab, test = ({str(pin) for pin in pins(name)} for name in SETS)
    versions = {re.sub(" *;.*", "", pin) for pin in test}
    assert {re.sub(" *;.*", "", pin) for pin in core | lab} <= versions


def test_environment_file_names_what_the_project_and_its_lab_need() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    texts = [entry for entry in conda["dependencies"] if isinstance(entry, str)] + pip
    assert "--editable ." in texts
    assert f"python{PROJECT['project']['requires-python']}" in texts
    conda_names = {"python-duckdb": "duckdb"}
    given = [Requirement(text) for text in texts if text not in ("pip", "--editable .") and text[:7] != "python>"]
    assert {(conda_names.get(item.name, item.name), str(item.specifier)) for item in given} == {
        (item.name, str(item.specifier)) for item in required("lab")
    }
