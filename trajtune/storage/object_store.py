"""Files in S3, or in a store that speaks its language, by their URI; docs/reference/careers.md says how.

Credentials and the endpoint come from the environment alone. Ray's tasks make their own file system from
it, so no key travels with them.
"""

import copy
import os
import re
from typing import Final
from urllib.parse import quote, urlsplit

import pyarrow.fs

from trajtune.errors import SourceError

_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def open_uri(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a URI, and the path in it; ``*`` and ``[…]`` stay as they are.

    Raises:
        pa.ArrowInvalid: If it is no URI of a file system that pyarrow knows.
        OSError: If the store does not answer.
    """
    # Left alone: what makes a URI, and its escapes. A blank, a bracket or an accent is none of pyarrow's.
    filesystem, path = pyarrow.fs.FileSystem.from_uri(quote(uri, safe="/:?&=%*@"))
    # A copy gives a silent store up after three attempts of three seconds; the original makes thirty.
    return copy.copy(filesystem), path


def require_bucket(filesystem: pyarrow.fs.FileSystem, path: str) -> None:
    """Tell a bucket that is not there from an object that is not.

    Raises:
        SourceError: If there is no such bucket.
    """
    bucket = path.partition("/")[0]
    if (
        isinstance(filesystem, pyarrow.fs.S3FileSystem)
        and filesystem.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound
    ):
        raise SourceError(
            f"There is no bucket {bucket} in the store. Mend `source.path`, or AWS_ENDPOINT_URL, which is "
            f"{endpoint()}."
        )


def explain(said: str) -> str:
    """What pyarrow says of a file or a store, on one line, with what to do about it."""
    said = " ".join(said.split())
    if re.search("ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|HTTP status 40[13]", said):
        return (
            "the store refuses the credentials, or there are none. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for one who may list and read there"
        )
    if "NETWORK_CONNECTION" in said:
        reason = said.rpartition("Details: ")[2].rstrip(".")
        remedy = f"Start it, or mend AWS_ENDPOINT_URL, which is {endpoint()}"
        return f"the store does not answer ({reason}). {remedy}"
    return said.rstrip(".")


def endpoint() -> str:
    """Where the environment says that the store is, without a password that somebody may have put there."""
    for name in _ENDPOINT_VARIABLES:
        if url := os.environ.get(name):
            parts = urlsplit(url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "not set"
