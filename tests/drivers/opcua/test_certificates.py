"""Whom we believe, and whom we do not although it looks alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.certificates import VALID, der_of, make, objection, read_identity, read_trusted
from drivers.opcua.security import _first

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def issue(name, key, issuer, issuer_key, *, authority=False, begin=NOW - DAY, end=NOW + DAY):
    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(
        named(issuer), named(name), key.public_key(), x509.random_serial_number(), begin, end
    )  # fmt: skip
    limits = x509.BasicConstraints(ca=authority, path_length=None)
    return builder.add_extension(limits, critical=True).sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def keys():
    return new_key(), new_key()


def test_what_is_named_is_believed_and_its_twin_is_not(keys):
    ours, other = keys
    server = issue("plc", ours, "plc", ours)
    assert objection(server, [server], NOW) is None
    twin = issue("plc", other, "plc", other)  # the same name, another key
    assert "is not trusted" in str(objection(twin, [server], NOW))
    renewed = issue("plc", ours, "plc", ours, end=NOW + 2 * DAY)
    assert "is not trusted" in str(objection(renewed, [server], NOW))


def test_what_an_authority_issued_is_believed(keys):
    root_key, key = keys
    root = issue("root", root_key, "root", root_key, authority=True)
    assert objection(issue("plc", key, "root", root_key), [root], NOW) is None
    forged = issue("plc", key, "root", key)
    assert "is not trusted" in str(objection(forged, [root], NOW))
    no_authority = issue("root", root_key, "root", root_key)
    assert "is not trusted" in str(objection(issue("plc", key, "root", root_key), [no_authority], NOW))
    past = issue("root", root_key, "root", root_key, authority=True, begin=NOW - 3 * DAY, end=NOW - DAY)
    assert "is not trusted" in str(objection(issue("plc", key, "root", root_key), [past], NOW))


@pytest.mark.parametrize("days", [-2, 2])
def test_a_certificate_is_believed_in_its_time_only(keys, days):
    key, _ = keys
    server = issue("plc", key, "plc", key)
    assert objection(server, [server], NOW + days * DAY) == (
        "the server's certificate is valid from 2025-12-31 to 2026-01-02 only"
    )


def test_our_own_is_no_authority_and_lasts(keys):
    own = make("gw", ["gateway", "10.0.0.9"], NOW)
    assert not own.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert own.certificate.not_valid_after_utc == NOW + VALID
    names = own.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gateway"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.9"]


def test_a_folder_holds_certificates_of_both_kinds_and_nothing_else_counts(keys, tmp_path):
    key, _ = keys
    first, second = (issue(name, key, name, key) for name in ("a", "b"))
    (tmp_path / "a.der").write_bytes(der_of(first))
    (tmp_path / "b.pem").write_bytes(second.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "readme.txt").write_text("these are trusted", "utf-8")
    assert read_trusted(tmp_path) == [first, second]
    (tmp_path / "c.crt").write_text("nonsense", "utf-8")
    with pytest.raises(ValueError, match=r"c\.crt holds no certificate"):
        read_trusted(tmp_path)


def test_an_encrypted_key_is_refused_in_words(keys, tmp_path):
    key, _ = keys
    (tmp_path / "c.der").write_bytes(der_of(issue("a", key, "a", key)))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ValueError, match="without a password"):
        read_identity(tmp_path / "c.der", tmp_path / "k.pem")


@given(length=st.integers(0, 70_000), rest=st.binary(max_size=9))
def test_the_first_of_a_chain_ends_where_its_length_says(length, rest):
    count = length.to_bytes(max(1, (length.bit_length() + 7) // 8), "big")
    header = bytes((0x30, length)) if length < 0x80 else bytes((0x30, 0x80 | len(count))) + count
    certificate = header + bytes(length)
    assert _first(certificate + rest) == certificate
