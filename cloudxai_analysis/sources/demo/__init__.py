"""The demo: a seeded CloudxAi over six fixed weeks, with planted events whose truth is a table."""

from cloudxai_analysis.sources.demo.source import DemoSource

__all__ = ["DemoSource"]
