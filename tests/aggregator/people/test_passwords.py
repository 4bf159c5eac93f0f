"""What may be a password, and that only the right one opens."""

from __future__ import annotations

import argon2
import pytest

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people import passwords

RIGHT = "correct horse 氯"


@pytest.mark.parametrize(
    "password", ["", "short", "nine char", "operator-li", "OPERATOR-LI", "x" * 257, "氯" * 86, "ten chars \ud800"]
)
def test_what_is_too_short_too_long_or_the_name_is_refused(password):
    with pytest.raises(RefusedError) as caught:
        passwords.hash_new("operator-li", password)
    assert (caught.value.code, caught.value.params["field"]) == (RefusalCode.INVALID, "password")


@pytest.mark.parametrize("password", ["ten chars!", "x" * 256, "氯" * 85])
def test_limits_are_inclusive(password):
    assert passwords.is_right(passwords.hash_new("li", password), password)


def test_only_the_right_password_opens_and_nothing_opens_for_nobody():
    stored = passwords.hash_new("li", RIGHT)
    assert passwords.is_hash(stored)
    assert passwords.is_right(stored, RIGHT)
    for wrong in (RIGHT + " ", "", "x" * 100_000, "\ud800"):
        assert not passwords.is_right(stored, wrong)
    assert not passwords.is_right(None, "nobody has this password")
    assert not passwords.is_outdated(stored)


def test_another_keyboards_form_of_the_same_letters_is_the_same_password():
    stored = passwords.hash_new("li", "Kühlwasser-1")
    assert passwords.is_right(stored, "Ku\u0308hlwasser-1")


def test_a_hash_under_older_parameters_is_outdated_and_still_opens():
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(RIGHT)
    assert passwords.is_outdated(older)
    assert passwords.is_right(older, RIGHT)


@pytest.mark.parametrize("text", ["", "plain", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA", "$argon2id$" + "x" * 600])
def test_what_is_no_argon2id_hash_is_not_stored(text):
    assert not passwords.is_hash(text)
