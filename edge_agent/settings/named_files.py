"""What lies in the files that a device's settings name (``..._file``): certificates, keys, passwords.

The configuration names them and does not hold them, so its hash stays the same where only they are renewed. Whoever
compares two configurations of a running agent asks here for both. Reads files only; keeps nothing but digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edge_agent.settings.model import Device

FILE_BYTES_MAX: Final = 1024 * 1024
"""Many times a certificate with its chain."""


def file_digests(devices: Iterable[Device]) -> dict[str, str]:
    """By device, for those that name a file: a digest of all that the files hold."""
    found = {}
    for device in devices:
        paths = [Path(str(path)) for key, path in device.settings if key.endswith("_file") and path is not None]
        if paths:
            found[device.name] = hashlib.sha256(b"".join(_digest(path) for path in paths)).hexdigest()
    return found


def _digest(path: Path) -> bytes:
    """Of a file, or of each in a folder. One that cannot be read is, like any, the same until it changes: that it cannot
    is what its driver says."""
    try:
        if path.is_dir():
            return hashlib.sha256(b"".join(_digest(each) for each in sorted(path.iterdir()) if each.is_file())).digest()
        with path.open("rb") as file:
            return hashlib.sha256(file.read(FILE_BYTES_MAX)).digest()
    except OSError as error:
        return hashlib.sha256(repr(error).encode()).digest()
