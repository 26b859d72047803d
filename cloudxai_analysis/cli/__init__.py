"""The command: words in, calls, every error as one line with its exit code.

What takes seconds to import is imported inside a command, so that help and mistakes answer at once.
"""

from cloudxai_analysis.cli.main import main, main_group

__all__ = ["main", "main_group"]
