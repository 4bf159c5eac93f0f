"""Encrypted channels and identities between the OPC UA driver and a server made of node-opcua that trusts nobody by itself."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from contract.points import PointType
from contract.quality import Quality
from drivers.opcua.certificates import make, write_identity

GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
PLANT = "urn:plant:reactor"
POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
USER = ("edge", "secret of the plant")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Folders with a key and a certificate each, as the agent's command makes them."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "strangers"):
        own = make(name, ["127.0.0.1"], datetime.now(UTC))
        write_identity(own, folder / name / "opcua.key", folder / name / "opcua.der")
    return folder


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Where the server keeps its own certificate, those that it trusts, and those that it refused."""
    return tmp_path_factory.mktemp("server") / "pki"


@pytest.fixture(scope="module")
def server(node_program, pki):
    config = {
        "pki": str(pki), "namespaces": [PLANT], "nodes": [(PLANT, "gas", "Double", 1.5)],
        "policies": POLICIES, "user": USER,
    }  # fmt: skip
    started = node_program("node_opcua_server.js", json.dumps(config))
    yield started
    started.end()


@pytest.fixture
def trusted(server, pki, keys):
    shutil.copy(keys / "ours" / "opcua.der", pki / "trusted" / "certs" / "ours.der")


@pytest.fixture
def new_driver(server, pki, keys, new_setup, new_drivers, new_point, tmp_path):
    def make(**settings):
        (tmp_path / "password").write_text(USER[1] + "\n", "utf-8")
        ours = keys / "ours"
        usual = {
            "endpoint": server.endpoint,
            "security": POLICIES[0],
            "certificate_file": str(ours / "opcua.der"),
            "private_key_file": str(ours / "opcua.key"),
            "server_certificate_file": str(pki / "own" / "certs" / "certificate.pem"),
            "username": USER[0],
            "password_file": str(tmp_path / "password"),
            "publish_ms": 100,
            "timeout_s": 5.0,
            "reconnect_max_s": 0.3,
        }
        gas = new_point(2, f"nsu={PLANT};s=gas", PointType.FLOAT64, poll_s=0.1)
        return new_drivers("opcua", new_setup("opcua", usual | settings, gas))

    return make


def comes_in(watched):
    return watched.until(lambda: watched.latest().get(2) == (1.5, GOOD))


async def is_refused(watched, why):
    await watched.until(lambda: len(watched.of(2)) >= 3)
    assert {row[2] for row in watched.rows} == {COMM}
    assert why in watched.healths()["plc"].last_failure


def test_a_certificate_that_the_server_refused_is_let_in_from_the_folder_of_refused_ones(
    server, pki, new_driver, watch
):
    async def scenario(watched):
        await is_refused(watched, "does not trust our certificate")
        (refused,) = (pki / "rejected").iterdir()
        refused.rename(pki / "trusted" / "certs" / refused.name)
        await comes_in(watched)

    watch(new_driver(), scenario)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", ["SignAndEncrypt", "Sign"])
def test_every_policy_and_mode(trusted, new_driver, watch, policy, mode):
    watch(new_driver(security=policy, security_mode=mode), comes_in)


def test_another_server_than_the_trusted_one_gets_no_password(trusted, keys, new_driver, watch):
    async def scenario(watched):
        await is_refused(watched, "certificate is not trusted")

    other = str(keys / "strangers" / "opcua.der")
    watch(new_driver(server_certificate_file=other), scenario)


def test_no_encryption_is_no_way_in_where_the_server_demands_it(trusted, new_driver, watch):
    async def scenario(watched):
        await is_refused(watched, "the server refused")

    none = dict.fromkeys(("certificate_file", "private_key_file", "server_certificate_file"))
    watch(new_driver(security="None", **none), scenario)


def test_a_wrong_password_is_refused_and_the_right_one_is_read_when_it_is_there(trusted, new_driver, watch, tmp_path):
    drivers = new_driver()
    (tmp_path / "password").write_text("guess\n", "utf-8")

    async def scenario(watched):
        await is_refused(watched, "user")
        (tmp_path / "password").write_text(USER[1], "utf-8")
        await comes_in(watched)

    watch(drivers, scenario)


def test_a_server_that_cannot_be_asked_what_it_offers_is_told_so(
    new_node_program, pki, keys, new_setup, new_drivers, new_point, watch
):
    config = {"pki": str(pki), "namespaces": [PLANT], "policies": POLICIES[:1], "deaf": True}
    deaf = new_node_program("node_opcua_server.js", json.dumps(config))
    ours = keys / "ours"
    settings = {
        "endpoint": deaf.endpoint, "security": POLICIES[0], "certificate_file": str(ours / "opcua.der"),
        "private_key_file": str(ours / "opcua.key"), "server_certificate_file": str(ours / "opcua.der"),
        "timeout_s": 5.0,
    }  # fmt: skip
    gas = new_point(2, f"nsu={PLANT};s=gas", PointType.FLOAT64)

    async def scenario(watched):
        await is_refused(
            watched, "the server refuses a channel without security, over which it is asked what it offers"
        )

    watch(new_drivers("opcua", new_setup("opcua", settings, gas)), scenario)
