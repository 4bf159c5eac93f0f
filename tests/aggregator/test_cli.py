"""What a person types: help that teaches, faults in a line each, and no traceback."""

from __future__ import annotations

import builtins
import json

import pytest

from aggregator import cli
from contract.events import EventType
from contract.keys import format_public, format_secret, generate


@pytest.fixture
def run(capsys):
    """Gives exit status, standard output and standard error of a command."""

    def command(*words) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "agent.pub"
    path.write_text(format_public(generate("gate").public))
    return path


@pytest.mark.parametrize(
    "words",
    [(), ("init",), ("run",), ("agents",), ("agents", "add"), ("agents", "list"), ("agents", "revoke"), ("journal",),
     ("journal", "verify"), ("verify",)],
)  # fmt: skip
def test_every_command_teaches_itself(run, words):
    status, out, _ = run(*words, "--help")
    assert status == 0
    assert "usage: aggregator" in out


def test_examples_and_what_it_is_not_are_in_the_help_and_inner_commands_are_not(run):
    _, out, _ = run("--help")
    assert "aggregator agents add site-a" in out
    assert "GB/T 50493" in out
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("    ") and line.strip()]
    assert {"init", "run", "agents", "journal", "verify"} <= set(listed)
    assert not {"ingest", "web"} & set(listed)


def test_init_makes_a_folder_once(run, tmp_path):
    status, out, _ = run("init", tmp_path / "p", "--listen", "tcp://127.0.0.1:7000", "--name", "west")
    assert status == 0
    assert "aggregator.pub" in out
    status, _, err = run("init", tmp_path / "p")
    assert status == 2
    assert "already" in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_an_aggregator_is_told_in_a_line(run, tmp_path):
    for words in (("run", tmp_path), ("verify", tmp_path), ("journal", "--dir", tmp_path), ("ingest", tmp_path)):
        status, _, err = run(*words)
        assert status in {2, 3}
        assert "aggregator init" in err
        assert len(err.splitlines()) == 1


def test_agents_are_added_listed_and_revoked(run, folder, key_file):
    assert run("agents", "add", "gate", key_file, "--dir", folder.path)[0] == 0
    assert "taken" in run("agents", "add", "gate", key_file, "--dir", folder.path)[2]
    assert run("agents", "revoke", "gate", "--reason", "stolen", "--dir", folder.path)[0] == 0
    assert "revoked" in run("agents", "list", "--dir", folder.path)[1]
    [entry] = json.loads(run("agents", "list", "--json", "--dir", folder.path)[1])
    assert (entry["name"], entry["revoked_reason"]) == ("gate", "stolen")


def test_a_secret_key_file_is_not_taken_for_a_public_one(run, folder, key_file):
    key_file.write_text(format_secret(generate("gate")))
    status, _, err = run("agents", "add", "gate", key_file, "--dir", folder.path)
    assert status == 2
    assert "secret key file" in err


def test_a_name_that_is_none_is_refused(run, folder, key_file):
    status, _, err = run("agents", "add", "../x", key_file, "--dir", folder.path)
    assert status == 2
    assert "NAME" in err


def test_the_folder_may_come_from_the_environment(run, folder, monkeypatch):
    monkeypatch.setenv("PARKSENTRY_DIR", str(folder.path))
    assert run("agents", "list")[0] == 0
    assert run("journal")[0] == 0
    assert run("journal", "verify")[0] == 0


def test_journal_lines_hold_the_exact_bytes_and_each_cursor_leads_on(run, park, agent):
    agent.event(EventType.CONFIG_CHANGE, {"text": '氯气 "x" ü'})
    agent.acked(agent.batch(1))
    status, out, _ = run("journal", "--dir", park.folder.path)
    lines = out.splitlines()
    assert status == 0
    found = [json.loads(line) for line in lines]
    assert [each["seq"] for each in found] == list(range(1, len(found) + 1))
    [event] = [each for each in found if each["kind"] == "event"]
    assert agent.records[0].open.decode() in lines[event["seq"] - 1]
    assert event["event"]["data"] == {"text": '氯气 "x" ü'}
    assert event["open"]["data"]["hash"] == agent.hashes[1].hex()
    _, rest, _ = run("journal", "--after", found[1]["cursor"], "--limit", 2, "--dir", park.folder.path)
    assert rest.splitlines() == lines[2:4]


def test_a_wrong_cursor_is_told_in_a_line(run, folder):
    status, _, err = run("journal", "--after", "nonsense", "--dir", folder.path)
    assert status == 2
    assert "cursor" in err
    assert len(err.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(run, monkeypatch, tmp_path):
    real = builtins.__import__

    def lacking(name, *rest, **more):
        if name.split(".")[0] == "aggregator":
            raise ModuleNotFoundError("No module named 'zmq'", name="zmq")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    status, _, err = run("init", tmp_path / "p")
    assert status == 1
    assert "pip install 'parksentry[aggregator]'" in err
