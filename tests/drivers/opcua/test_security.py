"""Encrypted channels, identities and trust, with a server that checks them as much as we do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.quality import Quality
from drivers.opcua import connection
from drivers.opcua.certificates import make, read_certificate, thumbprint, write_identity

GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
NODE = ("a", "Double", 1.0)
SERVER_URI = "urn:parksentry:edge-agent:server"


@dataclass(frozen=True)
class Keys:
    """Folders with ``opcua.key`` and ``opcua.der`` each."""

    ours: Path
    servers: Path
    strangers: Path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "server", "stranger"):
        own = make(name, ["127.0.0.1"], datetime.now(UTC))
        write_identity(own, folder / name / "opcua.key", folder / name / "opcua.der")
    return Keys(*(folder / name for name in ("ours", "server", "stranger")))


@pytest.fixture
def new_secured(new_server, keys, tmp_path):
    """A server that trusts the certificates of the folder ``trusts``: ours, unless it shall not."""

    def make(*policies, trusting=True, **more):
        trusts = tmp_path / "trusts"
        trusts.mkdir()
        shutil.copy(keys.strangers / "opcua.der", trusts / "stranger.der")
        if trusting:
            shutil.copy(keys.ours / "opcua.der", trusts / "ours.der")
        return new_server(
            NODE, policies=policies, certificate=str(keys.servers / "opcua.der"), key=str(keys.servers / "opcua.key"),
            uri=SERVER_URI, trusts=str(trusts), **more,
        )  # fmt: skip

    return make


@pytest.fixture
def secured(keys):
    """Settings of a driver."""

    def make(security="Basic256Sha256", **more):
        return {
            "security": security,
            "certificate_file": str(keys.ours / "opcua.der"),
            "private_key_file": str(keys.ours / "opcua.key"),
            "server_certificate_file": str(keys.servers / "opcua.der"),
            "timeout_s": 2.0,
        } | more

    return make


def comes_in(watched):
    return lambda: watched.latest().get(2) == (1.0, GOOD)


def is_refused(watched):
    return lambda: watched.latest().get(2, (0, GOOD))[1] == COMM


@pytest.mark.parametrize(
    ("security", "mode", "offered"),
    [
        ("Basic256Sha256", "SignAndEncrypt", "Basic256Sha256_SignAndEncrypt"),
        ("Basic256Sha256", "Sign", "Basic256Sha256_Sign"),
        ("Aes128_Sha256_RsaOaep", "SignAndEncrypt", "Aes128Sha256RsaOaep_SignAndEncrypt"),
        ("Aes256_Sha256_RsaPss", "SignAndEncrypt", "Aes256Sha256RsaPss_SignAndEncrypt"),
    ],
)
def test_values_come_over_each_policy(new_secured, new_driver, new_point, watch, secured, security, mode, offered):
    server = new_secured(offered)
    driver = new_driver(server, new_point(2, "a"), **secured(security, security_mode=mode))

    async def scenario(watched):
        await watched.until(comes_in(watched))
        server.tell("write", "a", "Double", 2.0)
        await watched.until(lambda: watched.latest()[2] == (2.0, GOOD))
        assert driver.healths()[0].failures == 0
        assert server.tell("most_sessions") == 1

    watch(driver, scenario)


def test_a_channel_is_renewed_again_and_again(new_secured, new_driver, new_point, watch, secured, monkeypatch):
    monkeypatch.setattr(connection, "CHANNEL_LIFETIME_MS", 400)
    server = new_secured("Basic256Sha256_SignAndEncrypt")
    driver = new_driver(server, new_point(2, "a"), **secured())

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 25 and server.tell("channels") >= 6)
        server.tell("write", "a", "Double", 2.0)
        await watched.until(lambda: watched.latest()[2] == (2.0, GOOD))
        assert driver.healths()[0].last_failure is None

    watch(driver, scenario)


def test_a_server_that_does_not_trust_us_is_told_by_our_thumbprint_until_it_does(
    new_secured, new_driver, new_point, watch, secured, keys, tmp_path
):
    server = new_secured("Basic256Sha256_SignAndEncrypt", trusting=False)
    driver = new_driver(server, new_point(2, "a"), **secured())
    ours = thumbprint(read_certificate(keys.ours / "opcua.der"))

    async def scenario(watched):
        await watched.until(is_refused(watched))
        told = driver.healths()[0].last_failure
        assert f"it does not trust our certificate, thumbprint {ours}: accept it there" in told
        shutil.copy(keys.ours / "opcua.der", tmp_path / "trusts" / "ours.der")
        server.tell("trust")
        await watched.until(comes_in(watched))

    watch(driver, scenario)


def test_a_refusal_that_the_library_swallows_is_told_all_the_same(new_secured, new_driver, new_point, watch, secured):
    server = new_secured("Basic256Sha256_SignAndEncrypt", refuse_channels="Basic256Sha256")
    driver = new_driver(server, new_point(2, "a"), **secured())

    async def scenario(watched):
        await watched.until(is_refused(watched))
        assert "it does not trust our certificate" in driver.healths()[0].last_failure

    watch(driver, scenario)


def test_a_server_that_cannot_be_asked_what_it_offers_is_told_so(new_secured, new_driver, new_point, watch, secured):
    server = new_secured("Basic256Sha256_SignAndEncrypt", refuse_channels="None")
    driver = new_driver(server, new_point(2, "a"), **secured())

    async def scenario(watched):
        await watched.until(is_refused(watched))
        told = driver.healths()[0].last_failure
        assert "the server refuses a channel without security, over which it is asked what it offers" in told

    watch(driver, scenario)


def test_a_server_whom_we_do_not_trust_gets_no_session(new_secured, new_driver, new_point, watch, secured, keys):
    server = new_secured("Basic256Sha256_SignAndEncrypt")
    other = secured(server_certificate_file=str(keys.strangers / "opcua.der"))
    driver = new_driver(server, new_point(2, "a"), **other)
    theirs = thumbprint(read_certificate(keys.servers / "opcua.der"))

    async def scenario(watched):
        await watched.until(lambda: driver.healths()[0].failures >= 3)
        assert "the server's certificate is not trusted" in driver.healths()[0].last_failure
        assert theirs in driver.healths()[0].last_failure
        assert server.tell("most_sessions") == 0
        assert {row[2] for row in watched.rows} == {COMM}

    watch(driver, scenario)


@pytest.mark.parametrize(
    ("offered", "wanted", "told"),
    [
        ("NoSecurity", {}, "does not offer Basic256Sha256 SignAndEncrypt; it offers None None_"),
        ("Basic256Sha256_Sign", {}, "does not offer Basic256Sha256 SignAndEncrypt; it offers Basic256Sha256 Sign"),
        ("Basic256Sha256_SignAndEncrypt", {"security": "Aes256_Sha256_RsaPss"}, "does not offer Aes256_Sha256_RsaPss"),
    ],
)
def test_there_is_never_less_security_than_configured(
    new_secured, new_driver, new_point, watch, secured, offered, wanted, told
):
    server = new_secured(offered)
    driver = new_driver(server, new_point(2, "a"), **(secured() | wanted))

    async def scenario(watched):
        await watched.until(lambda: driver.healths()[0].failures >= 3)
        assert told in driver.healths()[0].last_failure
        assert server.tell("most_sessions") == 0

    watch(driver, scenario)


@pytest.mark.parametrize(("password", "right"), [("secret", True), ("guess", False)])
def test_a_password_goes_through_the_channel(
    new_secured, new_driver, new_point, watch, secured, tmp_path, password, right
):
    server = new_secured("Basic256Sha256_SignAndEncrypt", user=["edge", "secret"])
    (tmp_path / "password").write_text(password, "utf-8")
    settings = secured(username="edge", password_file=str(tmp_path / "password"))
    driver = new_driver(server, new_point(2, "a"), **settings)

    async def scenario(watched):
        await watched.until(comes_in(watched) if right else is_refused(watched))
        if not right:
            told = "BadUserAccessDenied (user or password is wrong, or the user may not sign in)"
            assert told in driver.healths()[0].last_failure

    watch(driver, scenario)


@pytest.mark.parametrize(("mode", "goes"), [("Sign", False), ("SignAndEncrypt", True)])
def test_a_password_is_not_shown_on_a_channel_that_is_only_signed(
    new_secured, new_driver, new_point, watch, secured, tmp_path, mode, goes
):
    server = new_secured(f"Basic256Sha256_{mode}", user=["edge", "secret"], careless=True)
    (tmp_path / "password").write_text("secret", "utf-8")
    settings = secured(security_mode=mode, username="edge", password_file=str(tmp_path / "password"))
    driver = new_driver(server, new_point(2, "a"), **settings)

    async def scenario(watched):
        await watched.until(comes_in(watched) if goes else is_refused(watched))
        if not goes:
            assert "the password would travel in clear text" in driver.healths()[0].last_failure

    watch(driver, scenario)


@pytest.mark.parametrize(("who", "right"), [("ours", True), ("strangers", False)])
def test_a_user_may_be_known_by_a_certificate(new_secured, new_driver, new_point, watch, secured, keys, who, right):
    server = new_secured("Basic256Sha256_SignAndEncrypt", user_certificate=str(keys.ours / "opcua.der"))
    folder = getattr(keys, who)
    files = {"user_certificate_file": str(folder / "opcua.der"), "user_key_file": str(folder / "opcua.key")}
    driver = new_driver(server, new_point(2, "a"), **secured(**files))

    async def scenario(watched):
        await watched.until(comes_in(watched) if right else is_refused(watched))

    watch(driver, scenario)


class NoServer:
    endpoint = "opc.tcp://plc:4840/park"


def columns(driver):
    return [(fault.file, fault.column) for fault in driver.check()]


def test_check_names_what_is_missing_or_does_not_fit(new_driver, new_point, secured, keys, tmp_path):
    def check(**settings):
        return [column for _, column in columns(new_driver(NoServer, new_point(2, "a"), **settings))]

    assert check(**secured()) == []
    assert check(security="Basic256Sha256") == ["certificate_file", "private_key_file", "server_certificate_file"]
    assert check(**secured("None")) == ["security"] * 3
    assert check(**secured(private_key_file=str(keys.strangers / "opcua.key"))) == ["certificate_file"]
    assert check(**secured(server_certificate_file=str(tmp_path))) == ["server_certificate_file"]  # an empty folder
    assert check(**secured(server_certificate_file=str(keys.ours / "opcua.key"))) == ["server_certificate_file"]
    assert check(**secured(user_key_file=str(keys.ours / "opcua.key"))) == ["user_certificate_file"]
    user = {"user_certificate_file": str(keys.ours / "opcua.der"), "user_key_file": str(keys.ours / "opcua.key")}
    assert check(username="edge", **user) == ["username"]
