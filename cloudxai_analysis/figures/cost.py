"""Figures."""

from __future__ import annotations

from cloudxai_analysis.figures.style import empty


def cost_by_week(ax, weekly, *, currency, partial):
    return empty(ax, "not drawn yet")


def top_tenants(ax, costs, *, currency, top=10):
    return empty(ax, "not drawn yet")


def movers(ax, movers, *, top=10):
    return empty(ax, "not drawn yet")


def anomaly(ax, hourly, anomaly):
    return empty(ax, "not drawn yet")
