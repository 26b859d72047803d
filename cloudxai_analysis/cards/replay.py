"""Looks at a replay: how far it is what the server fired, how rules compare, and what would be better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import replay as figures
from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.replay.compared import RuleReplay
from cloudxai_analysis.replay.demo_server import NeedsServer
from cloudxai_analysis.replay.history import present
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.replay.session import opened
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, percent

_NUMBERS = [
    "false_positives",
    "trials",
    "misses",
    "incidents",
    "detection_seconds",
    "pages_a_week",
    "unjudged",
]
_CANDIDATES = ["threshold", "for_seconds", "keep_firing_for_seconds", *_NUMBERS]


@dataclass(frozen=True)
class Replays:
    """What a replay gave: each rule's, the window, the course of what each looks at; `unknown` is why there is none."""

    rules: list[RuleReplay]
    window: Window
    courses: dict[str, tuple[pd.DataFrame, str]]
    unknown: str = ""

    @property
    def worst(self) -> RuleReplay | None:
        """The rule with a better candidate that has the most misses and false positives."""
        known = [rule for rule in self.rules if not rule.unknown]
        better = [rule for rule in known if rule.draft is not None] or known
        return max(better, key=_faults, default=None)

    def rule(self, name: str = "") -> RuleReplay | None:
        """The rule called `name`, or the worst."""
        return next((rule for rule in self.rules if rule.name == name), None) if name else self.worst


def replayed(study: Study, *, rules: str = "", proposed: str = "", weeks: int = 4) -> Replays:
    """Every alert rule replayed over the weeks that end with what was seen of the study's window.

    `rules` and `proposed` are paths of files or folders, several parted by commas, from the project's folder; without
    `rules` those that the server has loaded, of the demo the reference ones. Where nothing evaluates PromQL the answer
    says so.

    Raises
    ------
    UsageError
        A path does not exist, or there is no rule.
    SourceUnreachable
        The server did not answer.
    """
    given, suggested = rules_in(_paths(rules))[0], rules_in(_paths(proposed))[0]
    try:
        with opened(
            study.environment, study.seen, study.seen.end, weeks=weeks, given=given, proposed=suggested
        ) as session:
            found = session.compared()
            known = [rule for rule in found if not rule.unknown]
            courses = {rule.name: session.history.course(rule.rule) for rule in known}
            return Replays(found, session.history.window, courses)
    except (NeedsServer, SourceAnswerError) as error:
        return Replays([], study.seen, {}, unknown=str(error))


def agreement(study: Study, replays: Replays) -> Look:
    """How far the replay of the present rules is what the server itself fired."""
    counts = [rule.agreement for rule in replays.rules if len(rule.agreement)]
    frame = pd.concat(counts, ignore_index=True) if counts else pd.DataFrame()
    fired, same = (int(frame[name].sum()) if len(frame) else 0 for name in ("fired", "same"))
    extra = int(frame["extra"].sum()) if len(frame) else 0
    share = (f" ({percent(same / fired)})" if fired else "") + (f", and {extra} that it did not fire" if extra else "")
    return compose(
        study,
        "alerts-replay-agreement",
        heading=f"{same} of {count(fired, 'episode')} were replayed as the server fired them{share}."
        if not replays.unknown
        else "Unknown: nothing was replayed.",
        defined="replay",
        measure="replay.agreement.agreement",
        note="At the present threshold, for and keep_firing_for; the same are those at the same evaluations. Episodes "
        "cut by an edge, or while the server was down, are set apart.",
        frame=frame,
        caption="Replayed episodes against those that the server fired",
        role="alerts",
        empty=replays.unknown or "no rule has fired, nor would any have",
    )


def overview(study: Study, replays: Replays) -> Look:
    """Each rule beside what is proposed for it."""
    rows = [
        rule.table.assign(rule=rule.name, better=rule.reason if rule.draft is not None else "")
        for rule in replays.rules
        if not rule.unknown
    ]
    unknown = [rule.name for rule in replays.rules if rule.unknown]
    frame = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["rule", "name", *_NUMBERS])
    better = sum(rule.draft is not None for rule in replays.rules)
    left_out = f" Unknown: {', '.join(unknown)}." if unknown else ""
    return compose(
        study,
        "alerts-replay-rules",
        heading=f"{count(better, 'rule')} of {len(replays.rules)} could be better on these weeks."
        if not replays.unknown
        else "Unknown: nothing was replayed.",
        defined="replay",
        measure="replay.quality.quality",
        note=f"Rules over {replays.window}, judged by the ledger.{left_out}",
        frame=frame[["rule", "name", *_NUMBERS]],
        caption="Present and proposed rules over past weeks and incidents",
        role="alerts",
        empty=replays.unknown or "no rule could be replayed",
    )


def frontier(study: Study, replays: Replays, rule: str = "") -> Look:
    """What a rule's threshold, `for` and `keep_firing_for` cost and win; by default the rule that is worst off."""
    chosen = replays.rule(rule)
    frame = pd.DataFrame() if chosen is None else chosen.candidates
    shown = frame[frame["frontier"]][_CANDIDATES].reset_index(drop=True) if len(frame) else frame
    name = chosen.name if chosen is not None else rule
    return compose(
        study,
        "alerts-replay-frontier",
        heading=f"{name}: {count(len(shown), 'candidate')} of {len(frame)} on the frontier."
        if len(frame)
        else "Unknown: no candidate was replayed.",
        defined="replay",
        measure="replay.candidates.candidates",
        note=chosen.reason if chosen is not None else "",
        frame=shown,
        caption=f"Candidates of {name} that no other one beats",
        draw=lambda ax: figures.frontier(
            ax,
            frame,
            alertname=name,
            best=chosen.best if chosen is not None else 0,
            window=replays.window,
        ),
        empty=replays.unknown or "no rule could be replayed",
    )


def signal(study: Study, replays: Replays, rule: str = "") -> Look:
    """What a rule looks at, with its threshold and its episodes; by default of the rule that is worst off."""
    chosen = replays.rule(rule)
    name = chosen.name if chosen is not None else rule
    course, meaning = replays.courses.get(name, (pd.DataFrame(columns=["time", "value"]), ""))
    episodes = pd.DataFrame() if chosen is None else chosen.episodes.query("variant == 0").reset_index(drop=True)
    threshold = None if chosen is None else _threshold(chosen)
    shown = episodes.drop(columns=["variant", "unseen_seconds"], errors="ignore")
    return compose(
        study,
        "alerts-replay-signal",
        heading=f"{name} would have fired {count(len(episodes), 'time')}." if chosen else "Unknown: no rule replayed.",
        defined="replay",
        measure="replay.episodes.episodes",
        note=f"Line: {meaning}, as the server evaluates it." if meaning else "",
        frame=shown,
        caption=f"Replayed episodes of {name}",
        draw=lambda ax: figures.signal(
            ax, course, episodes, alertname=name, meaning=meaning, threshold=threshold, window=replays.window
        ),
        empty=replays.unknown or "it would not have fired in these weeks",
    )


def burn_rate(study: Study, replays: Replays) -> Look:
    """The readiness alert beside the Workbook's multi-window burn rates."""
    chosen = next((rule for rule in replays.rules if len(rule.variants) > 2 and not rule.unknown), None)
    frame = pd.DataFrame() if chosen is None else chosen.table[["name", *_NUMBERS]]
    name = chosen.name if chosen is not None else ""
    return compose(
        study,
        "alerts-replay-burn",
        heading=f"{name}, and burn rates in its place: {_pages(frame)}."
        if chosen is not None
        else "Unknown: no readiness alert was replayed.",
        defined="burn",
        measure="replay.burn_rule.burn_rules",
        note="Judged as if the incidents that name the alert named the burn rates, too.",
        frame=frame,
        caption="The readiness alert beside multi-window burn rates",
        role="readiness",
        empty=replays.unknown or "no rule looks at the readiness gauge alone",
    )


def drafts(replays: Replays) -> str:
    """The draft rules with their reasons, as rule files, each with what promtool says of it."""
    found = [rule.draft for rule in replays.rules if rule.draft is not None]
    if not found:
        return replays.unknown or "No candidate is better than the rule that is there."
    return "\n".join(f"# promtool: {draft.lint}\n{draft.text}" for draft in found)


def _paths(words: str) -> Sequence[Path]:
    return [project_folder() / word.strip() for word in words.split(",") if word.strip()]


def _threshold(rule: RuleReplay) -> float | None:
    from cloudxai_analysis.replay.left_side import split

    parts = split(rule.rule.expr)
    return parts.threshold if parts is not None else present(rule.rule).threshold


def _faults(rule: RuleReplay) -> tuple[int, int]:
    first = rule.table.iloc[0]
    return int(first["misses"]), int(first["false_positives"])


def _pages(table: pd.DataFrame) -> str:
    return "; ".join(
        f"{row['name']} misses {row['misses']} of {row['incidents']}, false {row['false_positives']} of {row['trials']}"
        for row in table.to_dict("records")
    )
