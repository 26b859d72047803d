"""The command: words in, calls, every error as one line with its exit code."""

from cloudxai_analysis.cli.main import main, main_group

__all__ = ["main", "main_group"]
