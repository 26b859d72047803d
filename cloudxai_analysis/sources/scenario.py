"""Scenarios: what is planted in the demo's six weeks, read from a TOML file and checked."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model, field_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.tables import checked

EXTENT = Window(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC), "the demo's six weeks")
MINUTES = int(EXTENT.duration.total_seconds()) // 60
BETA = Path(__file__).with_name("scenario.toml")


class Event(BaseModel):
    """Something planted: `at` is when it begins, and its `kind` decides what else it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime

    @field_validator("at")
    @classmethod
    def _is_a_minute_of_the_demo(cls, at: datetime) -> datetime:
        moment = at.astimezone(UTC)
        if moment not in EXTENT or moment.second or moment.microsecond:
            raise ValueError(f"{moment.isoformat()} lies outside {EXTENT}, or is not on a full minute")
        return moment

    @property
    def minute(self) -> int:
        """Minutes since the demo's start."""
        return int((self.at - EXTENT.start).total_seconds()) // 60

    @property
    def span(self) -> slice:
        """Its minutes, as far as the demo goes."""
        return slice(self.minute, min(self.minute + getattr(self, "minutes", 0), MINUTES))


def _whole(default: int, *, least: int = 1, most: int = 7 * 24 * 60) -> Any:
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
_MODELS = [
    create_model(kind, __base__=Event, **{"kind": (Literal[kind], kind), **keys}) for kind, keys in KINDS.items()
]
_AnyEvent: Any = Annotated[Union[tuple(_MODELS)], Field(discriminator="kind")]  # noqa: UP007


class Scenario(BaseModel):
    """What is planted in the demo; without events its weeks are clean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "own"
    events: tuple[_AnyEvent, ...] = ()

    def of(self, *kinds: str) -> list[Any]:
        """The events of some kinds, kind by kind, in the order in which they begin."""
        found = [event for event in self.events if event.kind in kinds]
        return sorted(found, key=lambda event: (kinds.index(event.kind), event.at))


def named_scenario(name: str) -> Scenario:
    """The scenario called 'beta' or 'clean', or the one in a TOML file; UsageError says what is wrong with it."""
    if name == "clean":
        return Scenario(name=name)
    try:
        content = tomllib.loads((BETA if name == "beta" else Path(name)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"Scenario '{name}' of the demo is neither 'beta' nor 'clean', and as a file of TOML it cannot be read: "
            f"{error}. See docs/howto/write-a-scenario.md."
        ) from None
    return checked_scenario({"name": name, **content}, name)


def checked_scenario(content: dict[str, Any], where: str) -> Scenario:
    """The scenario that plain data describe; raises UsageError, which names the key."""
    return checked(content, Scenario, of=f"Scenario {where}")
