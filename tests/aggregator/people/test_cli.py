"""People on the command line: with the aggregator running or not, and no password where others can read it."""

from __future__ import annotations

import io
import json

import pytest

from aggregator import cli
from aggregator.commands.refusal import RefusedError
from aggregator.folder import ingest_lock
from aggregator.people import passwords
from aggregator.people.queries import load_users
from aggregator.store import db

PASSWORD = "a longer password"


@pytest.fixture
def run(capsys, monkeypatch, folder):
    """Gives exit status, standard output and standard error of a command with these lines on standard input."""

    def command(*words, typed: str = PASSWORD + "\n") -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        try:
            status = cli.main([*map(str, words), "--dir", str(folder.path)])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_somebody_is_added_listed_changed_and_barred_while_no_aggregator_runs(run):
    assert run("users", "add", "li", "--role", "operator", "--org", "acme/tank")[0] == 0
    assert run("users", "change", "li", "--role", "engineer", "--org", "", "--disable")[0] == 0
    [user] = json.loads(run("users", "list", "--json")[1])
    assert (user["name"], user["role"], user["scope"], user["disabled"]) == ("li", "engineer", "", True)
    assert "disabled" in run("users", "list")[1]
    assert run("users", "change", "li", "--enable")[0] == 0
    assert json.loads(run("users", "list", "--json")[1])[0]["disabled"] is False


def test_a_running_aggregator_is_asked(run, park, services, monkeypatch):
    monkeypatch.setattr("time.time_ns", park.clock.wall_ns)
    with ingest_lock(park.folder):  # as the ingest process holds it
        assert park.serve(lambda: run("users", "add", "li", "--role", "viewer"))[0] == 0
        token = park.serve(lambda: services.people.sign_in("li", PASSWORD, "console 2"))
        [session] = json.loads(run("sessions", "list", "--json")[1])
        assert (session["user"], session["station"]) == ("li", "console 2")
        assert "console 2" in run("sessions", "list")[1]
        status, out, _ = park.serve(lambda: run("sessions", "revoke", "li"))
    assert (status, out) == (0, "1 session(s) of li ended\n")
    assert json.loads(run("sessions", "list", "--json")[1]) == []
    with pytest.raises(RefusedError):
        services.people.person(token)
    kinds = [record["kind"] for record in park.journal("user_added", "signed_in", "session_revoked")]
    assert kinds == ["user_added", "signed_in", "session_revoked"]


def test_a_password_may_come_from_the_first_line_of_a_file(run, tmp_path, folder):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nanother line\n")
    assert run("users", "add", "li", "--role", "viewer", "--password-file", file, typed="")[0] == 0
    with db.open_reader(folder.database).begin() as connection:
        [user] = load_users(connection)
    assert passwords.is_right(user.password_hash, PASSWORD)


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("users", "add", "li", "--role", "boss"), PASSWORD, "role"),
        (("users", "add", "../li", "--role", "viewer"), PASSWORD, "name"),
        (("users", "add", "li", "--role", "viewer", "--org", "a//b"), PASSWORD, "scope"),
        (("users", "add", "li", "--role", "viewer"), "short", "at least 10"),
        (("users", "add", "longer-name", "--role", "viewer"), "Longer-Name", "must not be the name"),
        (("users", "add", "li", "--role", "viewer", "--password-file", "/nowhere/x"), "", "cannot be read"),
        (("users", "change", "li"), "", "nothing to change"),
        (("users", "change", "li", "--disable"), "", "no such user"),
        (("sessions", "revoke", "li"), "", "no such user"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_nothing_is_changed(run, words, typed, told):
    status, out, err = run(*words, typed=typed)
    assert (status, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
    assert json.loads(run("users", "list", "--json")[1]) == []


def test_a_name_is_given_once(run):
    run("users", "add", "li", "--role", "viewer")
    status, _, err = run("users", "add", "li", "--role", "operator")
    assert status == 2
    assert "already" in err


def test_typed_passwords_must_agree(run, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("io.StringIO", Terminal)
    typed = iter(["first password", "other password", "third password", "third password"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    assert "differ" in run("users", "add", "li", "--role", "viewer")[2]
    assert run("users", "add", "li", "--role", "viewer")[0] == 0


@pytest.mark.parametrize("words", [("users",), ("users", "add"), ("users", "list"), ("users", "change"), ("sessions",),
                                   ("sessions", "list"), ("sessions", "revoke")])  # fmt: skip
def test_every_command_teaches_itself(capsys, words):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, "--help"])
    assert stopped.value.code == 0
    assert f"usage: aggregator {' '.join(words)}" in capsys.readouterr().out


def test_what_is_stored_of_a_password_is_its_hash(run, folder):
    run("users", "add", "li", "--role", "viewer")
    stored = [path.read_bytes() for path in folder.path.glob("aggregator.db*")]
    assert not any(PASSWORD.encode() in data for data in stored)
    assert any(b"$argon2id$" in data for data in stored)
