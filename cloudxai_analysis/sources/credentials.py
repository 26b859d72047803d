"""What a request carries to be let in: read when it is used, and never shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.http_config import BasicAuth, HttpConfig, content_of, read_http_config

TENANT_HEADER = "X-Scope-OrgID"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
_FRAMING = re.compile(r"host|connection|upgrade|transfer-encoding|te|trailer|expect|content-.*", re.IGNORECASE)
_LEAST_REPEATED = 8  # a shorter word can stand in samples by chance


def settled_credentials(
    settings: EnvironmentSettings, folder: Path, *, user: str | None = None, password: str = ""
) -> Credentials:
    """The credentials of an environment, its paths starting at `folder`; `user` and `password` are the URL's.

    Raises UsageError where the configuration has a mistake or something is given twice,
    RefusedForSecurity where the server's certificate is not to be verified.
    """
    file = settings.http_config_file
    config = HttpConfig() if file is None else read_http_config(folder / file)
    if config.tls_config.insecure_skip_verify:
        raise RefusedForSecurity(
            "Refused `tls_config.insecure_skip_verify`: the credentials would go to any server that answers. Name the "
            "server's authority in `tls_config.ca_file`, or the name in its certificate in `tls_config.server_name`."
        )
    if user is not None:
        if given := config.given(*HttpConfig.exclusive[0]):
            raise UsageError(f"The source has a password in its URL, and `{given[0]}` is configured. Keep one of them.")
        basic = BasicAuth(username=SecretStr(user), password=SecretStr(password))
        config = config.model_copy(update={"basic_auth": basic})
    return Credentials(config, tenant=settings.tenant)


class Credentials(AuthBase):
    """The credentials of one server; files are read at each request, so what is new in them holds at once.

    Making a request raises UsageError where a file cannot be read, or holds nothing that can be
    sent.
    """

    def __init__(self, config: HttpConfig | None = None, *, tenant: str | None = None) -> None:
        self.config = config or HttpConfig()
        self._tenant = tenant
        self._secrets: set[str] = set()
        self._sent: set[bytes] = set()

    def __repr__(self) -> str:
        return "<secret>"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the tenant, the headers and the credentials on a request."""
        if self._tenant is not None:
            request.headers[TENANT_HEADER] = self._tenant
        for name, value in self._headers():
            if name in request.headers or _FRAMING.fullmatch(name) or not _NAME.fullmatch(name):
                raise UsageError(f"Header {name!r} is given twice, or set by the suite itself. Leave it out.")
            if not _VALUE.fullmatch(value):
                raise UsageError(
                    f"Header {name} has no value that can be sent: it is empty, or has line breaks or foreign "
                    "characters. Correct the file of access, or the file that it names."
                )
            if name.lower() == TENANT_HEADER.lower() and re.search("[|,]", value):
                raise UsageError(f"Header {name} would read two tenants. Give one.")
            request.headers[name] = value
        self._sent.update(map(str.encode, request.headers.get("Authorization", "").split()[1:]))
        return request

    def _headers(self) -> Iterator[tuple[str, str]]:
        for name, header in self.config.http_headers.items():
            given = [self._text(text, None) for text in (*header.values, *header.secrets)]
            yield name, ", ".join([*given, *(self._text(None, file) for file in header.files)])
        if basic := self.config.basic_auth:
            user = self._text(basic.username, basic.username_file)
            yield "Authorization", self._both(user, self._text(basic.password, basic.password_file))
        elif token := self.config.token:
            yield "Authorization", f"{token.type} {self._text(token.credentials, token.credentials_file)}"

    def proxy(self) -> tuple[str | None, dict[str, str]]:
        """The proxy's URL without its user and password, and the headers that it alone is told."""
        if self.config.proxy_url is None:
            return None, {}
        parts = urlsplit(self.config.proxy_url.get_secret_value())
        url, both = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", (parts.username, parts.password)
        if both == (None, None):
            return url, {}
        return url, {"Proxy-Authorization": self._both(*(unquote(one or "") for one in both))}

    def hide(self, text: str) -> str:
        """`text` with every secret that was sent so far replaced by `<secret>`."""
        for secret in sorted(self._secrets.copy(), key=len, reverse=True):
            text = text.replace(secret, "<secret>")
        return text

    def repeatable(self) -> list[bytes]:
        """What was sent as `Authorization` so far, without its type, as far as it is long enough to be known again."""
        return [word for word in self._sent.copy() if len(word) >= _LEAST_REPEATED]

    def _both(self, user: str, password: str) -> str:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        for secret in (user, password, pair):
            self._keep(secret)
        return f"Basic {pair}"

    def _text(self, given: SecretStr | None, file: Path | None) -> str:
        """What is given, or what the file holds now."""
        text = given.get_secret_value() if given is not None else ""
        if file is not None:
            try:
                text = content_of(file).decode().strip()
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is no text"
                raise UsageError(f"File {file}, named by the file of access, cannot be read: {why}.") from None
        self._keep(text)
        return text

    def _keep(self, secret: str) -> None:
        # A server may repeat a part only, such as the token without the 'Bearer' that a header gives before it.
        words = {secret, *(word for word in secret.split() if len(word) > 3)} - {""}
        self._secrets.update(form for word in words for form in (word, quote(word), quote(word, safe="")))
