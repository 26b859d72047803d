"""What a request carries to be let in: read when it is used, and never shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.auth import AuthBase

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.http_config import HEADER_VALUE, TENANT_HEADER, HttpConfig, SecretText

_LARGEST_BYTES = 1 << 16


@dataclass(frozen=True, repr=False)
class Credentials(AuthBase):
    """The credentials and headers of one server; files are read at each request, so what is new in them holds at once.

    Raises
    ------
    UsageError
        When a request is made: a file cannot be read, or holds nothing that can be sent.
    """

    config: HttpConfig = field(default_factory=HttpConfig)
    tenant: str | None = None
    _secrets: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        basic, config = self.config.basic_auth, self.config
        given = [config.bearer_token, config.authorization.credentials if config.authorization else None]
        given += [basic.username, basic.password] if basic else []
        given += [text for header in config.http_headers.values() for text in (*header.values, *header.secrets)]
        for text in filter(None, given):
            self._keep(text.get_secret_value())
        # Both at once: the header that is made of them is a secret, too.
        if basic and not (basic.username_file or basic.password_file):
            self._authorization()
        self.proxy_authorization()

    def __repr__(self) -> str:
        return "<secret>"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put headers and credentials on a request."""
        if self.tenant is not None:
            request.headers[TENANT_HEADER] = self.tenant
        for name, header in self.config.http_headers.items():
            texts = header.texts() + [self._header_value(file, name) for file in header.files]
            # Several lines of one name say the same as one line with commas (RFC 9110, 5.3).
            request.headers[name] = ", ".join(texts)
        if authorization := self._authorization():
            request.headers["Authorization"] = authorization
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
        if self.config.proxy_url is None:
            return None
        parts = urlsplit(self.config.proxy_url.get_secret_value())
        if parts.username is None and parts.password is None:
            return None
        return self._basic(unquote(parts.username or ""), unquote(parts.password or ""))

    def hide(self, text: str) -> str:
        """`text` with every secret, as it was given or read, replaced by `<secret>`."""
        forms = {form for secret in self._secrets.copy() for form in (secret, quote(secret), quote(secret, safe=""))}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "<secret>")
        return text

    def _authorization(self) -> str | None:
        config = self.config
        if basic := config.basic_auth:
            user = self._text(basic.username, basic.username_file, "basic_auth.username_file")
            return self._basic(user, self._text(basic.password, basic.password_file, "basic_auth.password_file"))
        kind, key, given, file = "Bearer", "bearer_token", config.bearer_token, config.bearer_token_file
        if config.authorization:
            kind, key = config.authorization.type, "authorization.credentials"
            given, file = config.authorization.credentials, config.authorization.credentials_file
        if given is None and file is None:
            return None
        token = self._text(given, file, f"{key}_file")
        inner = r"\x21-\x7e" if kind.lower() == "bearer" else r"\x20-\x7e"
        if not re.fullmatch(rf"[{inner}]+", token):
            place = f"File {file}" if file else f"`{key}`"
            raise UsageError(
                f"{place} holds no {'bearer token' if kind == 'Bearer' else 'credentials'} that can be sent: "
                "it is empty, or has spaces or foreign characters."
            )
        return f"{kind} {token}"

    def _basic(self, user: str, password: str) -> str:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        for secret in (user, password, pair):
            self._keep(secret)
        return f"Basic {pair}"

    def _header_value(self, file: Path, name: str) -> str:
        value = self._read(file, f"http_headers.{name}.files")
        if not HEADER_VALUE.fullmatch(value):
            raise UsageError(f"File {file} holds no value of header {name}: it has line breaks or foreign characters.")
        if name.lower() == TENANT_HEADER.lower() and "|" in value:
            raise UsageError(f"File {file} would read two tenants, with '|' between them. Give one tenant.")
        return value

    def _text(self, given: SecretText | None, file: Path | None, key: str) -> str:
        if file is not None:
            return self._read(file, key)
        return given.get_secret_value() if given is not None else ""

    def _read(self, file: Path, key: str) -> str:
        try:
            with file.open("rb") as stream:
                text = stream.read(_LARGEST_BYTES + 1).decode().strip()
        except OSError as error:
            raise UsageError(f"`{key}`, {file}, cannot be read: {error.strerror}. Correct the path.") from None
        except UnicodeDecodeError:
            raise UsageError(f"`{key}`, {file}, cannot be read: it is no text. Correct the path.") from None
        if len(text) > _LARGEST_BYTES:
            raise UsageError(f"`{key}`, {file}, is larger than {_LARGEST_BYTES:,} bytes. Correct the path.")
        self._keep(text)
        return text

    def _keep(self, secret: str) -> None:
        self._secrets.update(word for word in (secret, *_words(secret)) if word)


def _words(secret: str) -> Iterator[str]:
    # A server may repeat a part only, such as the token without the 'Bearer' that a header gives before it.
    yield from (word for word in secret.split() if len(word) > 3)
