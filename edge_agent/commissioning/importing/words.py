"""The words of plants, from ``words.toml``, and how two spellings are found to be one. Pure but for reading that file once."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_BRACKETS: Final = re.compile(r"[(\[{【〔].*?[)\]}】〕]")
_IN_BRACKETS: Final = re.compile(r"[(\[{【〔](.*?)[)\]}】〕]")
_BETWEEN: Final = re.compile(r"[\s_\-./\\:;*#'\"·、,。]+")
_PARTS: Final = re.compile(r"[\n\r/|、]+")
_SCRIPTS: Final = re.compile(r"[\u3400-\u9fff][\u3400-\u9fff0-9]*|[^\u3400-\u9fff]+")


def plain(text: str) -> str:
    """One width for all signs, no blanks around, one blank inside."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def normal(text: str) -> str:
    """What of a heading or a word is compared: no brackets, case, blanks, hyphens and dots."""
    return _BETWEEN.sub("", _BRACKETS.sub("", unicodedata.normalize("NFKC", text)).casefold())


def normal_unit(text: str) -> str:
    return plain(text).casefold().replace(" ", "").replace("μ", "u").replace("·", ".").replace("^", "")


def _normal_sign(text: str) -> str:
    """For words that may be signs alone, as the dash."""
    return plain(text).casefold().rstrip(":.")


@dataclass(frozen=True, slots=True)
class Words:
    """Each table: what a word is written as, normalised, to what it means."""

    headings: Mapping[str, str]
    above: frozenset[str]
    parts_that_matter: tuple[str, ...]
    units: Mapping[str, str]
    units_nearly: Mapping[str, str]
    types: Mapping[str, str]
    word_orders: Mapping[str, str]
    registers: Mapping[str, str]
    bit_signals: frozenset[str]
    rows: Mapping[str, frozenset[str]]

    def says(self, kind: str, text: str) -> bool:
        """True where a cell holds a word of that kind (nothing, undecided, ditto, spare) and no more."""
        return _normal_sign(text) in self.rows[kind]

    def begins(self, kind: str, text: str) -> bool:
        """True where a cell is such a word (total, remark), or begins with it and a colon."""
        sign = _normal_sign(text)
        head = re.split(r"[:.\s]", sign, maxsplit=1)[0]
        return sign in self.rows[kind] or head.rstrip("0123456789") in self.rows[kind]

    def field(self, heading: str) -> str | None:
        """The one meaning of a heading, which may be in two languages."""
        whole = self.headings.get(normal(heading))
        if whole:
            return whole
        pieces = [*_PARTS.split(heading), *_SCRIPTS.findall(_BRACKETS.sub("", plain(heading)))]
        found = {field for piece in pieces if normal(piece) and (field := self.headings.get(normal(piece)))}
        return found.pop() if len(found) == 1 else None

    def matters(self, heading: str) -> bool:
        """True where an unknown heading may be a set-point, a range or an address."""
        text = normal(heading)
        return any(part in text for part in self.parts_that_matter)

    def unit_in(self, heading: str) -> str | None:
        """The unit that stands in brackets of a heading, as in ``Range (MPa)``."""
        for text in _IN_BRACKETS.findall(plain(heading)):
            if (unit := self.units.get(normal_unit(text))) is not None:
                return unit
        return None


@cache
def words() -> Words:
    """What ``words.toml`` says; asserts that no word means two things."""
    data = tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))
    return Words(
        headings=_inverse(data["headings"], normal),
        above=frozenset(normal(each) for each in data["headings_above"]["words"]),
        parts_that_matter=tuple(data["headings_that_matter"]["parts"]),
        units=_inverse(data["units"], normal_unit),
        units_nearly=_inverse(data["units_nearly"], normal_unit),
        types=_inverse(data["types"], normal),
        word_orders=_inverse(data["word_orders"], normal),
        registers=_inverse(data["registers"], normal),
        bit_signals=frozenset(normal(each) for each in data["signals"]["bit"]),
        rows={kind: frozenset(_normal_sign(each) for each in said) for kind, said in data["rows"].items()},
    )


def _inverse(table: Mapping[str, list[str]], fold: object) -> dict[str, str]:
    assert callable(fold)
    meanings: dict[str, str] = {}
    for meaning, spellings in table.items():
        for spelling in spellings:
            key = fold(spelling)
            assert key, f"{spelling} is nothing when normalised"
            assert meanings.setdefault(key, meaning) == meaning, f"{spelling}: {meanings[key]} or {meaning}"
    return meanings
