"""The guide to the rig can be followed word by word."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hil_tests import cli, demo
from hil_tests.rig.commands import PLANT, USAGES, MischiefKind
from hil_tests.rig.ledger import parse_row
from hil_tests.rig.site import parse_site
from hil_tests.scenario import parse_scenario

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "test-with-the-rig.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
SHELL = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("hil-rig ")]
TYPED = [line for _, block in BLOCKS for line in block.splitlines() if re.match(r"(plant|\w+-(plc|opcua)) ", line)]


def test_what_it_says_to_type_is_obeyed(tmp_path: Path) -> None:
    site = (demo.demo_folder() / "site.toml").read_text("utf-8")
    (tmp_path / "site.toml").write_text(re.sub(r"^port = \d+$", "port = 0", site, flags=re.MULTILINE), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "hil_tests.cli", "serve", str(tmp_path), "--dir", str(tmp_path / "rig")],
        input="\n".join([*TYPED, "quit", ""]), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    devices, answers = done.stdout.splitlines()[:4], done.stdout.splitlines()[4:]
    assert {line.split()[0] for line in devices} == {line.split()[0] for line in TYPED} - {PLANT} | {
        "lpg-plc", "nh3-opcua",
    }  # fmt: skip
    refused = [
        (line, answer) for line, answer in zip(TYPED, answers, strict=True) if not re.fullmatch(r"ok at \d+", answer)
    ]
    assert refused == []


def test_it_shows_every_command_of_a_device() -> None:
    shown = {line.split()[1] for line in TYPED if line.split()[0] != PLANT}
    assert shown == {usage.split()[0] for usage in USAGES} - {"quit"}


@pytest.mark.parametrize("line", SHELL)
def test_its_commands_are_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for action in ("serve", "run", "demo", "curves"):
        monkeypatch.setattr(cli, f"_{action}", lambda _args: 0)
    assert cli.main(shlex.split(line)[1:]) == 0


def test_its_scenario_is_one() -> None:
    (example,) = [block for language, block in BLOCKS if language == "toml" and "[[expect]]" in block]
    file = Path(demo.__file__).parent / "scenarios" / "example.toml"
    scenario = parse_scenario(tomllib.loads(example), file)
    assert scenario.site.resolve() == demo.demo_folder().resolve()


def test_its_site_is_one() -> None:
    (example,) = [block for language, block in BLOCKS if language == "toml" and "[[device]]" in block]
    assert len(parse_site(tomllib.loads(example), Path("site.toml")).connections()) == 1


def test_it_tells_every_mischief() -> None:
    told = {
        kind for row in re.findall(r"^\| (`[a-z_`, ]+).*\|", GUIDE, re.MULTILINE) for kind in re.findall(r"\w+", row)
    }
    assert told >= set(MischiefKind)


def test_it_lists_every_scenario_of_the_package() -> None:
    there = {file.name for file in (Path(demo.__file__).parent / "scenarios").glob("*.toml")}
    assert set(re.findall(r"^\| `(\w+\.toml)` \|", GUIDE, re.MULTILINE)) == there


def test_its_lines_of_a_ledger_can_be_read() -> None:
    lines = re.findall(r"^\| `mono_ns,([^`]+)` \|", GUIDE, re.MULTILINE)
    assert len(lines) == 10
    for line in lines:
        assert parse_row(f"1,{line}").mono_ns == 1
