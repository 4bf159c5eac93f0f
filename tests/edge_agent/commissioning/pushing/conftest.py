"""Gateways on this machine: each a real sshd with keys of its own, a real agent, and a rig's device that it polls."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from contract.keys import format_public, generate
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import parse_site

AGENT_TOML = """
[agent]
name = "{name}"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:1"]
[[device]]
name = "plc"
driver = "modbus"
host = "127.0.0.1"
port = {port}
timeout_s = 0.5
"""
HEADER = "tag,source,device,register,address,type,unit,h\n"
START_S = 30


@dataclass
class Gateway:
    name: str
    path: Path
    ssh_port: int
    device_port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def site(self) -> Path:
        return self.path / "site"

    def start_agent(self) -> None:
        with (self.path / "agent.log").open("ab") as log:
            command = [sys.executable, "-m", "edge_agent.cli", "run", str(self.site)]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        until = time.monotonic() + START_S
        while b"agent_running" not in (self.path / "agent.log").read_bytes():
            assert time.monotonic() < until, (self.path / "agent.log").read_text()
            time.sleep(0.05)

    def config(self) -> dict[str, str]:
        return {name: (self.site / name).read_text() for name in ("agent.toml", "points.csv")}


@dataclass
class Field:
    """The engineer's machine: ``folders`` has a folder per gateway, as they are now."""

    path: Path
    gateways: dict[str, Gateway]

    @property
    def folders(self) -> Path:
        return self.path / "folders"

    def change_points(self, gateway: str, *rows: str) -> None:
        (self.folders / gateway / "points.csv").write_text(HEADER + "".join(row + "\n" for row in rows))

    def push(self, *words: str, hosts: tuple[str, ...] | None = None) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-m", "edge_agent.cli", "push", *(hosts or self.gateways), str(self.folders), "--to",
            str(self.path / "{host}" / "site"), "--ssh-config", str(self.path / "ssh_config"), "--agent-command",
            f"{sys.executable} -m edge_agent.cli", "--confirm-s", "10", *words,
        ]  # fmt: skip
        return subprocess.run(
            command, capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL
        )


MakeField = Callable[..., Field]


@pytest.fixture
def make_field(tmp_path: Path, require_system: Callable[[str], str]) -> Iterator[MakeField]:
    """Gateways by name, their agents not yet running."""
    sshd, keygen = require_system("sshd"), require_system("ssh-keygen")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in; the service makes it elsewhere
    with ExitStack() as stack:

        def make(*names: str, trusted: bool = True) -> Field:
            data = {"device": [{"name": name, "register": registers()} for name in names]}
            rig = stack.enter_context(Rig(parse_site(data, tmp_path / "site.toml"), tmp_path / "rig"))
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
            gateways = {}
            for name in names:
                gateway = Gateway(name, tmp_path / name, free_port(), rig.ports[name])
                gateways[name] = gateway
                furnish(gateway, tmp_path, keygen)
                log = stack.enter_context((gateway.path / "sshd.log").open("ab"))
                command = [sshd, "-D", "-e", "-f", str(gateway.path / "sshd_config")]
                gateway.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
                stack.callback(end, gateway)
                wait_for(gateway.ssh_port)
            made = Field(tmp_path, gateways)
            write_ssh_files(made, trusted=trusted)
            return made

        yield make


def registers() -> list[dict[str, object]]:
    return [
        {"name": f"R{address}", "table": "holding", "address": address, "type": "uint16",
         "signal": {"kind": "constant", "value": 7}}
        for address in range(4)
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    until = time.monotonic() + START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < until
        time.sleep(0.05)


def furnish(gateway: Gateway, here: Path, keygen: str) -> None:
    keys = gateway.site / "keys"
    keys.mkdir(parents=True)
    (gateway.site / "agent.toml").write_text(AGENT_TOML.format(name=gateway.name, port=gateway.device_port))
    (gateway.site / "points.csv").write_text(HEADER + "AT-1,tank,plc,holding,0,uint16,ppm,25\n")
    (keys / "aggregator.pub").write_text(format_public(generate("park").public))
    shutil.copytree(gateway.site, here / "folders" / gateway.name, ignore=shutil.ignore_patterns("keys"))
    subprocess.run([sys.executable, "-m", "edge_agent.cli", "keygen", gateway.site], check=True, capture_output=True)
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", gateway.path / "host_key"], check=True)
    (gateway.path / "sshd_config").write_text(
        f"Port {gateway.ssh_port}\nListenAddress 127.0.0.1\nHostKey {gateway.path}/host_key\n"
        f"AuthorizedKeysFile {here}/id.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        f"StrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n"
        f"SetEnv PYTHONPATH={Path(__file__).parents[4]}\n"
    )


def write_ssh_files(field: Field, *, trusted: bool) -> None:
    config = [f"IdentityFile {field.path}/id\nIdentitiesOnly yes\nUserKnownHostsFile {field.path}/known_hosts\n"]
    known = []
    for gateway in field.gateways.values():
        config.append(f"Host {gateway.name}\n  HostName 127.0.0.1\n  Port {gateway.ssh_port}\n")
        kind, key, *_ = (gateway.path / "host_key.pub").read_text().split()
        known.append(f"[127.0.0.1]:{gateway.ssh_port} {kind} {key}\n")
    (field.path / "ssh_config").write_text("".join(config))
    (field.path / "known_hosts").write_text("".join(known) if trusted else "")


def end(gateway: Gateway) -> None:
    for process in reversed(gateway.processes):
        for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            each.kill()
        process.wait()
