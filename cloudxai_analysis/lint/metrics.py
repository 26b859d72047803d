"""What is known of a metric before any sample is seen: from the contract, the corpus's rules, a server, or its name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Metric

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

Kind = Literal["counter", "gauge", ""]
NAMES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
TARGET_LABELS = frozenset(NAMES["target_labels"])
# By the shape of a name; what is neither comes first.
_KINDS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile("|".join(map(translate, names))) for kind, names in NAMES["kinds"].items()
}
BY_NAME = "as its name says"
_GENERAL_ROLES = frozenset({"process_start", "up", "scrape_duration", "scrape_samples", "alerts"})


class Metrics:
    """The metrics of a corpus' contract, of its recording rules and of the server that was asked, by name."""

    def __init__(self, corpus: Corpus) -> None:
        self.contract, self._types = corpus.contract, corpus.metric_types
        self.recorded: dict[str, list[Rule]] = {}
        for rule in corpus.rules:
            if rule.kind == "record":
                self.recorded.setdefault(rule.name, []).append(rule)
        self.names = None if corpus.known_metrics is None else frozenset(corpus.known_metrics)
        self._promised = {name: role for role, one in self.contract.metrics.items() for name in one.series_names}
        self._own = sorted(name for name in self._promised if self.is_own(name))
        # The first word of the platform's own names: what begins like them is meant to be one of them.
        self._stems = tuple({f"{name.split('_')[0]}_" for name in self._own})
        # A server's names are many.
        self.strange = cache(self._strangeness)

    def promised(self, name: str) -> Metric | None:
        """The contract's metric to which the series of that name belong."""
        return self.contract.metrics[self._promised[name]] if name in self._promised else None

    def is_own(self, name: str) -> bool:
        """Whether the series of that name are the platform's own, not the server's or a client library's."""
        return self._promised.get(name, "up") not in _GENERAL_ROLES

    def kind(self, name: str) -> tuple[Kind, str]:
        """Whether the series of that name are counters or gauges, and the words that say where that is known from."""
        metric = self.promised(name)
        if metric is not None:
            return "gauge" if metric.kind == "gauge" else "counter", "says the contract"
        told = self._types.get(name, "")
        for ending in ("_bucket", "_count", "_sum"):
            if not told and self._types.get(name.removesuffix(ending)) in ("histogram", "summary"):
                told = "counter"
        if told in ("counter", "gauge"):
            return "counter" if told == "counter" else "gauge", "says the server's metadata"
        return next((kind for kind, shape in _KINDS.items() if shape.match(name)), ""), BY_NAME

    def labels(self, name: str) -> tuple[frozenset[str] | None, frozenset[str]]:
        """The labels that the series of that name can have (None: any), and those that they have for sure.

        Targets can carry any label by relabelling, so that only the platform's own metrics are
        closed.
        """
        metric = self.promised(name)
        if metric is not None and name not in self.recorded:
            own = self._named(metric.labels) | ({"le"} if name.endswith("_bucket") else frozenset())
            return (own | self._named(metric.optional_labels) | TARGET_LABELS if self.is_own(name) else None), own
        if ":" in name or not name or name.startswith("ALERTS"):
            return None, frozenset()
        return None, frozenset({"job", "instance"})

    def _named(self, labels: Iterable[str]) -> frozenset[str]:
        """Labels of a contract's metric as the platform calls them."""
        return frozenset(self.contract.tenant_label if label == "tenant" else label for label in labels)

    def _strangeness(self, name: str) -> tuple[str, bool]:
        """Why nobody knows a metric of that name, and whether that is no more than assumed; '' where somebody does."""
        if not name or name in self._promised or name in self.recorded or name == "ALERTS_FOR_STATE":
            return "", False
        if self.names is not None:
            known = [] if name in self.names else [*self._own, *self.recorded, *self.names]
            near = get_close_matches(name, known, n=1, cutoff=0.9)
            return (f"neither the contract, a recording rule nor the server has it{meant(near)}" if near else ""), False
        if f"{name}_bucket" in self._promised:
            return f"it is a histogram, whose series are {name}_bucket, {name}_count and {name}_sum.", False
        if ":" in name:  # exporters use colons, too, and rules may stand elsewhere
            near = get_close_matches(name, list(self.recorded), n=1, cutoff=0.94)
            return (f"no rule records it{meant(near)}" if near else ""), True
        sure = get_close_matches(name, self._own, n=1, cutoff=0.84)
        if sure or name.startswith(self._stems):
            near = sure or get_close_matches(name, self._own, n=1, cutoff=0.6)
            return f"the contract of {self.contract.platform} does not promise it{meant(near)}", not sure
        return "", False

    def lacking(self, name: str) -> bool:
        """Whether the server that was asked has no series of that name, though its name is no mistake that we see."""
        return self.names is not None and bool(name) and name not in self.names and name not in self.recorded


def meant(near: list[str]) -> str:
    """The end of a message on a name that nobody knows, and that may be nearly another."""
    return f"; is '{near[0]}' meant?" if near else "."
