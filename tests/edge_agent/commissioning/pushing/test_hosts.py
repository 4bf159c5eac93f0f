"""Gateways are named as ssh names them; a name can never lead out of the folder of folders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Fault
from edge_agent.commissioning.pushing.hosts import Target, parse_target, read_targets


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("gw1", Target("gw1")),
        ("engineer@gw2:22", Target("gw2", "engineer", 22)),
        ("10.0.0.9", Target("10.0.0.9")),
        ("root@[fe80::1]:2222", Target("fe80::1", "root", 2222)),
    ],
)
def test_a_target_is_read_and_written_alike(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert str(target) == text


@pytest.mark.parametrize("text", ["", "..", "../x", "-oProxyCommand=x", "a b", "gw:0", "gw:70000", "a/b", "@gw", "gw:"])
def test_what_is_no_host_is_refused(text: str) -> None:
    assert parse_target(text) is None


@given(st.text(max_size=40))
def test_no_name_leads_elsewhere(text: str) -> None:
    target = parse_target(text)
    if target is not None:
        assert "/" not in target.host
        assert target.host not in {"", ".", ".."}
        assert not str(target).startswith("-")


def test_a_file_of_hosts_is_told_by_its_rows() -> None:
    faults: list[Fault] = []
    targets = read_targets(["gw1"], "forty.txt", "# the north\nops@gw2  # pump house\n\nno host\ngw1\n", faults)
    assert [str(each) for each in targets] == ["gw1", "ops@gw2"]
    assert [(fault.file, fault.row) for fault in faults] == [("forty.txt", 4), ("forty.txt", 5)]


def test_no_host_at_all_is_a_fault() -> None:
    faults: list[Fault] = []
    read_targets([], None, "", faults)
    assert "--hosts" in faults[0].remedy
