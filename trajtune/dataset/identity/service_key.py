"""The key under which the service looks a title up, exactly; see `docs/how-to/bundle.md`."""

import re
from collections.abc import Mapping
from typing import Final

from trajtune.dataset.identity.variations import SERVICE

# JavaScript's \s; Python's differs (it has U+001C to U+001F and U+0085, and lacks U+FEFF).
_SPACE = "[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_SPACE_RUN: Final = re.compile(f"{_SPACE}+")
_EDGES: Final = re.compile(f"^{_SPACE}+|{_SPACE}+$")
_NOT_KEPT: Final = re.compile(r"[^A-Za-z0-9_ .]")

_TABLE: Final[Mapping[str, str]] = {
    **SERVICE,
    # With one full stop more, so that `sr..` is senior too.
    **{f"{word}.": SERVICE[word] for word in ("sr", "jr", "mgr", "eng")},
    # The service's table is a plain JavaScript object, so these two words find what every object inherits.
    "constructor": "function Object() { [native code] }",
    "__proto__": "[object Object]",
}


def service_key(title: str) -> str:
    """The key under which the service looks a title up; blank if nothing of it is left.

    Follows the service exactly, including its quirks: accented letters are removed, not
    folded, and a removed character may leave two spaces behind.
    """
    text = _NOT_KEPT.sub("", _SPACE_RUN.sub(" ", trimmed(title.lower())))
    words = text.split(" ")
    table = _TABLE
    return " ".join(table.get(word) or table.get(word.removesuffix("."), word) for word in words).replace(
        ".", ""
    )


def collapsed(key: str) -> str:
    """A service key with runs of spaces as one; what ``vocabulary.identity: service`` compares."""
    return " ".join(key.split())


def trimmed(title: str) -> str:
    """The title without white space at its ends, as JavaScript's ``trim`` does it."""
    return _EDGES.sub("", title)
