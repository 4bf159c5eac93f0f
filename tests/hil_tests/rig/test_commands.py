"""Commands as people and programs write them."""

from __future__ import annotations

import math

import pytest

from hil_tests.rig import commands
from hil_tests.rig.commands import USAGES, parse_command
from hil_tests.rig.words import CommandError, shown


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("step gas1 3.5", commands.Step("gas1", 3.5)),
        ("  step   gas1 -inf 20 ", commands.Step("gas1", -math.inf, 20)),
        ("release gas1", commands.Release("gas1")),
        ("freeze", commands.Freeze(None)),
        ("freeze gas1", commands.Freeze("gas1")),
        ("unfreeze", commands.Unfreeze(None)),
        ("stop_answering", commands.StopAnswering()),
        ("answer", commands.Answer()),
        ("disconnect", commands.Disconnect()),
        ("listen", commands.Listen()),
        ("exception 12 2", commands.RaiseException(12, 2)),
        ("exception_clear", commands.ClearExceptions()),
        ("longest 50", commands.RefuseLonger(50, 3)),
        ("longest 50 2", commands.RefuseLonger(50, 2)),
        ("connections 1", commands.LimitConnections(1)),
        ("mischief drop", commands.Misbehave(commands.MischiefKind.DROP)),
        ("mischief cross 0.25 9", commands.Misbehave(commands.MischiefKind.CROSS, 0.25, 9)),
        ("delay 0.4 1 3", commands.Misbehave(commands.MischiefKind.DELAY, 1.0, 3, 0.4)),
        ("mischief_clear", commands.ClearMischief()),
        ("mischief_clear delay", commands.ClearMischief(commands.MischiefKind.DELAY)),
        ("stop_publishing", commands.StopPublishing()),
        ("publish", commands.Publish()),
        ("restart", commands.Restart()),
        ("restart 3", commands.Restart(3)),
        ("limit sessions 0", commands.Limit(commands.Limited.SESSIONS, 0)),
        ("limit_clear", commands.ClearLimits()),
        ("quit", commands.Quit()),
    ],
)
def test_each_command_is_understood(text: str, command: commands.Command) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize("usage", USAGES)
def test_a_command_with_too_many_words_says_how_it_is_written(usage: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_command(usage.split(maxsplit=1)[0] + " 1" * 4)
    assert usage in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "stop", "step gas1", "step gas1 high", "step gas1 1 -1", "step gas1 1 nan", "exception 70000 2",
     "exception 1.5 2", "exception 1 9", "exception nan 2", "mischief delay", "mischief theft", "mischief drop 1.1",
     "mischief drop nan", "mischief drop 1 -1", "delay -1", "delay 1e9", "longest 0", "longest 2001", "longest 5 9",
     "connections 0", "mischief_clear theft", "restart -1", "limit power 3", "limit items -1"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        parse_command(text)


@pytest.mark.parametrize("value", [0.1, 3.0, -2.5e-9, 1e300, math.inf])
def test_a_number_in_a_command_comes_back_exactly(value: float) -> None:
    assert float(shown(value)) == value
