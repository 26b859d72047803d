"""Which check is made of which measure: every verdict of a study, by its key."""

from __future__ import annotations

from collections.abc import Callable

from cloudxai_analysis.study import Study
from cloudxai_analysis.verdicts import Check, alerts, cardinality, cost, incidents, readiness, telemetry
