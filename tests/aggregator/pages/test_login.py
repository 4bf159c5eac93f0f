"""The login page leads nowhere but into this site, and shows nobody's words as markup."""

from __future__ import annotations

import pytest

from aggregator.pages.login import render, safe_address
from aggregator.pages.texts import Language, texts


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        ("/alarms?state=all", "/alarms?state=all"),
        ("", "/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("/login?next=/login", "/"),
        ("/a\nb", "/"),
        ("/" + "a" * 2000, "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(wanted, address):
    assert safe_address(wanted) == address


def test_words_of_the_address_cannot_become_markup():
    page = render(texts(Language.EN), "<b>", '/"><script>alert(1)</script>')
    assert "<b>" not in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("language", list(Language))
def test_it_says_what_this_system_is_not(language):
    assert "GB/T 50493" in render(texts(language), "not_signed_in", "/")


@pytest.mark.parametrize("language", list(Language))
def test_without_a_script_it_says_why_nothing_goes_in_both_languages(language):
    notice = render(texts(language), "", "/").partition("<noscript>")[2].partition("</noscript>")[0]
    assert "否则无法登录" in notice
    assert "without it nobody can sign in" in notice
