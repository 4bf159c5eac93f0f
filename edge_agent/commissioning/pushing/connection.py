"""The one place that speaks ssh: connections whose host key is known, commands and files with a limit on everything.

OpenSSH's own files hold: ``~/.ssh/config``, keys, the agent, ``known_hosts``. A host whose key is not known is refused with its
fingerprint, and one whose key has changed always is, whatever was asked for.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import asyncssh

from edge_agent.commissioning.pushing.difference import printable
from edge_agent.commissioning.pushing.hosts import Target

CONNECT_TIMEOUT_S: Final = 20.0
KEEPALIVE_S: Final = 5
KEEPALIVES_MAX: Final = 3
COMMAND_TIMEOUT_S: Final = 90.0
OUTPUT_BYTES_MAX: Final = 4 * 1024 * 1024
LINES_TOLD_MAX: Final = 5
LINE_CHARACTERS_MAX: Final = 300
EXIT_NO_COMMAND: Final = 127
_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


class GatewayError(Exception):
    """A gateway refused or failed, in words for a person."""


class LostError(Exception):
    """The connection ended."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in. ``config_file`` is OpenSSH's, None for ``~/.ssh/config``."""

    accept_new: bool = False
    config_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left."""

    status: int | None
    output: str
    errors: str

    def in_short(self) -> str:
        lines = [printable(line)[:LINE_CHARACTERS_MAX] for line in (self.errors or self.output).splitlines() if line]
        return " | ".join(lines[:LINES_TOLD_MAX]) or f"exit status {self.status}"


class Connection:
    """One gateway's; ``files`` is its SFTP session. Whatever goes wrong is a GatewayError, or a LostError."""

    def __init__(self, ssh: asyncssh.SSHClientConnection, files: asyncssh.SFTPClient) -> None:
        self._ssh = ssh
        self.files = files

    @classmethod
    async def open(cls, target: Target, access: Access) -> Self:
        door = _Door(access)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                options = await asyncssh.SSHClientConnectionOptions.construct(
                    host=target.host, port=() if target.port is None else target.port,
                    username=() if target.user is None else target.user,
                    config=() if access.config_file is None else [str(access.config_file)],
                )  # fmt: skip
                door.read(options.known_hosts)
                ssh = await asyncssh.connect(
                    target.host, () if target.port is None else target.port, options=options, config=None,
                    known_hosts=door.known, client_factory=lambda: door, keepalive_interval=KEEPALIVE_S,
                    keepalive_count_max=KEEPALIVES_MAX, login_timeout=CONNECT_TIMEOUT_S,
                )  # fmt: skip
                return cls(ssh, await ssh.start_sftp_client())
        except asyncssh.HostKeyNotVerifiable as error:
            raise GatewayError(door.refusal or str(error)) from error
        except TimeoutError as error:
            raise GatewayError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from error
        except (OSError, ValueError, asyncssh.Error) as error:
            raise GatewayError(printable(str(error))[:LINE_CHARACTERS_MAX]) from error

    async def close(self) -> None:
        self._ssh.close()
        with suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(KEEPALIVE_S):
                await self._ssh.wait_closed()

    async def run(self, words: Sequence[str]) -> Said:
        return await self.run_shell(shlex.join(words))

    async def run_shell(self, line: str) -> Said:
        """Raises GatewayError where it takes or says too much."""
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                process = await self._ssh.create_process(line, encoding=None, stdin=asyncssh.DEVNULL)
                try:
                    output, errors = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
                    done = await process.wait()
                finally:  # not waited for: sshd ends a channel only after its process, and that may never end
                    if process.exit_status is None:
                        with suppress(OSError):
                            process.kill()
                    process.close()
        except TimeoutError as error:
            raise GatewayError(f"{line!r} has not ended within {COMMAND_TIMEOUT_S:g} s") from error
        except (OSError, asyncssh.Error) as error:
            raise self.trouble(error) from error
        if done.returncode is None:
            raise LostError
        return Said(done.returncode, output, errors)

    async def do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work on ``files``, with its errors put into words."""
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await work()
        except TimeoutError as error:
            raise GatewayError(f"files were not written within {COMMAND_TIMEOUT_S:g} s") from error
        except (OSError, ValueError, asyncssh.Error) as error:
            raise self.trouble(error) from error

    def trouble(self, error: Exception) -> Exception:
        gone = (asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, OSError)
        if isinstance(error, gone) or self._ssh.is_closed():
            return LostError()
        return GatewayError(printable(str(error))[:LINE_CHARACTERS_MAX])


async def _bounded(stream: asyncssh.SSHReader[bytes]) -> str:
    data = b""
    while chunk := await stream.read(65536):
        data += chunk
        if len(data) > OUTPUT_BYTES_MAX:
            raise GatewayError(f"the gateway says more than {OUTPUT_BYTES_MAX} bytes")
    return data.decode("utf-8", "replace")


class _Door(asyncssh.SSHClient):
    """Lets nobody in whose key is not known. ``refusal`` says why, and what to do."""

    def __init__(self, access: Access) -> None:
        self._accept_new = access.accept_new
        self._files: list[Path] = []
        self._any_known = False
        self.refusal = ""

    def read(self, configured: object) -> None:
        """Which files of known hosts hold: OpenSSH's ``UserKnownHostsFile``, or those it reads by itself."""
        names = configured if isinstance(configured, list) and configured else _KNOWN_HOSTS
        self._files = [Path(str(name)).expanduser() for name in names]

    def known(self, host: str, addr: str, port: int | None) -> tuple[Sequence[object], ...]:
        present = [str(file) for file in self._files if file.is_file()]
        found = asyncssh.match_known_hosts(present, host, addr, port) if present else ([],) * 7
        self._any_known = bool(found[0])
        return tuple(found)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        fingerprint = key.get_fingerprint()
        if self._any_known:
            self.refusal = (
                f"the key of {host} has CHANGED to {fingerprint}: somebody may be in between. Only if you know why, "
                f"remove the old one: ssh-keygen -R {_known_name(host, port)}"
            )
            return False
        if not self._accept_new:
            self.refusal = (
                f"the key of {host} is not known: {fingerprint}. Compare it at the gateway (ssh-keygen -lf "
                "/etc/ssh/ssh_host_ed25519_key.pub), then connect once with ssh, or give --accept-new"
            )
            return False
        file = self._files[0]
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as known:
            known.write(f"{_known_name(host, port)} {key.export_public_key().decode().strip()}\n")
        return True


def _known_name(host: str, port: int) -> str:
    return host if port == asyncssh.DEFAULT_PORT else f"[{host}]:{port}"
