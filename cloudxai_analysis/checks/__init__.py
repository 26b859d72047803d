"""Checks: what a measure's number means against a bound, and the rule that no coverage means unknown."""

from cloudxai_analysis.checks.finding import NEEDED, SECTIONS, SEVERITY, Check, Status, week_status

__all__ = ["NEEDED", "SECTIONS", "SEVERITY", "Check", "Status", "week_status"]
