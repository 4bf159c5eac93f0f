"""Certificates and passwords lie beside the configuration: whether they are the same is seen by what they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.opcua.settings import OpcUaSettings
from edge_agent.settings.model import Device
from edge_agent.settings.named_files import file_digests


@pytest.fixture
def device(tmp_path: Path) -> Device:
    (tmp_path / "password").write_text("one")
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "server.der").write_bytes(b"one")
    settings = OpcUaSettings(
        endpoint="opc.tcp://plc:4840", username="reader", password_file=str(tmp_path / "password"),
        server_certificate_file=str(tmp_path / "trusted"),
    )  # fmt: skip
    return Device("plc1", "opcua", settings)


@pytest.mark.parametrize("file", ["password", "trusted/server.der", "trusted/second.der"])
def test_other_contents_are_another_digest_and_the_former_ones_the_former(device: Device, tmp_path: Path, file: str):
    def put(contents: bytes | None) -> dict[str, str]:
        if contents is None:
            (tmp_path / file).unlink(missing_ok=True)
        else:
            (tmp_path / file).write_bytes(contents)
        return file_digests([device])

    former = (tmp_path / file).read_bytes() if (tmp_path / file).exists() else None
    before = put(former)
    assert put(b"two") != before
    assert put(former) == before


def test_a_file_that_went_away_is_a_change_too_and_no_failure(device: Device, tmp_path: Path):
    before = file_digests([device])
    (tmp_path / "password").unlink()
    assert file_digests([device]) == file_digests([device]) != before


def test_a_device_that_names_no_file_has_none():
    assert file_digests([Device("plc1", "opcua", OpcUaSettings(endpoint="opc.tcp://plc:4840"))]) == {}
