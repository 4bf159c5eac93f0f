"""The hash chain: fixed by vectors made with nothing but hashlib, and sensitive to every byte."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.chain import ALGORITHMS, Record, digest, genesis, link, record_digest


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_a_record_is_hashed_as_the_contract_says() -> None:
    record = Record(b'{"a":1}', b"s" * 16, b'{"who":"7"}')
    by_hand = sha(sha(record.open) + sha(record.salt + record.restricted))
    assert record.digest("sha256") == by_hand
    assert link("sha256", b"\x01" * 32, by_hand) == sha(b"\x01" * 32 + by_hand)


def test_a_withheld_part_still_verifies() -> None:
    record = Record(b"{}", b"salt" * 4, b'{"who":"7"}')
    assert record_digest("sha256", record.open, record.withheld("sha256")) == record.digest("sha256")


def test_chains_of_different_names_share_no_prefix() -> None:
    heads = {genesis("sha256", *names) for names in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"))}
    assert len(heads) == 4


def test_the_genesis_never_changes() -> None:
    expected = sha(b"parksentry chain 1\nagent\nepoch\nevents")
    assert genesis("sha256", "agent", "epoch", "events") == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_works_here(algorithm: str) -> None:
    assert len(digest(algorithm, b"x")) == 32


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8), st.data())
def test_any_changed_byte_changes_the_head(parts: list[bytes], data: st.DataObject) -> None:
    def head(records: list[bytes]) -> bytes:
        state = genesis("sha256", "a")
        for record in records:
            state = link("sha256", state, Record(record).digest("sha256"))
        return state

    index = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, len(parts[index]) - 1))
    changed = list(parts)
    changed[index] = parts[index][:place] + bytes([parts[index][place] ^ 1]) + parts[index][place + 1 :]
    assert head(parts) != head(changed)
