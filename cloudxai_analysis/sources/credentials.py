"""What a request carries to be let in: read when it is used, and never shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.ground.secrets import LEAST_CHARACTERS, hidden, keep
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.http_config import (
    Authorization,
    BasicAuth,
    Header,
    HttpConfig,
    content_of,
    read_http_config,
    tell_if_open,
)

TENANT_HEADER = "X-Scope-OrgID"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
_FRAMING = re.compile(r"host|connection|upgrade|transfer-encoding|te|trailer|expect|content-.*", re.IGNORECASE)


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

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> tuple[Any, ...]:
        """What the files hold now goes along to another process, which may not have them; those of TLS stay files."""
        return partial(Credentials, _in_hand(self.config), tenant=self._tenant), ()

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
        return request

    def _headers(self) -> Iterator[tuple[str, str]]:
        for name, header in self.config.http_headers.items():
            said = [_text(text, None) for text in header.values]
            secret = [_text(text, None) for text in header.secrets] + [_text(None, file) for file in header.files]
            if name.lower() != TENANT_HEADER.lower():  # which stands in reports by right
                self._keep(said, of="")
                self._keep(secret, of=f"The secret of header {name}")
            yield name, ", ".join([*said, *secret])
        if basic := self.config.basic_auth:
            user = _text(basic.username, basic.username_file)
            yield "Authorization", self._both(user, _text(basic.password, basic.password_file), "The password")
        elif token := self.config.token:
            secret = [_text(token.credentials, token.credentials_file)]
            self._keep(secret, of="The token")
            yield "Authorization", f"{token.type} {secret[0]}"

    def proxy(self) -> tuple[str | None, dict[str, str]]:
        """The proxy's URL without its user and password, and the headers that it alone is told."""
        if self.config.proxy_url is None:
            return None, {}
        parts = urlsplit(self.config.proxy_url.get_secret_value())
        url, both = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", (parts.username, parts.password)
        if both == (None, None):
            return url, {}
        user, password = (unquote(one or "") for one in both)
        return url, {"Proxy-Authorization": self._both(user, password, "The proxy's password")}

    def hide(self, text: str) -> str:
        """`text` with every secret that was sent so far replaced by `<secret>`."""
        return hidden(text, self._secrets)

    def repeatable(self) -> list[bytes]:
        """Every form of what was sent so far to be let in, as an answer may repeat it."""
        return [form.encode("utf-8", "surrogatepass") for form in self._secrets.copy()]

    def _both(self, user: str, password: str, of: str) -> str:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        # A user is no secret, and may be a word like `prometheus`; without a password it is a token.
        self._keep([password] if password else [], of=of)
        self._keep([pair, *([] if password else [user])], of="")
        return f"Basic {pair}"

    def _keep(self, secrets: list[str], *, of: str) -> None:
        """Hide them from now on; raises UsageError where one that is `of` something is too short for that."""
        for secret in secrets:
            if of and 0 < len(secret) < LEAST_CHARACTERS:
                raise UsageError(
                    f"{of} has fewer than {LEAST_CHARACTERS} characters: where a server repeats it, it could not be "
                    "told from ordinary words, and hidden. Give it a longer one."
                )
            self._secrets |= keep(secret)


def _in_hand(config: HttpConfig) -> HttpConfig:
    """The same with what its files hold; raises UsageError where one cannot be read."""

    def held(given: SecretStr | None, file: Path | None) -> SecretStr | None:
        return given if file is None else SecretStr(_text(None, file))

    basic, token = config.basic_auth, config.token
    headers = {
        name: Header(values=one.values, secrets=(*one.secrets, *(SecretStr(_text(None, file)) for file in one.files)))
        for name, one in config.http_headers.items()
    }
    return config.model_copy(
        update={
            "basic_auth": basic
            and BasicAuth(
                username=held(basic.username, basic.username_file), password=held(basic.password, basic.password_file)
            ),
            "authorization": token
            and Authorization.model_construct(
                type=token.type, credentials=held(token.credentials, token.credentials_file)
            ),
            "bearer_token": None,
            "bearer_token_file": None,
            "http_headers": headers,
        }
    )


def _text(given: SecretStr | None, file: Path | None) -> str:
    """What is given, or what the file holds now."""
    if file is None:
        return given.get_secret_value() if given is not None else ""
    try:
        tell_if_open(file)
        return content_of(file).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"File {file}, named by the file of access, cannot be read: {why}.") from None
