"""Which known word an unknown one was probably meant to be. Pure; used wherever a fault names its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

_SHOWN_MAX: Final = 40
_CUTOFF: Final = 0.6


def nearest(word: str, known: Collection[str], count: int = 3) -> list[str]:
    """Known words that resemble ``word``, best first, or the one that differs in upper and lower case only."""
    by_folded = {each.casefold(): each for each in known}
    if word.casefold() in by_folded:
        return [by_folded[word.casefold()]]
    return [by_folded[near] for near in difflib.get_close_matches(word[:64].casefold(), by_folded, count, _CUTOFF)]


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A remedy: the nearest words, or else all of them."""
    near = nearest(word, known)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known are: {', '.join(known)}" if known else "There are none to choose from"


def shown(text: object) -> str:
    """What was given, in quotes, short enough for one line."""
    line = " ".join(str(text).split())
    return f"'{line}'" if len(line) <= _SHOWN_MAX else f"'{line[:_SHOWN_MAX]}...'"
