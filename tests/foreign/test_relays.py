"""The Modbus driver through what others put before a device: stunnel, which speaks TLS for it, and socat, which makes a converter
of a network and a serial line. The device is made of libmodbus; nobody here wrote either side of what the driver speaks."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.points import PointType
from contract.quality import Quality
from hil_tests.rig.ports import reserve

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
LIFETIME_S = 600
UNIT = 17
QUICK = {"host": "127.0.0.1", "timeout_s": 5.0, "reconnect_max_s": 0.2}


class Relay:
    """A program that listens on a port of 127.0.0.1, which stays its own while the program is down. It says ``ready`` when it
    can be reached."""

    def __init__(self, ready: str) -> None:
        self._reserved = reserve("127.0.0.1")
        self._ready = ready
        self._process: Any = None

    @property
    def port(self) -> int:
        return int(self._reserved.getsockname()[1])

    def start(self, *command: str) -> None:
        """Returns when it can be reached. It ends by itself after its lifetime, whatever becomes of the test."""
        # `timeout` passes the signal on that ends it.
        self._process = subprocess.Popen(["timeout", str(LIFETIME_S), *command], stderr=subprocess.PIPE, text=True)
        said = []
        for line in self._process.stderr:
            said.append(line)
            if self._ready in line:
                return
        self.stop()
        pytest.fail(f"{command[0]} did not start: {''.join(said)}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            with self._process:
                self._process.communicate()
            self._process = None

    def end(self) -> None:
        self.stop()
        self._reserved.close()


@pytest.fixture
def new_relay() -> Iterator[Any]:
    """``new_relay(ready)``; it ends with the test."""
    relays: list[Relay] = []

    def make(ready: str) -> Relay:
        relays.append(Relay(ready))
        return relays[-1]

    yield make
    for each in relays:
        each.end()


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory, require_system: Any) -> Path:
    """Made by openssl: two authorities, and ``device``, ``agent``, ``impostor``, ``intruder``, each for 127.0.0.1."""
    openssl = require_system("openssl")
    folder: Path = tmp_path_factory.mktemp("certificates")
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -addext subjectAltName=IP:127.0.0.1"
    for name, issuer in (("plant", None), ("stranger", None), ("device", "plant"), ("agent", "plant"),
                         ("impostor", "stranger"), ("intruder", "stranger")):  # fmt: skip
        signed = f"-CA {issuer}.pem -CAkey {issuer}.key -addext basicConstraints=critical,CA:false" if issuer else ""
        command = f"{openssl} {new} -subj /CN={name} -keyout {name}.key -out {name}.pem {signed}"
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def before(device_port: int, port: int, folder: Path, own: str, version: str) -> Path:
    """Settings of a stunnel that lets in whom the plant's authority signed."""
    settings = folder / f"{own}-{port}.conf"
    settings.write_text(
        f"foreground = yes\npid =\ndebug = notice\n[modbus]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{device_port}\n"
        f"cert = {folder / own}.pem\nkey = {folder / own}.key\nsslVersion = {version}\n"
        f"CAfile = {folder / 'plant.pem'}\nverifyChain = yes\nrequireCert = yes\n"
    )
    return settings


@pytest.fixture
def new_tunnel(libmodbus: Any, certificates: Path, new_relay: Any, require_system: Any) -> Any:
    """``new_tunnel(own, version)``: a stunnel before the device, and how to start it again."""
    stunnel = require_system("stunnel4")

    def make(own: str = "device", version: str = "TLSv1.3") -> tuple[Relay, list[str]]:
        relay = new_relay("Configuration successful")
        command = [stunnel, str(before(libmodbus.port, relay.port, certificates, own, version))]
        relay.start(*command)
        return relay, command

    return make


def tls(relay: Relay, folder: Path, own: str | None = "agent") -> dict[str, Any]:
    ours = {"certificate_file": str(folder / f"{own}.pem"), "key_file": str(folder / f"{own}.key")} if own else {}
    return QUICK | {"transport": "tls", "port": relay.port, "ca_file": str(folder / "plant.pem"), **ours}


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_device_behind_a_stunnel_that_wants_our_certificate_is_read_also_when_it_was_away(
    version, libmodbus, certificates, new_tunnel, new_point, new_setup, new_drivers, watch
):
    relay, command = new_tunnel(version=version)
    libmodbus.put("holding", 7, 1234)
    libmodbus.put("int64", 20, -(2**60) - 7)
    libmodbus.put("discrete", 61, 1)
    points = (
        new_point(2, "holding:7"), new_point(3, "holding:20", PointType.INT64),
        new_point(4, "discrete:61", PointType.BIT),
    )  # fmt: skip

    async def scenario(watched):
        right = {DEVICE: (1.0, GOOD), 2: (1234.0, GOOD), 3: (float(-(2**60) - 7), GOOD), 4: (1.0, GOOD)}
        await watched.until(lambda: watched.latest() == right)
        await asyncio.to_thread(relay.stop)
        await watched.until(lambda: {quality for _, quality in watched.latest().values()} == {COMM})
        libmodbus.put("holding", 7, 4321)
        lost = len(watched.rows)
        await asyncio.to_thread(relay.start, *command)
        await watched.until(lambda: watched.latest() == right | {2: (4321.0, GOOD)})
        assert 1234.0 not in {row[1] for row in watched.rows[lost:]}

    watch(new_drivers("modbus", new_setup("modbus", tls(relay, certificates), *points)), scenario)
    assert libmodbus.ask("functions") == "2 3"


@pytest.mark.parametrize(
    ("version", "why"),
    [("TLSv1.2", "ALERT"), ("TLSv1.3", "may not admit our certificate")],
)
@pytest.mark.parametrize("own", [None, "intruder"])
def test_a_stunnel_that_does_not_admit_our_certificate_lets_nothing_through_and_that_is_told(
    own, version, why, libmodbus, certificates, new_tunnel, new_point, new_setup, new_drivers, watch
):
    relay, _ = new_tunnel(version=version)

    async def scenario(watched):
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows} == {COMM}
        assert why in watched.healths()["plc"].last_failure

    watch(
        new_drivers("modbus", new_setup("modbus", tls(relay, certificates, own), new_point(2, "holding:7"))), scenario
    )
    assert libmodbus.ask("requests") == "0"


@pytest.mark.parametrize(("own", "name"), [("impostor", None), ("device", "other.plant")])
def test_a_stunnel_that_is_not_who_it_should_be_is_asked_nothing(
    own, name, libmodbus, certificates, new_tunnel, new_point, new_setup, new_drivers, watch
):
    relay, _ = new_tunnel(own)
    settings = tls(relay, certificates) | ({"server_name": name} if name else {})

    async def scenario(watched):
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows} == {COMM}
        assert "CERTIFICATE_VERIFY_FAILED" in watched.healths()["plc"].last_failure

    watch(new_drivers("modbus", new_setup("modbus", settings, new_point(2, "holding:7"))), scenario)
    assert libmodbus.ask("requests") == "0"


# -- a serial line behind a converter ----------------------------------------------------------------------------------


@pytest.fixture
def converter(libmodbus_rtu: Any, new_relay: Any, require_system: Any) -> tuple[Relay, list[str]]:
    """A socat before the serial line, which it opens for each connection and lets go at once when that ends."""
    relay = new_relay("listening on")
    listen = f"TCP-LISTEN:{relay.port},bind=127.0.0.1,reuseaddr,fork"
    command = [require_system("socat"), "-d", "-d", "-t", "0.01", listen, f"OPEN:{libmodbus_rtu.place},raw,echo=0"]
    relay.start(*command)
    return relay, command


@pytest.fixture
def settings(converter: tuple[Relay, list[str]]) -> dict[str, Any]:
    return QUICK | {"transport": "rtu_over_tcp", "port": converter[0].port, "baudrate": 115_200, "unit": UNIT,
                    "late_s": 0.2, "silent_max_s": 0.3}  # fmt: skip


def test_mbpoll_on_the_line_and_the_driver_behind_a_converter_read_the_same(
    libmodbus_rtu, settings, new_point, new_setup, new_drivers, watch, mbpoll
):
    line = libmodbus_rtu
    line.put("int32", 10, -1_234_567_890)
    line.put("int64", 20, -(2**60) - 7)
    line.put("input", 40, 0xBEEF)
    line.put("coil", 50, 1)
    line.put("hole", 1042)
    for address in range(1000, 1100):
        line.put("holding", address, address)
    assert mbpoll(line.place, "4:int", 10, 1, "-B", unit=UNIT) == {10: "-1234567890"}
    assert mbpoll(line.place, "3:hex", 40, 1, unit=UNIT) == {40: "0xBEEF"}
    few = [
        new_point(2, "holding:10", PointType.INT32, poll_s=0.5),
        new_point(3, "holding:20", PointType.INT64, poll_s=0.5),
        new_point(4, "input:40", poll_s=0.5),
        new_point(5, "coil:50", PointType.BIT, poll_s=0.5),
        new_point(6, "discrete:60", PointType.BIT, poll_s=0.5),
    ]
    block = [new_point(address, f"holding:{address}", poll_s=0.5) for address in range(1000, 1100)]
    numbers = [1.0, -1_234_567_890.0, float(-(2**60) - 7), float(0xBEEF), 1.0, 0.0]
    right = {1 + i: (number, GOOD) for i, number in enumerate(numbers)}
    right |= {address: (float(address), GOOD) for address in range(1000, 1100) if address != 1042}

    async def scenario(watched):
        await watched.until(lambda: {k: row for k, row in watched.latest().items() if k != 1042} == right)
        assert {row[2] for row in watched.of(1042)} <= {Quality.BAD_CONFIG, COMM}

    watch(new_drivers("modbus", new_setup("modbus", settings, *few, *block)), scenario)
    assert set(line.ask("functions").split()) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("what", ["line", "converter"])
def test_a_silent_line_and_a_converter_that_is_gone_are_bad_until_they_are_back(
    what, libmodbus_rtu, converter, settings, new_point, new_setup, new_drivers, watch
):
    relay, command = converter
    libmodbus_rtu.put("holding", 7, 1234)

    async def away() -> None:
        await asyncio.to_thread(relay.stop) if what == "converter" else libmodbus_rtu.put("mute", 1)

    async def back() -> None:
        await asyncio.to_thread(relay.start, *command) if what == "converter" else libmodbus_rtu.put("mute", 0)

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1234.0, GOOD))
        await away()
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        libmodbus_rtu.put("holding", 7, 4321)
        lost = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[lost:]} == {COMM}
        await back()
        await watched.until(lambda: watched.latest() == {DEVICE: (1.0, GOOD), 2: (4321.0, GOOD)})
        assert 1234.0 not in {row[1] for row in watched.rows[lost:]}

    one = new_setup("modbus", settings | {"timeout_s": 0.2}, new_point(2, "holding:7", poll_s=0.1))
    watch(new_drivers("modbus", one), scenario)
