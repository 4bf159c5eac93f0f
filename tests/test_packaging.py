"""The wheel as somebody else gets it: built, installed into new environments, its commands run there.

A gateway must never receive a web framework and the aggregator never numba; the extras are what keeps them apart.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WEB = {"fastapi", "starlette", "uvicorn", "nicegui", "flask", "django", "aiohttp"}
JIT = {"numba", "llvmlite"}
DEVELOPERS = {"pytest", "mypy", "ruff", "hypothesis"}

pytestmark = pytest.mark.timeout(600)  # pip fetches and unpacks; on a new machine over the network


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that holds the wheel with one extra, and nothing of this checkout."""

    home: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a console script away from the checkout, so that only what is installed can be imported."""
        return subprocess.run(
            [str(self.home / "bin" / command), *arguments],
            capture_output=True, text=True, cwd=self.home, env=outside_env(), timeout=60, check=False,
        )  # fmt: skip

    def distributions(self) -> set[str]:
        found = (self.home / "lib").glob("python3.*/site-packages/*.dist-info")
        return {re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() for path in found}

    def folder(self, name: str) -> Path:
        [site_packages] = (self.home / "lib").glob("python3.*/site-packages")
        return site_packages / name


def outside_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def pip(*arguments: str) -> None:
    """Run pip from the checkout, under the constraints; a failure shows what pip said."""
    constrained = {"PIP_CONSTRAINT": "constraints.txt", "PIP_BUILD_CONSTRAINT": "constraints.txt"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        capture_output=True, text=True, cwd=ROOT, env=outside_env() | constrained, timeout=540, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), ".")
    [path] = target.glob("parksentry-*.whl")
    return path


def installed(wheel: Path, extra: str, home: Path) -> Environment:
    venv.create(home, with_pip=False, symlinks=True)
    python = str(home / "bin" / "python")
    pip("--python", python, "install", "--quiet", "--no-compile", "-c", "constraints.txt", f"{wheel}[{extra}]")
    return Environment(home)


@pytest.fixture(scope="module")
def edge(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(wheel, "edge", tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
def rig(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(wheel, "rig", tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def aggregator(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(wheel, "aggregator", tmp_path_factory.mktemp("aggregator"))


def test_the_wheel_holds_the_packages_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == {"contract", "drivers", "edge_agent", "aggregator", "hil_tests"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_example_sites_travel_with_the_rig(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("hil_tests/configs/")}
    files = [path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*") if path.is_file()]
    on_disk = {f"hil_tests/{path.as_posix()}" for path in files if path.parts[1] != "devices"}
    assert shipped == on_disk
    assert any(name.startswith("hil_tests/configs/demo/") for name in shipped)


def test_the_device_models_travel_with_the_agent(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("edge_agent/devices/")}
    assert shipped == {f"edge_agent/devices/{path.name}" for path in (ROOT / "configs" / "devices").iterdir()}
    assert "edge_agent/devices/msa_ultima_x.toml" in shipped


def test_a_gateway_knows_the_device_models(edge: Environment) -> None:
    done = edge.run("edge-agent", "models")
    assert done.returncode == 0, done.stderr
    assert "msa_ultima_x" in done.stdout


def test_a_gateway_gets_no_web_framework_no_compiler_and_no_test_tools(edge: Environment) -> None:
    assert edge.distributions() & (WEB | JIT | DEVELOPERS) == set()
    assert {"parksentry", "pymodbus", "pyzmq"} <= edge.distributions()


def test_the_aggregator_gets_no_numba_and_no_device_protocol(aggregator: Environment) -> None:
    assert aggregator.distributions() & (JIT | DEVELOPERS | {"pymodbus", "asyncua"}) == set()
    assert {"parksentry", "fastapi", "sqlalchemy", "pyzmq"} <= aggregator.distributions()


def test_edge_agent_teaches_itself_on_a_gateway(edge: Environment) -> None:
    assert_helps(edge, "edge-agent")


def test_aggregator_teaches_itself_in_the_control_room(aggregator: Environment) -> None:
    assert_helps(aggregator, "aggregator")


def test_hil_rig_teaches_itself_without_the_checkout(rig: Environment) -> None:
    assert_helps(rig, "hil-rig")


def assert_helps(environment: Environment, command: str) -> None:
    done = environment.run(command, "--help")
    assert done.returncode == 0, done.stderr
    assert command in done.stdout
    assert done.stderr == ""
