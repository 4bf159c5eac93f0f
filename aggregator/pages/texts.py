"""Every text that a person reads on a page, from one catalogue in Chinese and English: ``texts.toml``.

A key names a text; a *word* is the text of a code out of a closed set (a state, a quality, a reason). Data carries codes
only, so what a record says can be read in either language for ever.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from contract.events import Json

CATALOGUE: Final = "texts.toml"
LANGUAGE_COOKIE: Final = "parksentry_language"


class Language(StrEnum):
    """The catalogue's languages; people choose, the first is what they get unasked."""

    ZH = "zh"
    EN = "en"

    @property
    def other(self) -> Language:
        return Language.EN if self is Language.ZH else Language.ZH

    @property
    def tag(self) -> str:
        """BCP 47, for the ``lang`` attribute and the page library's own words."""
        return "zh-CN" if self is Language.ZH else "en-GB"


def chosen(cookies: Mapping[str, str]) -> Language:
    """The language of whoever sends these cookies."""
    return Language.EN if cookies.get(LANGUAGE_COOKIE) == Language.EN else Language.ZH


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue in one language. Called with a key and the text's parameters."""

    language: Language
    table: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict)
    """Organisation path → what the register calls it."""

    def __call__(self, key: str, **params: object) -> str:
        """Raises KeyError for a key that the catalogue lacks, or a parameter that the text needs."""
        return self.table[key].format(**params)

    def word(self, family: str, code: str) -> str:
        """The word for a code. One that came from a newer version and is unknown here stands for itself."""
        return self.table.get(f"{family}.{code}", code)

    def name(self, both: Mapping[str, str]) -> str:
        """Of a name given in both languages the one to show."""
        return both.get(self.language) or both.get(self.language.other, "")

    def with_places(self, names: Mapping[str, Mapping[str, str]]) -> Texts:
        """The same texts that also know what the register calls the paths of organisations."""
        return replace(self, places={path: self.name(both) for path, both in names.items()})

    def place(self, org: str) -> str:
        """An organisation path in words, as far as the register names it: "Chlorine store / tank-room"."""
        parts = org.split("/")
        for named in range(len(parts), 0, -1):
            name = self.places.get("/".join(parts[:named]))
            if name:
                return " / ".join([name, *parts[named:]])
        return org

    def place_and_path(self, org: str) -> str:
        """In words, and as the I/O list writes it."""
        place = self.place(org)
        return org if place == org else f"{place} ({org})"

    def refusal(self, error: RefusedError) -> str:
        """A refusal in words: what was refused and what is so instead."""
        params: dict[str, Json] = {name: self._param(name, value) for name, value in error.params.items()}
        if error.code is RefusalCode.NOT_POSSIBLE:
            return self("refusal.not_possible", reason=params.get("reason", ""))
        if error.code is RefusalCode.INVALID and (special := _INVALID.get(str(error.params.get("field")))):
            return self(special, field=self.word("fact", str(error.params["field"])))
        text = self.table.get(f"refusal.{error.code}", str(error))
        return text.format_map(_Lenient(params))

    def unavailable(self, error: UnavailableError) -> str:
        return self("refusal.unavailable_delivered" if error.delivered else "refusal.unavailable")

    def _param(self, name: str, value: Json) -> Json:
        return self.word(name, value) if isinstance(value, str) and name in {"reason", "right", "what"} else value


_INVALID: Final = {
    "until_ns": "refusal.invalid_until_ns",
    **dict.fromkeys(("comment", "reason", "permit"), "refusal.invalid_text"),
}
"""What a person filled in, by the name that programs have for it."""


class _Lenient(dict[str, Any]):
    """A refusal's parameters come from another process: one that is missing must not hide the refusal."""

    def __missing__(self, key: str) -> str:
        return "–"


@cache
def texts(language: Language) -> Texts:
    """The packaged catalogue."""
    return Texts(language, {key: both[language] for key, both in catalogue().items()})


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key → language → text."""
    content = resources.files("aggregator.pages").joinpath(CATALOGUE).read_text("utf-8")
    return {
        f"{section}.{name}": both
        for section, entries in tomllib.loads(content).items()
        for name, both in entries.items()
    }


def script_json(table: Mapping[str, str]) -> str:
    """JSON that may stand inside a script element: no text in it can end the element."""
    return json.dumps(table).replace("<", "\\u003c")
