"""The week as data: `summary.json`, which the page's first screen is made from."""

from cloudxai_analysis.summary.summary import summarise

__all__ = ["summarise"]
