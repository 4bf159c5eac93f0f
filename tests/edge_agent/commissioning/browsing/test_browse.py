"""``edge-agent browse`` against a real server, and what it writes is what ``edge-agent check`` takes."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from asyncua import Server, ua

from drivers.opcua.wire import node_id
from edge_agent.cli import main
from edge_agent.commissioning.browsing.target import endpoint_of
from hil_tests.rig.ports import reserve

ROOT: Path = Path(__file__).parents[4]
URI = "urn:plant:tanks"


async def furnish(server: Server) -> None:
    index = await server.register_namespace(URI)
    plant = await server.nodes.objects.add_object(index, "Plant")
    for number in (1, 2):
        tank = await plant.add_object(index, f"Tank{number}")
        place = node_id(f"T{number}.Level", index), ua.QualifiedName("Level", index)
        level = await tank.add_variable(*place, 1.25 * number, ua.VariantType.Double)
        unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 5067858, ua.LocalizedText("m"))
        await level.add_property(node_id(f"T{number}.eu", index), "0:EngineeringUnits", unit)
        await level.add_property(node_id(f"T{number}.r", index), "0:EURange", ua.Range(0.0, 6.0))
        await tank.add_variable(node_id(f"T{number}.run", index), "Running", True)
        await tank.add_reference(plant, ua.ObjectIds.Organizes)  # a ring
    await plant.add_variable(node_id("Names", index), "Names", ["a", "b"])


@pytest.fixture(scope="module")
def endpoint():
    """A server in a thread of its own."""
    place = reserve("127.0.0.1")
    address = f"opc.tcp://127.0.0.1:{place.getsockname()[1]}/park"
    up, down = threading.Event(), threading.Event()

    async def serve():
        server = Server()
        await server.init()
        server.set_endpoint(address)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await furnish(server)
        async with server:
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert up.wait(60)
    yield address
    down.set()
    thread.join()
    place.close()


def test_variables_are_shown_with_value_unit_range_and_address(endpoint, capsys):
    assert main(["browse", endpoint, "--match", "*/Tank*/Level"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["Plant/Tank1/Level", "1.25", "m", "[0", "to", "6]", "Double", f"nsu={URI};s=T1.Level"],
        ["Plant/Tank2/Level", "2.5", "m", "[0", "to", "6]", "Double", f"nsu={URI};s=T2.Level"],
    ]


def test_a_ring_ends_and_the_summary_counts(endpoint, capsys):
    assert main(["browse", endpoint]) == 0
    assert "5 of 5 variables, among 8 nodes" in capsys.readouterr().err


def test_what_a_bound_keeps_out_is_said_with_the_way_to_get_it(endpoint, capsys):
    assert main(["browse", endpoint, "--depth", "2"]) == 0
    assert (
        "CUT: 4 nodes lie deeper than 2 levels, and more perhaps below them. Give --depth 4" in capsys.readouterr().err
    )
    assert main(["browse", endpoint, "--nodes-max", "3"]) == 0
    assert "CUT: the server has more than 3 nodes" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path, endpoint):
    """An agent's folder that speaks with the server; it has no list yet."""
    directory = tmp_path / "site"
    shutil.copytree(ROOT / "configs" / "starter", directory)
    (directory / "points.csv").unlink()
    text = (directory / "agent.toml").read_text("utf-8")
    head = text[: text.index("[[device]]")]
    device = f'[[device]]\nname = "tanks"\ndriver = "opcua"\nendpoint = "{endpoint}"\n'
    (directory / "agent.toml").write_text(head + device, "utf-8")
    return directory


def test_the_list_that_it_writes_is_good(folder, capsys):
    out = folder / "points.csv"
    assert main(["browse", str(folder), "tanks", "--out", str(out), "--source", "store"]) == 0
    told = capsys.readouterr().err
    assert "wrote 4 rows" in told
    assert "Plant/Names: it holds a list" in told
    assert main(["keygen", str(folder)]) == 0
    shutil.copy(folder / "keys" / "agent.pub", folder / "keys" / "aggregator.pub")
    assert main(["check", str(folder)]) == 0, capsys.readouterr().err


def test_without_device_and_source_it_says_what_is_missing_and_check_finds_it(folder, endpoint, capsys):
    out = folder / "points.csv"
    assert main(["browse", endpoint, "--out", str(out)]) == 0
    assert "fill the column device and source (or give --device and --source)" in capsys.readouterr().err
    assert main(["check", str(folder)]) == 2
    assert "row 2, source: the cell is empty" in capsys.readouterr().err


def test_a_file_that_exists_is_left_alone(folder, endpoint, capsys):
    out = folder / "points.csv"
    out.write_text("mine")
    assert main(["browse", endpoint, "--out", str(out)]) == 2
    assert out.read_text() == "mine"
    assert "exists" in capsys.readouterr().err


def test_a_pattern_that_fits_no_whole_path_is_said(endpoint, tmp_path, capsys):
    out = tmp_path / "points.csv"
    assert main(["browse", endpoint, "--match", "Level*", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "0 of 5 variables" in told
    assert "a pattern is for the whole path" in told
    assert not out.exists()


def test_an_endpoint_may_be_given_without_its_scheme_unless_a_folder_is_named_so(endpoint, tmp_path, monkeypatch):
    short = endpoint.removeprefix("opc.tcp://")
    assert main(["browse", short]) == 0
    assert endpoint_of("[::1]:4840") == "opc.tcp://[::1]:4840"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site:1").mkdir()
    assert (endpoint_of("site:1"), endpoint_of("site:2")) == (None, "opc.tcp://site:2")


def test_a_folder_is_asked_which_device_is_meant(folder, endpoint, capsys):
    with (folder / "agent.toml").open("a") as file:
        file.write(f'[[device]]\nname = "pumps"\ndriver = "opcua"\nendpoint = "{endpoint}"\n')
    assert main(["browse", str(folder)]) == 2
    assert "device: several devices speak OPC UA. Name one of: tanks, pumps" in capsys.readouterr().err
    text = (folder / "agent.toml").read_text("utf-8")
    (folder / "agent.toml").write_text(text[: text.index("[[device]]")], "utf-8")
    assert main(["browse", str(folder)]) == 2
    assert "device: no device speaks OPC UA. Add a [[device]]" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused_with_those_there_are(folder, capsys):
    assert main(["browse", str(folder), "tank"]) == 2
    assert "Name one of: tanks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["opc.tcp://127.0.0.1"], "is not opc.tcp://host:port"),
        (["opc.tcp://127.0.0.1:4840", "--policy", "Basic"], "--policy"),
        (["opc.tcp://127.0.0.1:4840", "--policy", "Basic256Sha256"], "--certificate: is needed with --policy"),
        (["opc.tcp://127.0.0.1:4840", "--user", "a", "--password-file", "nowhere"], "--password-file"),
        (["127.0.0.1:4840", "--policy", "Basic"], "--policy"),
        (["opc.tcp://127.0.0.1:4840", "--out", "/nowhere/points.csv"], "cannot be written (No such file or directory)"),
        (["/nowhere"], "Give a folder with agent.toml, or an endpoint that begins with opc.tcp://"),
    ],
)
def test_wrong_input_is_told_by_the_option(arguments, told, capsys):
    assert main(["browse", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_server_that_is_not_there_is_a_failure_in_words(capsys):
    with reserve("127.0.0.1") as place:
        assert main(["browse", f"opc.tcp://127.0.0.1:{place.getsockname()[1]}"]) == 1
    assert "no connection to opc.tcp://" in capsys.readouterr().err
