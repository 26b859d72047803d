"""CloudxAi's telemetry for analysts: `import cloudxai_analysis as cx`, then `study = cx.open_study("2026-W46")`.

`study.frames` lists every frame; `study.samples`, `study.promql` and `study.sql` reach what no frame has; `cx.plot`
draws a frame of one's own, and `cx.card` makes a section of the report of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudxai_analysis.cards.own import Finding, card
    from cloudxai_analysis.figures.plot import plot
    from cloudxai_analysis.study.opening import open_study

__all__ = ["Finding", "card", "open_study", "plot"]
# The command line answers before anything heavy is loaded, so the door opens each room at its first use.
_ROOMS = {
    "Finding": "cards.own",
    "card": "cards.own",
    "open_study": "study.opening",
    "plot": "figures.plot",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
