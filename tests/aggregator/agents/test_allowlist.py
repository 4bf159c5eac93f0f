"""The list of who may connect: names and keys once each, replaced whole, revocations for ever."""

from __future__ import annotations

import json

import pytest

from aggregator.agents import allowlist
from aggregator.agents.allowlist import AllowList
from aggregator.ingest.admissions import record_admissions
from aggregator.ingest.group import Group
from contract.errors import ConfigError
from contract.keys import generate


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "agents.json"
    allowlist.write(found, [])
    return found


def test_a_name_and_a_key_are_taken_once(path):
    keys = generate("a").public
    allowlist.add(path, "gate", keys, 1)
    with pytest.raises(ConfigError, match="the name gate is taken"):
        allowlist.add(path, "gate", generate("b").public, 2)
    with pytest.raises(ConfigError, match="admitted already, as gate"):
        allowlist.add(path, "pump", keys, 2)


def test_a_revoked_name_stays_taken_and_is_not_revoked_twice(path):
    allowlist.add(path, "gate", generate("a").public, 1)
    allowlist.revoke(path, "gate", "stolen", 2)
    with pytest.raises(ConfigError, match="taken, revoked"):
        allowlist.add(path, "gate", generate("b").public, 3)
    with pytest.raises(ConfigError, match="revoked already"):
        allowlist.revoke(path, "gate", "", 3)
    with pytest.raises(ConfigError, match="there is no agent pump"):
        allowlist.revoke(path, "pump", "", 3)


def test_a_change_is_noticed_and_a_look_without_change_reads_nothing(path):
    faults: list[ConfigError] = []
    keys = generate("a").public
    held = AllowList(path, faults.append)
    assert not held.reload()
    allowlist.add(path, "gate", keys, 1)
    assert held.reload()
    assert not held.reload()
    assert held.name_of(keys.curve_public.hex()) == "gate"
    allowlist.revoke(path, "gate", "", 2)
    assert held.reload()
    assert held.name_of(keys.curve_public.hex()) is None
    assert held.is_revoked(keys.curve_public.hex())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "agents": []}', '{"version": 1, "agents": [{"name": "x"}]}', '{"version": 1, "agents": [{"name": "!", "curve_public": "", "ed25519_public": "", "added_ns": 1}]}']
)  # fmt: skip
def test_a_file_that_is_no_list_is_a_fault(path, text):
    path.write_text(text)
    with pytest.raises(ConfigError):
        allowlist.read(path)


def test_each_difference_is_put_on_record_once(path):
    allowlist.add(path, "gate", generate("a").public, 1)
    group = Group(5)
    recorded = record_admissions(group, allowlist.read(path), {})
    assert [draft.kind for draft in group.drafts] == ["agent_admitted"]
    allowlist.revoke(path, "gate", "stolen", 2)
    group = Group(6)
    recorded = record_admissions(group, allowlist.read(path), recorded)
    assert [(draft.kind, draft.data["reason"]) for draft in group.drafts] == [("agent_revoked", "stolen")]
    group = Group(7)
    record_admissions(group, allowlist.read(path), recorded)
    assert group.drafts == []


def test_an_agent_taken_out_by_hand_counts_as_revoked(path):
    allowlist.add(path, "gate", generate("a").public, 1)
    recorded = record_admissions(Group(5), allowlist.read(path), {})
    path.write_text(json.dumps({"version": 1, "agents": []}))
    group = Group(6)
    recorded = record_admissions(group, allowlist.read(path), recorded)
    assert [draft.kind for draft in group.drafts] == ["agent_revoked"]
    group = Group(7)
    record_admissions(group, allowlist.read(path), recorded)
    assert group.drafts == []
