"""Certificates: making our own, files of them, and judging that of a server. Knows nothing of OPC UA's wire.

An application certificate names its application by a URI (OPC 10000-6, clause 6.2.2); ours is both identity and key. A server
is believed if its certificate lies in the file or folder that the engineer named, or if an authority that lies there issued it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FILE_BYTES_MAX: Final = 64 * 1024
TRUSTED_MAX: Final = 1000
KEY_BITS: Final = 2048
"""What every policy allows (Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss and Basic256Sha256: 2048 to 4096 bits)."""
VALID: Final = timedelta(days=20 * 365)
"""A gateway has no one who renews; who wants less, brings certificates of an authority's."""
_URI: Final = "urn:parksentry:edge-agent"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and the private key that belongs to it."""

    certificate: x509.Certificate
    key: RSAPrivateKey

    @property
    def uri(self) -> str:
        """The application URI; empty where the certificate has none."""
        return next(iter(_names(self.certificate).get_values_for_type(x509.UniformResourceIdentifier)), "")


def make(name: str, hosts: Sequence[str], now: datetime) -> Identity:
    """A self-signed identity for the agent of that name on the hosts (names or addresses).

    Raises ValueError where a name is not ASCII.
    """
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"parksentry edge agent {name}"[:64])])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"{_URI}:{name}"), *map(_host, hosts)]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_cert_sign=True, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number(), now, now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def write_identity(identity: Identity, key_path: Path, certificate_path: Path) -> None:
    """In place of what is there: the key as PEM, readable for its owner alone, the certificate as DER. Raises OSError."""
    key_path.parent.mkdir(parents=True, exist_ok=True)
    key_path.unlink(missing_ok=True)
    descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem_of(identity.key))
    certificate_path.write_bytes(der_of(identity.certificate))


def pem_of(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def thumbprint(certificate: x509.Certificate) -> str:
    """As servers show it: SHA-1 in hex (OPC 10000-6, clause 6.7.2.3). It names a certificate, it proves nothing."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - prescribed


def read_certificate(path: Path) -> x509.Certificate:
    """DER or PEM. Raises OSError, or ValueError in words."""
    data = _read(path)
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise ValueError(f"{path} holds no certificate") from error


def read_identity(certificate_path: Path, key_path: Path) -> Identity:
    """Raises OSError, or ValueError in words, also where the two do not belong together."""
    certificate, data = read_certificate(certificate_path), _read(key_path)
    is_pem = data.lstrip().startswith(b"-----BEGIN")
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    try:
        key = load(data, None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise ValueError(f"{key_path} holds no private key without a password") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS:
        raise ValueError(f"{key_path} holds no RSA key of at least {KEY_BITS} bits")
    if certificate.public_key() != key.public_key():
        raise ValueError(f"{key_path} is not the key of {certificate_path}")
    return Identity(certificate, key)


def read_trusted(path: Path) -> list[x509.Certificate]:
    """The certificate of a file, or those of a folder (.der, .crt, .cer, .pem). Raises OSError, or ValueError in words."""
    if not path.is_dir():
        return [read_certificate(path)]
    files = sorted(each for each in path.iterdir() if each.suffix.lower() in {".der", ".crt", ".cer", ".pem"})
    if not 1 <= len(files) <= TRUSTED_MAX:
        raise ValueError(f"{path} holds {len(files)} certificates (.der, .crt, .cer, .pem), not 1 to {TRUSTED_MAX}")
    return [read_certificate(each) for each in files]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ValueError(f"{path} has more than {FILE_BYTES_MAX} bytes")
    return data


def objection(certificate: x509.Certificate, trusted: Sequence[x509.Certificate], now: datetime) -> str | None:
    """Why a server's certificate is not believed; None where it is."""
    known = certificate in trusted
    if not known and not any(_issued(certificate, authority, now) for authority in trusted):
        who = certificate.subject.rfc4514_string()
        return f"the server's certificate is not trusted ({who}, thumbprint {thumbprint(certificate)})"
    if not _is_valid(certificate, now):
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return f"the server's certificate is valid from {begin:%F} to {end:%F} only"
    return None


def _issued(certificate: x509.Certificate, authority: x509.Certificate, now: datetime) -> bool:
    """True where the authority, which must be one and be valid, signed the certificate."""
    try:
        is_authority = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return is_authority and _is_valid(authority, now)


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])
