"""Figures."""

from __future__ import annotations

from cloudxai_analysis.figures.style import empty


def tenants_and_cap(ax, active, held, *, cap, events):
    return empty(ax, "not drawn yet")


def headroom_over_time(ax, headroom, *, cap, warn_share):
    return empty(ax, "not drawn yet")


def churn_by_day(ax, churn, *, bound):
    return empty(ax, "not drawn yet")


def rejections_by_hour(ax, rejections):
    return empty(ax, "not drawn yet")


def tenant_sets_by_week(ax, by_week):
    return empty(ax, "not drawn yet")
