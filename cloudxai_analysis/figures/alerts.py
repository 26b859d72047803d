"""Figures."""

from __future__ import annotations

from cloudxai_analysis.figures.style import empty


def episodes_on_timeline(ax, judged, window):
    return empty(ax, "not drawn yet")


def false_positive_rates(ax, rates, *, bound):
    return empty(ax, "not drawn yet")


def noise_by_rule(ax, noise):
    return empty(ax, "not drawn yet")
