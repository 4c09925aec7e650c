"""A real S3 server for tests: moto in a separate process on a free port."""

import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

REGION: Final = "us-east-1"
KEYS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
# Ignore the AWS profiles and roles of this machine.
ISOLATED: Final = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


@dataclass(frozen=True)
class S3Store:
    """A running S3 server.

    Attributes:
        url: Endpoint of the server.
    """

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point AWS clients only to this server."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION, **KEYS, **ISOLATED}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object; its bucket is created if it does not exist."""
        client = self._client()
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=content)

    def check_keys(self, wanted: bool) -> None:
        """Set whether the server checks access keys, like Amazon's, or accepts any."""
        calls = b"0" if wanted else b"1000000000"
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", calls, {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@contextmanager
def s3_server() -> Iterator[tuple[S3Store, subprocess.Popen[bytes]]]:
    """Run the server within the block; also yield its process, for tests that stop it early."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
            stdout=log,
            stderr=log,
        )
        try:
            yield S3Store(_address(process, log)), process
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Any) -> str:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        log.seek(0)
        if found := re.search(rb"Running on (http://127\.0\.0\.1:\d+)", log.read()):
            return found[1].decode()
        time.sleep(0.05)
    log.seek(0)
    raise AssertionError(f"moto's server does not start: {log.read().decode()[-500:]}")


@pytest.fixture(scope="session")
def s3_store() -> Iterator[S3Store]:
    """One server shared by all tests that need one."""
    with s3_server() as (store, _):
        yield store
