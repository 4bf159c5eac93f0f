"""The control socket: how a command on the gateway asks the agent that runs there, and tells it something.

A Unix stream socket in the outbox directory, for the agent's own user alone (mode 0600); one JSON object per line each
way, any number of them on one connection. What can be asked is a table of handlers that ``app`` hands in; an answer with
the key ``error`` is a refusal in words. The network never gets here: nothing that the control room sends is asked so.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shlex
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from contract.errors import ParkSentryError
from edge_agent.settings.memory_folder import in_use

CONTROL_SOCKET: Final = "control.sock"
REQUEST_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Many times what all points of the largest list take; more is no agent's answer."""
CLIENTS_MAX: Final = 8
CLIENT_SILENT_S_MAX: Final = 60.0
"""A client that asks nothing, or does not read, for this long makes room for others."""
ANSWER_TIMEOUT_S: Final = 60.0
PATH_BYTES_MAX: Final = 107
"""Of a Unix socket, without the NUL behind it: sun_path in unix(7)."""
_BACKLOG: Final = 16

Answer: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Answer]]

log = structlog.get_logger()


class ControlError(ParkSentryError):
    """The agent cannot be asked, or refused; the text says what to do."""


class ControlServer:
    """Answers in the loop's thread. ``handlers`` are by the word that a request gives as ``ask``."""

    def __init__(
        self, directory: Path, handlers: Mapping[str, Handler], client_silent_s_max: float = CLIENT_SILENT_S_MAX
    ) -> None:
        self._directory = directory
        self._handlers = handlers
        self._client_silent_s_max = client_silent_s_max
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises ControlError where the socket cannot be made; nothing is left behind then."""
        try:
            listening = _listen(self._directory)
        except OSError as error:
            raise ControlError(f"cannot listen at {self._directory / CONTROL_SOCKET}: {error}") from error
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=REQUEST_BYTES_MAX)

    async def close(self) -> None:
        if self._server is None:
            return
        (self._directory / CONTROL_SOCKET).unlink(missing_ok=True)
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > CLIENTS_MAX:
                await self._say(writer, {"error": f"{CLIENTS_MAX} others ask already; try again in a moment"})
            else:
                await self._converse(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            log.debug("control_client_gone")  # its own matter; or the agent stops
        finally:
            self._clients.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(self._client_silent_s_max):
                    line = await reader.readline()
            except ValueError:
                await self._say(writer, {"error": f"a request has at most {REQUEST_BYTES_MAX} bytes"})
                return
            if not line.endswith(b"\n"):
                return
            await self._say(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
            handler = self._handlers.get(request["ask"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": 'a request is a JSON object on one line, such as {"ask": "status"}'}
        if handler is None:
            return {"error": f"this agent cannot be asked for {request['ask']!r}, only for {', '.join(self._handlers)}"}
        try:
            return await handler(request)
        except ControlError as error:
            return {"error": str(error)}
        except Exception as error:  # a fault of the program; the watch over the plant goes on
            log.exception("control_request_failed", ask=request["ask"])
            return {"error": f"the agent failed at this ({error!r}); its log says more"}

    async def _say(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        writer.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        async with asyncio.timeout(self._client_silent_s_max):
            await writer.drain()


def _listen(directory: Path) -> socket.socket:
    """The outbox's lock is ours, so whoever answered at a socket that lies there is gone, unless he still answers."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(listening.fileno(), 0o600)  # before bind: the file is never open to others, not even for a moment
        with _address(directory) as address:
            _refuse_rival(address)
            (directory / CONTROL_SOCKET).unlink(missing_ok=True)
            listening.bind(address)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _refuse_rival(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        # EAGAIN: somebody listens whose queue is full.
        if probe.connect_ex(address) in {0, errno.EAGAIN}:
            raise OSError(errno.EADDRINUSE, "another program answers there; end it")


@contextmanager
def _address(directory: Path) -> Iterator[str]:
    """A path of the socket that the kernel takes: one that is too long is shortened by way of an open folder."""
    path = str(directory / CONTROL_SOCKET)
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield path
        return
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{CONTROL_SOCKET}"
    finally:
        os.close(descriptor)


def ask(
    directory: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_TIMEOUT_S, folder: Path | None = None
) -> Answer:
    """One request to the agent whose outbox is ``directory``. Raises ControlError where there is none, where it may not
    be asked, where it says nothing within ``timeout_s``, and for a refusal. ``folder`` is the agent's own: what to start."""
    try:
        with _address(in_use(directory)) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(timeout_s)
            asking.connect(address)
            # An agent that has no room for us answers before it has read; then it is gone for what we send.
            with suppress(BrokenPipeError):
                asking.sendall(json.dumps(dict(request)).encode() + b"\n")
            with asking.makefile("rb") as answers:
                line = answers.readline(ANSWER_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        start = f"edge-agent run {shlex.quote(str(folder)) if folder else 'DIR'}"
        raise ControlError(f"no agent runs on {folder or directory}; start it with: {start}") from error
    except PermissionError as error:
        raise ControlError(f"{directory} belongs to another user; ask as the user that the agent runs as") from error
    except TimeoutError as error:
        raise ControlError(
            f"the agent has not answered within {timeout_s:g} s; it may still do what it was told"
        ) from error
    except OSError as error:
        raise ControlError(f"the agent cannot be asked: {error}") from error
    return _read(line)


def _read(line: bytes) -> Answer:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise ControlError("the agent ended before it had answered; look at its log") from error
    if not isinstance(answer, dict):
        raise ControlError("what listens there is no agent")
    if "error" in answer:
        raise ControlError(str(answer["error"]))
    return answer
