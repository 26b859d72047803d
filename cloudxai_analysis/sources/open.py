"""Which source a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from cloudxai_analysis.errors import UsageError
from cloudxai_analysis.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.series import Source


def open_source(url: str, *, limits: Limits, settings: EnvironmentSettings) -> Source:
    """The source that `url` names: the embedded demo, or a server with Prometheus' HTTP API.

    Raises
    ------
    UsageError
        The URL is of no known kind, or names a demo that does not exist.
    """
    scheme = urlsplit(url).scheme
    if scheme == "demo":
        from cloudxai_analysis.sources.demo import DemoSource

        return DemoSource.from_url(url)
    if scheme in ("http", "https"):
        from cloudxai_analysis.sources.http_api import PrometheusSource

        return PrometheusSource(url, limits=limits, settings=settings)
    raise UsageError(f"Source '{url}' is neither demo:// nor an http(s) URL such as http://127.0.0.1:9090.")
