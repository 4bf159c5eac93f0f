"""Passwords: what is accepted as one, and argon2id with the library's own parameters. Never logged, never on record."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import argon2

from aggregator.commands.refusal import RefusalCode, RefusedError

LENGTH_MIN: Final = 10
BYTES_MAX: Final = 256
_HASH_LENGTH_MAX: Final = 512
_HASHER: Final = argon2.PasswordHasher()


def hash_new(name: str, password: str) -> str:
    """The hash of a new password of ``name``. Raises RefusedError INVALID that says what is wrong with it."""
    prepared = _prepare(password)
    if prepared is None:
        raise _refused(f"must be text of at most {BYTES_MAX} bytes")
    if len(prepared) < LENGTH_MIN:
        raise _refused(f"must have at least {LENGTH_MIN} characters")
    if prepared.casefold() == name.casefold():
        raise _refused("must not be the name")
    return _HASHER.hash(prepared)


def hash_again(password: str) -> str:
    """Of a password that was just found right."""
    prepared = _prepare(password)
    assert prepared is not None, "was right"
    return _HASHER.hash(prepared)


def is_right(stored: str | None, password: str) -> bool:
    """The same work whether there is a stored hash or not, so that nobody learns by waiting which names exist."""
    prepared = _prepare(password)
    try:
        _HASHER.verify(stored or _nobodys(), prepared or "")
    except argon2.exceptions.VerifyMismatchError:
        return False
    return stored is not None and prepared is not None


def is_outdated(stored: str) -> bool:
    """Whether the library's parameters have changed since."""
    return _HASHER.check_needs_rehash(stored)


def is_hash(text: str) -> bool:
    """Whether ``text`` is an argon2id hash, as far as can be told without the password."""
    if len(text) > _HASH_LENGTH_MAX:
        return False
    try:
        return argon2.extract_parameters(text).type is argon2.Type.ID
    except argon2.exceptions.InvalidHashError:
        return False


def _prepare(password: str) -> str | None:
    """As it is hashed (NFC, so that keyboards do not matter); None for what can be nobody's password."""
    normal = unicodedata.normalize("NFC", password)
    try:
        size = len(normal.encode())
    except UnicodeEncodeError:
        return None
    return normal if size <= BYTES_MAX else None


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")


def _refused(message: str) -> RefusedError:
    return RefusedError(RefusalCode.INVALID, field="password", message=message)
