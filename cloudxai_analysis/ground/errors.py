"""The errors a user can meet, each with its exit code.

::

    CloudxaiError                1  never raised itself
    ├── UsageError               2  a parameter, a week, a key of the settings is wrong
    ├── SourceUnreachable        3  nobody answered: refused, DNS, TLS, time-out
    ├── SourceAnswerError        4  somebody answered, but wrongly or in part
    │   └── NoData               4  the window holds no sample at all
    ├── LakeDamaged              5  a file of the lake is not what was written
    ├── LakeUnwritable           5  its disk is full, read-only or failing
    ├── NotebookFailed           6  a cell raised, was not run, or the kernel died
    ├── LakeLocked               7  another run writes to the same lake
    └── RefusedForSecurity       8  a redirect, a path or a value that must not be followed

Every message is one line: what was asked, of which source and window, what came back, and what to do next.
"""

from __future__ import annotations

from cloudxai_analysis.ground.secrets import hidden


def rendered(name: str, said: object) -> str:
    """The line of an error of ours, which a class that a notebook's cell makes up does not have by chance."""
    return f"\x1b[0m{name}: {said}"


class CloudxaiError(Exception):
    """Base of every error that a user of the suite can meet; `exit_code` is the process's exit status."""

    exit_code = 1

    def __init__(self, said: str = "") -> None:
        # Wherever it is shown or kept: on a terminal, in a log, a notebook, the note of a report that is stale.
        super().__init__(hidden(said))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook, and papermill on a terminal, in place of a traceback."""
        kind = type(self)
        if not kind.__module__.startswith(f"{__name__.partition('.')[0]}."):
            return [f"{kind.__qualname__}: {self}"]
        # A finer kind, which only its own room knows, ends a run as the one of these that it is.
        known = next(one for one in kind.__mro__ if one.__module__ == __name__)
        return [rendered(known.__name__, self)]


class UsageError(CloudxaiError):
    """A parameter, a window's name or a key of the settings is wrong."""

    exit_code = 2


class SourceUnreachable(CloudxaiError):
    """The source did not answer."""

    exit_code = 3


class SourceAnswerError(CloudxaiError):
    """The source answered wrongly, or in part."""

    exit_code = 4


class NoData(SourceAnswerError):
    """The source has not a single sample of the contract's metrics in the window."""


class LakeDamaged(CloudxaiError):
    """A file of the lake is missing, unreadable or not what was written."""

    exit_code = 5


class LakeUnwritable(CloudxaiError):
    """The lake's disk is full, read-only or failing; what was committed before stays."""

    exit_code = 5


class NotebookFailed(CloudxaiError):
    """A notebook raised, ended early, or its run cannot be proven complete."""

    exit_code = 6


class LakeLocked(CloudxaiError):
    """Another run is writing to the same lake."""

    exit_code = 7


class RefusedForSecurity(CloudxaiError):
    """Something asked for that must not be done, such as a redirect to another host."""

    exit_code = 8
