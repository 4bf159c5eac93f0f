"""The hash chain of events and of the journal.

Each record has an open and a restricted part. ``d = H(H(open) ‖ H(salt ‖ restricted))`` and ``h_n = H(h_{n-1} ‖ d_n)``.
A withheld restricted part is replaced by its digest ``H(salt ‖ restricted)`` and the chain still verifies. The hash
algorithm is named per epoch, so that SM3 (GB/T 32905) can stand where SHA-256 (FIPS 180-4) stands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

DIGEST_SIZE: Final = 32
ALGORITHMS: Final = ("sha256", "sm3")


def digest(algorithm: str, *parts: bytes) -> bytes:
    """H over the concatenation of ``parts``. Raises ValueError for an algorithm this Python's OpenSSL lacks."""
    assert algorithm in ALGORITHMS, algorithm
    state = hashlib.new(algorithm)
    for part in parts:
        state.update(part)
    return state.digest()


@dataclass(frozen=True, slots=True)
class Record:
    """The bytes of one record, encoded once and never again.

    ``open`` is RFC 8785 JSON. ``restricted`` is RFC 8785 JSON or empty; ``salt`` is 16 random bytes, or empty where
    there is no restricted part.
    """

    open: bytes
    salt: bytes = b""
    restricted: bytes = b""

    def withheld(self, algorithm: str) -> bytes:
        """The digest that stands for the restricted part when it is not shown."""
        return digest(algorithm, self.salt, self.restricted)

    def digest(self, algorithm: str) -> bytes:
        return record_digest(algorithm, self.open, self.withheld(algorithm))

    @property
    def size(self) -> int:
        return len(self.open) + len(self.salt) + len(self.restricted)


def record_digest(algorithm: str, open_part: bytes, withheld: bytes) -> bytes:
    """``d`` from the open part and the digest of the restricted one."""
    return digest(algorithm, digest(algorithm, open_part), withheld)


def genesis(algorithm: str, *names: str) -> bytes:
    """``h_0`` of a chain: bound to its names, so that no two chains share a prefix."""
    return digest(algorithm, "\n".join(("parksentry chain 1", *names)).encode())


def link(algorithm: str, previous: bytes, record_digest_: bytes) -> bytes:
    """``h_n`` from ``h_{n-1}`` and ``d_n``."""
    return digest(algorithm, previous, record_digest_)
