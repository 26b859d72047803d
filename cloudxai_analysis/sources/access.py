"""What an environment's settings say about access, settled: one configuration with whole paths, and one tenant."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.platform.http_config import TENANT_HEADER, BasicAuth, HttpConfig, SecretText, known_keys
from cloudxai_analysis.platform.settings import EnvironmentSettings, near_miss
from cloudxai_analysis.sources.credentials import Credentials
from cloudxai_analysis.sources.strict_yaml import read_yaml

_AUTHORIZATIONS = ("basic_auth", "authorization", "bearer_token", "bearer_token_file")


def settled_credentials(
    settings: EnvironmentSettings, folder: Path, *, user: str | None = None, password: str = ""
) -> Credentials:
    """The credentials of an environment, its paths starting at `folder`; `user` and `password` are the URL's.

    Raises
    ------
    UsageError
        The file of the configuration cannot be read or has a mistake; something is given twice.
    RefusedForSecurity
        The server's certificate is not to be verified.
    """
    if settings.http_config_file is not None:
        config = read_http_config(folder / settings.http_config_file)
    else:
        config = settings.http_config.beneath(folder)
    if config.tls_config.insecure_skip_verify:
        raise RefusedForSecurity(
            "Refused `tls_config.insecure_skip_verify`: the credentials would go to any server that answers. Name the "
            "server's authority in `tls_config.ca_file`, or the name in its certificate in `tls_config.server_name`."
        )
    if settings.tenant is not None and any(name.lower() == TENANT_HEADER.lower() for name in config.http_headers):
        raise UsageError(f"The environment has a `tenant`, and {TENANT_HEADER} in `http_headers`. Keep one of them.")
    if user is not None:
        if given := config.given(*_AUTHORIZATIONS):
            raise UsageError(f"The source has a password in its URL, and `{given[0]}` is configured. Keep one of them.")
        login = BasicAuth.model_construct(username=SecretText(user), password=SecretText(password))
        config = config.model_copy(update={"basic_auth": login})
    return Credentials(config, tenant=settings.tenant)


def read_http_config(file: Path) -> HttpConfig:
    """The configuration in the YAML file, its relative paths starting at the file's folder.

    Raises
    ------
    UsageError
        The file cannot be read, or has a mistake; the line names the key, and never a value.
    """
    try:
        config: HttpConfig = HttpConfig.model_validate(read_yaml(file))
    except ValidationError as error:
        raise UsageError(_one_line(error, file)) from None
    return config.beneath(file.parent)


def _one_line(error: ValidationError, file: Path) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        return f"File {file}{''.join([', key ', repr('.'.join(path))] if path else [])}: {said}."
    # `{password:secret}` lacks a space, and is a key without a value; only what looks like a key is repeated.
    word = re.match(r"\w*", path[-1])[0] if first["input"] is not None or ":" in path[-1] else ""  # type: ignore[index]
    return f"File {file}: unknown key '{'.'.join([*path[:-1], word or '…'])}'.{near_miss(word, known_keys(path))}"
