"""Certificates of one authority, for tests of TLS."""

from __future__ import annotations

import pytest
from certificates import Authority, Certificate, new_authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody knows."""
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    """A server's, for the loopback."""
    return authority.issue("server")


@pytest.fixture(scope="session")
def client(authority: Authority) -> Certificate:
    """A client's."""
    return authority.issue("client")
