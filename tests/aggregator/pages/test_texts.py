"""One catalogue: every text in both languages, every key that code uses is there, none is left over."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from aggregator.alarms.commands import Action
from aggregator.alarms.states import Event, Letter, Reason
from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from aggregator.history.service import RunKind
from aggregator.journal.log import JournalKind
from aggregator.live.service import Doubt
from aggregator.pages import texts as module
from aggregator.pages.alarm_rows import Shown
from aggregator.pages.point_rows import Part
from aggregator.pages.sentences import Subject
from aggregator.pages.texts import Language, catalogue, chosen, script_json, texts
from aggregator.pages.trend import RANGES_S
from aggregator.people.rights import Right, Role
from contract.events import EventType
from contract.ids import Lane
from contract.points import ConditionClass, ConditionKind
from contract.quality import Quality
from contract.units import UNITS

PAGES = Path(module.__file__).parent
FAMILIES: dict[str, list[str]] = {
    "role": list(Role),
    "right": list(Right),
    "letter": list(Letter),
    "action": list(Action),
    "reason": list(Reason),
    "class": list(ConditionClass),
    "alarm_event": list(Event),
    "journal_kind": list(JournalKind),
    "event": list(EventType),
    "shown": list(Shown),
    "subject": list(Subject),
    "refused_for": list(RefusalCode),
    "doubt": list(Doubt),
    "quality": [each.name.lower() for each in Quality],
    "part": list(Part),
    "lane": list(Lane),
    "hazard": ["1", "2", "3", "4"],
    "range": list(RANGES_S),
    "run": [RunKind.GOOD, RunKind.UNCERTAIN],
    "condition": [f"{kind}_{level}" for kind in ConditionKind for level in range(1, kind.level_max + 1)],
}
"""Sets of codes that must have a word each."""
WORDS = {"unit", "what", "gas", "gap", "feature", *FAMILIES}
"""Sections whose keys are codes of data."""
KEY = re.compile(r"[a-z_]+\.[a-zA-Z0-9_]+\Z")
EVERY_KEY = sorted(catalogue())


def sources() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in PAGES.glob("*.py")}


def used() -> tuple[set[str], set[str]]:
    """Whole keys, and the beginnings of keys that end in something looked up (``f"bar.{name}"``)."""
    sections = {key.partition(".")[0] for key in EVERY_KEY}
    whole, beginnings = set(), set()
    for tree in sources().values():
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and KEY.match(value) and value.partition(".")[0] in sections:
                whole.add(value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                first = node.values[0].value
                if isinstance(first, str) and first.partition(".")[0] in sections and "." in first:
                    beginnings.add(first)
    return whole, beginnings


@pytest.mark.parametrize("key", EVERY_KEY)
def test_every_text_is_there_in_both_languages_with_the_same_parameters(key):
    both = catalogue()[key]
    assert set(both) == set(Language)
    fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in both.values()]
    assert fields[0] == fields[1]
    if not key.startswith("unit."):
        assert all(text.strip() == text and text for text in both.values())


def test_every_key_in_the_code_is_in_the_catalogue():
    whole, beginnings = used()
    assert whole - set(EVERY_KEY) == set()
    assert [begin for begin in beginnings if not any(key.startswith(begin) for key in EVERY_KEY)] == []


def test_no_text_is_left_over():
    whole, beginnings = used()
    left = [
        key
        for key in EVERY_KEY
        if key not in whole
        and not any(key.startswith(begin) for begin in beginnings)
        and key.partition(".")[0] not in WORDS
    ]
    assert left == []


@pytest.mark.parametrize(("family", "code"), [(family, code) for family, codes in FAMILIES.items() for code in codes])
def test_every_code_has_a_word(family, code):
    assert f"{family}.{code}" in catalogue()


def test_no_word_is_for_a_code_that_does_not_exist():
    known = {f"{family}.{code}" for family, codes in FAMILIES.items() for code in codes}
    known |= {f"unit.{symbol}" for symbol in UNITS} | {"condition.gas_high_1", "condition.gas_high_2"}
    words = {key for key in EVERY_KEY if key.partition(".")[0] in {"unit", *FAMILIES}}
    assert words - known == set()


@pytest.mark.parametrize("language", list(Language))
def test_every_refusal_becomes_a_sentence(language):
    text = texts(language)
    for code in RefusalCode:
        assert code.value not in text.refusal(RefusedError(code, reason="still_active", right="shelve"))
    assert "{" not in text.refusal(RefusedError(RefusalCode.TOO_MANY_ATTEMPTS))
    assert text.unavailable(UnavailableError("x", delivered=True)) != text.unavailable(
        UnavailableError("x", delivered=False)
    )


@pytest.mark.parametrize("field", ["until_ns", "comment", "reason", "permit"])
def test_what_was_filled_in_wrongly_is_told_in_the_readers_words(field):
    error = RefusedError(RefusalCode.INVALID, field=field, message="must be text of 1 to 1000 characters")
    for language in Language:
        said = texts(language).refusal(error)
        assert "must be" not in said.replace("must be filled in", "")
        assert "_" not in said
    assert texts(Language.EN).refusal(error) != texts(Language.ZH).refusal(error)


def test_chinese_comes_unasked_and_english_when_chosen():
    assert chosen({}) is Language.ZH
    assert chosen({"parksentry_language": "en"}) is Language.EN
    assert chosen({"parksentry_language": "<script>"}) is Language.ZH


def test_an_unknown_code_stands_for_itself():
    assert texts(Language.ZH).word("letter", "Z") == "Z"


def test_a_text_cannot_end_the_script_that_carries_it():
    assert "</script" not in script_json({"a": "</script><script>alert(1)"})


@pytest.mark.parametrize(
    ("org", "said"),
    [
        ("acme", "Acme Chemicals"),
        ("acme/store", "Chlorine store"),
        ("acme/store/hall 2/bay", "Chlorine store / hall 2 / bay"),
        ("acme/storehouse", "Acme Chemicals / storehouse"),
        ("other/x", "other/x"),
    ],
)
def test_a_place_is_called_what_the_register_calls_it_as_far_as_it_does(org, said):
    named = {"acme": {"zh": "甲化工", "en": "Acme Chemicals"}, "acme/store": {"zh": "液氯储存", "en": "Chlorine store"}}
    text = texts(Language.EN).with_places(named)
    assert text.place(org) == said
    assert text.place_and_path(org) == (org if said == org else f"{said} ({org})")
    assert texts(Language.EN).place(org) == org
