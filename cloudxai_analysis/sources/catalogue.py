"""Which metrics a server has, and of which type: what rules and dashboards are held against."""

from __future__ import annotations

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.http_api import asking
from cloudxai_analysis.sources.promql import Asked


def metric_names(source: Asked) -> list[str]:
    """The names of all metrics that the server has samples of.

    Source: Prometheus docs, HTTP API, 'Querying label values'.

    Raises
    ------
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly.
    """
    with asking("Asked for the names of its metrics"):
        document = source.session.get(f"{source.name}/api/v1/label/__name__/values").json()
        names = document.get("data") if isinstance(document, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SourceAnswerError("answered with something else than a list of names.")
    return names


def metric_types(source: Asked) -> dict[str, str]:
    """The type of each metric that a target of the server tells it, as 'counter'; of what it tells twice, nothing.

    Source: Prometheus docs, HTTP API, 'Querying metric metadata'.

    Raises
    ------
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, has no such endpoint, or answered wrongly.
    """
    with asking("Asked for the types of its metrics"):
        document = source.session.get(f"{source.name}/api/v1/metadata").json()
        try:
            types = {name: {one["type"] for one in told} for name, told in document["data"].items()}
        except (KeyError, TypeError, AttributeError):
            raise SourceAnswerError("answered with something else than metadata.") from None
    return {name: kinds.pop() for name, kinds in types.items() if len(kinds) == 1}
