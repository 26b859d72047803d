"""What silence of the alerts is worth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, span

ONE_DAY = 0.95 * 86_400  # seconds seen, under which a window is too young to be judged


@dataclass(frozen=True)
class Watched:
    """By what the alerts of a window were seen.

    `window` is called by how much of it was seen, which is `seconds`; `rules` are the names of the alert rules that the
    server had loaded at the pull, None where that is not known; `stored` is whether any alert of the history is stored.
    """

    window: Window
    seconds: float
    rules: frozenset[str] | None
    stored: bool

    @property
    def period(self) -> str:
        """'2026-W46', 'the 28 days up to Mon 16 Nov, 00:00 UTC', 'the 3 days seen of 2026-W46'."""
        return self.window.name

    def blind(self, what: str, *, rules: Collection[str] = ()) -> str:
        """Why nobody can say that there were no `what`, of these rules or of any; '' where silence tells so."""
        whether = f"Whether there were {what} is unknown"
        if self.rules is None and not self.stored:
            return f"{whether}: no alert was ever stored, and the server has not said which rules it had loaded."
        if self.rules is not None and not (self.rules & set(rules) if rules else self.rules):
            loaded = f"{count(len(self.rules), 'alert rule')}, and none that would tell"
            return f"{whether}: the server had loaded {loaded if self.rules else 'no alert rule'}."
        if self.seconds < ONE_DAY:
            return f"Too early to tell whether there were {what}: {span(self.seconds)} seen."
        return ""
