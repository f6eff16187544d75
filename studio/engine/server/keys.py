"""Keys: who may use the server; compared in constant time, all of them each time, and never shown."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


class Keys:
    """The keys of one server; none means that whoever reaches it may use it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def open(self, authorization: str) -> bool:
        """Whether an Authorization header holds one of the keys; how long it takes says nothing about them."""
        kind, _, key = authorization.partition(" ")
        given, found = _digest(key.strip()), False
        for digest in self._digests:
            found |= hmac.compare_digest(given, digest)
        return (found and kind.lower() == "bearer") or not self._digests


def _digest(key: str) -> bytes:
    """Digests are equally long, so that the comparison does not tell a key's length."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
