"""``python -m drivers.opcua.cli``: what an engineer types before an encrypted connection to an OPC UA server."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from drivers.opcua.certificates import der_of, make, pem_of, thumbprint

EXIT_FAILED: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 it failed."""
    parser = argparse.ArgumentParser(prog="python -m drivers.opcua.cli")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keygen = commands.add_parser("keygen", help="make this gateway's certificate for OPC UA servers, and its key")
    keygen.add_argument("directory", type=Path, metavar="DIR", help="the agent's folder; the files go to its keys/")
    keygen.add_argument("--name", default=socket.gethostname(), help="of the agent, as servers will show it")
    keygen.add_argument("--host", action="append", help="name or address of this gateway; its host name if left out")
    keygen.add_argument(
        "--replace", action="store_true", help="replace files that exist; servers must trust the new ones"
    )
    chosen = parser.parse_args(arguments)
    return make_files(chosen.directory / "keys", chosen.name, chosen.host or [socket.gethostname()], chosen.replace)


def make_files(folder: Path, name: str, hosts: Sequence[str], replace: bool) -> int:  # noqa: FBT001 - a flag it was
    """Write ``opcua.key`` (PEM, readable for its owner alone) and ``opcua.der`` into the folder."""
    key, certificate = folder / "opcua.key", folder / "opcua.der"
    if key.exists() and not replace:
        print(f"{key} exists; --replace makes new files, which every server must learn to trust", file=sys.stderr)
        return EXIT_FAILED
    own = make(name, hosts, datetime.now(UTC))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key.unlink(missing_ok=True)
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem_of(own.key))
        certificate.write_bytes(der_of(own.certificate))
    except OSError as error:
        print(f"cannot write to {folder}: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"made {key} (secret, stays here) and {certificate}")
    print(f"let each server trust {certificate.name}: application {own.uri}, thumbprint {thumbprint(own.certificate)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
