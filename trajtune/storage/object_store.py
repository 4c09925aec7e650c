"""Files in S3 or a compatible object store, by their URI; see docs/reference/careers.md.

Credentials and the endpoint come only from the environment. Each Ray task creates its file system from the
environment of its process, so no key is sent with the task.
"""

import copy
import os
import re
from typing import Final
from urllib.parse import quote

import pyarrow.fs

from trajtune.errors import SourceError
from trajtune.storage.database_url import url_fault

_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def open_uri(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """Return the file system of a URI and the path on it; ``*`` and ``[…]`` are not changed.

    Raises:
        pa.ArrowInvalid: If it is not a URI of a file system that pyarrow supports.
        OSError: If the store does not answer.
    """
    # pyarrow refuses spaces, brackets and accents. Special characters of URIs and escapes are kept.
    filesystem, path = pyarrow.fs.FileSystem.from_uri(quote(uri, safe="/:?&=%*@"))
    # A copy gives up on an unresponsive store after three attempts of three seconds; the original after
    # thirty.
    return copy.copy(filesystem), path


def require_bucket(filesystem: pyarrow.fs.FileSystem, path: str) -> None:
    """Raise an error for a missing bucket, which pyarrow reports as a missing object.

    Raises:
        SourceError: If there is no such bucket.
    """
    bucket = path.partition("/")[0]
    if (
        isinstance(filesystem, pyarrow.fs.S3FileSystem)
        and filesystem.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound
    ):
        raise SourceError(
            f"There is no bucket {bucket} in the store. Fix `source.path`, or AWS_ENDPOINT_URL, which is "
            f"{endpoint()}."
        )


def explain(message: str) -> str:
    """Return pyarrow's error message about a file or a store on one line, with a remedy if one is known."""
    message = " ".join(message.split())
    if re.search("ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|HTTP status 40[13]", message):
        return (
            "the store refuses the credentials, or there are none. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, with permission to list and read there"
        )
    if "NETWORK_CONNECTION" in message:
        reason = message.rpartition("Details: ")[2].rstrip(".")
        remedy = f"Start it, or fix AWS_ENDPOINT_URL, which is {endpoint()}"
        return f"the store does not answer ({reason}). {remedy}"
    return message.rstrip(".")


def endpoint() -> str:
    """Return the store's address from the environment, without a password that it may contain."""
    for name in _ENDPOINT_VARIABLES:
        if url := os.environ.get(name):
            if url_fault(url) is not None:
                return "not a valid address (percent-encode a password in it)"
            scheme, _, rest = url.partition("://")
            return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"
    return "not set"
