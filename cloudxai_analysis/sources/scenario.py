"""Scenarios: what is planted in the demo's six weeks, read from a TOML file and checked."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import near_miss

EXTENT = Window(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC), "the demo's six weeks")
BETA = Path(__file__).with_name("scenario.toml")
Instance = Literal["cloudxai-0:8080", "cloudxai-1:8080"]
Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]
TenantName = Annotated[str, Field(max_length=200)]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime = Field(description="when it begins, on a full minute")

    @field_validator("at")
    @classmethod
    def _within_extent(cls, at: datetime) -> datetime:
        moment = at.astimezone(UTC)
        if moment not in EXTENT:
            raise ValueError(f"{moment.isoformat()} lies outside {EXTENT}")
        if moment.second or moment.microsecond:
            raise ValueError(f"{moment.isoformat()} is not on a full minute")
        return moment

    @property
    def minute(self) -> int:
        """Minutes since the demo's start."""
        return int((self.at - EXTENT.start).total_seconds()) // 60


class Burst(_Event):
    """A client sends requests under generated tenant names, until the guard refuses them and beyond."""

    kind: Literal["burst"] = "burst"
    instance: Instance = "cloudxai-0:8080"
    minutes: Minutes = 50
    per_minute: int = Field(6, ge=1, le=1000, description="requests a minute, each under a new name")
    stem: str = Field("req-", max_length=50)
    ledger: bool = True


class Restart(_Event):
    """A process stops, and another starts in its place."""

    kind: Literal["restart"] = "restart"
    instance: Instance = "cloudxai-0:8080"
    minutes: int = Field(2, ge=1, le=60, description="failed scrapes before the new process answers")


class ScrapeGap(_Event):
    """A target is not scraped at all: no sample, no `up`."""

    kind: Literal["scrape_gap"] = "scrape_gap"
    instance: Instance = "cloudxai-1:8080"
    minutes: int = Field(50, ge=3, le=7 * 24 * 60)


class ReadinessIncident(_Event):
    """The global readiness is 0; from 6 minutes on the platform's alert fires."""

    kind: Literal["readiness_incident"] = "readiness_incident"
    minutes: Minutes = 19
    ledger: bool = True


class TenantIncident(_Event):
    """One tenant is not ready, which people notice and write down."""

    kind: Literal["tenant_incident"] = "tenant_incident"
    tenant: TenantName = Field("", description="a tenant's name; empty: the seed chooses")
    minutes: Minutes = 15
    ledger: bool = True


class FlappingTenant(_Event):
    """One tenant's readiness flips faster than it is scraped, so that only its counter tells."""

    kind: Literal["flapping_tenant"] = "flapping_tenant"
    tenant: TenantName = ""
    minutes: Minutes = 40
    flips_per_minute: int = Field(4, ge=1, le=1000)
    ledger: bool = True


class AlertStorm(_Event):
    """Many tenants lose their readiness within eight minutes, and each fires its alert."""

    kind: Literal["alert_storm"] = "alert_storm"
    tenants: int = Field(16, ge=2, le=30)
    minutes: int = Field(7, ge=3, le=600)
    ledger: bool = True


class FalseAlert(_Event):
    """An alert fires that nobody calls an incident: a slow check, a tenant's short blip."""

    kind: Literal["false_alert"] = "false_alert"
    alertname: Literal["TenantReadinessBreach", "ReadinessLatencyHigh"] = "TenantReadinessBreach"
    tenant: TenantName = ""
    instance: Instance = "cloudxai-0:8080"
    minutes: int = Field(4, ge=3, le=600)


class CostSpike(_Event):
    """One tenant costs a multiple of its regular course."""

    kind: Literal["cost_spike"] = "cost_spike"
    tenant: TenantName = ""
    minutes: Minutes = 360
    factor: float = Field(3.0, gt=1, le=1000)


class SemanticsBreak(_Event):
    """One tenant's cost gauge, declared a rate, only grows from here on, as a total would."""

    kind: Literal["semantics_break"] = "semantics_break"
    tenant: TenantName = ""
    growth: float = Field(0.04, gt=0, le=10, description="share by which it has grown at the end")


class Arrival(_Event):
    """A tenant sends its first request."""

    kind: Literal["arrival"] = "arrival"
    tenant: TenantName
    instance: Instance = "cloudxai-0:8080"


AnyEvent = (
    Burst
    | Restart
    | ScrapeGap
    | ReadinessIncident
    | TenantIncident
    | FlappingTenant
    | AlertStorm
    | FalseAlert
    | CostSpike
    | SemanticsBreak
    | Arrival
)
_MODELS: dict[str, type[BaseModel]] = {model.model_fields["kind"].default: model for model in get_args(AnyEvent)}


class Scenario(BaseModel):
    """What is planted in the demo; without events its weeks are clean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "own"
    events: tuple[Annotated[AnyEvent, Field(discriminator="kind")], ...] = ()

    def of(self, kind: type[_Event]) -> list[Any]:
        """The events of one kind, in the order in which they begin."""
        return sorted((event for event in self.events if isinstance(event, kind)), key=lambda event: event.at)


def named_scenario(name: str) -> Scenario:
    """The scenario called 'beta' or 'clean', or the one kept in a TOML file.

    Raises
    ------
    UsageError
        There is no such file, it is no TOML, or a key or value of an event is wrong.
    """
    if name == "clean":
        return Scenario(name="clean")
    path = BETA if name == "beta" else Path(name)
    if name != "beta" and path.suffix != ".toml":
        near = near_miss(name, ["beta", "clean"])
        raise UsageError(
            f"Unknown scenario '{name}' of the demo.{near} A scenario of your own is a path to a .toml file."
        )
    try:
        return checked_scenario({"name": name, **tomllib.loads(path.read_text(encoding="utf-8"))}, str(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Scenario {path} cannot be read: {error}. See docs/howto/write-a-scenario.md.") from None


def checked_scenario(content: dict[str, Any], where: str) -> Scenario:
    """The scenario that plain data describe; raises UsageError, which names the event and the near miss."""
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"Scenario {where}, {_mistake(content, error)}") from None


def _mistake(content: dict[str, Any], error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if place[0] != "events" or len(place) < 2:
        return f"key '{'.'.join(place)}': {first['msg']}.{near_miss(place[0], ['name', 'events'])}"
    event, kind, key = content["events"][int(place[1])], "".join(place[2:3]), place[-1]
    number = f"event {int(place[1]) + 1}"
    if first["type"].startswith("union_tag"):
        given = str(event.get("kind", "")) if isinstance(event, dict) else ""
        return f"{number}: unknown kind '{given}'.{near_miss(given, list(_MODELS))}"
    if first["type"] == "extra_forbidden":
        return f"{number} ({kind}): unknown key '{key}'.{near_miss(key, list(_MODELS[kind].model_fields))}"
    return f"{number} ({kind}), key '{key}': {first['msg']}."
