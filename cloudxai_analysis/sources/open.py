"""The door to every source: a URL in, something that can be read out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.settings import Environment, EnvironmentSettings, Limits, project_folder, settings_file

if TYPE_CHECKING:
    from cloudxai_analysis.sources.demo import DemoSource
    from cloudxai_analysis.sources.server import ServerSource

_FORMS = "A source is demo:// or the base URL of a Prometheus, like http://host:9090 or https://host/prometheus"


def source_of(settled: Environment) -> DemoSource | ServerSource:
    """The source of an environment; raises as `open_source` does."""
    return open_source(settled.source, limits=settled.limits, settings=settled.settings)


def open_source(url: str, *, limits: Limits, settings: EnvironmentSettings) -> DemoSource | ServerSource:
    """The source at `url`: the demo, or a server reached as the environment's `http_config` and `tenant` say.

    Nothing is asked yet. A user and password in the URL are used and never shown. Raises UsageError
    where URL or access has a mistake, RefusedForSecurity where the certificate is not to be
    verified.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "demo":
        from cloudxai_analysis.sources.demo import DemoSource

        return DemoSource.from_url(url)
    if scheme not in ("http", "https"):
        raise UsageError(f"The source is neither the demo nor an http(s) URL. {_FORMS}.")
    from cloudxai_analysis.sources.credentials import settled_credentials, tell_if_open
    from cloudxai_analysis.sources.server import ServerSource
    from cloudxai_analysis.sources.session import ObservingSession

    base, user, password = _address(url)
    if user is not None and url == settings.source and settings_file().is_file():
        tell_if_open(settings_file())
    credentials = settled_credentials(settings, project_folder(), user=user, password=password)
    session = ObservingSession(base, limits=limits, credentials=credentials)
    return ServerSource(session, way=settings.way, tenant=settings.tenant)


def _address(url: str) -> tuple[str, str | None, str]:
    """Base URL without credentials, user and password; no message may show the URL, which can hold a password."""
    try:
        parts = urlsplit(url)
        spoilt = parts.query or parts.fragment or url.endswith(("?", "#")) or " " in url or not url.isprintable()
        if parts.port == 0 or not parts.hostname or spoilt:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"The source's URL has no proper host and port, or has a space, a query or a fragment. {_FORMS}."
        ) from None
    user = None if parts.username is None else unquote(parts.username)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}", user, unquote(parts.password or "")
