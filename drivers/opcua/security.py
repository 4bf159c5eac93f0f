"""What a connection is secured with: policy, mode, our identity, whom we trust. Checked offline, applied at each connect.

Between ``settings`` and ``connection``. What is configured is what is used: where a server does not offer it, there is no
session, and never one with less. Files are read anew for each session, so that a renewed certificate needs no restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from asyncua import Client, ua
from asyncua.crypto import security_policies
from cryptography import x509

from contract.errors import DeviceError
from drivers.opcua.certificates import Identity, objection, read_identity, read_trusted, thumbprint
from drivers.opcua.settings import OpcUaSettings

PASSWORD_BYTES_MAX: Final = 1024
T = TypeVar("T")

_POLICIES: Final[dict[str, type[security_policies.SecurityPolicy]]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_MODES: Final = {"Sign": ua.MessageSecurityMode.Sign, "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt}


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that the files hold. ``own`` is None without security, ``user`` where the user has no certificate."""

    password: str | None
    own: Identity | None
    user: Identity | None
    trusted: tuple[x509.Certificate, ...]

    @property
    def thumbprint(self) -> str:
        """Of our certificate, by which a person finds it at the server."""
        return "" if self.own is None else thumbprint(self.own.certificate)


class CredentialsError(Exception):
    """A file that cannot be used. ``key`` is the setting that names it."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def read_credentials(settings: OpcUaSettings) -> Credentials:
    """Raises CredentialsError for the first file that cannot be used."""
    password = own = user = None
    trusted: list[x509.Certificate] = []
    if settings.password_file is not None:
        password = _of_file("password_file", lambda: _read_password(Path(str(settings.password_file))))
    if settings.security != "None":
        own = _identity("certificate_file", settings.certificate_file, settings.private_key_file)
        if not own.uri:
            raise CredentialsError("certificate_file", "the certificate names no application URI")
        folder = Path(settings.server_certificate_file or "")
        trusted = _of_file("server_certificate_file", lambda: read_trusted(folder))
    if settings.user_certificate_file is not None:
        user = _identity("user_certificate_file", settings.user_certificate_file, settings.user_key_file)
    return Credentials(password, own, user, tuple(trusted))


def _identity(key: str, certificate_file: str | None, key_file: str | None) -> Identity:
    return _of_file(key, lambda: read_identity(Path(certificate_file or ""), Path(key_file or "")))


def _of_file(key: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (OSError, ValueError) as error:
        raise CredentialsError(key, str(error)) from error


def _read_password(path: Path) -> str:
    """The first line of a file. Raises OSError, or ValueError where it holds no password."""
    with path.open("rb") as file:
        data = file.read(PASSWORD_BYTES_MAX + 1)
    if len(data) > PASSWORD_BYTES_MAX:
        raise ValueError(f"more than {PASSWORD_BYTES_MAX} bytes")
    lines = data.decode().splitlines()
    if not lines or not lines[0]:
        raise ValueError("the first line is empty")
    return lines[0]


def choose(endpoints: list[ua.EndpointDescription], settings: OpcUaSettings, device: str) -> x509.Certificate:
    """The certificate that the server shows at the endpoint we want. Raises DeviceError where there is none."""
    wanted = _POLICIES[settings.security].URI, _MODES[settings.security_mode]
    for each in endpoints:
        if (each.SecurityPolicyUri, each.SecurityMode) == wanted and each.ServerCertificate:
            return x509.load_der_x509_certificate(_first(each.ServerCertificate))
    offered = sorted(
        {f"{(each.SecurityPolicyUri or '').rpartition('#')[2]} {each.SecurityMode.name}" for each in endpoints}
    )
    message = f"the server does not offer {settings.security} {settings.security_mode}; it offers {', '.join(offered)}"
    raise DeviceError(device, message)


def _first(chain: bytes) -> bytes:
    """Servers may append the certificates of their authorities; DER says how long the first is."""
    length_of_length = chain[1] & 0x7F
    if chain[1] < 0x80:
        return chain[: 2 + chain[1]]
    return chain[: 2 + length_of_length + int.from_bytes(chain[2 : 2 + length_of_length], "big")]


def apply(
    client: Client, settings: OpcUaSettings, credentials: Credentials, server: x509.Certificate, device: str
) -> None:
    """Secure a client that has not connected yet. Raises DeviceError where the server or we cannot be believed."""
    assert credentials.own is not None
    now = datetime.now(UTC)
    if why := objection(server, credentials.trusted, now):
        raise DeviceError(device, why)
    own = credentials.own
    if not own.certificate.not_valid_before_utc <= now <= own.certificate.not_valid_after_utc:
        raise DeviceError(
            device, f"our certificate has expired, or not begun: {own.certificate.not_valid_after_utc:%F}"
        )
    client.application_uri = own.uri
    policy: Any = _POLICIES[settings.security](server, own.certificate, own.key, _MODES[settings.security_mode])
    client.security_policy = policy
    client.uaclient.set_security(policy)


def check_password(client: Client, settings: OpcUaSettings, device: str) -> None:
    """Raises DeviceError where a channel that was to be safe would show the password: one that is only signed."""
    if settings.security == "None" or settings.security_mode != "Sign":
        return
    policy = client.server_policy(ua.UserTokenType.UserName).SecurityPolicyUri
    if not policy or policy == security_policies.SecurityPolicyNone.URI:
        raise DeviceError(device, "the password would travel in clear text: use security_mode SignAndEncrypt")
