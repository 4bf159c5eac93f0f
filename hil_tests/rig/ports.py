"""Ports that belong to somebody also while nobody listens on them."""

from __future__ import annotations

import socket


def reserve(host: str, port: int = 0) -> socket.socket:
    """A socket that holds a port (0: any free one) without listening, until it is closed.

    On Linux others may listen beside it (both with SO_REUSEADDR), connections are refused while none does, and the
    system hands the port out to nobody: neither to another program nor to a client's own end of a connection.
    Raises OSError.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind((host, port))
    except OSError as error:
        reserved.close()
        raise OSError(f"cannot take {host}:{port}: {error.strerror}") from error
    return reserved
