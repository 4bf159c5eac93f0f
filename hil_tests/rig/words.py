"""Commands as words: what a person types, a scenario says and a ledger keeps. Pure.

A vocabulary knows each command by the way it is written, ``step NAME VALUE [RAMP_SECONDS]``, and makes a value of it;
``commands`` has the one for devices, ``plant.orders`` the one for the plant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

C = TypeVar("C")


class CommandError(ValueError):
    """A command that cannot be understood or obeyed; nothing was changed. The text says what to write instead."""


class Vocabulary(Generic[C]):
    """``what`` names such a command for a person; ``makers`` is by usage, where words in brackets may be left out."""

    def __init__(self, what: str, makers: Mapping[str, Callable[..., C]]) -> None:
        self.usages = tuple(makers)
        self._what = what
        self._usage = {usage.split()[0]: usage for usage in makers}
        self._makers = makers

    def parse(self, text: str) -> C:
        """Raises CommandError, which says how the command is written."""
        verb, *args = text.split() or [""]
        usage = self._usage.get(verb)
        if usage is None:
            raise CommandError(f"no such {self._what} {verb!r}; there are: {'; '.join(self.usages)}")
        asked = usage.split()[1:]
        if not sum(not each.startswith("[") for each in asked) <= len(args) <= len(asked):
            raise CommandError(f"write: {usage}")
        return self._makers[usage](*args)


def number(text: str) -> float:
    """``nan`` and ``inf`` are numbers here: a broken instrument shows them. Raises CommandError."""
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{text!r} is no number") from None


def shown(value: float) -> str:
    """A number as it is written in a command: exact, and an integer without a point."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
