"""CloudxAi's telemetry for analysts: `import cloudxai_analysis as cx`, then `study = cx.open_study("2026-W46")`.

`study.frames()` lists every frame; `study.samples`, `study.promql` and `study.sql` reach what no
frame has; `cx.plot` draws a frame of one's own, `cx.browse` makes it a table to sort and to search,
and `cx.card` makes a section of the report of it.
"""

from importlib import import_module
from typing import Any

# The command line answers before anything heavy is loaded, so each is imported at its first use.
_PLACES = {
    "browse": ("cards.lab", "browse"),
    "card": ("cards.compose", "own_card"),
    "open_study": ("study.opening", "open_study"),
    "plot": ("figures.plot", "plot"),
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room, held = _PLACES[name]
    return getattr(import_module(f"{__name__}.{room}"), held)
