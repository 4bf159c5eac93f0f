"""The socket: one ROUTER with CURVE, and the door-keeper that ZeroMQ asks about each handshake (ZAP, RFC 27).

Who speaks is the CURVE key that ZeroMQ attaches to each message as ``User-Id``; routing ids are left to ZeroMQ, since a
chosen one that is still in use would be ignored in silence and bar a half-open link's return.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zmq
import zmq.utils.z85

from aggregator.commands.messages import COMMAND_BYTES_MAX
from contract.errors import LinkError
from contract.keys import SecretKeys
from contract.wire.codec import FRAME_BYTES_MAX

ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
ZAP_DOMAIN: Final = b"parksentry"
COMMAND_DOMAIN: Final = b"parksentry-commands"
"""Handshakes of the command channel: only the aggregator's own key is admitted there."""
MESSAGES_WAITING_MAX: Final = 64
"""Per link, in each direction. A window is 8 batches per lane; above it ZeroMQ lets TCP push back."""
HANDSHAKES_PER_TURN_MAX: Final = 256
_DEAD_LINK_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message: where to answer, whose key (hex) it came with, and its bytes; none where it had several parts, which
    is no frame."""

    routing_id: bytes
    key: str
    data: bytes


class Link:
    """Owns the ZeroMQ context of this process. ``watch`` adds a file descriptor whose news ends a ``poll``."""

    def __init__(self, keys: SecretKeys) -> None:
        self._context = zmq.Context()
        self._context.linger = 0
        self._door = self._context.socket(zmq.REP)
        self._door.bind(ZAP_ENDPOINT)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.curve_server = True
        self._router.curve_secretkey = zmq.utils.z85.encode(keys.curve_secret)
        self._router.zap_domain = ZAP_DOMAIN
        self._router.maxmsgsize = FRAME_BYTES_MAX
        self._router.router_handover = False
        self._router.rcvhwm = self._router.sndhwm = MESSAGES_WAITING_MAX
        self._router.heartbeat_ivl = _DEAD_LINK_MS // 3
        self._router.heartbeat_timeout = _DEAD_LINK_MS
        self.has_handshakes = False
        """As the last ``poll`` saw it."""
        self._own_key = keys.public.curve_public.hex()
        self._counter = self._context.socket(zmq.ROUTER)
        self._counter.curve_server = True
        self._counter.curve_secretkey = zmq.utils.z85.encode(keys.curve_secret)
        self._counter.zap_domain = COMMAND_DOMAIN
        self._counter.maxmsgsize = COMMAND_BYTES_MAX
        self._poller = zmq.Poller()
        self._poller.register(self._door, zmq.POLLIN)
        self._poller.register(self._router, zmq.POLLIN)
        self._poller.register(self._counter, zmq.POLLIN)

    def bind(self, endpoint: str) -> str:
        """Listen for agents; gives the endpoint with the port that was taken. Raises LinkError."""
        return _bind(self._router, endpoint)

    def bind_commands(self) -> str:
        """Listen for commands, on this machine only; gives the endpoint. Raises LinkError."""
        return _bind(self._counter, "tcp://127.0.0.1:*")

    def watch(self, file_descriptor: int) -> None:
        self._poller.register(file_descriptor, zmq.POLLIN)

    def poll(self, timeout_ms: int) -> set[int]:
        """Wait for any news; the watched file descriptors that have some."""
        news = [source for source, _ in self._poller.poll(timeout_ms)]
        self.has_handshakes = self._door in news
        return {source for source in news if isinstance(source, int)}

    def answer_handshakes(self, is_admitted: Callable[[str], bool]) -> list[str]:
        """Let admitted keys in; the keys (hex) that were turned away, "" for one without CURVE."""
        refused = []
        for _ in range(HANDSHAKES_PER_TURN_MAX):
            try:
                version, request_id, *rest = self._door.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            key = rest[4].hex() if len(rest) == 5 and rest[3] == b"CURVE" else ""
            commands = bool(rest) and rest[0] == COMMAND_DOMAIN
            admitted = bool(key) and (key == self._own_key if commands else is_admitted(key))
            verdict = [b"200", b"OK", key.encode()] if admitted else [b"400", b"not admitted", b""]
            self._door.send_multipart([version, request_id, *verdict, b""])
            if not admitted:
                refused.append(key)
        return refused

    def receive(self) -> Incoming | None:
        """The next message that is there, None where there is none."""
        try:
            parts = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        body = parts[-1]
        return Incoming(parts[0].bytes, str(body.get("User-Id")), body.bytes if len(parts) == 2 else b"")

    def receive_command(self) -> tuple[bytes, bytes] | None:
        """The next command that is there with the place to answer it; None where there is none."""
        try:
            routing_id, *parts = self._counter.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return routing_id, parts[0] if len(parts) == 1 else b""

    def answer_command(self, routing_id: bytes, data: bytes) -> None:
        """To who has gone nothing is sent: he looks up what became of it."""
        self._counter.send_multipart([routing_id, data], zmq.NOBLOCK)

    def send(self, routing_id: bytes, data: bytes) -> None:
        """To a peer that has gone, or does not read, nothing is sent: it will ask again."""
        self._router.send_multipart([routing_id, data], zmq.NOBLOCK)

    def close(self) -> None:
        self._context.destroy(linger=0)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise LinkError(f"cannot listen on {endpoint}: {error}") from error
    taken = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(taken, bytes)
    return taken.decode().rstrip("\0")
