"""The key by which the service looks a title up, reproduced exactly; see `docs/how-to/bundle.md`."""

import re
from collections.abc import Mapping
from typing import Final

from trajtune.dataset.identity.variations import SERVICE

# JavaScript's \s. Python's \s differs: it includes U+001C to U+001F and U+0085, and lacks U+FEFF.
_SPACE = "[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_SPACE_RUN: Final = re.compile(f"{_SPACE}+")
_EDGES: Final = re.compile(f"^{_SPACE}+|{_SPACE}+$")
_NOT_KEPT: Final = re.compile(r"[^A-Za-z0-9_ .]")

_TABLE: Final[Mapping[str, str]] = {
    **SERVICE,
    # The same words with a full stop, so that `sr..` is also senior.
    **{f"{word}.": SERVICE[word] for word in ("sr", "jr", "mgr", "eng")},
    # The service's table is a plain JavaScript object, so these two words find inherited properties.
    "constructor": "function Object() { [native code] }",
    "__proto__": "[object Object]",
}


def service_key(title: str) -> str:
    """Return the key by which the service looks a title up. It is blank if no character is kept.

    The function reproduces the service exactly, including its quirks: accented letters are removed, not
    folded, and a removed character may leave two spaces.
    """
    text = _NOT_KEPT.sub("", _SPACE_RUN.sub(" ", trimmed(title.lower())))
    words = text.split(" ")
    table = _TABLE
    return " ".join(table.get(word) or table.get(word.removesuffix("."), word) for word in words).replace(
        ".", ""
    )


def collapsed(key: str) -> str:
    """Return a service key with single spaces, which ``vocabulary.identity: service`` compares."""
    return " ".join(key.split())


def trimmed(title: str) -> str:
    """Return the title without white space at both ends, like JavaScript's ``trim``."""
    return _EDGES.sub("", title)
