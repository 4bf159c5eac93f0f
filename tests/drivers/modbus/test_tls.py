"""Modbus over TLS: who is trusted, who is refused, and how that is told."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contract.quality import Quality

GOOD, COMM = Quality.GOOD, Quality.BAD_COMM_FAILURE
DEVICE = 1


def certificate(folder: Path, name: str, issuer: str | None = None) -> None:
    """``name.pem`` and ``name.key``, signed by ``issuer`` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, by = key, subject
    if issuer is not None:
        signed_with = serialization.load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
        assert isinstance(signed_with, ec.EllipticCurvePrivateKey)
        signer, by = signed_with, x509.load_pem_x509_certificate((folder / f"{issuer}.pem").read_bytes()).subject
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tls")
    for name, issuer in (("plant", None), ("stranger", None), ("device", "plant"), ("agent", "plant")):
        certificate(folder, name, issuer)
    certificate(folder, "intruder", "stranger")
    return folder


@pytest.fixture
def secured(new_device, certificates):
    """A device that speaks TLS and admits clients with certificates of the plant alone."""

    class Secured(new_device):  # type: ignore[misc, valid-type]
        port: int

        async def listen(self):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "device.pem", certificates / "device.key")
            context.load_verify_locations(certificates / "plant.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
            self.port = self._server.sockets[0].getsockname()[1]

    return Secured


def tls_keys(folder: Path, own: str | None = "agent", authority: str = "plant") -> dict[str, object]:
    keys: dict[str, object] = {"transport": "tls", "ca_file": str(folder / f"{authority}.pem"), "timeout_s": 2.0}
    if own:
        keys |= {"certificate_file": str(folder / f"{own}.pem"), "key_file": str(folder / f"{own}.key")}
    return keys


def test_a_device_behind_tls_is_read_with_a_client_certificate(secured, certificates, new_driver, new_point, turns):
    async def scenario():
        async with secured() as device:
            driver = new_driver(device.port, new_point(2, "holding:7"), **tls_keys(certificates))
            assert driver.check() == []
            assert await turns(driver, 2) == [{DEVICE: (1.0, GOOD), 2: (7.0, GOOD)}] * 2
            assert device.connections == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("own", [None, "intruder"])
def test_a_device_that_refuses_our_certificate_says_so(own, secured, certificates, new_driver, new_point, turns):
    async def scenario():
        async with secured() as device:
            driver = new_driver(device.port, new_point(2, "holding:7"), **tls_keys(certificates, own))
            (seen,) = await turns(driver, 1)
            assert seen[2][1] == COMM
            assert "may not admit our certificate" in (driver.healths()[0].last_failure or "")
            assert device.requests == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"ca_file": "stranger.pem"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"server_name": "other"}, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_a_device_that_is_not_who_it_should_be_gets_no_request(
    keys, why, secured, certificates, new_driver, new_point, turns
):
    async def scenario():
        async with secured() as device:
            spoilt = {key: str(certificates / each) if key.endswith("_file") else each for key, each in keys.items()}
            driver = new_driver(device.port, new_point(2, "holding:7"), **(tls_keys(certificates) | spoilt))
            (seen,) = await turns(driver, 1)
            assert seen[2][1] == COMM
            assert why in (driver.healths()[0].last_failure or "")
            assert device.requests == []

    asyncio.run(scenario())


def test_certificates_that_cannot_be_read_are_found_offline(certificates, new_driver, new_point):
    keys = tls_keys(certificates) | {"key_file": str(certificates / "absent.key")}
    (fault,) = new_driver(1, new_point(2, "holding:7"), **keys).check()
    assert (fault.file, fault.column) == ("agent.toml", "device.1.ca_file")
