"""The key file: who a program is.

Each agent and each aggregator has a Curve25519 pair (transport, ZeroMQ CURVE, RFC 26/CurveZMQ) and an Ed25519 pair
(signatures, RFC 8032). The secret file never leaves its machine; the public file is what people hand to each other.
Both are TOML; keys are lower-case hex of their 32 raw bytes. The program that uses them does the reading and writing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contract.errors import ConfigError, Fault
from contract.ids import is_name

KEY_FILE_VERSION: Final = 1
KEY_BYTES: Final = 32
_PUBLIC_FIELDS: Final = ("curve_public", "ed25519_public")
_SECRET_FIELDS: Final = ("curve_secret", "ed25519_secret")


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What others may know: the raw 32 bytes of both public keys, and the name their owner gave himself."""

    name: str
    curve_public: bytes
    ed25519_public: bytes

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when ``signature`` is the Ed25519 signature of ``message`` by the owner of these keys."""
        try:
            Ed25519PublicKey.from_public_bytes(self.ed25519_public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class SecretKeys:
    """Both pairs. Its repr shows nothing, so that no log ever holds a secret."""

    public: PublicKeys
    curve_secret: bytes
    ed25519_secret: bytes

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.ed25519_secret).sign(message)


def generate(name: str) -> SecretKeys:
    """New keys from the operating system's randomness."""
    curve = X25519PrivateKey.generate()
    signing = Ed25519PrivateKey.generate()
    public = PublicKeys(name, curve.public_key().public_bytes_raw(), signing.public_key().public_bytes_raw())
    return SecretKeys(public, curve.private_bytes_raw(), signing.private_bytes_raw())


def format_public(keys: PublicKeys) -> str:
    return _format(
        "parksentry public key file: hand it to whoever shall trust this name",
        keys.name,
        {"curve_public": keys.curve_public, "ed25519_public": keys.ed25519_public},
    )


def format_secret(keys: SecretKeys) -> str:
    public = {"curve_public": keys.public.curve_public, "ed25519_public": keys.public.ed25519_public}
    secret = {"curve_secret": keys.curve_secret, "ed25519_secret": keys.ed25519_secret}
    return _format("parksentry SECRET key file: never copy it to another machine", keys.public.name, public | secret)


def parse_public(text: str, file: str) -> PublicKeys:
    """Read a public key file (a secret one is refused: it should not be here). Raises ConfigError."""
    table = _parse(text, file, _PUBLIC_FIELDS)
    if any(field in table for field in _SECRET_FIELDS):
        raise ConfigError(
            [Fault(file, None, None, "this is a secret key file", "Hand over the .pub file beside it instead")]
        )
    return _public(table)


def parse_secret(text: str, file: str) -> SecretKeys:
    """Read a secret key file. Raises ConfigError."""
    table = _parse(text, file, _PUBLIC_FIELDS + _SECRET_FIELDS)
    keys = SecretKeys(_public(table), bytes.fromhex(table["curve_secret"]), bytes.fromhex(table["ed25519_secret"]))
    derived = PublicKeys(
        keys.public.name,
        X25519PrivateKey.from_private_bytes(keys.curve_secret).public_key().public_bytes_raw(),
        Ed25519PrivateKey.from_private_bytes(keys.ed25519_secret).public_key().public_bytes_raw(),
    )
    if derived != keys.public:
        raise ConfigError(
            [Fault(file, None, None, "public and secret keys do not belong together", "Restore the file or run keygen")]
        )
    return keys


def _public(table: dict[str, str]) -> PublicKeys:
    return PublicKeys(table["name"], bytes.fromhex(table["curve_public"]), bytes.fromhex(table["ed25519_public"]))


def _format(headline: str, name: str, keys: dict[str, bytes]) -> str:
    lines = [f"# {headline}", f"version = {KEY_FILE_VERSION}", f'name = "{name}"']
    return "\n".join(lines + [f'{field} = "{key.hex()}"' for field, key in keys.items()]) + "\n"


def _parse(text: str, file: str, fields: tuple[str, ...]) -> dict[str, str]:
    remedy = "Make a new pair with keygen, or restore the file"
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is an integer beyond its limit
        raise ConfigError([Fault(file, None, None, f"not a key file ({error})", remedy)]) from error
    faults = []
    if table.get("version") != KEY_FILE_VERSION:
        faults.append(Fault(file, None, "version", f"version must be {KEY_FILE_VERSION}", remedy))
    if not isinstance(table.get("name"), str) or not is_name(table["name"]):
        faults.append(Fault(file, None, "name", "a name is missing or malformed", remedy))
    faults += [
        Fault(file, None, field, f"must be {2 * KEY_BYTES} hex digits", remedy)
        for field in fields
        if not _is_key(table.get(field))
    ]
    if faults:
        raise ConfigError(faults)
    return table


def _is_key(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 2 * KEY_BYTES:
        return False
    return all(digit in "0123456789abcdef" for digit in value)
