"""The asking end of the command channel, used by the web process and the command line.

A socket on 127.0.0.1 with CURVE, to which only the aggregator's own key is admitted: who can read the folder's secret
key may command, nobody else. Where ingest listens stands in a file of the folder, written anew at each start. Before a
command goes out, a ping must have come back on the same link, so that a command that meets a dying ingest is in most
cases known not to have been delivered.
"""

from __future__ import annotations

import itertools
import time
from contextlib import closing, suppress
from typing import Final

import zmq
import zmq.utils.z85

from aggregator.commands.messages import COMMAND_BYTES_MAX, PING, Command, decode_answer, encode_command
from aggregator.commands.refusal import RefusedError, UnavailableError
from aggregator.folder import Folder
from contract.clock import NS_PER_MS, NS_PER_S
from contract.events import Json

TIMEOUT_S: Final = 5.0
_PING_TIMEOUT_NS: Final = 300 * NS_PER_MS
_RETRY_S: Final = 0.05


class CommandClient:
    """Safe to use from several threads: each command takes a link of its own."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._keys = folder.secret_keys()
        self._context = zmq.Context()
        self._numbers = itertools.count(1)

    def send(self, command: Command, timeout_s: float = TIMEOUT_S) -> dict[str, Json]:
        """The result, once it is committed. Raises RefusedError and UnavailableError."""
        data = encode_command(0, command)
        assert len(data) <= COMMAND_BYTES_MAX
        deadline_ns = time.monotonic_ns() + round(timeout_s * NS_PER_S)
        with closing(self._connect(deadline_ns)) as link:
            result = self._ask(link, command, deadline_ns)
        if result is None:
            raise UnavailableError("ingest took the command and has not answered", delivered=True)
        if isinstance(result, RefusedError):
            raise result
        return result

    def close(self) -> None:
        self._context.destroy(linger=0)

    def _connect(self, deadline_ns: int) -> zmq.Socket[bytes]:
        """A link on which ingest has answered a ping. Raises UnavailableError."""
        while time.monotonic_ns() < deadline_ns:
            endpoint = self._endpoint()
            if endpoint:
                link = self._open(endpoint)
                if self._ask(link, Command(PING), min(deadline_ns, time.monotonic_ns() + _PING_TIMEOUT_NS)) is not None:
                    return link
                link.close(0)
            time.sleep(_RETRY_S)
        raise UnavailableError("ingest does not answer; is the aggregator running?", delivered=False)

    def _ask(
        self, link: zmq.Socket[bytes], command: Command, deadline_ns: int
    ) -> dict[str, Json] | RefusedError | None:
        number = next(self._numbers)
        with suppress(zmq.Again):
            link.send(encode_command(number, command))
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0:
            if link.poll(max(1, left_ns // NS_PER_MS)):
                answered, result = decode_answer(link.recv())
                if answered == number:
                    return result
        return None

    def _endpoint(self) -> str:
        try:
            return self._folder.command_file.read_text("ascii").strip()
        except FileNotFoundError:
            return ""

    def _open(self, endpoint: str) -> zmq.Socket[bytes]:
        link = self._context.socket(zmq.DEALER)
        link.linger = 0
        link.sndtimeo = 0  # a link that was refused would take nothing, for ever
        link.curve_secretkey = zmq.utils.z85.encode(self._keys.curve_secret)
        link.curve_publickey = zmq.utils.z85.encode(self._keys.public.curve_public)
        link.curve_serverkey = zmq.utils.z85.encode(self._keys.public.curve_public)
        link.connect(endpoint)
        return link
