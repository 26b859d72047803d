"""Settings: their order, what a mistake is told, which environment a run works in, and the docs' table of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from pydantic import BaseModel

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT
from cloudxai_analysis.platform.settings import (
    Bounds,
    EnvironmentSettings,
    Limits,
    Settings,
    load_settings,
    project_folder,
    resolve_environment,
)
from cloudxai_analysis.report.parameters import find_notebook

REPOSITORY = Path(__file__).parents[1]
EXAMPLE = REPOSITORY / "cloudxai.toml.example"
PAGE = REPOSITORY / "docs" / "howto" / "configure-an-environment.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and none of the settings of whoever runs the tests."""
    for variable in os.environ:
        if variable.upper().startswith("CLOUDXAI_") or variable == "PROMETHEUS_URL":
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "cloudxai.toml").write_text(text, encoding="utf-8")


def test_defaults_need_no_file() -> None:
    settings = load_settings()
    # From any folder, as cron runs it: beside the package, and not where the command happens to stand.
    assert (settings.outputs, settings.environments) == (REPOSITORY / "outputs", {})
    # The readiness objective and the platform's own rule thresholds: 99.9 %, 10 transitions an hour, p95 under 200 ms.
    bounds = settings.bounds
    assert (bounds.availability, bounds.transitions_per_hour, bounds.check_latency_seconds) == (0.999, 10, 0.2)
    assert (bounds.coverage, bounds.false_positive_rate) == (0.95, 0.25)
    chosen = resolve_environment(settings)
    assert (chosen.name, chosen.source, chosen.contract.tenant_cap) == ("demo", "demo://", 100)
    folder = REPOSITORY / "outputs" / "demo"
    assert (chosen.lake, chosen.reports) == (folder / "lake", folder / "reports")
    assert chosen.ledger == folder / "ledger" / "incidents.jsonl"


def test_flags_beat_variables_and_variables_beat_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, 'outputs = "from_file"\n[bounds]\ncoverage = 0.8\ndaily_churn = 0.5\n')
    assert load_settings().outputs == folder / "from_file"
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", "from_variable")
    monkeypatch.setenv("CLOUDXAI_BOUNDS__COVERAGE", "0.7")
    settings = load_settings()
    assert settings.outputs == folder / "from_variable"
    assert (settings.bounds.coverage, settings.bounds.daily_churn) == (0.7, 0.5)
    assert load_settings(outputs=Path("from_flag")).outputs == folder / "from_flag"
    assert load_settings(outputs=None).outputs == folder / "from_variable"
    monkeypatch.setenv("CLOUDXAI_ENVIRONMENTS__BETA__TENANT", "team-blue")
    assert load_settings().environments["beta"].tenant == "team-blue"


def test_folders_are_found_from_below_and_beside_a_named_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder / "notebooks" / "deep")
    (folder / "pyproject.toml").touch()  # a clone without a file of settings
    assert project_folder() == folder
    (folder / "pyproject.toml").unlink()
    write(folder, "")
    assert load_settings().outputs == folder / "outputs"
    monkeypatch.chdir(folder)
    (folder / "etc").mkdir()
    write(folder / "etc", "[bounds]\ncoverage = 0.5\n")
    monkeypatch.setenv("CLOUDXAI_SETTINGS", "etc/cloudxai.toml")
    settings = load_settings()
    assert (settings.outputs, settings.bounds.coverage) == (folder / "etc" / "outputs", 0.5)
    # What is not there is found beside the package.
    assert find_notebook(settings, "weekly_report") == REPOSITORY / "notebooks" / "weekly_report.ipynb"


@pytest.mark.parametrize("written", ["the file", "its folder", "its notebooks", "owner"])
def test_what_a_stranger_may_have_put_above_is_not_taken_unless_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    project, below = folder / "project", folder / "project" / "deep"
    below.mkdir(parents=True)
    (project / "notebooks").mkdir()
    write(project, "")
    monkeypatch.chdir(below)
    assert project_folder() == project
    place = {"its folder": project, "its notebooks": project / "notebooks"}.get(written, project / "cloudxai.toml")
    if written == "owner":
        if os.getuid():
            pytest.skip("only root can give a file away")
        os.chown(place, 12_345, -1)
    else:
        place.chmod(place.stat().st_mode | 0o002)
    with pytest.raises(RefusedForSecurity, match=f"{re.escape(str(place))}, which .* CLOUDXAI_SETTINGS"):
        load_settings()
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(project / "cloudxai.toml"))
    assert load_settings().outputs == project / "outputs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bounds]\ncoverge = 0.9", r"Unknown key 'bounds.coverge' .* Did you mean 'coverage'\?"),
        ("bound = 1", r"Unknown key 'bound' .* Did you mean 'bounds'\?"),
        ('[environments.beta]\nsorce = "x"', r"'environments.beta.sorce' .* Did you mean 'source'\?"),
        ("[limits]\nretry = 1", r"Unknown key 'limits.retry' .* Did you mean 'retries'\?"),
        ("[bounds]\ncoverage = 1.01", "Invalid value of 'bounds.coverage' .* less than or equal to 1"),
        ("[bounds]\ncoverage = nan", "Invalid value of 'bounds.coverage'"),
        ("[limits]\nretries = -1", "Invalid value of 'limits.retries'"),
        ('[environments.beta]\nzone = "Mars/Olympus"', "'Mars/Olympus' is no time zone; give a name like"),
        ('[environments.beta]\nzone = "../../passwd"', "is no time zone"),
        ('[environments.beta]\ntenant = "a|b"', "of 'environments.beta.tenant' .* would read two tenants"),
        ('[environments.beta]\nheaders = { A = "b" }', "Unknown key 'environments.beta.headers'"),
        ('[environments.beta.http_config]\nbearer_token = "x"', "Unknown key 'environments.beta.http_config' "),
        ("[environments.beta]\nhistory_weeks = 53", "Invalid value of 'environments.beta.history_weeks'"),
        ("outputs = ", "cannot be read"),
        ("a = 1\na = 2", "cannot be read"),
        ("[environments.beta.budgets]\nacme = 0", "Invalid value of 'environments.beta.budgets.acme'"),
        ("LATIN", "cannot be read"),
    ],
)
def test_mistake_in_the_file_is_one_line_that_names_it(folder: Path, text: str, message: str) -> None:
    write(folder, text)
    if text == "LATIN":
        (folder / "cloudxai.toml").write_bytes(b'outputs = "\xe9"')
    with pytest.raises(UsageError, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    assert str(folder / "cloudxai.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CLOUDXAI_BOUND__COVERAGE", "0.9", "Unknown environment variable .* Did you mean 'CLOUDXAI_BOUNDS'"),
        ("CLOUDXAI_OUTPUT", "x", "Unknown environment variable CLOUDXAI_OUTPUT. Did you mean 'CLOUDXAI_OUTPUTS'"),
        ("CLOUDXAI_BOUNDS__COVERGE", "0.9", "Unknown key 'bounds.coverge'"),
        ("CLOUDXAI_LIMITS__RETRIES", "many", "Invalid value of 'limits.retries'"),
        ("CLOUDXAI_ENVIRONMENTS", "{bad", "environments"),
        ("CLOUDXAI_SETTINGS", "absent.toml", "Settings file absent.toml does not exist"),
    ],
)
def test_mistake_in_a_variable_is_told(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=message):
        load_settings()


BETA = """
[environments.beta]
source = "http://beta:9090"
tenant_cap = 50
currency = "USD"
"""


THIRD, ELSEWHERE = "http://third:9090", "http://elsewhere:9090"
FIRST = 'default_environment = "beta"\n'


@pytest.mark.parametrize(
    ("asked", "variable", "first", "expected"),
    [
        ({"name": "beta"}, "", "", ("beta", "http://beta:9090")),
        ({"source": "http://beta:9090"}, "", "", ("beta", "http://beta:9090")),
        ({}, ELSEWHERE, "", ("elsewhere-9090", ELSEWHERE)),
        ({"name": "demo"}, ELSEWHERE, "", ("demo", "demo://")),
        # The default environment beats the variable of the source, and a source that is given beats both.
        ({}, ELSEWHERE, FIRST, ("beta", "http://beta:9090")),
        ({"source": THIRD}, ELSEWHERE, FIRST, ("third-9090", THIRD)),
        # Named by its source it holds no credential.
        *(
            ({"source": source}, "", "", (name, source))
            for source, name in [
                ("demo://?seed=7&scenario=clean", "demo-seed-7-scenario-clean"),
                ("https://user:secret@metrics.example.org/prometheus/", "metrics-example-org-prometheus"),
                ("http://[::1]:9090", "1-9090"),
                ("http://", "unnamed"),
            ]
        ),
    ],
)
def test_which_environment_is_meant(
    asked: dict[str, str], variable: str, first: str, expected: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, first + BETA)
    if variable:
        monkeypatch.setenv("PROMETHEUS_URL", variable)
    chosen = resolve_environment(load_settings(), **asked)
    assert (chosen.name, chosen.source) == expected
    own = (50, "USD") if chosen.name == "beta" else (100, "EUR")
    assert (chosen.contract.tenant_cap, chosen.contract.currency) == own


STRANGE = ["../x", "a/b", ".hidden", "-flag", "a b", "a\n", "\u00e9t\u00e9", "x" * 101]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "bata"}, r"Unknown environment 'bata'. Did you mean 'beta'\?"),
        *(({"source": "demo://", "name": name}, "Invalid environment") for name in STRANGE),
        ({"source": "http://user:hunter2@host:port/"}, "Invalid source"),
    ],
)
def test_what_names_no_environment_is_refused_without_its_password(asked: Any, said: str, folder: Path) -> None:
    write(folder, BETA)
    with pytest.raises(UsageError, match=said) as caught:
        resolve_environment(load_settings(), **asked)
    assert "hunter2" not in str(caught.value)


def test_notebook_is_found_by_name_or_path(folder: Path) -> None:
    write(folder, "")
    (folder / "notebooks").mkdir()
    file = folder / "notebooks" / "03_cost.ipynb"
    file.touch()
    settings = load_settings()
    assert find_notebook(settings, "03_cost") == find_notebook(settings, "03_cost.ipynb") == file
    assert find_notebook(settings, str(file)) == file
    with pytest.raises(UsageError, match=r"No notebook '03_costs' in .* Did you mean '03_cost'\?"):
        find_notebook(settings, "03_costs")


def test_example_file_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    without = load_settings()
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(EXAMPLE))
    assert load_settings() == without


@pytest.mark.parametrize("model", [Settings, Bounds, Limits, EnvironmentSettings])
def test_example_file_shows_every_key(model: type[BaseModel]) -> None:
    shown = re.findall(r"^(?:# )?(?:(\w+) =|\[(\w+)[.\]])", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(model.model_fields) <= {key or table for key, table in shown}


def test_example_environment_works_when_taken_out_of_its_comments(folder: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    write(folder, "\n".join(re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines))
    (folder / "contracts").mkdir()
    copyfile(DEFAULT_CONTRACT, folder / "contracts" / "other-platform.toml")
    chosen = resolve_environment(load_settings())
    assert (chosen.name, chosen.source) == ("beta", "https://prometheus.example.org")
    assert chosen.settings.tenant == "beta"
    assert chosen.settings.http_config_file == Path("secrets/http.yml")
    assert load_settings().environments["staging"].http_config_file == Path("secrets/staging.yml")
