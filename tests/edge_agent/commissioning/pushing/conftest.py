"""Gateways on this machine, each with a real sshd and host key of its own, and an engineer who pushes to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import asyncssh
import psutil
import pytest

from contract.keys import format_public, format_secret, generate
from edge_agent.cli import main
from hil_tests.field import wait_for
from hil_tests.processes import Program
from hil_tests.rig.ports import reserve

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
ROOT = Path(__file__).parents[4]
AGENT_COMMAND = f"{sys.executable} -m edge_agent.cli"
START_S = 90.0
"""The first agent on a machine compiles its detectors."""


@dataclass
class Gateway:
    """``agent`` is the program of this folder; a pushed ``--start`` may have made another one."""

    name: str
    path: Path
    port: int
    agent: Program

    @property
    def site(self) -> Path:
        return self.path / "site"

    def config(self) -> dict[str, str]:
        names = ("agent.toml", "points.csv", "devices.csv", "models/m.toml")
        return {name: (self.site / name).read_text() for name in names if (self.site / name).exists()}

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.site / "versions").iterdir())

    def wait_until_running(self) -> None:
        log = self.path / "agent.log"
        wait_for(lambda: b"agent_running" in log.read_bytes(), "the agent runs", START_S, of=[self.agent])


class Pushed(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@dataclass
class Field:
    """``folders`` has a folder per gateway, as they were at first."""

    path: Path
    gateways: dict[str, Gateway]

    @property
    def folders(self) -> Path:
        return self.path / "folders"

    def change_points(self, gateway: str, *rows: str) -> None:
        (self.folders / gateway / "points.csv").write_text(HEADER + "".join(row + "\n" for row in rows))

    def words(self, *words: str, hosts: tuple[str, ...] | None = None) -> list[str]:
        return [
            "push", *(hosts or self.gateways), str(self.folders), "--to", str(self.path / "{host}" / "site"),
            "--ssh-config", str(self.path / "ssh_config"), "--agent-command", AGENT_COMMAND, *words,
        ]  # fmt: skip

    def push(self, *words: str, hosts: tuple[str, ...] | None = None) -> Pushed:
        """In this process, which has what it needs loaded already; nobody is at its terminal."""
        output, errors = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(errors), patch.dict(os.environ, COLUMNS="400"):
            status = main(self.words(*words, hosts=hosts))
        return Pushed(status, output.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def make_field(
    tmp_path_factory: pytest.TempPathFactory, require_system: Callable[[str], str]
) -> Iterator[Callable[..., Field]]:
    """``make_field("gw1", "gw2")``: gateways whose agents do not run; their device, of this port, nobody plays."""
    sshd = require_system("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in; the service makes it elsewhere
    with ExitStack() as stack:

        def make(*names: str, device_port: int = 1, trusted: bool = True) -> Field:
            here = tmp_path_factory.mktemp("field")
            write_key(here / "id")
            gateways = {}
            for name in names:
                path = here / name
                port = stack.enter_context(reserve("127.0.0.1")).getsockname()[1]
                agent = Program(name, "edge_agent.cli", ("run", str(path / "site")), path / "agent.log")
                gateways[name] = Gateway(name, path, port, agent)
                furnish(gateways[name], here, device_port)
                log = stack.enter_context((path / "sshd.log").open("ab"))
                command = [sshd, "-D", "-e", "-f", str(path / "sshd_config")]
                stack.callback(end, subprocess.Popen(command, stdout=log, stderr=log))
                stack.callback(agent.kill)
            for name in names:
                wait_for(partial(listens, here / name / "sshd.log"), "sshd listens")
            write_ssh_files(made := Field(here, gateways), trusted=trusted)
            return made

        yield make


def write_key(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.write_bytes(key.export_private_key())
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.export_public_key())


def listens(log: Path) -> bool:
    return "listening" in log.read_text()


def furnish(gateway: Gateway, here: Path, device_port: int) -> None:
    keys = gateway.site / "keys"
    keys.mkdir(parents=True)
    (gateway.site / "agent.toml").write_text(AGENT_TOML.format(name=gateway.name, port=device_port))
    (gateway.site / "points.csv").write_text(HEADER + "AT-1,tank,plc,holding,0,uint16,ppm,25\n")
    shutil.copytree(gateway.site, here / "folders" / gateway.name, ignore=shutil.ignore_patterns("keys"))
    own = generate(gateway.name)
    (keys / "agent.key").write_text(format_secret(own))
    (keys / "agent.key").chmod(0o600)
    (keys / "agent.pub").write_text(format_public(own.public))
    (keys / "aggregator.pub").write_text(format_public(generate("park").public))
    write_key(gateway.path / "host_key")
    (gateway.path / "sshd_config").write_text(
        f"Port {gateway.port}\nListenAddress 127.0.0.1\nHostKey {gateway.path}/host_key\n"
        f"AuthorizedKeysFile {here}/id.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        f"StrictModes no\nPidFile none\nSubsystem sftp internal-sftp\nSetEnv PYTHONPATH={ROOT}\n"
    )


def write_ssh_files(field: Field, *, trusted: bool) -> None:
    config = [f"IdentityFile {field.path}/id\nIdentitiesOnly yes\nUserKnownHostsFile {field.path}/known_hosts\n"]
    known = []
    for gateway in field.gateways.values():
        config.append(f"Host {gateway.name}\n  HostName 127.0.0.1\n  Port {gateway.port}\n")
        kind, key, *_ = (gateway.path / "host_key.pub").read_text().split()
        known.append(f"[127.0.0.1]:{gateway.port} {kind} {key}\n")
    (field.path / "ssh_config").write_text("".join(config))
    (field.path / "known_hosts").write_text("".join(known) if trusted else "")


def end(sshd: subprocess.Popen[bytes]) -> None:
    for each in [*psutil.Process(sshd.pid).children(recursive=True), sshd]:
        each.kill()
    sshd.wait()
