"""A window opened for analysis: what was asked for, settled before anything heavy is loaded or any kernel starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, named_window
from cloudxai_analysis.platform.settings import Environment, load_settings, resolve_environment
from cloudxai_analysis.sources.scenario import EXTENT


@dataclass(frozen=True)
class Asked:
    """An environment with everything settled, a window of it, and the time that it is there, if need be a set one."""

    environment: Environment
    window: Window
    now: datetime
    set_clock: bool = False


def settle(week: str = "last", *, source: str = "", environment: str = "", now: datetime | None = None) -> Asked:
    """The environment and the window that these words name; a UsageError where one is wrong, or in the future.

    `now` is a set clock in place of the machine's, or of the demo's.
    """
    settled = resolve_environment(load_settings(), source=source or None, name=environment or None)
    # The demo's clock stands at its end; any other's is ours, in whole minutes so that a pull can be repeated.
    seeded = EXTENT.end if settled.is_demo else None
    clock = now or seeded or datetime.now(UTC).replace(second=0, microsecond=0)
    return Asked(settled, named_window(week, clock), clock, set_clock=now is not None)


def as_text(parameter: str, value: object) -> str:
    """A parameter that is a name, as it was given; a UsageError where papermill's `-p` made something else of it."""
    if isinstance(value, str):
        return value
    raise UsageError(
        f"Parameter '{parameter}' came as {value!r} and not as text: papermill's -p turns 007 into 7, and None into "
        f"nothing. Give the name with -r, which keeps it as it is, like: -r {parameter} 007"
    )
