"""Whoever waits for a program waits no longer than it lives, and is told what it said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.field import Field, FieldError, accepts, wait_for
from hil_tests.processes import Program, ProgramError
from hil_tests.rig.ports import reserve
from hil_tests.rig.site import parse_site

NAP = "import time; print('napping', flush=True); time.sleep(600)"
SITE = parse_site(
    {"device": [{"name": "s", "kind": "opcua", "namespace": "urn:test",
                 "node": [{"name": "a", "signal": {"kind": "constant", "value": 1}}]}]},
    Path("site.toml"),
)  # fmt: skip


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Program]:
    program = Program("sleeper", "timeit", ["-n", "1", "-r", "1", NAP], tmp_path / "sleeper.log")
    program.start()
    yield program
    program.stop()


def test_an_answer_is_given_back() -> None:
    answers = iter([0, 0, 7])
    assert wait_for(lambda: next(answers), "seven") == 7


def test_what_does_not_happen_in_time_is_told_with_what_the_program_wrote(sleeper: Program) -> None:
    wait_for(lambda: "napping" in sleeper.written(), "it naps", of=[sleeper])
    with pytest.raises(FieldError, match=r"it wakes: not within 0.05 s\nsleeper wrote:\nnapping"):
        wait_for(lambda: False, "it wakes", 0.05, of=[sleeper])


def test_nobody_waits_for_a_program_that_has_ended(sleeper: Program) -> None:
    sleeper.kill()
    with pytest.raises(ProgramError, match=r"sleeper is not running \(exit status -9\)"):
        wait_for(lambda: False, "it wakes", 600.0, of=[sleeper])


def test_a_web_port_that_is_taken_is_told_and_nothing_is_left_running(tmp_path: Path) -> None:
    taken = reserve("127.0.0.1")
    taken.listen()
    port = taken.getsockname()[1]
    field = Field(tmp_path, SITE, web_port=port)
    with taken, pytest.raises(OSError, match=f"cannot take 127.0.0.1:{port}"), field:
        pass
    assert not field.rig.ports


def test_a_reserved_port_accepts_nobody_until_somebody_listens() -> None:
    with reserve("127.0.0.1") as reserved:
        place = f"127.0.0.1:{reserved.getsockname()[1]}"
        assert not accepts(place)
        reserved.listen()
        assert accepts(place)
