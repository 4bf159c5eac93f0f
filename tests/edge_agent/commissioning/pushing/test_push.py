"""From the engineer's folder over a real ssh to agents that poll, and back where that does not hold."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pexpect
import pytest

from edge_agent.cli import main

MakeField = Callable[..., Any]
INSTRUMENT = "name,model,source,transport,host,port\nultima-7,msa_ultima_x,tank,tcp,127.0.0.1,2\n"
OLD = "AT-1,tank,plc,holding,0,uint16,ppm,25"
NEW = ("AT-1,tank,plc,holding,0,uint16,ppm,30", "AT-2,tank,plc,holding,1,uint16,ppm,25")


def test_the_difference_is_shown_and_nothing_is_changed(make_field: MakeField) -> None:
    field = make_field("gw1")
    field.change_points("gw1", *NEW)
    gateway = field.gateways["gw1"]
    before = sorted(gateway.site.rglob("*"))
    shown = field.push("--dry-run")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "~ AT-1: h 25 → 30" in shown.stdout
    assert "+ AT-2:" in shown.stdout
    assert sorted(gateway.site.rglob("*")) == before


def test_a_gateway_whose_agent_does_not_run_gets_it_all_the_same_and_that_is_said(make_field: MakeField) -> None:
    field = make_field("gw1")
    field.change_points("gw1", *NEW)
    gateway = field.gateways["gw1"]
    secret = (gateway.site / "keys" / "agent.key").read_text()
    pushed = field.push("--yes")
    assert pushed.returncode == 1, pushed.stdout + pushed.stderr
    assert pushed.stdout.count("no agent runs") == 1
    assert "AT-2" in gateway.config()["points.csv"]
    assert (gateway.site / "points.csv").is_symlink()
    assert (gateway.site / "keys" / "agent.key").read_text() == secret


def test_what_the_gateways_own_check_refuses_is_not_put_in_place(make_field: MakeField) -> None:
    field = make_field("gw1")
    field.change_points("gw1", *NEW)
    gateway = field.gateways["gw1"]
    (gateway.site / "keys" / "agent.key").unlink()
    before = gateway.config()
    pushed = field.push("--yes")
    assert pushed.returncode == 1
    assert "refused, nothing changed" in pushed.stdout
    assert "agent.key" in pushed.stdout
    assert gateway.config() == before
    assert gateway.versions() == []


def test_an_unknown_host_is_refused_with_its_fingerprint_until_it_is_accepted(make_field: MakeField) -> None:
    field = make_field("gw1", trusted=False)
    refused = field.push("--dry-run")
    assert refused.returncode == 1
    assert "SHA256:" in refused.stdout
    assert "--accept-new" in refused.stdout
    assert refused.stdout.isascii(), "a line that can be copied, in no box"
    assert field.push("--dry-run", "--accept-new").returncode == 0
    assert field.push("--dry-run").returncode == 0, "it is remembered"


def test_no_setting_of_ssh_lets_in_whom_nobody_knows(make_field: MakeField) -> None:
    field = make_field("gw1", trusted=False)
    config = field.path / "ssh_config"
    lax = "UserKnownHostsFile none\nStrictHostKeyChecking no\n"
    config.write_text(lax + re.sub("UserKnownHostsFile.*", "", config.read_text()))
    refused = field.push("--dry-run")
    assert refused.returncode == 1
    assert "is not known" in refused.stdout


def test_a_changed_host_key_is_refused_whatever_is_asked(make_field: MakeField) -> None:
    field = make_field("gw1", "gw2")
    known = field.path / "known_hosts"
    first, second = known.read_text().splitlines()
    swapped = f"{first.split()[0]} {second.partition(' ')[2]}\n"
    known.write_text(swapped)
    refused = field.push("--dry-run", "--accept-new", hosts=("gw1",))
    assert refused.returncode == 1
    assert re.search("has\\s+CHANGED", refused.stdout)
    assert known.read_text() == swapped


@pytest.mark.parametrize("words", [("--at-once", "0"), ("--to", "relative"), ("--hosts", "/nowhere")])
def test_wrong_input_connects_to_nothing(make_field: MakeField, words: tuple[str, ...]) -> None:
    refused = make_field("gw1").push("--yes", *words)
    assert refused.returncode == 2
    assert "nothing was connected to" in refused.stderr


def test_a_folder_with_faults_is_refused_here(make_field: MakeField) -> None:
    field = make_field("gw1")
    field.change_points("gw1", "AT-1,tank,plc,holding,0,uint16,furlong,25")
    refused = field.push("--yes")
    assert refused.returncode == 2
    assert "gw1/points.csv, row 2, unit" in refused.stderr


def test_a_folder_that_is_not_there_is_named_itself(make_field: MakeField) -> None:
    field = make_field("gw1")
    shutil.rmtree(field.folders / "gw1")
    refused = field.push("--yes")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 2, "the folder, and that nothing was connected to"
    assert f"{field.folders / 'gw1'}: there is no such folder" in refused.stderr


def test_devices_and_points_that_a_push_would_take_away_are_named_aloud(make_field: MakeField) -> None:
    field = make_field("gw1")
    site = field.gateways["gw1"].site
    (site / "devices.csv").write_text(INSTRUMENT)
    rows = (site / "points.csv").read_text()
    (site / "points.csv").write_text(rows + "AT-2,tank,plc,holding,1,uint16,ppm,25\n")
    shown = field.push("--dry-run")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert re.search("^LOOK: device ultima-7 and its [0-9]+ points are no longer polled$", shown.stdout, re.MULTILINE)
    assert "LOOK: 1 point of plc is no longer polled: AT-2" in shown.stdout


def test_what_was_accepted_on_a_gateway_is_dropped_only_where_that_is_asked_for(make_field: MakeField) -> None:
    field = make_field("gw1")
    gateway, folder = field.gateways["gw1"], field.folders / "gw1"
    for place in (gateway.site, folder):
        (place / "devices.csv").write_text(INSTRUMENT)
    accept = ["accept", str(gateway.site), "ultima-7", "notation", "wire", "--by", "Li Wei"]
    assert main(accept) == 0
    accepted = (gateway.site / "accepted.toml").read_text()
    field.change_points("gw1", *NEW)
    for words in (("--dry-run",), ("--yes",)):
        refused = field.push(*words)
        assert refused.returncode == 1
        assert "refused, nothing changed" in refused.stdout
        assert "notation of ultima-7 is wire (Li Wei, " in refused.stdout
        assert "--drop-accepted" in refused.stdout
        assert "~ AT-1: h 25 → 30" in refused.stdout, "the difference is shown all the same"
    assert (gateway.site / "accepted.toml").read_text() == accepted
    assert not (gateway.site / "versions").exists()
    assert field.push("--dry-run", "--drop-accepted").returncode == 0
    (folder / "accepted.toml").write_text(accepted)
    assert field.push("--dry-run").returncode == 0


def test_nobody_is_asked_where_nobody_is(make_field: MakeField) -> None:
    refused = make_field("gw1").push()
    assert refused.returncode == 2
    assert "--yes" in refused.stderr


@pytest.mark.parametrize(
    ("word", "said", "beneath"),
    [("n", "declined", ""), ("y", "no agent runs", "gw2: in place, but no agent runs: start it, then push again")],
)
def test_at_a_terminal_one_question_is_asked_after_the_difference_was_shown(
    make_field: MakeField, word: str, said: str, beneath: str
) -> None:
    field = make_field("gw1", "gw2")
    for name in field.gateways:
        field.change_points(name, *NEW)
    before = {name: gateway.config() for name, gateway in field.gateways.items()}
    child = pexpect.spawn(
        sys.executable, ["-m", "edge_agent.cli", *field.words()], encoding="utf-8", timeout=90, dimensions=(50, 200)
    )
    try:
        child.expect("waiting for your word")
        child.expect("gw1, gw2:")
        child.expect("~ AT-1: h 25 → 30")
        child.expect("push to 2 gateways.*N.")
        child.sendline(word)
        child.expect(f"gw1.*{said}.*gw2.*{said}.*{beneath}")
        child.expect(pexpect.EOF)
        child.wait()
    finally:
        child.close(force=True)
    assert child.exitstatus == 1
    for name, gateway in field.gateways.items():
        assert (gateway.config() == before[name]) == (word == "n")
