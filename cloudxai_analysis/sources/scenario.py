"""Scenarios: what is planted in the demo's six weeks, read from a TOML file and checked."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import near_miss

EXTENT = Window(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC), "the demo's six weeks")
BETA = Path(__file__).with_name("scenario.toml")
_MOST_MINUTES = 7 * 24 * 60


class Event(BaseModel):
    """Something planted: `at` is when it begins, and its `kind` decides what else it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime

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

    @property
    def span(self) -> slice:
        """The minutes from its first to its last."""
        return slice(self.minute, self.minute + getattr(self, "minutes", 0))


def _whole(default: int, *, least: int = 1, most: int = _MOST_MINUTES) -> Any:
    return Annotated[int, Field(ge=least, le=most)], default


_Instance = Literal["cloudxai-0:8080", "cloudxai-1:8080"]
_FIRST, _SECOND = (_Instance, "cloudxai-0:8080"), (_Instance, "cloudxai-1:8080")
_TenantName = Annotated[str, Field(max_length=200)]
_TENANT = (_TenantName, "")
_RULE = (Literal["TenantReadinessBreach", "ReadinessLatencyHigh"], "TenantReadinessBreach")
_STEM = (Annotated[str, Field(max_length=50)], "req-")
_LEDGER = {"ledger": (bool, True)}  # what people write down
# What happens in each, docs/howto/write-a-scenario.md says.
KINDS: dict[str, dict[str, Any]] = {
    "burst": {"instance": _FIRST, "minutes": _whole(50), "per_minute": _whole(6, most=1000), "stem": _STEM, **_LEDGER},
    "restart": {"instance": _FIRST, "minutes": _whole(2, most=60)},
    "scrape_gap": {"instance": _SECOND, "minutes": _whole(50, least=3)},
    "readiness_incident": {"minutes": _whole(19), **_LEDGER},
    "tenant_incident": {"tenant": _TENANT, "minutes": _whole(15), **_LEDGER},
    "flapping_tenant": {"tenant": _TENANT, "minutes": _whole(40), "flips_per_minute": _whole(4, most=1000), **_LEDGER},
    "alert_storm": {"tenants": _whole(16, least=2, most=30), "minutes": _whole(7, least=3, most=600), **_LEDGER},
    "false_alert": {"alertname": _RULE, "tenant": _TENANT, "instance": _FIRST, "minutes": _whole(4, least=3, most=600)},
    "cost_spike": {"tenant": _TENANT, "minutes": _whole(360), "factor": (Annotated[float, Field(gt=1, le=1000)], 3.0)},
    "semantics_break": {"tenant": _TENANT, "growth": (Annotated[float, Field(gt=0, le=10)], 0.04)},
    "arrival": {"tenant": (_TenantName, ...), "instance": _FIRST},
}
_MODELS: dict[str, Any] = {
    kind: create_model(kind, __base__=Event, **{"kind": (Literal[kind], kind), **keys}) for kind, keys in KINDS.items()
}
_AnyEvent: Any = Annotated[Union[tuple(_MODELS.values())], Field(discriminator="kind")]  # noqa: UP007


class Scenario(BaseModel):
    """What is planted in the demo; without events its weeks are clean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "own"
    events: tuple[_AnyEvent, ...] = ()

    def of(self, *kinds: str) -> list[Any]:
        """The events of some kinds, kind by kind, in the order in which they begin."""
        found = sorted((event for event in self.events if event.kind in kinds), key=lambda event: event.at)
        return sorted(found, key=lambda event: kinds.index(event.kind))


def named_scenario(name: str) -> Scenario:
    """The scenario called 'beta' or 'clean', or the one in a TOML file; UsageError names what is wrong with it."""
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
