"""The suite's settings as one typed object: TOML file, then environment variables, then flags."""

from __future__ import annotations

import os
import re
import shlex
import stat
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.ground.files import no_link
from cloudxai_analysis.ground.secrets import bare
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT, Contract, load_contract
from cloudxai_analysis.words.phrases import near_miss

DEMO_SOURCE = "demo://"
Way = Literal["auto", "remote_read", "export", "range_selectors"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
SETTINGS_FILE = "cloudxai.toml"
_PREFIX = "CLOUDXAI_"
BESIDE = Path(__file__).resolve().parents[2]


class _Table(BaseModel):
    """A table of the settings: what is in it is known, stays as it is, and is not repeated in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Bounds(_Table):
    """The bounds that verdicts judge by; a measure knows none of them."""

    coverage: float = Field(0.95, gt=0, le=1, description="least share of expected scrapes on a covered day")
    headroom_share: float = Field(0.15, ge=0, lt=1, description="warn when less than this share of the cap is free")
    days_to_cap: float = Field(14, gt=0, description="warn when the cap is likely to be reached within so many days")
    daily_churn: float = Field(0.25, gt=0, description="warn when a covered day's churn is above this share")
    unstable_identifiers: int = Field(3, gt=0, description="warn from this many generated-looking names of one stem")
    cost_anomaly_floor: float = Field(0.10, ge=0, description="least excess of an anomalous hour, in the currency")
    cost_hour_floor: float = Field(2.0, ge=0, description="least excess of a single hour that is one by itself")
    reconciliation_drift: float = Field(0.05, gt=0, description="warn when estimate and total differ by this share")
    false_positive_rate: float = Field(0.25, gt=0, lt=1, description="largest rate of a paging rule, 28 days")
    availability: float = Field(0.999, gt=0, lt=1, description="readiness SLO over 30 days")
    transitions_per_hour: float = Field(10, gt=0, description="most global readiness transitions in one hour")
    check_latency_seconds: float = Field(0.2, gt=0, description="p95 of the readiness check")


class Limits(_Table):
    """Every limit of the suite: deadlines, bytes and rows."""

    request_timeout_seconds: float = Field(60, gt=0, description="one answer of the source")
    connect_timeout_seconds: float = Field(5, gt=0, description="one connection to the source")
    total_deadline_seconds: float = Field(600, gt=0, description="one request with all its retries")
    retries: int = Field(4, ge=0, description="further attempts after a failure that may pass")
    response_bytes: int = Field(512 * 1024 * 1024, gt=0, description="largest answer that is read as it comes")
    text_bytes: int = Field(64 * 1024 * 1024, gt=0, description="largest answer in one piece of JSON; labels of a read")
    frame_bytes: int = Field(32 * 1024 * 1024, gt=0, description="largest frame of a remote read")
    samples: int = Field(100_000_000, gt=0, description="samples of one metric on one day")
    series: int = Field(100_000, gt=0, description="series of one metric on one day")
    labels: int = Field(500, gt=0, description="labels of one series")
    concurrency: int = Field(2, ge=1, le=32, description="tiles asked of the source at the same time")
    notebook_seconds: float = Field(1800, gt=0, description="one notebook, from kernel start to last cell")
    table_rows: int = Field(50, gt=0, description="rows of a table in the report; the CSV has all")
    lock_seconds: float = Field(10, ge=0, description="wait for another run on the same lake")
    nightly_retry_seconds: float = Field(60, ge=0, description="all further attempts of one night's assertions")


class Bill(_Table):
    """A total from elsewhere that the tenants' costs are held against; `end` is the first day that it leaves out."""

    start: date
    end: date
    amount: float = Field(ge=0, allow_inf_nan=False)
    currency: Currency
    source: str = Field(min_length=1, description="what it is and where it lies")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Bill:
        if self.end <= self.start:
            raise ValueError("a bill's 'end' is the first day it leaves out, and lies after its 'start'")
        return self

    @property
    def window(self) -> Window:
        """The days that it is for, in UTC."""
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.start, self.end))
        return Window(start, end)


class Exchange(_Table):
    """How many units of the environment's currency one unit of another is worth, as of when, and who says so."""

    rates: dict[Currency, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    as_of: date
    source: str = Field(min_length=1, description="who says so")


class EnvironmentSettings(_Table):
    """One watched platform: where its telemetry comes from, and what holds for it alone."""

    source: str | None = Field(None, description="`http(s)://` URL of the server, or `demo://`")
    matchers: dict[str, str] = Field(default_factory=dict, description="label = value, of scraped series")
    rule_matchers: dict[str, str] = Field(default_factory=dict, description="label = value, of ALERTS")
    jobs: tuple[str, ...] = Field((), description="jobs that export the platform's metrics, if not the contract's")
    tenant_label: str | None = Field(None, description="label that holds the tenant, if not the contract's")
    tenant_cap: int | None = Field(None, gt=0, description="the guard's cap where it is not the contract's")
    currency: str | None = Field(
        None,
        pattern=r"^[A-Z]{3}$",
        description="currency of cost gauges without a `currency` label, where it is not the contract's",
    )
    zone: str = Field("UTC", description="time zone of those on call, for alerts at night")
    way: Way = Field("auto", description="how samples are read: the fastest that the server offers, or one of them")
    replica_labels: tuple[str, ...] = Field((), description="labels that tell the replicas of an HA pair apart")
    rewind_minutes: int = Field(60, ge=0, description="how late samples may come; a younger day is pulled again")
    history_weeks: int = Field(5, ge=1, le=52, description="weeks pulled before the reported one")
    tenant: str | None = Field(None, description="the tenant to read, sent as X-Scope-OrgID: one, as Mimir allows")
    budgets: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict, description="tenant = amount for a calendar month, in the environment's currency"
    )
    bills: tuple[Bill, ...] = Field(
        (), description="totals from elsewhere: start, end (left out), amount, currency, source"
    )
    exchange: Exchange | None = Field(
        None, description="rates: rates, as_of, source; without them no amount is converted"
    )
    http_config_file: Path | None = Field(None, description="YAML file of credentials, TLS and headers")
    nightly: Path | None = Field(None, description="TOML file of nightly assertions of one's own")
    canary: Path | None = Field(None, description="TOML file of the stages and signals of one's own rollout")
    send: Path | None = Field(None, description="TOML file of who gets digests, and who gets errors")
    weekly_log: Path | None = Field(None, description="folder of the weekly log, if not beside the reports")
    reports_url: str | None = Field(
        None, pattern=r"^https?://[^\s@]+$", description="where the reports' folder is served, for links in digests"
    )
    rules: tuple[Path, ...] = Field((), description="files or folders of the rules that the server should have loaded")

    @field_validator("tenant")
    @classmethod
    def _tenant_is_one(cls, tenant: str | None) -> str | None:
        """The characters and names are those of Mimir's documentation, "About tenant IDs"."""
        if tenant is None:
            return None
        if "|" in tenant:
            raise ValueError("'a|b' would read two tenants; an environment reads one")
        if tenant in (".", "..", "__mimir_cluster") or not re.fullmatch(r"[A-Za-z0-9!_.*'()-]{1,150}", tenant):
            raise ValueError(
                "a tenant has 1 to 150 letters, digits or !-_.*'(), and none of '.', '..', '__mimir_cluster'"
            )
        return tenant

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"'{zone}' is no time zone; give a name like 'Europe/Berlin'") from None
        return zone


class Settings(BaseSettings):
    """All settings; read them with `load_settings`, which turns every mistake into one line."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    outputs: Path = Field(Path("outputs"), description="folder of lakes, ledgers and reports")
    notebooks: Path = Field(Path("notebooks"), description="folder of the notebooks")
    contract: Path = Field(
        DEFAULT_CONTRACT, description="the metrics to expect, by role; another platform is another file"
    )
    load_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "::1", "localhost"), description="hosts with platforms that `cloudxai harness` may load"
    )
    default_environment: str | None = Field(None, description="environment where neither a name nor a source is given")
    environments: dict[str, EnvironmentSettings] = Field(default_factory=dict)
    bounds: Bounds = Bounds()
    limits: Limits = Limits()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags beat environment variables, which beat the TOML file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


class Environment(_Table):
    """A watched platform with everything settled: its name, source, contract, bounds and folders."""

    name: str
    source: str
    outputs: Path
    contract: Contract
    bounds: Bounds
    limits: Limits
    settings: EnvironmentSettings

    @property
    def folder(self) -> Path:
        """Where the environment's lake, ledger and reports lie, and what an evaluation of its own weeks found out."""
        return no_link(self.outputs / self.name)

    @property
    def is_demo(self) -> bool:
        """Whether its telemetry is made up."""
        return self.source.startswith(DEMO_SOURCE)

    @property
    def lake(self) -> Path:
        """Folder of its lake."""
        return self.folder / "lake"

    @property
    def ledger(self) -> Path:
        """File of its incident ledger."""
        return self.folder / "ledger" / "incidents.jsonl"

    @property
    def reports(self) -> Path:
        """Folder of its published reports."""
        return self.folder / "reports"

    @property
    def evaluation(self) -> Path:
        """File of what was found out in its own weeks."""
        return self.folder / "evaluation.json"

    @property
    def harness(self) -> Path:
        """File of the last run of the harness."""
        return self.folder / "harness.json"

    @property
    def rules(self) -> tuple[Path, ...]:
        """Files and folders of its rules and routing, from the project's folder; the demo's are the reference."""
        demo = (Path("reference"),) if self.is_demo else ()
        return self.settings.rules or demo

    def command(self, *words: str) -> str:
        """A command line that means this environment: 'cloudxai report --environment beta'."""
        known = bool(self.settings.source) or self.name == "demo"
        source = bare(self.source)
        return shlex.join(["cloudxai", *words, "--environment", self.name, *(() if known else ("--source", source))])


def project_folder() -> Path:
    """The folder at which the settings' relative paths start, wherever the command is run, as by cron from `/`.

    That of the file in `CLOUDXAI_SETTINGS`; else the nearest, from the working one upward, with
    `cloudxai.toml`, or with `notebooks/` and `pyproject.toml`; else the project that this package
    lies in; else the working one.

    Raises RefusedForSecurity where another user may have put there what was only found, not named.
    """
    here = Path.cwd()
    if named := os.environ.get(f"{_PREFIX}SETTINGS"):
        return (here / named).parent
    for folder in (here, *here.parents, BESIDE):
        found = folder / SETTINGS_FILE, folder / "notebooks"
        if found[0].is_file() or (found[1].is_dir() and (folder / "pyproject.toml").is_file()):
            if folder != BESIDE:  # whose code runs already
                _refuse_strangers(folder, *found)
            return folder
    return here


def _refuse_strangers(*paths: Path) -> None:
    """The notebooks of a project are run with all that its user may do: nobody else may have written them."""
    for path in filter(Path.exists, paths):
        found = path.stat()
        open_to_all = found.st_mode & stat.S_IWOTH and not (path.is_dir() and found.st_mode & stat.S_ISVTX)
        if open_to_all or found.st_uid not in (0, os.getuid()):
            whose = "can be written by every user" if open_to_all else f"belongs to another user ({found.st_uid})"
            raise RefusedForSecurity(
                f"Found {path}, which {whose}, and took nothing from it: its notebooks would be run as your own. "
                f"Mend its owner or mode, or name the settings that you trust in {_PREFIX}SETTINGS."
            )


def settings_file() -> Path:
    """The TOML file that settings are read from: `CLOUDXAI_SETTINGS`, or `cloudxai.toml` in the project's folder."""
    return Path(os.environ.get(f"{_PREFIX}SETTINGS") or project_folder() / SETTINGS_FILE)


def load_settings(**flags: Any) -> Settings:
    """The settings of this run; flags that are None do not count.

    Raises
    ------
    UsageError
        A key is unknown (the near miss is named) or a value is wrong; a named settings file does not exist.
    """
    file = settings_file()
    if os.environ.get(f"{_PREFIX}SETTINGS") and not file.is_file():
        raise UsageError(f"Settings file {file} does not exist. Unset {_PREFIX}SETTINGS or correct it.")
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        _refuse_unknown_variables()
        settings = Settings(**given)
    except ValidationError as error:
        raise UsageError(_one_line(error, file)) from None
    except SettingsError as error:
        # Its own message says which variable, its cause why; only the first is without the value.
        raise UsageError(f"Settings of the environment ({_PREFIX}…): {error}. Objects are given as JSON.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"Settings file {file} cannot be read: {error}.") from None
    anchored = {key: project_folder() / getattr(settings, key) for key in ("outputs", "notebooks", "contract")}
    return settings.model_copy(update=anchored)


def resolve_environment(settings: Settings, *, source: str | None = None, name: str | None = None) -> Environment:
    """The environment to work in, with its source, contract, cap and currency settled.

    The name is the one given, else that of the configured environment with this source, else the default one's, else
    made from the source. The source is the one given, else the environment's, else `PROMETHEUS_URL`, else the demo.

    Raises
    ------
    UsageError
        The name cannot name a folder, or is neither configured nor accompanied by a source.
    """
    known = settings.environments
    if name is None and not source:
        name = settings.default_environment
    if name is not None and not source:
        if name not in known and name != "demo":
            raise UsageError(f"Unknown environment '{name}'.{near_miss(name, [*known, 'demo'])}")
        source = known[name].source if name in known else DEMO_SOURCE
        source = source or (DEMO_SOURCE if name == "demo" else None)
    source = source or os.environ.get("PROMETHEUS_URL") or DEMO_SOURCE
    if name is None:
        name = next((key for key, own in known.items() if own.source == source), None) or environment_name(source)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UsageError(f"Invalid environment '{name}'. A name has letters, digits, '.', '_' and '-' only.")
    own = known.get(name, EnvironmentSettings())
    given = {key: getattr(own, key) for key in ("jobs", "tenant_label", "tenant_cap", "currency")}
    contract = load_contract(settings.contract)
    return Environment(
        name=name,
        source=source,
        outputs=settings.outputs,
        contract=contract.model_copy(update={key: value for key, value in given.items() if value}),
        bounds=settings.bounds,
        limits=settings.limits,
        settings=own,
    )


def environment_name(source: str) -> str:
    """A folder's name made from a source without its credentials: 'demo' of 'demo://', else host, port and path."""
    try:
        parts = urlsplit(source)
        place = f"{parts.hostname or ''}-{parts.port or ''}{parts.path}"
    except ValueError:
        raise UsageError(f"Invalid source '{source}'. A source is demo:// or a URL like http://host:9090.") from None
    if parts.scheme == "demo":
        place = "-".join(["demo", *(f"{key}-{value}" for key, value in parse_qsl(parts.query))])
    return re.sub(r"[^A-Za-z0-9]+", "-", place).strip("-")[:100] or "unnamed"


def _refuse_unknown_variables() -> None:
    # pydantic-settings passes over variables it does not know, so a typo would run the default in silence.
    known = [f"{_PREFIX}{name.upper()}" for name in (*Settings.model_fields, "settings")]
    for variable in os.environ:
        if variable.startswith(_PREFIX) and variable.split("__")[0] not in known:
            raise UsageError(f"Unknown environment variable {variable}.{near_miss(variable, known)}")


def _one_line(error: ValidationError, file: Path) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key, place = ".".join(path), f"in the settings ({file}, {_PREFIX}…)"
    if first["type"] != "extra_forbidden":
        return f"Invalid value of '{key}' {place}: {first['msg']}."
    tables: dict[str, type[BaseModel]] = {"bounds": Bounds, "limits": Limits, "environments": EnvironmentSettings}
    model = tables.get(path[0], Settings) if len(path) > 1 else Settings
    return f"Unknown key '{key}' {place}.{near_miss(path[-1], list(model.model_fields))}"
