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
_EXTRAS = ("lab", "send", "cluster")
SETS = {"core": (), **{name: (name,) for name in _EXTRAS}, "test": (*_EXTRAS, "test")}
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8") for name in SETS}


def required(*extras: str) -> list[Requirement]:
    optional = PROJECT["project"]["optional-dependencies"]
    texts = [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in optional[extra])]
    return [Requirement(text) for text in texts]


def pins(name: str) -> list[Requirement]:
    return [Requirement(line.rstrip(" \\")) for line in LOCKS[name].split("\n") if line and not line.startswith(" ")]


@pytest.mark.parametrize("name", SETS)
def test_lock_is_pins_with_hashes_that_satisfy_the_project_on_every_python(name: str) -> None:
    pin = r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[\w.]+( ; [^\n\\]+)?"
    for block in re.split(r"\n(?=\S)", LOCKS[name].rstrip("\n")):
        assert re.fullmatch(pin + r"( \\\n    --hash=sha256:[0-9a-f]{64})+", block), block.split("\n")[0]
    for python in ("3.11.0", "3.12.0", "3.13.0"):
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
    locked = {name: {f"{pin.name}{pin.specifier}" for pin in pins(name)} for name in SETS}
    assert set.union(*locked.values()) == locked["test"]


def test_environment_file_names_what_the_project_and_its_lab_need() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    texts = {entry for entry in conda["dependencies"] if isinstance(entry, str)} | set(pip)
    own = {"pip", "--editable .", f"python{PROJECT['project']['requires-python']}"}
    assert own <= texts
    given = [Requirement(text.replace("python-duckdb", "duckdb")) for text in texts - own]
    assert {(item.name, str(item.specifier)) for item in given} == {
        (item.name, str(item.specifier)) for item in required("lab")
    }
