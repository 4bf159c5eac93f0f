"""A small folder that is right, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.errors import ConfigError, Fault
from contract.keys import format_public, format_secret, generate
from edge_agent.settings.load import load
from edge_agent.settings.model import AgentConfig

AGENT_TOML = """
[agent]
name = "agent-1"
organisation = "acme"

[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]

[[device]]
name = "plc"
driver = "modbus_tcp"
host = "127.0.0.1"
"""
HEADER = (
    "tag,source,device,register,address,bit,type,word_order,scale,offset,unit,range_low,range_high,ll,l,h,hh,deadband,"
    "on_delay_s,on_delay_2_s,off_delay_s,class,poll_s,stale_s,fault_on_delay_s,fault_off_delay_s,report_deadband,"
    "report_max_s,was,description"
)
GOOD_ROW = {
    "tag": "GT-1", "source": "tank-1", "device": "plc", "register": "holding", "address": "10", "type": "uint16",
    "unit": "degC",
}  # fmt: skip


@dataclass(frozen=True)
class Folder:
    """An agent's folder on disk."""

    path: Path

    def write_points(self, *rows: dict[str, str]) -> None:
        """Rows are GOOD_ROW with changes; tag and address run on where a row does not say them."""
        lines = [HEADER]
        for number, changes in enumerate(rows, 1):
            row = {**GOOD_ROW, "tag": f"GT-{number}", "address": str(10 * number), **changes}
            lines.append(",".join(quoted(row.get(column, "")) for column in HEADER.split(",")))
        (self.path / "points.csv").write_text("\n".join(lines) + "\n", "utf-8")

    def write_csv(self, data: bytes | str) -> None:
        (self.path / "points.csv").write_bytes(data if isinstance(data, bytes) else data.encode())

    def write_toml(self, text: bytes | str) -> None:
        (self.path / "agent.toml").write_bytes(text if isinstance(text, bytes) else text.encode())

    def spoil_toml(self, old: str, new: str) -> None:
        assert AGENT_TOML.count(old) >= 1, old
        self.write_toml(AGENT_TOML.replace(old, new, 1))

    def load(self) -> AgentConfig:
        return load(self.path)

    def faults(self) -> tuple[Fault, ...]:
        with pytest.raises(ConfigError) as caught:
            load(self.path)
        return caught.value.faults

    def places(self) -> list[tuple[str, int | None, str | None]]:
        return [(fault.file, fault.row, fault.column) for fault in self.faults()]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in ',"\n') else cell


@pytest.fixture(scope="session")
def key_files() -> dict[str, str]:
    """Text of the key files that a sample folder wants."""
    return {
        "keys/agent.key": format_secret(generate("agent-1")),
        "keys/aggregator.pub": format_public(generate("park").public),
    }


@pytest.fixture(scope="session")
def make_folder(key_files: dict[str, str]) -> Callable[[Path], Folder]:
    def make(path: Path) -> Folder:
        (path / "keys").mkdir(parents=True)
        for name, text in key_files.items():
            (path / name).write_text(text, "utf-8")
        folder = Folder(path)
        folder.write_toml(AGENT_TOML)
        folder.write_points({})
        return folder

    return make


@pytest.fixture
def folder(tmp_path: Path, make_folder: Callable[[Path], Folder]) -> Folder:
    return make_folder(tmp_path / "agent")
