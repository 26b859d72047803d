"""Figures."""

from __future__ import annotations

from cloudxai_analysis.figures.style import empty


def availability_by_day(ax, daily, *, slo):
    return empty(ax, "not drawn yet")


def error_budget(ax, rolling, *, slo):
    return empty(ax, "not drawn yet")


def transitions_by_hour(ax, transitions, *, bound):
    return empty(ax, "not drawn yet")


def check_latency(ax, latency, *, bound):
    return empty(ax, "not drawn yet")


def tenant_outages(ax, outages, window):
    return empty(ax, "not drawn yet")
