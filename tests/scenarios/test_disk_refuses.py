"""An agent whose disk is full when it starts watches and delivers all the same, and goes on where it was once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from hil_tests.field import Field, FieldAgent, one_device, wait_for

ROW = {"register": "holding", "type": "uint16", "unit": "1", "poll_s": 0.1, "h": 0.5}
POINTS = [{"tag": f"WAVE-{i}", "address": 2 * i, **ROW} for i in range(4)]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def field(open_field) -> Field:
    wave = {"kind": "counter", "period_s": 0.2, "modulo": 2}
    field: Field = open_field(one_device("plant", [{"name": f"wave{i}", "signal": wave} for i in range(4)]))
    return field


@pytest.fixture
def agent(field, require_system) -> Iterator[FieldAgent]:
    """Its data lies on a small file system of its own."""
    agent: FieldAgent = field.add_agent("gate", "plant", POINTS)
    disk = agent.store.parent
    disk.mkdir()
    mounting = [require_system("mount"), "-t", "tmpfs", "-o", "size=4m", "none", disk]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount")
    yield agent
    field.stop()
    subprocess.run([require_system("umount"), "-l", disk], check=True)


def test_a_gateway_with_a_full_disk_starts_and_loses_and_doubles_nothing(field, agent):
    field.start()
    _hear(field, agent, 10)
    epoch = agent.status()["epoch"]
    agent.program.kill()
    filler = agent.store.parent / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb") as file:
        while True:
            file.write(bytes(4096))
    agent.start()
    _hear(field, agent, 10)
    assert agent.status()["disk_fault"] == "No space left on device"
    agent.program.kill()
    filler.unlink()
    agent.start()
    _hear(field, agent, 10)
    assert (agent.status()["disk_fault"], agent.status()["epoch"]) == (None, epoch)
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    found = field.audit(agent)
    print(found)
    assert found.events > 30
    assert not found.findings, str(found)
    told = [each for each in field.aggregator.events("gate") if each["type"] == "store_replaced"]
    assert ["No space" in each["data"]["reason"] for each in told] == [True]


def _hear(field: Field, agent: FieldAgent, count: int) -> None:
    field.wait_until_streaming(agent)
    before = len(field.aggregator.events("gate"))
    wait_for(lambda: len(field.aggregator.events("gate")) >= before + count, "its events arrive", 20.0)
