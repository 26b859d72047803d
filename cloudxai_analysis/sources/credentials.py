"""What a request carries to be let in: read when it is used, and never shown."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.http_config import (
    HEADER_VALUE,
    TENANT_HEADER,
    Authorization,
    BasicAuth,
    HttpConfig,
    content_of,
    read_http_config,
)

_LARGEST_BYTES = 1 << 16
_LEAST_REPEATED = 8  # a shorter word can stand in samples by chance


def settled_credentials(
    settings: EnvironmentSettings, folder: Path, *, user: str | None = None, password: str = ""
) -> Credentials:
    """The credentials of an environment, its paths starting at `folder`; `user` and `password` are the URL's.

    Raises UsageError where the configuration has a mistake or something is given twice, RefusedForSecurity where the
    server's certificate is not to be verified.
    """
    file = settings.http_config_file
    config = HttpConfig() if file is None else read_http_config(folder / file)
    if config.tls_config.insecure_skip_verify:
        raise RefusedForSecurity(
            "Refused `tls_config.insecure_skip_verify`: the credentials would go to any server that answers. Name the "
            "server's authority in `tls_config.ca_file`, or the name in its certificate in `tls_config.server_name`."
        )
    if settings.tenant is not None and any(name.lower() == TENANT_HEADER.lower() for name in config.http_headers):
        raise UsageError(f"The environment has a `tenant`, and {TENANT_HEADER} in `http_headers`. Keep one of them.")
    if user is not None:
        if given := config.given(*HttpConfig.exclusive[0]):
            raise UsageError(f"The source has a password in its URL, and `{given[0]}` is configured. Keep one of them.")
        basic = BasicAuth.model_construct(username=SecretStr(user), password=SecretStr(password))  # either may be empty
        config = config.model_copy(update={"basic_auth": basic})
    return Credentials(config, tenant=settings.tenant)


class Credentials(AuthBase):
    """The credentials of one server; files are read at each request, so what is new in them holds at once.

    Making a request raises UsageError where a file cannot be read, or holds nothing that can be sent.
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
        for name, header in self.config.http_headers.items():
            for text in header.texts():
                self._keep(text)
            request.headers[name] = ", ".join([*header.texts(), *(self._line(file, name) for file in header.files)])
        if basic := self.config.basic_auth:
            user = self._text(basic.username, basic.username_file, "basic_auth.username_file")
            password = self._text(basic.password, basic.password_file, "basic_auth.password_file")
            request.headers["Authorization"] = self._both(user, password)
        elif token := self.config.token:
            request.headers["Authorization"] = self._bearer(token)
        self._sent.update(map(str.encode, request.headers.get("Authorization", "").split()[1:]))
        return request

    @property
    def proxy(self) -> str | None:
        """The proxy's URL without its user and password."""
        if self.config.proxy_url is None:
            return None
        parts = urlsplit(self.config.proxy_url.get_secret_value())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def proxy_authorization(self) -> str | None:
        """The `Proxy-Authorization` header, where the proxy's URL has a user or password."""
        parts = urlsplit(self.config.proxy_url.get_secret_value() if self.config.proxy_url else "")
        if parts.username is None and parts.password is None:
            return None
        return self._both(unquote(parts.username or ""), unquote(parts.password or ""))

    def hide(self, text: str) -> str:
        """`text` with every secret that was sent so far replaced by `<secret>`."""
        forms = {form for secret in self._secrets.copy() for form in (secret, quote(secret), quote(secret, safe=""))}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "<secret>")
        return text

    def repeatable(self) -> list[bytes]:
        """What was sent as `Authorization` so far, without its type, as far as it is long enough to be known again."""
        return [word for word in self._sent.copy() if len(word) >= _LEAST_REPEATED]

    def _both(self, user: str, password: str) -> str:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        for secret in (user, password, pair):
            self._keep(secret)
        return f"Basic {pair}"

    def _bearer(self, token: Authorization) -> str:
        text = self._text(token.credentials, token.credentials_file, "authorization.credentials_file")
        inner = r"\x21-\x7e" if token.type.lower() == "bearer" else r"\x20-\x7e"
        if not re.fullmatch(rf"[{inner}]+", text):
            place = f"File {token.credentials_file}" if token.credentials_file else "The token of the configuration"
            raise UsageError(
                f"{place} holds no credentials that can be sent: it is empty, or has spaces or foreign characters."
            )
        return f"{token.type} {text}"

    def _line(self, file: Path, name: str) -> str:
        value = self._text(None, file, f"http_headers.{name}.files")
        if not HEADER_VALUE.fullmatch(value):
            raise UsageError(f"File {file} holds no value of header {name}: it has line breaks or foreign characters.")
        if name.lower() == TENANT_HEADER.lower() and "|" in value:
            raise UsageError(f"File {file} would read two tenants, with '|' between them. Give one tenant.")
        return value

    def _text(self, given: SecretStr | None, file: Path | None, key: str) -> str:
        """What is given, or what the file holds now."""
        text = given.get_secret_value() if given is not None else ""
        if file is not None:
            try:
                text = content_of(file, _LARGEST_BYTES).decode().strip()
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is no text"
                raise UsageError(f"`{key}`, {file}, cannot be read: {why}. Correct the path.") from None
        self._keep(text)
        return text

    def _keep(self, secret: str) -> None:
        # A server may repeat a part only, such as the token without the 'Bearer' that a header gives before it.
        words = [word for word in secret.split() if len(word) > 3]
        self._secrets.update(word for word in (secret, *words) if word)
