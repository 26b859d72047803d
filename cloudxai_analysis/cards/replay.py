"""Cards of a replay: how far it is what the server fired, how rules compare, and what would be better."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.replay.own_server import NeedsServer
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.replay.session import opened
from cloudxai_analysis.replay.written import PRESENT, RuleReplay
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, percent

_COUNTS = ["false_positives", "trials", "misses", "incidents"]
_NUMBERS = [*_COUNTS, "detection_seconds", "pages_a_week", "unjudged"]
_CANDIDATES = ["threshold", "for_seconds", "keep_firing_for_seconds", *_NUMBERS]
_NO_RULE = "no rule could be replayed"


@dataclass(frozen=True)
class Replays:
    """What a replay gave: each rule's, and the window; `unknown` is why there is none."""

    rules: list[RuleReplay]
    window: Window
    unknown: str = ""

    @property
    def known(self) -> list[RuleReplay]:
        """Those that could be replayed."""
        return [rule for rule in self.rules if not rule.unknown]

    def rule(self, name: str = "") -> RuleReplay:
        """The rule called `name`, or of those with a better candidate the one with the most misses and false positives.

        Without such a rule one of which nothing is known.
        """
        better = [rule for rule in self.known if rule.draft is not None] or self.known
        worst_first = sorted(better, key=lambda rule: rule.table.iloc[0][["misses", "false_positives"]].tolist())[::-1]
        found = [rule for rule in self.rules if rule.name == name] if name else worst_first
        return (found or [RuleReplay(((PRESENT, AlertingRule(name, "")),), unknown="no such rule")])[0]


def replayed(study: Study, *, rules: str = "", proposed: str = "", weeks: int = 4) -> Replays:
    """Every alert rule replayed over the weeks that end with what was seen of the study's window.

    `rules` and `proposed` are paths from the project's folder, parted by commas; without `rules`
    those that the server has loaded, of the demo the reference ones. Where nothing evaluates PromQL
    the answer says so. Raises UsageError of a missing path or rule, SourceUnreachable where the
    server does not answer.
    """
    given, suggested = rules_in(_paths(rules))[0], rules_in(_paths(proposed))[0]
    seen = study.seen
    try:
        with opened(study.environment, seen, seen.end, weeks=weeks, given=given, proposed=suggested) as session:
            return Replays(session.compared(), session.history.window)
    except (NeedsServer, SourceAnswerError) as error:
        return Replays([], seen, unknown=str(error))


def agreement(study: Study, replays: Replays) -> Card:
    """How far the replay of the present rules is what the server itself fired."""
    frame = _together([rule.agreement for rule in replays.known], ["fired", "same", "extra"])
    fired, same, extra = (int(frame[name].sum()) for name in ("fired", "same", "extra"))
    share = f" ({percent(same / fired)})" if fired else ""
    share += f"; the replay fired {extra} at other evaluations" if extra else ""
    found = f"{same} of {count(fired, 'episode')} were replayed as the server fired them{share}."
    unknown = replays.unknown and "nothing was replayed"
    return _card(study, replays, "agreement", found, unknown, "no rule has fired, nor would any have", frame=frame)


def overview(study: Study, replays: Replays) -> Card:
    """Each rule beside what is proposed for it."""
    columns = ["rule", "name", *_NUMBERS]
    frame = _together([rule.table.assign(rule=rule.name) for rule in replays.known], columns)[columns]
    unknown = [rule.name for rule in replays.rules if rule.unknown]
    left_out = f" Unknown: {', '.join(unknown)}." if unknown else ""
    better = sum(rule.draft is not None for rule in replays.rules)
    found = f"{count(better, 'rule')} of {len(replays.rules)} could be better on these weeks."
    nothing = replays.unknown and "nothing was replayed"
    return _card(study, replays, "rules", found, nothing, _NO_RULE, left_out=left_out, frame=frame)


def frontier(study: Study, replays: Replays, rule: str = "") -> Card:
    """What a rule's threshold, `for` and `keep_firing_for` cost and win.

    By default of the rule to fix first, else, where none surely is or it was not replayed, of the
    one that is worst off.
    """
    first = judge.find(study, "rules").words.get("first")
    chosen = replays.rule(rule or ("" if first is None else str(first["alertname"])))
    if not rule and not len(chosen.candidates):
        chosen = replays.rule("")
    frame, name = chosen.candidates, chosen.name
    shown = frame[frame["frontier"]][_CANDIDATES].reset_index(drop=True) if len(frame) else frame
    found = f"{name}: {count(len(shown), 'candidate')} of {len(frame)} on the frontier."
    unknown = "" if len(frame) else "no candidate was replayed"
    return _card(study, replays, "frontier", found, unknown, _NO_RULE, name=name, reason=chosen.reason, frame=shown)


def drafts(replays: Replays) -> str:
    """The draft rules with their reasons, as rule files, each with what promtool says of it."""
    found = [rule.draft for rule in replays.rules if rule.draft is not None]
    if not found:
        return replays.unknown or "No candidate is better than the rule that is there."
    return "\n".join(f"# promtool: {draft.lint}\n{draft.text}" for draft in found)


def _card(study: Study, replays: Replays, key: str, found: str, unknown: str, empty: str, **words: Any) -> Card:
    """A card that says what was found, or why that is unknown."""
    said = f"Unknown: {unknown}." if unknown else found
    nothing = replays.unknown or empty
    return compose(study, f"alerts-replay-{key}", said=said, nothing=nothing, over=replays.window, **words)


def _paths(words: str) -> list[Path]:
    return [project_folder() / word.strip() for word in words.split(",") if word.strip()]


def _together(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    found = [frame for frame in frames if len(frame)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
