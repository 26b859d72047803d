"""Figures."""

from __future__ import annotations

from cloudxai_analysis.figures.style import empty


def coverage_by_day(ax, coverage, *, least):
    return empty(ax, "not drawn yet")


def gaps_on_timeline(ax, gaps, window):
    return empty(ax, "not drawn yet")
