"""Key files: what is written is read back, and what is wrong is named."""

from __future__ import annotations

import pytest
import zmq.utils.z85

from contract.errors import ConfigError
from contract.keys import format_public, format_secret, generate, parse_public, parse_secret


def test_both_files_are_read_back() -> None:
    keys = generate("store-1")
    assert parse_public(format_public(keys.public), "agent.pub") == keys.public
    again = parse_secret(format_secret(keys), "agent.key")
    assert (again.public, again.curve_secret, again.ed25519_secret) == (
        keys.public, keys.curve_secret, keys.ed25519_secret
    )  # fmt: skip


def test_zeromq_takes_the_curve_pair() -> None:
    keys = generate("store-1")
    assert zmq.curve_public(zmq.utils.z85.encode(keys.curve_secret)) == zmq.utils.z85.encode(keys.public.curve_public)


def test_signatures_hold_for_their_message_only() -> None:
    keys = generate("store-1")
    signature = keys.sign(b"head")
    assert keys.public.verify(signature, b"head")
    assert not keys.public.verify(signature, b"tail")
    assert not generate("other").public.verify(signature, b"head")


def test_a_secret_file_is_refused_where_a_public_one_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="secret key file"):
        parse_public(format_secret(generate("store-1")), "agent.key")


def test_no_secret_appears_in_a_repr() -> None:
    keys = generate("store-1")
    assert keys.curve_secret.hex() not in repr(keys)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("version = 2", "version"),
        ('version = 1\nname = "a b"', "name"),
        ('version = 1\nname = "a"\ncurve_public = "12"', "curve_public"),
        ("no toml at all", None),
        ("a = " + "[" * 5000, None),
        ("a = 1" + "0" * 5000, None),
    ],
)
def test_a_damaged_file_is_named_with_the_field(text: str, column: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_public(text, "agent.pub")
    assert column in [fault.column for fault in caught.value.faults]


def test_halves_of_different_pairs_are_refused() -> None:
    mine, other = generate("a"), generate("a")
    text = format_secret(mine).replace(mine.curve_secret.hex(), other.curve_secret.hex())
    with pytest.raises(ConfigError, match="do not belong together"):
        parse_secret(text, "agent.key")
