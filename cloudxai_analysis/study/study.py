"""The study: one window of one environment, its five topics side by side."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.study.alerts import Alerts
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.cost import Cost
from cloudxai_analysis.study.opened import Frames, Opened
from cloudxai_analysis.study.readiness import Readiness
from cloudxai_analysis.study.telemetry import Telemetry


class Study(Opened):
    """One window of one environment, opened on one lake version; `provenance` says which and whence."""

    def __init__(
        self,
        environment: Environment,
        window: Window,
        frames: Frames,
        *,
        ledger: Ledger,
        now: datetime,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(environment, window, frames, ledger, now)
        self.provenance = provenance or {}

    @property
    def partial(self) -> bool:
        """Whether the window had not ended when the telemetry was pulled."""
        return self.seen.end < self.window.end

    @cached_property
    def observed(self) -> Window:
        """The window as sentences may call it."""
        return self.telemetry.named(self.seen, f"{self.window.name} so far" if self.partial else self.window.name)

    def sql(self, statement: str) -> pd.DataFrame:
        """The answer to one SQL statement over the window's raw samples and hourly rollups, by DuckDB.

        See `lake.sql.query` for the tables' columns.

        Raises
        ------
        UsageError
            The study has no lake, DuckDB is not installed, or the statement is wrong or does more than read.
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        from cloudxai_analysis.lake.sql import query

        if not isinstance(self.frames, Snapshot):
            raise UsageError("SQL needs a lake, and this study reads its source directly. Open it with open_study.")
        return query(self.frames, statement, self.seen)

    @cached_property
    def telemetry(self) -> Telemetry:
        """Coverage, gaps, process starts, inventory."""
        return Telemetry(self)

    @cached_property
    def cardinality(self) -> Cardinality:
        """Tenant labels: active, held, headroom, churn, the guard."""
        return Cardinality(self, self.telemetry)

    @cached_property
    def cost(self) -> Cost:
        """Costs by tenant, day and week; movers, anomalies, semantics."""
        return Cost(self, self.telemetry, self.cardinality)

    @cached_property
    def alerts(self) -> Alerts:
        """Episodes, their judgement, noise, what was missed, what each rule is worth."""
        return Alerts(self, self.telemetry, self.cardinality, self.readiness)

    @cached_property
    def readiness(self) -> Readiness:
        """Availability, error budget, outages, latency."""
        return Readiness(self, self.telemetry, self.cardinality)
