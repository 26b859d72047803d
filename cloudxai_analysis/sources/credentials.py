"""How one server is spoken to, in the schema that Prometheus calls `http_config`: read when it is used, never shown."""

from __future__ import annotations

import base64
import errno
import logging
import os
import re
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

import requests
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from requests.auth import AuthBase

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.ground.secrets import LEAST_CHARACTERS, hidden, keep
from cloudxai_analysis.platform.settings import EnvironmentSettings

_LARGEST_BYTES, _DEEPEST = 1 << 20, 50
_LOG = logging.getLogger(__name__)
_TOLD: set[Path] = set()

AnchoredPath = Annotated[Path, AfterValidator(lambda path, info: (info.context or Path()) / path)]


def _proxy(given: SecretStr) -> SecretStr:
    if not re.fullmatch(r"http://([^/@\s]*@)?([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?/?", given.get_secret_value()):
        raise ValueError("it is no URL like http://proxy:3128; proxies of other kinds are not supported")
    return given


class _Table(BaseModel):
    """A table of the schema: unknown keys are mistakes, and no message shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    exclusive: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _agrees(self) -> _Table:
        for keys in self.exclusive:
            if len(given := self.given(*keys)) > 1:
                raise ValueError(f"'{given[0]}' and '{given[1]}' exclude each other; keep one of them")
        return self

    def given(self, *keys: str) -> list[str]:
        """Those of the keys that have a value."""
        return [key for key in keys if getattr(self, key)]


class BasicAuth(_Table):
    """User and password."""

    exclusive = (("username", "username_file"), ("password", "password_file"))

    username: SecretStr | None = None
    username_file: AnchoredPath | None = None
    password: SecretStr | None = None
    password_file: AnchoredPath | None = None


class Authorization(_Table):
    """An `Authorization` header of any type but Basic: by default a bearer token."""

    exclusive = (("credentials", "credentials_file"),)

    type: str = Field("Bearer", pattern=r"^[A-Za-z0-9._~+/-]+$")
    credentials: SecretStr | None = None
    credentials_file: AnchoredPath | None = None


class TlsConfig(_Table):
    """Whom to trust, and what to show."""

    ca_file: AnchoredPath | None = None
    cert_file: AnchoredPath | None = None
    key_file: AnchoredPath | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: Literal["TLS12", "TLS13"] = "TLS12"


class Header(_Table):
    """The values of one header, given or in files; several are sent as one line (RFC 9110, 5.3)."""

    values: tuple[SecretStr, ...] = ()
    secrets: tuple[SecretStr, ...] = ()
    files: tuple[AnchoredPath, ...] = ()


class HttpConfig(_Table):
    """How a server is spoken to; nothing that it names is read before it is used."""

    exclusive = (("basic_auth", "authorization"),)

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls_config: TlsConfig = TlsConfig()
    http_headers: dict[str, Header] = Field(default_factory=dict)
    proxy_url: Annotated[SecretStr, AfterValidator(_proxy)] | None = None
    follow_redirects: bool = True
    enable_http2: bool = True

    @model_validator(mode="before")
    @classmethod
    def _older(cls, given: Any) -> Any:
        """The older `bearer_token` and `bearer_token_file`, which many files still hold, as `authorization`."""
        older = {"bearer_token": "credentials", "bearer_token_file": "credentials_file"}
        if not isinstance(given, dict) or not (used := [key for key in older if given.get(key)]):
            return given
        for key in ("basic_auth", "authorization", *used[1:]):
            if given.get(key):
                raise ValueError(f"'{key}' and '{used[0]}' exclude each other; keep one of them")
        kept = {key: value for key, value in given.items() if key not in older}
        return kept | {"authorization": {older[used[0]]: given[used[0]]}}


def read_http_config(file: Path) -> HttpConfig:
    """The configuration in the YAML file, its relative paths starting at the file's folder.

    Raises UsageError where the file cannot be read or has a mistake; the line names the key, and
    never a value.
    """
    try:
        config: HttpConfig = HttpConfig.model_validate(parsed_yaml(content_of(file)), context=file.parent)
    except ValidationError as error:
        raise UsageError(f"File {file}, {_mistake(error)}.") from None
    except OSError as error:
        raise UsageError(f"File {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"File {file}{error}.") from None
    if _holds_secret(config):
        tell_if_open(file)
    return config


def _holds_secret(table: object) -> bool:
    """Whether a secret itself is given anywhere in it, and not only the file with one."""
    if isinstance(table, BaseModel):
        return any(_holds_secret(value) for value in dict(table).values())
    if isinstance(table, dict | tuple):
        return any(map(_holds_secret, table.values() if isinstance(table, dict) else table))
    return isinstance(table, SecretStr)


def content_of(file: Path) -> bytes:
    """What a file holds; raises OSError, and at once, of what is no regular file (a FIFO would wait), or too large."""
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = stream.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST_BYTES:,} bytes")
    return content


def tell_if_open(file: Path) -> None:
    """Warn, once, of a file with credentials that every user of the machine can read."""
    if file.absolute() not in _TOLD and file.stat().st_mode & stat.S_IROTH:
        _TOLD.add(file.absolute())
        _LOG.warning("File %s holds credentials, and every user can read it. Take that right away: chmod o-r.", file)


def parsed_yaml(content: bytes) -> Any:
    """Dicts with text keys, lists, texts (`007` is '007'), and None where nothing is given.

    Raises ValueError with the line of an anchor, alias, tag, key that is there twice or deep nest,
    and no word of it.
    """
    depth = documents = 0
    try:
        for event in yaml.parse(content, Loader=yaml.CBaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            if getattr(event, "anchor", None) or getattr(event, "tag", None):
                said = "an anchor, alias or tag is not read; a value that begins with &, * or ! goes in quotes"
                raise _refused(said, event)
            if depth > _DEEPEST or documents > 1:
                raise _refused("it is nested too deeply" if depth > _DEEPEST else "it is more than one document", event)
        return _Texts(content).get_single_data()
    except yaml.YAMLError as error:  # its words can quote the file
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{f', line {mark.line + 1}' if mark else ''}: it is no YAML") from None


def _refused(what: str, place: Any) -> ValueError:
    return ValueError(f", line {place.start_mark.line + 1}: {what}")


class _Texts(yaml.CBaseLoader):
    """Every scalar is its own text, or None where nothing is given."""

    def construct_scalar(self, node: Any) -> Any:
        return None if not node.style and node.value in ("", "~", "null") else node.value

    def construct_mapping(self, node: Any, *_: Any) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key, value in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) or name in mapping:
                raise _refused("a key is there twice, or is no text", key)
            mapping[name] = self.construct_object(value, deep=True)
        return mapping


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return f"key '{'.'.join(path)}': {first['msg'].removeprefix('Value error, ')}"
    # `{password:secret}` lacks a space, and is a key without a value: such a one is not repeated.
    path[-1] = path[-1] if first["input"] is not None and path[-1].isidentifier() else "…"
    return f"unknown key '{'.'.join(path)}'. Correct it; not every key that Prometheus knows is supported"


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
        elif token := self.config.authorization:
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

    def held(table: BasicAuth | Authorization | None, *keys: str) -> Any:
        now = {key: SecretStr(_text(getattr(table, key), getattr(table, f"{key}_file"))) for key in keys if table}
        return table and table.model_copy(update=now | {f"{key}_file": None for key in keys})

    headers = {
        name: Header(values=one.values, secrets=(*one.secrets, *(SecretStr(_text(None, file)) for file in one.files)))
        for name, one in config.http_headers.items()
    }
    basic, token = held(config.basic_auth, "username", "password"), held(config.authorization, "credentials")
    return config.model_copy(update={"basic_auth": basic, "authorization": token, "http_headers": headers})


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
