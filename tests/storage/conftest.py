"""A folder in a real S3 server."""

import pytest

from tests.support.s3 import S3Store
from trajtune.storage.path import ObjectPath


@pytest.fixture
def bucket(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ObjectPath:
    """A separate folder for each test in an existing bucket."""
    for name, value in s3_store.environment.items():
        monkeypatch.setenv(name, value)
    s3_store.put("runs", "other/file", b"not ours")
    return ObjectPath(f"s3://runs/{abs(hash(request.node.nodeid))}")
